/* SPDX-License-Identifier: MIT */
/*
 * What the kernel has told of links, addresses and routes, and the MIF events that follow from a change. Pure: netlink
 * messages in, events out.
 */
#ifndef MONITOR_TABLE_H
#define MONITOR_TABLE_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Out of memory leaves an entry out; it does not end a stranger's process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "monitor/monitor.h"

#define LINKS_MAX 4096
#define ADDRESSES_MAX 16384
#define ROUTES_MAX 16384

struct address_key {
	int ifindex;
	uint8_t family, prefix_len;
	uint8_t ip[16];
};

struct address {
	struct address_key key;
	struct mif_address a;
	bool announced;
	uint32_t seen; /* the dump it was last seen in */
	struct address *next; /* of the same link */
	UT_hash_handle hh;
};

struct link {
	int ifindex;
	char name[IFNAMSIZ];
	unsigned flags;
	uint8_t operstate;
	bool carrier;
	enum mif_kind kind;
	bool announced, usable;
	uint32_t seen;
	struct address *addresses;
	UT_hash_handle hh;
};

struct route_key {
	int ifindex;
	uint8_t family, dst_len;
	uint8_t dst[16];
	uint32_t metric;
	uint8_t gateway[16];
};

struct route {
	struct route_key key;
	uint32_t seen;
	UT_hash_handle hh;
};

struct table {
	struct link *links;
	struct address *addresses;
	struct route *routes;
	unsigned nlinks, naddresses, nroutes;
	bool routes_changed;
	bool overfull; /* more than the bounds allow; the rest is not known */
	uint32_t dump; /* number of the dump under way */
	mif_event_fn *fn;
	void *ctx;
};

void table_init(struct table *t, mif_event_fn *fn, void *ctx);
void table_free(struct table *t);

/* One netlink message of RTM_{NEW,DEL}{LINK,ADDR,ROUTE}; others and broken ones are ignored. */
void table_feed(struct table *t, const struct nlmsghdr *nlh);

/*
 * Around a complete dump of one kind (RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE): what was not seen in it has gone. The
 * difference comes out as events.
 */
void table_dump_begin(struct table *t);
void table_dump_end(struct table *t, int kind);

struct link *table_link(const struct table *t, int ifindex);

#endif
