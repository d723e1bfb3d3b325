/* SPDX-License-Identifier: MIT */
#include "monitor/table.h"

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/kind.h"

void table_init(struct table *t, mif_event_fn *fn, void *ctx)
{
	memset(t, 0, sizeof(*t));
	t->fn = fn;
	t->ctx = ctx;
}

struct link *table_link(const struct table *t, int ifindex)
{
	struct link *l;

	HASH_FIND_INT(t->links, &ifindex, l);
	return l;
}

/* --- events, in the order the MIF API asks for ---------------------------------------------------- */

static void emit(struct table *t, enum mif_event_type type, const struct link *l,
		 const struct address *a, const char *reason)
{
	struct mif_event ev = {.type = type, .ifindex = l->ifindex, .reason = reason};

	memcpy(ev.name, l->name, sizeof(ev.name));
	if (a)
		ev.address = a->a;
	if (t->fn)
		t->fn(t->ctx, &ev);
}

static bool valid(const struct address *a)
{
	if (a->a.flags & IFA_F_DADFAILED)
		return false;
	return !(a->a.flags & IFA_F_TENTATIVE) || a->a.flags & IFA_F_OPTIMISTIC;
}

static void withdraw(struct table *t, struct link *l, struct address *a, const char *reason)
{
	if (!a->announced)
		return;
	a->announced = false;
	emit(t, MIF_NO_ADDRESS_ANNOUNCEMENT, l, a, reason);
}

static void announce(struct table *t, struct link *l, struct address *a, const char *reason)
{
	if (a->announced || !l->usable || !valid(a))
		return;
	a->announced = true;
	emit(t, MIF_ADDRESS_ANNOUNCEMENT, l, a, reason);
}

static bool usable(const struct link *l)
{
	/* UNKNOWN is what devices report that have no notion of it (tun, dummy); RUNNING then tells. */
	return l->flags & IFF_UP && l->flags & IFF_RUNNING && l->carrier && l->kind != MIF_LOOPBACK;
}

/* Brings what was announced in line with what the link is now. */
static void settle(struct table *t, struct link *l, const char *up, const char *down)
{
	bool now = usable(l);

	if (l->kind == MIF_LOOPBACK)
		return;
	if (!l->announced) {
		l->announced = true;
		emit(t, MIF_INTERFACE_ANNOUNCEMENT, l, NULL, "present");
	}
	if (now == l->usable)
		return;
	l->usable = now;
	emit(t, now ? MIF_INTERFACE_GOING_UP : MIF_INTERFACE_GOING_AWAY, l, NULL, now ? up : down);
	for (struct address *a = l->addresses; a; a = a->next) {
		if (now)
			announce(t, l, a, up);
		else
			withdraw(t, l, a, down);
	}
}

/* --- addresses ------------------------------------------------------------------------------------ */

static void unlink_address(struct table *t, struct link *l, struct address *a)
{
	struct address **p = &l->addresses;

	while (*p && *p != a)
		p = &(*p)->next;
	if (*p)
		*p = a->next;
	HASH_DEL(t->addresses, a);
	t->naddresses--;
	free(a);
}

static void address_gone(struct table *t, struct address *a, const char *reason)
{
	struct link *l = table_link(t, a->key.ifindex);

	withdraw(t, l, a, reason);
	unlink_address(t, l, a);
}

static void link_gone(struct table *t, struct link *l, const char *reason)
{
	/* Away first, then its addresses, the interface itself last. */
	l->flags = 0;
	settle(t, l, "", reason);
	while (l->addresses)
		address_gone(t, l->addresses, reason);
	if (l->announced)
		emit(t, MIF_NO_INTERFACE_ANNOUNCEMENT, l, NULL, reason);
	HASH_DEL(t->links, l);
	t->nlinks--;
	free(l);
}

void table_free(struct table *t)
{
	struct route *r, *next;

	t->fn = NULL;
	while (t->links)
		link_gone(t, t->links, "");
	HASH_ITER(hh, t->routes, r, next) {
		HASH_DEL(t->routes, r);
		free(r);
	}
}

static void feed_address(struct table *t, const struct nlmsghdr *nlh)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	const void *local = NULL, *address = NULL;
	struct address_key key;
	uint32_t flags = m->ifa_flags, preferred = UINT32_MAX, valid_s = UINT32_MAX;
	size_t len = m->ifa_family == AF_INET6 ? 16 : 4;

	if (m->ifa_family != AF_INET && m->ifa_family != AF_INET6)
		return;
	mnl_attr_for_each(attr, nlh, sizeof(*m))
	{
		size_t have = mnl_attr_get_payload_len(attr);

		switch (mnl_attr_get_type(attr)) {
		case IFA_LOCAL: /* ours, where IFA_ADDRESS is the other end's (point to point) */
			if (have == len)
				local = mnl_attr_get_payload(attr);
			break;
		case IFA_ADDRESS:
			if (have == len)
				address = mnl_attr_get_payload(attr);
			break;
		case IFA_FLAGS:
			if (have == 4)
				flags = mnl_attr_get_u32(attr);
			break;
		case IFA_CACHEINFO:
			if (have >= sizeof(struct ifa_cacheinfo)) {
				const struct ifa_cacheinfo *c = mnl_attr_get_payload(attr);

				preferred = c->ifa_prefered;
				valid_s = c->ifa_valid;
			}
			break;
		}
	}
	if (!local)
		local = address;
	if (!local)
		return;
	memset(&key, 0, sizeof(key));
	key.ifindex = (int)m->ifa_index;
	key.family = m->ifa_family;
	key.prefix_len = m->ifa_prefixlen;
	memcpy(key.ip, local, len);

	struct link *l = table_link(t, key.ifindex);
	struct address *a;

	HASH_FIND(hh, t->addresses, &key, sizeof(key), a);
	if (nlh->nlmsg_type == RTM_DELADDR) {
		if (a)
			address_gone(t, a, "address removed");
		return;
	}
	if (!l)
		return; /* its link will be asked for again, and then its addresses */
	if (!a) {
		if (t->naddresses >= ADDRESSES_MAX || !(a = calloc(1, sizeof(*a)))) {
			t->overfull = true;
			return;
		}
		a->key = key;
		HASH_ADD(hh, t->addresses, key, sizeof(key), a);
		t->naddresses++;
		a->next = l->addresses;
		l->addresses = a;
	}
	a->seen = t->dump;
	a->a.family = key.family;
	a->a.prefix_len = key.prefix_len;
	memcpy(a->a.ip, key.ip, 16);
	a->a.flags = flags;
	a->a.preferred_s = preferred;
	a->a.valid_s = valid_s;
	if (valid(a))
		announce(t, l, a, "address added");
	else
		withdraw(t, l, a, "duplicate address");
}

/* --- links ---------------------------------------------------------------------------------------- */

static const char *kind_attr(const struct nlattr *info)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, info)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			return mnl_attr_get_str(attr);
	}
	return NULL;
}

static void feed_link(struct table *t, const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	const char *name = NULL, *kind = NULL;
	int operstate = -1, carrier = -1;
	bool mtu = false;

	/* AF_BRIDGE messages speak of ports: their DELLINK does not mean that the device is gone. */
	if (m->ifi_family != AF_UNSPEC)
		return;
	mnl_attr_for_each(attr, nlh, sizeof(*m))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
				name = mnl_attr_get_str(attr);
			break;
		case IFLA_OPERSTATE:
			operstate = mnl_attr_get_payload_len(attr) ? mnl_attr_get_u8(attr) : -1;
			break;
		case IFLA_CARRIER:
			carrier = mnl_attr_get_payload_len(attr) ? mnl_attr_get_u8(attr) : -1;
			break;
		case IFLA_LINKINFO:
			kind = kind_attr(attr);
			break;
		case IFLA_MTU:
			mtu = true;
			break;
		}
	}
	struct link *l = table_link(t, m->ifi_index);

	if (nlh->nlmsg_type == RTM_DELLINK) {
		if (l)
			link_gone(t, l, "interface removed");
		return;
	}
	/* Wireless extension events look like a new link, but have no more than a name. */
	if (!mtu || !name)
		return;
	if (!l) {
		if (t->nlinks >= LINKS_MAX || !(l = calloc(1, sizeof(*l)))) {
			t->overfull = true;
			return;
		}
		l->ifindex = m->ifi_index;
		l->carrier = true;
		HASH_ADD_INT(t->links, ifindex, l);
		t->nlinks++;
	}
	bool renamed = l->announced && strncmp(l->name, name, IFNAMSIZ - 1) != 0;

	l->seen = t->dump;
	strncpy(l->name, name, IFNAMSIZ - 1);
	l->flags = m->ifi_flags;
	if (operstate >= 0)
		l->operstate = (uint8_t)operstate;
	if (carrier >= 0)
		l->carrier = carrier != 0;
	l->kind = kind_of_link(m->ifi_type, m->ifi_flags, kind, l->name);
	if (renamed)
		emit(t, MIF_INTERFACE_ANNOUNCEMENT, l, NULL, "renamed");
	settle(t, l, "up", l->flags & IFF_UP ? "carrier lost" : "admin down");
}

/* --- routes --------------------------------------------------------------------------------------- */

static void put_route(struct table *t, const struct route_key *key, bool add)
{
	struct route *r;

	HASH_FIND(hh, t->routes, key, sizeof(*key), r);
	if (!add) {
		if (r) {
			HASH_DEL(t->routes, r);
			t->nroutes--;
			free(r);
			t->routes_changed = true;
		}
		return;
	}
	if (!r) {
		if (t->nroutes >= ROUTES_MAX || !(r = calloc(1, sizeof(*r)))) {
			t->overfull = true;
			return;
		}
		r->key = *key;
		HASH_ADD(hh, t->routes, key, sizeof(*key), r);
		t->nroutes++;
		t->routes_changed = true;
	}
	r->seen = t->dump;
}

static void put_multipath(struct table *t, struct route_key key, const struct nlattr *attr, bool add)
{
	const struct rtnexthop *nh = mnl_attr_get_payload(attr);
	int left = mnl_attr_get_payload_len(attr);

	for (; RTNH_OK(nh, left); left -= RTNH_ALIGN(nh->rtnh_len), nh = RTNH_NEXT(nh)) {
		key.ifindex = nh->rtnh_ifindex;
		put_route(t, &key, add);
	}
}

static void feed_route(struct table *t, const struct nlmsghdr *nlh)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr, *multipath = NULL;
	struct route_key key;
	uint32_t table = m->rtm_table;
	size_t len = m->rtm_family == AF_INET6 ? 16 : 4;

	if ((m->rtm_family != AF_INET && m->rtm_family != AF_INET6) ||
	    m->rtm_type != RTN_UNICAST || m->rtm_flags & RTM_F_CLONED)
		return;
	memset(&key, 0, sizeof(key));
	key.family = m->rtm_family;
	key.dst_len = m->rtm_dst_len;
	mnl_attr_for_each(attr, nlh, sizeof(*m))
	{
		size_t have = mnl_attr_get_payload_len(attr);

		switch (mnl_attr_get_type(attr)) {
		case RTA_DST:
			if (have == len)
				memcpy(key.dst, mnl_attr_get_payload(attr), len);
			break;
		case RTA_GATEWAY:
			if (have == len)
				memcpy(key.gateway, mnl_attr_get_payload(attr), len);
			break;
		case RTA_OIF:
			if (have == 4)
				key.ifindex = (int)mnl_attr_get_u32(attr);
			break;
		case RTA_PRIORITY:
			if (have == 4)
				key.metric = mnl_attr_get_u32(attr);
			break;
		case RTA_TABLE:
			if (have == 4)
				table = mnl_attr_get_u32(attr);
			break;
		case RTA_MULTIPATH:
			multipath = attr;
			break;
		}
	}
	if (table != RT_TABLE_MAIN || key.dst_len > len * 8)
		return;
	bool add = nlh->nlmsg_type == RTM_NEWROUTE;

	if (multipath)
		put_multipath(t, key, multipath, add);
	else if (key.ifindex)
		put_route(t, &key, add);
}

void table_feed(struct table *t, const struct nlmsghdr *nlh)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct ifinfomsg))
			feed_link(t, nlh);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct ifaddrmsg))
			feed_address(t, nlh);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct rtmsg))
			feed_route(t, nlh);
		break;
	}
}

/* --- dumps ---------------------------------------------------------------------------------------- */

void table_dump_begin(struct table *t)
{
	t->dump++;
}

void table_dump_end(struct table *t, int kind)
{
	struct link *l, *lnext;
	struct address *a, *anext;
	struct route *r, *rnext;

	switch (kind) {
	case RTM_GETLINK:
		HASH_ITER(hh, t->links, l, lnext) {
			if (l->seen != t->dump)
				link_gone(t, l, "interface removed");
		}
		break;
	case RTM_GETADDR:
		HASH_ITER(hh, t->addresses, a, anext) {
			if (a->seen != t->dump)
				address_gone(t, a, "address removed");
		}
		break;
	case RTM_GETROUTE:
		HASH_ITER(hh, t->routes, r, rnext) {
			if (r->seen != t->dump)
				put_route(t, &r->key, false);
		}
		break;
	}
}
