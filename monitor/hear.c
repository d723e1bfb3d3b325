/* SPDX-License-Identifier: MIT */
#include "monitor/hear.h"

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/ra_items.h"
#include "monitor/useropt.h"

#define RESOLVED (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT)

/* Too much for the agent's stack. */
struct heard {
	struct ra ra;
	struct pvd_item items[RA_ELEMENTS];
};

void hear_options(struct domains *d, const struct nlmsghdr *nlh, int64_t now)
{
	struct heard *h;
	uint8_t router[16];
	int ifindex;

	if (nlh->nlmsg_type != RTM_NEWNDUSEROPT)
		return;
	h = malloc(sizeof(*h));
	if (!h)
		return;
	if (useropt_parse(nlh, &ifindex, router, &h->ra)) {
		unsigned n = ra_items(&h->ra, router, now, h->items, RA_ELEMENTS);

		for (unsigned i = 0; i < n; i++)
			pvd_put(&d->pvds, ifindex, "", PVD_BY_USEROPT, PVD_RA, &h->items[i], now);
	}
	free(h);
}

void hear_neighbour(struct domains *d, const struct nlmsghdr *nlh)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *ip = NULL, *lladdr = NULL, *a;
	uint8_t bytes[16] = {0};
	size_t width;
	int left;

	if (nlh->nlmsg_type != RTM_NEWNEIGH || mnl_nlmsg_get_payload_len(nlh) < sizeof(*nd) ||
	    (nd->ndm_family != AF_INET && nd->ndm_family != AF_INET6) || nd->ndm_ifindex <= 0 ||
	    !(nd->ndm_state & RESOLVED))
		return;
	left = (int)(mnl_nlmsg_get_payload_len(nlh) - MNL_ALIGN(sizeof(*nd)));
	for (a = mnl_nlmsg_get_payload_offset(nlh, sizeof(*nd)); mnl_attr_ok(a, left);
	     a = mnl_attr_next(a)) {
		if (mnl_attr_get_type(a) == NDA_DST)
			ip = a;
		else if (mnl_attr_get_type(a) == NDA_LLADDR)
			lladdr = a;
		left -= MNL_ALIGN(mnl_attr_get_len(a));
	}
	width = nd->ndm_family == AF_INET ? 4 : 16;
	if (!ip || !lladdr || mnl_attr_get_payload_len(ip) != width)
		return;
	memcpy(bytes, mnl_attr_get_payload(ip), width);
	domains_lladdr(d, nd->ndm_ifindex, nd->ndm_family, bytes, mnl_attr_get_payload(lladdr),
	               mnl_attr_get_payload_len(lladdr));
}
