/* SPDX-License-Identifier: MIT */
/*
 * What the kernel has told of links, addresses and routes. Pure: no system calls, nothing is
 * emitted.
 *
 * Two sources feed it: events, and dumps asked for meanwhile. An event read since the dump was
 * asked for is at least as new as the dump's line about the same thing, or is followed by one that
 * is; so the dump never overrides it. That is what `heard` (by event) and `seen` (in a dump) are
 * for; both hold the dump's number. For the same reason what an event removed stays in the table,
 * `gone`, until iftable_purge(); and while a dump is under way it gets there even if it was not
 * known: a line that still has it may be waiting to be read.
 */
#ifndef MONITOR_TABLE_H
#define MONITOR_TABLE_H

#include "monitor/monitor.h"

/* An allocation that fails costs an entry (`incomplete` is set), never the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

/* Larger than any sane machine, small enough for a guest in somebody else's process. */
#define IFTABLE_LINKS 4096
#define IFTABLE_ADDRESSES 65536
#define IFTABLE_ROUTES 65536
#define IFTABLE_DEFAULT_ROUTES 1024 /* on top: a full table must not cost the default route */

enum iftable_source { IFTABLE_EVENT, IFTABLE_DUMP };

struct if_mark {
	uint32_t heard, seen;
	bool gone;
};

struct if_belongings;

struct if_link {
	int ifindex;
	char name[IFNAMSIZ];
	char info[16]; /* IFLA_INFO_KIND, may be cut short */
	unsigned flags, arphrd;
	uint32_t mtu;
	uint8_t operstate;
	bool port; /* of a bridge, bond or team: it carries no traffic of its own */
	enum mif_kind kind;
	/* what the listener was told */
	bool announced, told_usable;
	char told_name[IFNAMSIZ];
	bool routes_changed; /* since it was last told */
	int ipv4;            /* addresses it has */
	struct if_mark mark;
	struct if_belongings *belongings;
	UT_hash_handle hh;
};

struct if_address_key {
	int ifindex;
	uint8_t family, prefix_len;
	uint8_t ip[16], peer[16];
	uint16_t unused; /* hashed as bytes: no padding the compiler might leave alone */
};
_Static_assert(sizeof(struct if_address_key) == 40, "padding would be hashed");

struct if_address {
	struct if_address_key key;
	uint32_t flags, valid_s, preferred_s;
	uint8_t protocol; /* IFAPROT_*: who made it; 0 where the kernel does not say */
	int64_t told_ms;  /* when the lifetimes were counted from: the table's `now` */
	bool announced;
	bool was_unusable; /* tentative when first seen: for the reason in its announcement */
	struct if_mark mark;
	struct if_belongings *of;
	struct if_address *prev, *next; /* of the same interface */
	UT_hash_handle hh;
};

struct if_route_key {
	int ifindex; /* 0: rejects (unreachable, prohibit, blackhole, throw) */
	uint32_t metric;
	uint8_t family, prefix_len;
	uint8_t destination[16], gateway[16];
	uint16_t unused;
};
_Static_assert(sizeof(struct if_route_key) == 44, "padding would be hashed");

struct if_route {
	struct if_route_key key;
	bool has_source;
	uint8_t source[16]; /* the source address the route asks for */
	uint8_t protocol;   /* RTPROT_*: who made it */
	struct if_mark mark;
	struct if_belongings *of;
	struct if_route *prev, *next; /* of the same interface */
	UT_hash_handle hh;
};

/* What is known of one interface, or of none (index 0), in the order in which it came: addresses
 * and routes may be heard of before their link, and be left when it is gone. */
struct if_belongings {
	int ifindex;
	struct if_link *link;
	struct if_address *addresses;
	struct if_route *routes;
	bool touched;
	struct if_belongings *next_touched;
	UT_hash_handle hh;
};

struct iftable {
	struct if_link *links;
	struct if_address *addresses;
	struct if_route *routes;
	struct if_belongings *by_interface;
	struct if_belongings *touched; /* of these something is gone, or routes have changed */
	uint32_t dump;                 /* number of the dump under way, or of the last one */
	bool dumping;                  /* it is under way */
	unsigned gone;                 /* entries waiting to be purged */
	int64_t now;                   /* of what is put in: kept up by the owner */
	bool rejects_changed;
	bool incomplete;                    /* something found no room */
	bool (*wireless)(const char *name); /* may be NULL; see ifkind_wireless() */
};

void iftable_free(struct iftable *t);

/* Entries that are there; NULL: no such thing (any more). */
struct if_link *iftable_link(const struct iftable *t, int ifindex);

/* As above but also a link that is gone and not yet purged. */
struct if_link *iftable_link_any(const struct iftable *t, int ifindex);

/*
 * A link as the listener knows it: during a dump the table may be ahead of what was told. NULL: it
 * was not told of such a one.
 */
struct if_link *iftable_told(const struct iftable *t, int ifindex);

/* Up with carrier, and carrying its own traffic. True of a loopback interface that is up. */
bool iftable_link_usable(const struct if_link *l);

/* Can it be a source address? Neither waiting for nor failed in duplicate address detection. */
bool iftable_address_valid(const struct if_address *a);

/* The first of an interface's addresses and of its routes, those that are gone among them; the
 * others by `next`. */
struct if_address *iftable_addresses(const struct iftable *t, int ifindex);
struct if_route *iftable_routes(const struct iftable *t, int ifindex);

/*
 * Add or update. The argument is a model of which only the facts are read; keys must be zero in
 * every byte that is not used. Each returns the entry, or NULL if there was no room or a newer
 * event forbids it.
 */
struct if_link *iftable_put_link(struct iftable *t, const struct if_link *l, enum iftable_source s);
struct if_address *iftable_put_address(struct iftable *t, const struct if_address *a,
                                       enum iftable_source s);
void iftable_put_route(struct iftable *t, const struct if_route *r, enum iftable_source s);

/*
 * Mark as gone what an event removed, with all that goes with it silently: a link's addresses and
 * routes, the last IPv4 address's routes. Each returns the entry, NULL if there never was one.
 */
struct if_link *iftable_drop_link(struct iftable *t, int ifindex);
struct if_address *iftable_drop_address(struct iftable *t, const struct if_address_key *k);
void iftable_drop_route(struct iftable *t, const struct if_route_key *k);

/* All routes to one destination with one metric: what a replacing NEWROUTE says about the others.
 */
void iftable_drop_alternatives(struct iftable *t, const struct if_route_key *k);

/* Begin a dump; once it is complete, mark as gone what it did not contain; and, complete or not,
 * end it. */
void iftable_dump_begin(struct iftable *t);
void iftable_dump_end(struct iftable *t);
void iftable_sweep_links(struct iftable *t);
void iftable_sweep_addresses(struct iftable *t);
void iftable_sweep_routes(struct iftable *t, sa_family_t family);

/* Free what is gone. Not while a dump is under way. */
void iftable_purge(struct iftable *t);

#endif
