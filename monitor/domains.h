/* SPDX-License-Identifier: MIT */
/*
 * The provisioning domains there are: of what interface, under what identifier, with which
 * addresses. Pure: from the table of links, addresses and routes, and the table of what is known of
 * domains, to which it adds what the first one says.
 *
 * Of links and addresses those count that the listener was told of.
 *
 * A domain is there when it is configured: its interface is usable and has a valid address of it
 * that is more than link-local. An address inside a prefix of an explicit domain of its interface
 * belongs to that one alone; IPv4 addresses to the explicit one that DHCPv4 is bound to; all others
 * to the implicit domain.
 */
#ifndef MONITOR_DOMAINS_H
#define MONITOR_DOMAINS_H

#include "monitor/attach.h"
#include "monitor/pvd.h"
#include "monitor/table.h"

#define DOMAINS_OF_INTERFACE (PVD_EXPLICIT + 1)

struct domains_link {
	int ifindex;
	struct attachment attachment;
	char name[IFNAMSIZ]; /* when first attached: it goes into identifiers */
	bool dirty;
	struct domains_link *next_dirty;
	int64_t wonder_ms; /* when to ask again who its routers are, or to name it; PVD_FOREVER */
	int64_t name_ms;   /* not to be named before, unless a router shows; 0: not waited for */
	unsigned wondered;
	UT_hash_handle hh;
};

struct domains_lists;

struct domains {
	const struct iftable *table;
	struct pvd_table pvds;
	struct domains_link *links;
	struct domains_link *dirty, **last_dirty; /* as they were noted */
	int64_t wonder_ms;                        /* of the first, or earlier; PVD_FOREVER */
	struct domains_lists *scratch;
	char salt[64]; /* the machine's */
	bool settling, begun;
	/* A domain of this interface, or what is known of it, came, went or changed. May be NULL.
	 */
	void (*changed)(void *ctx, int ifindex);
	/* Its router's link-layer address would tell where we are: please ask the kernel. May be
	 * NULL. */
	void (*wonder)(void *ctx, int ifindex, uint8_t family, const uint8_t ip[16]);
	void *ctx;
};

/* One domain. The pointers are good until the tables are fed again. */
struct domain {
	int ifindex;
	const char *id; /* of an explicit one its PvD ID */
	bool implicit;
	const struct pvd *known; /* NULL: nothing */
};

void domains_init(struct domains *d, const struct iftable *t, const char *salt);
void domains_free(struct domains *d);

/* Something about the interface changed; domains_settle() then works it out. */
void domains_note(struct domains *d, int ifindex);
void domains_settle(struct domains *d, int64_t now);

/* When domains_settle() is to be called even if nothing changes: clock_ms(), or PVD_FOREVER. */
int64_t domains_due(const struct domains *d);

/*
 * The interface went away, be it for a moment: what was learned by it has to be learned again. What
 * the service has said is left to the service, which knows of it, too.
 */
void domains_lost(struct domains *d, int ifindex);

/* The monitor's events, as they come: one of the two above. */
void domains_event(struct domains *d, const struct mif_event *ev);

/* The kernel knows the link-layer address of a neighbour. */
void domains_lladdr(struct domains *d, int ifindex, uint8_t family, const uint8_t ip[16],
                    const uint8_t *lladdr, size_t len);

/* The domains of an interface, the implicit one first; their number. */
unsigned domains_of(const struct domains *d, int ifindex, struct domain out[DOMAINS_OF_INTERFACE]);

/* The one of this identifier, on this interface or (0) on any; false: there is none. */
bool domains_find(const struct domains *d, const char *id, int ifindex, struct domain *out);

/* Is the address of that domain, and announced? Link-local ones are their interface's implicit
 * domain's. */
bool domains_has(const struct domains *d, const struct domain *dom, const struct if_address *a);

#endif
