/* SPDX-License-Identifier: MIT */
/* rtnetlink messages into the table. Pure: a function over a buffer, nothing in which is trusted.
 */
#ifndef MONITOR_PARSE_H
#define MONITOR_PARSE_H

#include <linux/netlink.h>

#include "monitor/table.h"

enum rt_change_what { RT_NOTHING, RT_LINK, RT_ADDRESS, RT_ROUTE };

/* What a message was about; the entries may be NULL or gone. */
struct rt_change {
	enum rt_change_what what;
	struct if_link *link;
	struct if_address *address;
};

/* Is there a whole message in the `left` bytes? mnl_nlmsg_ok() takes a length of 2^31 for one. */
bool rtparse_whole(const struct nlmsghdr *nlh, int left);

/*
 * One complete message (rtparse_whole() holds). Messages of no interest, incomplete or malformed
 * ones leave the table as it was and give RT_NOTHING.
 */
struct rt_change rtparse(struct iftable *t, const struct nlmsghdr *nlh, enum iftable_source s);

#endif
