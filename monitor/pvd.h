/* SPDX-License-Identifier: MIT */
/*
 * Provisioning domains (RFC 7556) and what is known of each. Pure: whoever learns something (from
 * the kernel's tables, router advertisements, the resolver's files, the service) feeds it in.
 *
 * A domain belongs to one interface and has a name: "" is the interface's implicit domain, both
 * address families together; any other is the PvD ID of an explicit one (RFC 8801). What is known
 * of it are items, each from a source (what the MIF API calls the type of the configuration
 * element) and brought by a feeder (which part of this program has learned it). Nothing is merged
 * across domains; the same item from two feeders is one item of the domain.
 */
#ifndef MONITOR_PVD_H
#define MONITOR_PVD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* An allocation that fails costs an item, never the process. */
#ifndef HASH_NONFATAL_OOM
#define HASH_NONFATAL_OOM 1
#endif
#include <uthash.h>
#include <utlist.h>

#define PVD_NAME 256 /* with its zero; without the final dot */
#define PVD_TEXT 256
#define PVD_ITEMS 128    /* of one domain */
#define PVD_EXPLICIT 16  /* domains of one interface besides the implicit one */
#define PVD_DOMAINS 8192 /* in all */

/* How the network (or the administrator) said it: the element's type. */
enum pvd_source {
	PVD_STATIC, /* by hand, or nobody knows */
	PVD_RA,
	PVD_DHCPV4,
	PVD_DHCPV6,
	PVD_RESOLVER,   /* the host's own resolver configuration for the interface */
	PVD_ADDITIONAL, /* RFC 8801's additional information (JSON) */
	PVD_LINK,       /* the interface itself */
	PVD_PORTAL,     /* what the captive portal's API says (RFC 8908) */
	PVD_SOURCES
};

enum pvd_feeder {
	PVD_BY_KERNEL,  /* links, addresses, routes */
	PVD_BY_USEROPT, /* the kernel's RTM_NEWNDUSEROPT */
	PVD_BY_FILES,   /* what network managers leave in files */
	PVD_BY_SERVICE, /* mifcontd */
	PVD_FEEDERS
};

enum pvd_info {
	PVD_DNS_SERVER,     /* ip, port (0: 53), scoped to the interface if link-local */
	PVD_SEARCH_DOMAIN,  /* text, no final dot */
	PVD_GATEWAY,        /* ip */
	PVD_PREFIX,         /* ip/prefix_len: on-link or for autoconfiguration */
	PVD_ROUTE,          /* ip/prefix_len reached through this domain */
	PVD_MTU,            /* number */
	PVD_CAPTIVE_PORTAL, /* text: the URI of RFC 8910 */
	PVD_NAT64_PREFIX,   /* ip/prefix_len: RFC 8781 */
	PVD_NO_INTERNET,    /* number: 1 */
	PVD_DNS_ZONE,       /* text: dnsZones of RFC 8801 */
	PVD_DHCPV4_BOUND,   /* number: 1, the L flag: this explicit domain has the IPv4 addresses */
	PVD_PORTAL_CAPTIVE, /* number: 1 as long as the portal lets nothing through, else 0 */
	PVD_PORTAL_PAGE,    /* text: where a person is to go for that */
	PVD_PORTAL_VENUE,   /* text: where there is to read about the place */
	PVD_PORTAL_SESSION, /* number: 1; ends when the portal will close again */
	PVD_INFOS
};

#define PVD_FOREVER INT64_MAX

/* All of it is compared as bytes but for `until`: unused parts must be zero. */
struct pvd_item {
	int64_t until; /* clock_ms() at which it ends, PVD_FOREVER */
	enum pvd_info info;
	uint32_t number;
	uint16_t port;
	uint8_t family, prefix_len;
	uint8_t ip[16];     /* IPv4 in the first four bytes, the rest zero */
	uint8_t origin[16]; /* the router that said it (its link-local address), or zero */
	char text[PVD_TEXT];
};

struct pvd_entry {
	enum pvd_source source;
	enum pvd_feeder feeder;
	bool stale; /* being replaced */
	struct pvd_item item;
};

struct pvd_key {
	int ifindex;
	char name[PVD_NAME]; /* lower case; zero to its end */
};

struct pvd {
	struct pvd_key key;
	struct pvd_entry *entries; /* in the order in which they were first fed */
	unsigned count, room;
	int64_t due; /* of the first to end; PVD_FOREVER */
	struct pvd_interface *of;
	struct pvd *prev, *next; /* of the same interface */
	UT_hash_handle hh;
};

struct pvd_interface {
	int ifindex;
	struct pvd *domains;
	UT_hash_handle hh;
};

struct pvd_table {
	struct pvd *all;
	struct pvd_interface *interfaces;
	unsigned fed[PVD_FEEDERS]; /* items, by whom */
	int64_t due;               /* of the first to end; 0: none does */
	bool incomplete;           /* something found no room */
	/* Something of a domain of this interface came, went or changed; lifetimes alone do not
	 * count. May be NULL. Must not feed. */
	void (*changed)(void *ctx, int ifindex);
	void *ctx;
};

void pvd_free(struct pvd_table *t);

/*
 * Add an item or renew its lifetime; one whose `until` is not after `now` is withdrawn. Of the
 * MTU, the captive portal, and the flags there is one per domain, source, feeder and origin: a new
 * value takes the place of the old. `name` is "" or a PvD ID in any case, with or without the final
 * dot.
 */
void pvd_put(struct pvd_table *t, int ifindex, const char *name, enum pvd_feeder feeder,
             enum pvd_source source, const struct pvd_item *item, int64_t now);

/* All this feeder now has of this source for the domain: what it has brought before and is not
 * among the `n` is withdrawn. */
void pvd_replace(struct pvd_table *t, int ifindex, const char *name, enum pvd_feeder feeder,
                 enum pvd_source source, const struct pvd_item *items, unsigned n, int64_t now);

/* Everything the feeder has brought: for one domain, or (`name` NULL) all of the interface, or
 * (`ifindex` 0) all there are. */
void pvd_withdraw(struct pvd_table *t, int ifindex, const char *name, enum pvd_feeder feeder);

/* Withdraw what has expired. And when the next will: clock_ms(), or PVD_FOREVER. */
void pvd_expire(struct pvd_table *t, int64_t now);
int64_t pvd_due(const struct pvd_table *t);

/* A domain something is known of; NULL: none. */
const struct pvd *pvd_find(const struct pvd_table *t, int ifindex, const char *name);

/* The explicit domains of an interface, in the order of their names; their number. */
unsigned pvd_explicit(const struct pvd_table *t, int ifindex, const struct pvd *out[PVD_EXPLICIT]);

/*
 * The items of a domain, each once whoever fed it: of one source and one kind, or PVD_SOURCES and
 * PVD_INFOS for any. `pvd` may be NULL. Their number.
 */
unsigned pvd_items(const struct pvd *pvd, enum pvd_source source, enum pvd_info info,
                   const struct pvd_item *out[PVD_ITEMS]);

const char *pvd_source_name(enum pvd_source s); /* "RA", "DHCPv4" ... */
const char *pvd_info_name(enum pvd_info i);     /* "dns-server" ... */

#endif
