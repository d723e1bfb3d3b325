/* SPDX-License-Identifier: MIT */
/* What a subscriber was told: interfaces, the domains of each, the elements and addresses of each
 * domain. Pure. */
#ifndef MONITOR_TOLD_H
#define MONITOR_TOLD_H

#include <net/if.h>

#include "monitor/domains.h"
#include "monitor/mif.h"

struct told_address_key {
	uint8_t family, prefix_len, ip[16];
};

struct told_address {
	struct told_address_key key;
	uint32_t flags;
	int64_t valid_ms, preferred_ms; /* until when; PVD_FOREVER */
	unsigned seen;                  /* in which comparison it was last there */
	UT_hash_handle hh;
};

struct told_domain {
	char id[MIF_NAME];
	bool implicit;
	bool told, wants_elements, wants_addresses;
	bool seen;
	uint64_t element[PVD_SOURCES]; /* of what was told, a hash; 0: not told */
	struct told_address *addresses;
	unsigned comparison; /* of its addresses, the last */
	struct told_domain *next;
};

struct told_interface {
	int ifindex;
	char name[IFNAMSIZ];
	bool told, wants_domains;
	const char *reason; /* of its last event */
	struct told_domain *domains;
	bool dirty; /* there may be more to tell */
	struct told_interface *prev, *next;
	UT_hash_handle hh;
};

struct told {
	struct told_interface *interfaces;
	struct told_interface *dirty; /* by index, that is in the order in which they came */
};

void told_free(struct told *t);

struct told_interface *told_find(const struct told *t, int ifindex);

/* The interface, known from now on and dirty. NULL: no memory. Then it is not dirty any more; then
 * no longer known, with all there is of it. */
struct told_interface *told_note(struct told *t, int ifindex);
void told_settle(struct told *t, struct told_interface *i);
void told_close(struct told *t, struct told_interface *i);

/* A domain of the interface, likewise. */
struct told_domain *told_find_domain(const struct told_interface *i, const char *id);
struct told_domain *told_open_domain(struct told_interface *i, const struct domain *of);
void told_close_domain(struct told_interface *i, struct told_domain *d);

/* An address of the domain; added with the facts of the model. */
struct told_address *told_find_address(const struct told_domain *d,
                                       const struct told_address_key *k);
void told_add_address(struct told_domain *d, const struct told_address *model);
void told_renew_address(struct told_address *a, const struct told_address *model);
void told_forget_address(struct told_domain *d, struct told_address *a);
void told_forget_addresses(struct told_domain *d);

#endif
