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

/* What a neighbour message says; false: it is none, or not of an IP neighbour. */
struct neighbour {
	int ifindex;
	unsigned state;
	uint8_t family, ip[16];
	const struct nlattr *lladdr; /* NULL: it does not say */
};

static bool read_neighbour(const struct nlmsghdr *nlh, struct neighbour *n)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *ip = NULL, *a;
	size_t width;
	int left;

	if (nlh->nlmsg_type != RTM_NEWNEIGH || mnl_nlmsg_get_payload_len(nlh) < sizeof(*nd) ||
	    (nd->ndm_family != AF_INET && nd->ndm_family != AF_INET6) || nd->ndm_ifindex <= 0)
		return false;
	memset(n, 0, sizeof(*n));
	left = (int)(mnl_nlmsg_get_payload_len(nlh) - MNL_ALIGN(sizeof(*nd)));
	for (a = mnl_nlmsg_get_payload_offset(nlh, sizeof(*nd)); mnl_attr_ok(a, left);
	     a = mnl_attr_next(a)) {
		if (mnl_attr_get_type(a) == NDA_DST)
			ip = a;
		else if (mnl_attr_get_type(a) == NDA_LLADDR)
			n->lladdr = a;
		left -= MNL_ALIGN(mnl_attr_get_len(a));
	}
	width = nd->ndm_family == AF_INET ? 4 : 16;
	if (!ip || mnl_attr_get_payload_len(ip) != width)
		return false;
	n->ifindex = nd->ndm_ifindex;
	n->state = nd->ndm_state;
	n->family = nd->ndm_family;
	memcpy(n->ip, mnl_attr_get_payload(ip), width);
	return true;
}

void hear_neighbour(struct domains *d, const struct nlmsghdr *nlh)
{
	struct neighbour n;

	if (read_neighbour(nlh, &n) && n.state & RESOLVED && n.lladdr)
		domains_lladdr(d, n.ifindex, n.family, n.ip, mnl_attr_get_payload(n.lladdr),
		               mnl_attr_get_payload_len(n.lladdr));
}

int hear_failed(const struct nlmsghdr *nlh, sa_family_t *family, uint8_t ip[16])
{
	struct neighbour n;

	if (!read_neighbour(nlh, &n) || !(n.state & NUD_FAILED))
		return 0;
	*family = n.family;
	memcpy(ip, n.ip, 16);
	return n.ifindex;
}
