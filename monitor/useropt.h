/* SPDX-License-Identifier: MIT */
/*
 * RTM_NEWNDUSEROPT: the options of router advertisements that the kernel passes on to whoever
 * listens, without privilege: prefixes, name servers and suffixes, captive portal, NAT64 prefix.
 * One message for each option; not the one that names the domain. Pure, nothing is trusted.
 */
#ifndef MONITOR_USEROPT_H
#define MONITOR_USEROPT_H

#include <linux/netlink.h>

#include "monitor/ra.h"

/* False: no such message, of no router, or malformed. The message is complete (rtparse_whole()). */
bool useropt_parse(const struct nlmsghdr *nlh, int *ifindex, uint8_t router[16], struct ra *out);

#endif
