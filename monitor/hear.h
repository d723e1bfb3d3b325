/* SPDX-License-Identifier: MIT */
/* Of what rtnetlink says beside links, addresses and routes, what is about a domain. Pure, and
 * nothing in a message is trusted. */
#ifndef MONITOR_HEAR_H
#define MONITOR_HEAR_H

#include <linux/netlink.h>

#include "monitor/domains.h"

/* RTM_NEWNEIGH: the link-layer address of a router. Other messages are left alone. */
void hear_neighbour(struct domains *d, const struct nlmsghdr *nlh);

/* RTM_NEWNDUSEROPT: options of a router advertisement, of the implicit domain. Others are left
 * alone. */
void hear_options(struct domains *d, const struct nlmsghdr *nlh, int64_t now);

#endif
