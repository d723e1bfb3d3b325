/* SPDX-License-Identifier: MIT */
/* What rtnetlink says beside links, addresses and routes: of domains and of neighbours. Pure, and
 * nothing in a message is trusted. */
#ifndef MONITOR_HEAR_H
#define MONITOR_HEAR_H

#include <linux/netlink.h>
#include <sys/socket.h>

#include "monitor/domains.h"

/* RTM_NEWNEIGH: the link-layer address of a router. Other messages are left alone. */
void hear_neighbour(struct domains *d, const struct nlmsghdr *nlh);

/*
 * RTM_NEWNEIGH of a neighbour that has not answered (NUD_FAILED): its interface, and its address in
 * `ip` (IPv4 in the first four bytes, the rest zero). 0: it is something else.
 */
int hear_failed(const struct nlmsghdr *nlh, sa_family_t *family, uint8_t ip[16]);

/* RTM_NEWNDUSEROPT: options of a router advertisement, of the implicit domain. Others are left
 * alone. */
void hear_options(struct domains *d, const struct nlmsghdr *nlh, int64_t now);

#endif
