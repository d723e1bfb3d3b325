/* SPDX-License-Identifier: MIT */
#include "monitor/useropt.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define ADVERTISEMENT 134

static bool source(const struct nlattr *a, size_t len, uint8_t router[16])
{
	for (int left = (int)len; mnl_attr_ok(a, left); a = mnl_attr_next(a)) {
		if (mnl_attr_get_type(a) == NDUSEROPT_SRCADDR &&
		    mnl_attr_get_payload_len(a) == 16) {
			memcpy(router, mnl_attr_get_payload(a), 16);
			return true;
		}
		left -= (int)MNL_ALIGN(mnl_attr_get_len(a));
	}
	return false;
}

bool useropt_parse(const struct nlmsghdr *nlh, int *ifindex, uint8_t router[16], struct ra *out)
{
	const struct nduseroptmsg *m = mnl_nlmsg_get_payload(nlh);
	size_t len = mnl_nlmsg_get_payload_len(nlh), end;

	if (nlh->nlmsg_type != RTM_NEWNDUSEROPT || len < sizeof(*m) ||
	    m->nduseropt_family != AF_INET6 || m->nduseropt_icmp_type != ADVERTISEMENT ||
	    m->nduseropt_icmp_code != 0 || m->nduseropt_ifindex <= 0)
		return false;
	end = MNL_ALIGN(sizeof(*m) + m->nduseropt_opts_len);
	if (end > len || !source((const void *)((const char *)m + end), len - end, router))
		return false;
	*ifindex = m->nduseropt_ifindex;
	return ra_parse_options(m + 1, m->nduseropt_opts_len, out) == 0;
}
