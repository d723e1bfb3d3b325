/* SPDX-License-Identifier: MIT */
/*
 * The addresses under which one far end is reached, and what a socket's family is to the program.
 * Agent only.
 */
#ifndef PRELOAD_PLACES_H
#define PRELOAD_PLACES_H

#include <stdbool.h>

#include "monitor/monitor.h"
#include "preload/flow.h"

#define PLACES_MAX 12

/* Most wanted first, no IP address twice. */
struct places {
	union flow_address at[PLACES_MAX];
	bool translated[PLACES_MAX]; /* made by places_translate() */
	int only[PLACES_MAX];        /* good by this interface alone; 0: by any */
	unsigned n;
};

/* One more, unless it is there or there is no room; with port 0 it gets the first one's. */
void places_add(struct places *p, const union flow_address *a);

/* One that is said in the network of one interface: there it takes the place of what was said
 * elsewhere. */
void places_add_there(struct places *p, const union flow_address *a, int ifindex);

/*
 * Adds behind them how a NAT64 reaches the IPv4 ones, by all prefixes of the policy. Each is good
 * on the interfaces that have the prefix and no other (places_leads()).
 */
void places_translate(struct places *p);

/* May number `i` be dialled over the path? */
bool places_leads(const struct places *p, unsigned i, const struct mif_path *path);

/*
 * Where the flow's far end is: the relay's addresses, the association's first; of a plain
 * connection the peer's, and those that the program was given with it under the same name, as far
 * as the same rule is for them.
 */
void places_of(const struct flow *f, struct places *p);

/*
 * The address to be dialled over this path: of those in its source's family number `round` (from
 * 0). False: none.
 */
bool places_pick(const struct places *p, const struct mif_path *path, unsigned round,
                 union flow_address *to);

/*
 * As a socket of the program's family has it: an IPv4 address becomes an IPv4-mapped one in an
 * AF_INET6 program, since such a socket takes the options and gives the answers that the program
 * knows. An IPv6 address stays what it is.
 */
void places_dress(union flow_address *a, sa_family_t family);

/*
 * What the program is told is its own address: `own` as it is where its family fits; of an IPv4
 * program whose connection goes by IPv6 an IPv4 address (that to which the host routes `peer`, else
 * 192.0.0.1, the host that has none by RFC 7335) with its port.
 */
union flow_address places_shown(const union flow_address *own, const union flow_address *peer);

#endif
