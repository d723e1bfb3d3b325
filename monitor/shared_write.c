/* SPDX-License-Identifier: MIT */
/* What the service says, see monitor/shared.h. */
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "monitor/shared.h"
#include "monitor/shared_item.h"

#define ADDRESS_PROTOCOL 11 /* IFA_PROTO, which older headers lack */

#define SHORT 256 /* longer than any message but an item's */

/* Zero to the last byte of padding, for messages are compared. */
static struct nlmsghdr *begin(void *buf, uint16_t type)
{
	size_t len = type == SHARED_NEW_ITEM || type == SHARED_DEL_ITEM ? SHARED_MESSAGE : SHORT;
	struct nlmsghdr *h = memset(buf, 0, len);

	h = mnl_nlmsg_put_header(h);

	h->nlmsg_type = type;
	return h;
}

static size_t width(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

static bool zero(const uint8_t *p, size_t n)
{
	while (n && !p[n - 1])
		n--;
	return n == 0;
}

size_t shared_mark(void *buf, enum shared_type type)
{
	return begin(buf, (uint16_t)type)->nlmsg_len;
}

size_t shared_hello(void *buf, uint64_t network)
{
	struct nlmsghdr *h = begin(buf, SHARED_HELLO);
	uint32_t *version = mnl_nlmsg_put_extra_header(h, sizeof(*version));

	*version = SHARED_VERSION;
	memcpy(mnl_nlmsg_put_extra_header(h, sizeof(network)), &network, sizeof(network));
	return h->nlmsg_len;
}

size_t shared_ask(void *buf, int ifindex)
{
	struct nlmsghdr *h = begin(buf, SHARED_ASK);

	*(uint32_t *)mnl_nlmsg_put_extra_header(h, sizeof(uint32_t)) = (uint32_t)ifindex;
	return h->nlmsg_len;
}

size_t shared_check(void *buf, const struct shared_check *c)
{
	struct nlmsghdr *h = begin(buf, SHARED_CHECK);

	memcpy(mnl_nlmsg_put_extra_header(h, sizeof(*c)), c, sizeof(*c));
	return h->nlmsg_len;
}

bool shared_checked(const void *record, size_t len, struct shared_check *out)
{
	const struct nlmsghdr *h = record;

	if (len < sizeof(*h) + sizeof(*out) || h->nlmsg_type != SHARED_CHECK ||
	    h->nlmsg_len != sizeof(*h) + sizeof(*out))
		return false;
	memcpy(out, h + 1, sizeof(*out));
	return out->ifindex > 0;
}

int shared_asked(const void *record, size_t len)
{
	const struct nlmsghdr *h = record;
	uint32_t ifindex;

	if (len < sizeof(*h) + sizeof(ifindex) || h->nlmsg_type != SHARED_ASK ||
	    h->nlmsg_len != sizeof(*h) + sizeof(ifindex))
		return 0;
	memcpy(&ifindex, h + 1, sizeof(ifindex));
	return ifindex <= INT32_MAX ? (int)ifindex : 0;
}

size_t shared_link(void *buf, const struct if_link *l, bool gone)
{
	struct nlmsghdr *h = begin(buf, gone ? RTM_DELLINK : RTM_NEWLINK);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
	struct nlattr *nest;

	ifi->ifi_index = l->ifindex;
	if (gone)
		return h->nlmsg_len;
	ifi->ifi_flags = l->flags;
	ifi->ifi_type = (uint16_t)l->arphrd;
	mnl_attr_put_strz(h, IFLA_IFNAME, l->name);
	mnl_attr_put_u32(h, IFLA_MTU, l->mtu);
	mnl_attr_put_u8(h, IFLA_OPERSTATE, l->operstate);
	/* Whose port it is matters to nobody, only that it is one. */
	if (l->port)
		mnl_attr_put_u32(h, IFLA_MASTER, 1);
	nest = mnl_attr_nest_start(h, IFLA_LINKINFO);
	if (*l->info)
		mnl_attr_put_strz(h, IFLA_INFO_KIND, l->info);
	mnl_attr_nest_end(h, nest);
	return h->nlmsg_len;
}

size_t shared_address(void *buf, const struct if_address *a, bool gone)
{
	struct nlmsghdr *h = begin(buf, gone ? RTM_DELADDR : RTM_NEWADDR);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(h, sizeof(*ifa));
	struct ifa_cacheinfo life = {.ifa_valid = a->valid_s, .ifa_prefered = a->preferred_s};

	ifa->ifa_family = a->key.family;
	ifa->ifa_prefixlen = a->key.prefix_len;
	ifa->ifa_index = (uint32_t)a->key.ifindex;
	mnl_attr_put(h, IFA_LOCAL, width(a->key.family), a->key.ip);
	mnl_attr_put(h, IFA_ADDRESS, width(a->key.family), a->key.peer);
	if (gone)
		return h->nlmsg_len;
	mnl_attr_put_u32(h, IFA_FLAGS, a->flags);
	mnl_attr_put(h, IFA_CACHEINFO, sizeof(life), &life);
	if (a->protocol)
		mnl_attr_put_u8(h, ADDRESS_PROTOCOL, a->protocol);
	mnl_attr_put_u64(h, SHARED_TOLD, (uint64_t)a->told_ms);
	return h->nlmsg_len;
}

size_t shared_unreached(void *buf, int ifindex, sa_family_t family, const uint8_t router[16])
{
	struct nlmsghdr *h = begin(buf, RTM_NEWNEIGH);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(h, sizeof(*nd));

	nd->ndm_family = (uint8_t)family;
	nd->ndm_ifindex = ifindex;
	nd->ndm_state = NUD_FAILED;
	mnl_attr_put(h, NDA_DST, width((uint8_t)family), router);
	return h->nlmsg_len;
}

/* Perhaps of the other family: IPv4 by way of an IPv6 router. */
static void put_gateway(struct nlmsghdr *h, const struct if_route_key *k)
{
	struct {
		uint16_t family;
		uint8_t ip[16];
	} via = {AF_INET6, {0}};

	if (zero(k->gateway, sizeof(k->gateway)))
		return;
	if (k->family == AF_INET6 || zero(k->gateway + 4, sizeof(k->gateway) - 4)) {
		mnl_attr_put(h, RTA_GATEWAY, width(k->family), k->gateway);
		return;
	}
	memcpy(via.ip, k->gateway, sizeof(via.ip));
	mnl_attr_put(h, RTA_VIA, sizeof(via), &via);
}

size_t shared_route(void *buf, const struct if_route *r, bool gone)
{
	struct nlmsghdr *h = begin(buf, gone ? RTM_DELROUTE : RTM_NEWROUTE);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(h, sizeof(*rtm));

	rtm->rtm_family = r->key.family;
	rtm->rtm_dst_len = r->key.prefix_len;
	rtm->rtm_table = RT_TABLE_MAIN;
	if (!gone)
		rtm->rtm_protocol = r->protocol;
	rtm->rtm_type = r->key.ifindex ? RTN_UNICAST : RTN_UNREACHABLE;
	mnl_attr_put(h, RTA_DST, width(r->key.family), r->key.destination);
	mnl_attr_put_u32(h, RTA_PRIORITY, r->key.metric);
	if (r->has_source && !gone)
		mnl_attr_put(h, RTA_PREFSRC, width(r->key.family), r->source);
	if (r->key.ifindex) {
		mnl_attr_put_u32(h, RTA_OIF, (uint32_t)r->key.ifindex);
		put_gateway(h, &r->key);
	}
	return h->nlmsg_len;
}

size_t shared_item(void *buf, const struct pvd_key *of, enum pvd_source source,
                   const struct pvd_item *item, bool gone)
{
	struct nlmsghdr *h = begin(buf, gone ? SHARED_DEL_ITEM : SHARED_NEW_ITEM);

	mnl_attr_put_u32(h, ITEM_IFINDEX, (uint32_t)of->ifindex);
	mnl_attr_put_strz(h, ITEM_DOMAIN, of->name);
	mnl_attr_put_u32(h, ITEM_SOURCE, source);
	mnl_attr_put_u32(h, ITEM_INFO, item->info);
	mnl_attr_put_u64(h, ITEM_UNTIL, (uint64_t)item->until);
	mnl_attr_put_u32(h, ITEM_NUMBER, item->number);
	mnl_attr_put_u32(h, ITEM_PORT, item->port);
	mnl_attr_put_u8(h, ITEM_FAMILY, item->family);
	mnl_attr_put_u8(h, ITEM_PREFIX, item->prefix_len);
	mnl_attr_put(h, ITEM_IP, sizeof(item->ip), item->ip);
	mnl_attr_put(h, ITEM_ORIGIN, sizeof(item->origin), item->origin);
	mnl_attr_put_strz(h, ITEM_TEXT, item->text);
	return h->nlmsg_len;
}
