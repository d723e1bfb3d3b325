/* SPDX-License-Identifier: MIT */
/*
 * What networks say of themselves, where the policy listens to it: their captive portals (RFC 8908,
 * which mifcontd asks), their NAT64's prefix (RFC 8781). Agent only.
 */
#ifndef PRELOAD_LEARNED_H
#define PRELOAD_LEARNED_H

#include <stdbool.h>

#include "monitor/monitor.h"
#include "policy/nat64.h"

/* Begins to listen, if the policy in force wants it and that was not done yet. */
void learned_listen(struct mif_monitor *m);

/* Another monitor, or none: it is yet to be told. */
void learned_forget(void);

/* Does any domain of the interface say that its portal lets nothing through? */
bool learned_captive(int ifindex);

/* Interfaces with such a domain, one after the other, begun with `*at` = 0; 0: no more. */
int learned_next_captive(unsigned *at);

/* The `i`-th prefix that a network has announced, and on which interface; false: no more. Of an
 * interface whose prefix the policy does not take from the network `*prefix` has no bits. */
bool learned_nat64(unsigned i, int *ifindex, struct nat64_prefix *prefix);

#endif
