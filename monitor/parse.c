/* SPDX-License-Identifier: MIT */
#include "monitor/parse.h"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define ATTRS 64            /* above all we look at */
#define NEXTHOPS 256        /* per route */
#define ADDRESS_PROTOCOL 11 /* IFA_PROTO, which older headers lack */

bool rtparse_whole(const struct nlmsghdr *nlh, int left)
{
	return left >= (int)sizeof(*nlh) && nlh->nlmsg_len >= sizeof(*nlh) &&
	       nlh->nlmsg_len <= (uint32_t)left;
}

static const void *payload(const struct nlmsghdr *nlh, size_t least)
{
	return mnl_nlmsg_get_payload_len(nlh) >= least ? mnl_nlmsg_get_payload(nlh) : NULL;
}

/* The first attribute of each type in `len` bytes. Types carry flag bits on top, mnl takes them
 * off. */
static void collect(const struct nlattr *a, int len, const struct nlattr *by_type[ATTRS])
{
	memset(by_type, 0, ATTRS * sizeof(by_type[0]));
	for (; mnl_attr_ok(a, len); a = mnl_attr_next(a)) {
		uint16_t type = mnl_attr_get_type(a);

		if (type < ATTRS && !by_type[type])
			by_type[type] = a;
		len -= MNL_ALIGN(mnl_attr_get_len(a));
	}
}

static void collect_after(const struct nlmsghdr *nlh, size_t header,
                          const struct nlattr *by_type[ATTRS])
{
	size_t skip = MNL_ALIGN(header), have = mnl_nlmsg_get_payload_len(nlh);

	collect(mnl_nlmsg_get_payload_offset(nlh, header), have > skip ? (int)(have - skip) : 0,
	        by_type);
}

static bool get_u32(const struct nlattr *a, uint32_t *v)
{
	if (!a || mnl_attr_get_payload_len(a) < sizeof(*v))
		return false;
	*v = mnl_attr_get_u32(a);
	return true;
}

/* A string into `out`; false if it is missing, empty, or longer than `size` and must not be cut. */
static bool get_text(const struct nlattr *a, char *out, size_t size, bool cut)
{
	size_t n;

	memset(out, 0, size);
	if (!a)
		return false;
	n = strnlen(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
	if (n >= size && !cut)
		return false;
	memcpy(out, mnl_attr_get_payload(a), n < size ? n : size - 1);
	return n > 0;
}

static unsigned width(sa_family_t family)
{
	return family == AF_INET ? 4 : 16;
}

static bool get_ip(const struct nlattr *a, sa_family_t family, uint8_t out[16])
{
	if (!a || mnl_attr_get_payload_len(a) != width(family))
		return false;
	memset(out, 0, 16);
	memcpy(out, mnl_attr_get_payload(a), width(family));
	return true;
}

static bool inet(sa_family_t family)
{
	return family == AF_INET || family == AF_INET6;
}

/* --- links --- */

static void link_info(const struct nlattr *nest, struct if_link *l, bool enslaved)
{
	const struct nlattr *a[ATTRS];
	char master[16] = "";

	if (nest) {
		collect(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest), a);
		get_text(a[IFLA_INFO_KIND], l->info, sizeof(l->info), true);
		get_text(a[IFLA_INFO_SLAVE_KIND], master, sizeof(master), true);
	}
	/* In a VRF an interface goes on using its own addresses; in all else its master does. */
	l->port = enslaved && strcmp(master, "vrf") != 0;
}

static struct rt_change parse_link(struct iftable *t, const struct nlmsghdr *nlh,
                                   enum iftable_source s)
{
	const struct ifinfomsg *ifi = payload(nlh, sizeof(*ifi));
	struct rt_change c = {RT_NOTHING, NULL, NULL};
	const struct nlattr *a[ATTRS];
	struct if_link l = {.operstate = IF_OPER_UNKNOWN};
	uint32_t master = 0;

	/* A bridge takes leave of its port with a DELLINK of family AF_BRIDGE; the device stays. */
	if (!ifi || ifi->ifi_family != AF_UNSPEC || ifi->ifi_index <= 0)
		return c;
	if (nlh->nlmsg_type == RTM_DELLINK) {
		c.link = iftable_drop_link(t, ifi->ifi_index);
		c.what = c.link ? RT_LINK : RT_NOTHING;
		return c;
	}
	collect_after(nlh, sizeof(*ifi), a);
	/* Wireless extensions announce their events as links that have nothing but a name. */
	if (!get_u32(a[IFLA_MTU], &l.mtu) ||
	    !get_text(a[IFLA_IFNAME], l.name, sizeof(l.name), false))
		return c;
	l.ifindex = ifi->ifi_index;
	l.flags = ifi->ifi_flags;
	l.arphrd = ifi->ifi_type;
	if (a[IFLA_OPERSTATE] && mnl_attr_get_payload_len(a[IFLA_OPERSTATE]) >= 1)
		l.operstate = mnl_attr_get_u8(a[IFLA_OPERSTATE]);
	get_u32(a[IFLA_MASTER], &master);
	link_info(a[IFLA_LINKINFO], &l, master != 0);
	c.link = iftable_put_link(t, &l, s);
	c.what = c.link ? RT_LINK : RT_NOTHING;
	return c;
}

/* --- addresses --- */

static struct rt_change parse_address(struct iftable *t, const struct nlmsghdr *nlh,
                                      enum iftable_source s)
{
	const struct ifaddrmsg *ifa = payload(nlh, sizeof(*ifa));
	struct rt_change c = {RT_NOTHING, NULL, NULL};
	const struct nlattr *a[ATTRS];
	struct if_address m = {.valid_s = UINT32_MAX, .preferred_s = UINT32_MAX};
	bool local, peer;

	if (!ifa || !inet(ifa->ifa_family) || ifa->ifa_index == 0 || ifa->ifa_index > INT32_MAX ||
	    ifa->ifa_prefixlen > 8 * width(ifa->ifa_family))
		return c;
	collect_after(nlh, sizeof(*ifa), a);
	m.key.ifindex = (int)ifa->ifa_index;
	m.key.family = ifa->ifa_family;
	m.key.prefix_len = ifa->ifa_prefixlen;
	/* On point-to-point links LOCAL is ours and ADDRESS the peer's; plain IPv6 has only
	 * ADDRESS. */
	local = get_ip(a[IFA_LOCAL], m.key.family, m.key.ip);
	peer = get_ip(a[IFA_ADDRESS], m.key.family, m.key.peer);
	if (!local && !peer)
		return c;
	if (!local)
		memcpy(m.key.ip, m.key.peer, sizeof(m.key.ip));
	if (!peer)
		memcpy(m.key.peer, m.key.ip, sizeof(m.key.peer));
	if (!get_u32(a[IFA_FLAGS], &m.flags))
		m.flags = ifa->ifa_flags;
	if (a[IFA_CACHEINFO] &&
	    mnl_attr_get_payload_len(a[IFA_CACHEINFO]) >= sizeof(struct ifa_cacheinfo)) {
		const struct ifa_cacheinfo *ci = mnl_attr_get_payload(a[IFA_CACHEINFO]);

		m.valid_s = ci->ifa_valid;
		m.preferred_s = ci->ifa_prefered;
	}
	if (a[ADDRESS_PROTOCOL] && mnl_attr_get_payload_len(a[ADDRESS_PROTOCOL]) >= 1)
		m.protocol = mnl_attr_get_u8(a[ADDRESS_PROTOCOL]);
	c.address = nlh->nlmsg_type == RTM_NEWADDR ? iftable_put_address(t, &m, s)
	                                           : iftable_drop_address(t, &m.key);
	c.what = c.address ? RT_ADDRESS : RT_NOTHING;
	return c;
}

/* --- routes --- */

static bool rejects(unsigned char type)
{
	return type == RTN_UNREACHABLE || type == RTN_PROHIBIT || type == RTN_BLACKHOLE ||
	       type == RTN_THROW;
}

static void get_gateway(const struct nlattr *const a[ATTRS], sa_family_t family, uint8_t out[16])
{
	const struct nlattr *via = a[RTA_VIA];
	size_t n;

	memset(out, 0, 16);
	if (get_ip(a[RTA_GATEWAY], family, out) || !via)
		return;
	/* IPv4 by way of an IPv6 router: a family (2 bytes) and its address. Only told apart here,
	 * never used. */
	n = mnl_attr_get_payload_len(via);
	if (n > 2 && n <= 18)
		memcpy(out, (const uint8_t *)mnl_attr_get_payload(via) + 2, n - 2);
}

static void put_or_drop(struct iftable *t, const struct nlmsghdr *nlh, const struct if_route *r,
                        enum iftable_source s)
{
	if (nlh->nlmsg_type == RTM_NEWROUTE)
		iftable_put_route(t, r, s);
	else
		iftable_drop_route(t, &r->key);
}

static void nexthops(struct iftable *t, const struct nlmsghdr *nlh, const struct nlattr *list,
                     struct if_route *r, enum iftable_source s)
{
	const struct nlattr *a[ATTRS];
	const uint8_t *p = mnl_attr_get_payload(list);
	size_t left = mnl_attr_get_payload_len(list);

	for (int i = 0; i < NEXTHOPS && left >= sizeof(struct rtnexthop); i++) {
		const struct rtnexthop *nh = (const struct rtnexthop *)p;
		size_t len = nh->rtnh_len, step = MNL_ALIGN(len);

		if (len < sizeof(*nh) || len > left)
			return;
		collect((const struct nlattr *)(p + sizeof(*nh)), (int)(len - sizeof(*nh)), a);
		get_gateway(a, r->key.family, r->key.gateway);
		r->key.ifindex = nh->rtnh_ifindex;
		if (r->key.ifindex > 0)
			put_or_drop(t, nlh, r, s);
		if (step >= left)
			return;
		p += step;
		left -= step;
	}
}

static struct rt_change parse_route(struct iftable *t, const struct nlmsghdr *nlh,
                                    enum iftable_source s)
{
	const struct rtmsg *rtm = payload(nlh, sizeof(*rtm));
	struct rt_change c = {RT_NOTHING, NULL, NULL};
	const struct nlattr *a[ATTRS];
	struct if_route r;
	uint32_t table, oif = 0;

	memset(&r, 0, sizeof(r));
	if (!rtm || !inet(rtm->rtm_family) || rtm->rtm_dst_len > 8 * width(rtm->rtm_family))
		return c;
	/* Routes for some sources or kinds of traffic only say nothing about a peer; cached ones
	 * are copies. */
	if (rtm->rtm_src_len || rtm->rtm_tos || (rtm->rtm_flags & RTM_F_CLONED) ||
	    (rtm->rtm_type != RTN_UNICAST && !rejects(rtm->rtm_type)))
		return c;
	collect_after(nlh, sizeof(*rtm), a);
	table = rtm->rtm_table;
	get_u32(a[RTA_TABLE], &table);
	if (table != RT_TABLE_MAIN)
		return c;
	r.key.family = rtm->rtm_family;
	r.key.prefix_len = rtm->rtm_dst_len;
	if (!get_ip(a[RTA_DST], r.key.family, r.key.destination) && rtm->rtm_dst_len)
		return c;
	get_u32(a[RTA_PRIORITY], &r.key.metric);
	r.has_source = get_ip(a[RTA_PREFSRC], r.key.family, r.source);
	r.protocol = rtm->rtm_protocol;
	if (s == IFTABLE_EVENT && nlh->nlmsg_type == RTM_NEWROUTE &&
	    (nlh->nlmsg_flags & NLM_F_REPLACE))
		iftable_drop_alternatives(t, &r.key);

	c.what = RT_ROUTE;
	if (rejects(rtm->rtm_type)) {
		put_or_drop(t, nlh, &r, s);
	} else if (a[RTA_MULTIPATH]) {
		nexthops(t, nlh, a[RTA_MULTIPATH], &r, s);
	} else if (get_u32(a[RTA_OIF], &oif) && oif && oif <= INT32_MAX) {
		get_gateway(a, r.key.family, r.key.gateway);
		r.key.ifindex = (int)oif;
		put_or_drop(t, nlh, &r, s);
	} else {
		c.what = RT_NOTHING;
	}
	return c;
}

struct rt_change rtparse(struct iftable *t, const struct nlmsghdr *nlh, enum iftable_source s)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return parse_link(t, nlh, s);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return parse_address(t, nlh, s);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return parse_route(t, nlh, s);
	default:
		return (struct rt_change){RT_NOTHING, NULL, NULL};
	}
}
