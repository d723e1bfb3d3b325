/* SPDX-License-Identifier: MIT */
/*
 * A kernel made of arrays for the monitor's tests: builds rtnetlink messages as events, answers
 * dump requests from what it holds, and writes down the MIF events as text, one line each.
 */
#ifndef TESTS_FAKE_RTNETLINK_H
#define TESTS_FAKE_RTNETLINK_H

#include <net/if.h> /* before the kernel's own */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/mirror.h"
#include "monitor/paths.h"

#define UP (IFF_UP | IFF_RUNNING | IFF_LOWER_UP | IFF_BROADCAST | IFF_MULTICAST)
#define NO_CARRIER (IFF_UP | IFF_BROADCAST | IFF_MULTICAST)
#define DOWN (IFF_BROADCAST | IFF_MULTICAST)

struct fake_link {
	int ifindex;
	const char *name;
	unsigned flags;
	uint8_t operstate;
	const char *info, *slave;
	unsigned master;
};

struct fake_address {
	int ifindex;
	const char *ip;
	uint8_t prefix_len;
	uint32_t flags;
};

struct fake_route {
	int ifindex;
	const char *destination; /* NULL: default, then `family` counts */
	uint8_t prefix_len;
	sa_family_t family;
	const char *gateway, *source;
	uint32_t metric;
	uint8_t type;  /* 0: unicast */
	uint8_t table; /* 0: main */
	int second;    /* ifindex of a second nexthop, with the same gateway */
};

struct fake {
	struct mirror m;
	int64_t now;
	struct fake_link link[16];
	struct fake_address address[32];
	struct fake_route route[32];
	int links, addresses, routes;
	char log[16384];
	int dumps; /* requests answered */
};

static uint32_t fake_buf[16384];

static inline struct nlmsghdr *fake_header(uint16_t type, uint16_t flags, uint32_t seq)
{
	struct nlmsghdr *h;

	memset(fake_buf, 0, sizeof(fake_buf));
	h = mnl_nlmsg_put_header(fake_buf);
	h->nlmsg_type = type;
	h->nlmsg_flags = flags;
	h->nlmsg_seq = seq;
	return h;
}

static inline sa_family_t family_of(const char *ip)
{
	return strchr(ip, ':') ? AF_INET6 : AF_INET;
}

static inline void put_ip(struct nlmsghdr *h, uint16_t type, const char *ip)
{
	uint8_t raw[16];

	assert_int_equal(inet_pton(family_of(ip), ip, raw), 1);
	mnl_attr_put(h, type, family_of(ip) == AF_INET ? 4 : 16, raw);
}

static inline struct nlmsghdr *link_message(uint16_t type, const struct fake_link *l, uint32_t seq)
{
	struct nlmsghdr *h = fake_header(type, seq ? NLM_F_MULTI : 0, seq);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));

	ifi->ifi_index = l->ifindex;
	ifi->ifi_flags = l->flags;
	ifi->ifi_type = l->flags & IFF_LOOPBACK ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
	mnl_attr_put_strz(h, IFLA_IFNAME, l->name);
	mnl_attr_put_u32(h, IFLA_MTU, 1500);
	mnl_attr_put_u8(h, IFLA_OPERSTATE, l->operstate);
	if (l->master)
		mnl_attr_put_u32(h, IFLA_MASTER, l->master);
	if (l->info || l->slave) {
		struct nlattr *n = mnl_attr_nest_start(h, IFLA_LINKINFO);

		if (l->info)
			mnl_attr_put_strz(h, IFLA_INFO_KIND, l->info);
		if (l->slave)
			mnl_attr_put_strz(h, IFLA_INFO_SLAVE_KIND, l->slave);
		mnl_attr_nest_end(h, n);
	}
	return h;
}

static inline struct nlmsghdr *address_message(uint16_t type, const struct fake_address *a,
                                               uint32_t seq)
{
	struct nlmsghdr *h = fake_header(type, seq ? NLM_F_MULTI : 0, seq);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(h, sizeof(*ifa));
	struct ifa_cacheinfo ci = {.ifa_valid = 3600, .ifa_prefered = 1800};

	ifa->ifa_index = (unsigned)a->ifindex;
	ifa->ifa_family = (uint8_t)family_of(a->ip);
	ifa->ifa_prefixlen = a->prefix_len;
	put_ip(h, IFA_ADDRESS, a->ip);
	if (family_of(a->ip) == AF_INET)
		put_ip(h, IFA_LOCAL, a->ip);
	mnl_attr_put_u32(h, IFA_FLAGS, a->flags);
	mnl_attr_put(h, IFA_CACHEINFO, sizeof(ci), &ci);
	return h;
}

static inline void put_nexthop(struct nlmsghdr *h, int ifindex, const char *gateway)
{
	struct rtnexthop *nh = (struct rtnexthop *)((char *)h + h->nlmsg_len);

	memset(nh, 0, sizeof(*nh));
	nh->rtnh_ifindex = ifindex;
	h->nlmsg_len += (uint32_t)sizeof(*nh);
	if (gateway)
		put_ip(h, RTA_GATEWAY, gateway);
	nh->rtnh_len = (uint16_t)((char *)h + h->nlmsg_len - (char *)nh);
}

static inline struct nlmsghdr *route_message(uint16_t type, const struct fake_route *r,
                                             uint32_t seq)
{
	struct nlmsghdr *h = fake_header(type, seq ? NLM_F_MULTI : 0, seq);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(h, sizeof(*rtm));

	rtm->rtm_family = (uint8_t)(r->destination ? family_of(r->destination) : r->family);
	rtm->rtm_dst_len = r->prefix_len;
	rtm->rtm_table = r->table ? r->table : RT_TABLE_MAIN;
	rtm->rtm_type = r->type ? r->type : RTN_UNICAST;
	mnl_attr_put_u32(h, RTA_TABLE, rtm->rtm_table);
	if (r->destination)
		put_ip(h, RTA_DST, r->destination);
	if (r->metric)
		mnl_attr_put_u32(h, RTA_PRIORITY, r->metric);
	if (r->source)
		put_ip(h, RTA_PREFSRC, r->source);
	if (r->second) {
		struct nlattr *n = mnl_attr_nest_start(h, RTA_MULTIPATH);

		put_nexthop(h, r->ifindex, r->gateway);
		put_nexthop(h, r->second, r->gateway);
		mnl_attr_nest_end(h, n);
		return h;
	}
	if (r->gateway)
		put_ip(h, RTA_GATEWAY, r->gateway);
	if (r->ifindex)
		mnl_attr_put_u32(h, RTA_OIF, (uint32_t)r->ifindex);
	return h;
}

/* --- what the listener hears --- */

static inline void fake_listen(void *ctx, const struct mif_event *ev)
{
	static const char *const words[] = {
	    [MIF_INTERFACE_ANNOUNCEMENT] = "interface",
	    [MIF_NO_INTERFACE_ANNOUNCEMENT] = "no interface",
	    [MIF_ADDRESS_ANNOUNCEMENT] = "address",
	    [MIF_NO_ADDRESS_ANNOUNCEMENT] = "no address",
	    [MIF_INTERFACE_GOING_UP] = "going up",
	    [MIF_INTERFACE_GOING_AWAY] = "going away",
	    [MIF_ROUTES_CHANGED] = "routes",
	    [MIF_ROUTER_NOT_REACHED] = "router not reached",
	};
	struct fake *f = ctx;
	size_t n = strlen(f->log);
	char ip[INET6_ADDRSTRLEN + 1] = "";

	if (ev->type == MIF_ADDRESS_ANNOUNCEMENT || ev->type == MIF_NO_ADDRESS_ANNOUNCEMENT ||
	    ev->type == MIF_ROUTER_NOT_REACHED) {
		inet_ntop(ev->address.family, ev->address.ip, ip, sizeof(ip) - 1);
		strcat(ip, " ");
	}
	assert_non_null(ev->reason);
	assert_true(n < sizeof(f->log) - 128);
	snprintf(f->log + n, sizeof(f->log) - n, "%s %s %s(%s)\n", words[ev->type], ev->name, ip,
	         ev->reason);
}

/* What was told since the last time. */
#define assert_told(f, text)                                                                       \
	do {                                                                                       \
		assert_string_equal((f)->log, (text));                                             \
		(f)->log[0] = 0;                                                                   \
	} while (0)

/* --- feeding the mirror --- */

static inline void event(struct fake *f, const struct nlmsghdr *h)
{
	mirror_events(&f->m, h, h->nlmsg_len, f->now);
}

static inline void new_link(struct fake *f, struct fake_link l)
{
	event(f, link_message(RTM_NEWLINK, &l, 0));
}

static inline void del_link(struct fake *f, struct fake_link l)
{
	event(f, link_message(RTM_DELLINK, &l, 0));
}

static inline void new_address(struct fake *f, struct fake_address a)
{
	event(f, address_message(RTM_NEWADDR, &a, 0));
}

static inline void del_address(struct fake *f, struct fake_address a)
{
	event(f, address_message(RTM_DELADDR, &a, 0));
}

static inline void new_route(struct fake *f, struct fake_route r)
{
	event(f, route_message(RTM_NEWROUTE, &r, 0));
}

static inline void del_route(struct fake *f, struct fake_route r)
{
	event(f, route_message(RTM_DELROUTE, &r, 0));
}

static inline void answer(struct fake *f, const struct nlmsghdr *h)
{
	mirror_answers(&f->m, h, h->nlmsg_len, f->now);
}

static inline void answer_done(struct fake *f, uint32_t seq, uint16_t flags, int status)
{
	struct nlmsghdr *h = fake_header(NLMSG_DONE, (uint16_t)(NLM_F_MULTI | flags), seq);

	memcpy(mnl_nlmsg_put_extra_header(h, sizeof(status)), &status, sizeof(status));
	answer(f, h);
}

/* The lines of one dump, without its end. */
static inline void answer_lines(struct fake *f, const struct mirror_request *r)
{
	f->dumps++;
	for (int i = 0; r->type == RTM_GETLINK && i < f->links; i++)
		answer(f, link_message(RTM_NEWLINK, &f->link[i], r->seq));
	for (int i = 0; r->type == RTM_GETADDR && i < f->addresses; i++)
		answer(f, address_message(RTM_NEWADDR, &f->address[i], r->seq));
	for (int i = 0; r->type == RTM_GETROUTE && i < f->routes; i++) {
		const struct fake_route *t = &f->route[i];

		if ((t->destination ? family_of(t->destination) : t->family) == r->family)
			answer(f, route_message(RTM_NEWROUTE, t, r->seq));
	}
}

/* Answers all the mirror asks for, letting time pass, until it asks no more. */
static inline void settle(struct fake *f)
{
	struct mirror_request r;

	for (int i = 0; i < 100; i++) {
		int64_t due = mirror_due(&f->m);

		if (due < 0) {
			mirror_flush(&f->m);
			return;
		}
		if (f->now < due)
			f->now = due;
		if (!mirror_request(&f->m, f->now, &r))
			continue;
		answer_lines(f, &r);
		answer_done(f, r.seq, 0, 0);
	}
	fail_msg("the mirror never comes to rest");
}

static const struct fake_link lo = {
    1, "lo", IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_LOWER_UP, 0, NULL, NULL, 0};
static const struct fake_link wlan = {2, "wlan0", UP, IF_OPER_UP, "veth", NULL, 0};
static const struct fake_link wwan = {3, "wwan0", UP, IF_OPER_UP, "veth", NULL, 0};

/* Two interfaces, each with an address, its subnet, and a default route. */
static inline struct fake *fake_start(void)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->now = 1000;
	f->link[0] = lo;
	f->link[1] = wlan;
	f->link[2] = wwan;
	f->links = 3;
	f->address[0] = (struct fake_address){1, "127.0.0.1", 8, IFA_F_PERMANENT};
	f->address[1] = (struct fake_address){2, "10.1.0.2", 24, IFA_F_PERMANENT};
	f->address[2] = (struct fake_address){2, "2001:db8:1::2", 64, 0};
	f->address[3] = (struct fake_address){3, "10.2.0.2", 24, IFA_F_PERMANENT};
	f->addresses = 4;
	f->route[0] =
	    (struct fake_route){.ifindex = 2, .destination = "10.1.0.0", .prefix_len = 24};
	f->route[1] =
	    (struct fake_route){.ifindex = 3, .destination = "10.2.0.0", .prefix_len = 24};
	f->route[2] = (struct fake_route){
	    .ifindex = 2, .family = AF_INET, .gateway = "10.1.0.1", .metric = 100};
	f->route[3] = (struct fake_route){
	    .ifindex = 3, .family = AF_INET, .gateway = "10.2.0.1", .metric = 200};
	f->route[4] = (struct fake_route){
	    .ifindex = 2, .family = AF_INET6, .gateway = "fe80::1", .metric = 1024};
	f->routes = 5;
	mirror_init(&f->m, fake_listen, f);
	return f;
}

static inline struct fake *fake_settled(void)
{
	struct fake *f = fake_start();

	settle(f);
	f->log[0] = 0;
	f->dumps = 0;
	return f;
}

static inline void fake_free(struct fake *f)
{
	mirror_free(&f->m);
	free(f);
}

/* The paths to `ip` as "wlan0:10.1.0.2 wwan0:10.2.0.2" */
static inline const char *paths(struct fake *f, const char *ip)
{
	static char text[512];
	struct sockaddr_storage ss;
	struct mif_path p[8];
	char scope[64];
	char *percent;
	int n;

	memset(&ss, 0, sizeof(ss));
	snprintf(scope, sizeof(scope), "%s", ip);
	percent = strchr(scope, '%');
	if (percent)
		*percent++ = 0;
	ss.ss_family = family_of(ip);
	if (ss.ss_family == AF_INET) {
		inet_pton(AF_INET, scope, &((struct sockaddr_in *)&ss)->sin_addr);
	} else {
		inet_pton(AF_INET6, scope, &((struct sockaddr_in6 *)&ss)->sin6_addr);
		if (percent)
			((struct sockaddr_in6 *)&ss)->sin6_scope_id = (uint32_t)atoi(percent);
	}
	n = paths_to(&f->m.table, (struct sockaddr *)&ss, p, 8);
	text[0] = 0;
	for (int i = 0; i < n; i++) {
		char source[INET6_ADDRSTRLEN];
		size_t at = strlen(text);

		inet_ntop(p[i].source.family, p[i].source.ip, source, sizeof(source));
		snprintf(text + at, sizeof(text) - at, "%s%s:%s", i ? " " : "", p[i].name, source);
	}
	return text;
}

#endif
