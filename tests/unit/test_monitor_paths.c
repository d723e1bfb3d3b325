/* SPDX-License-Identifier: MIT */
/* Which interfaces lead to a peer, and with which source address; what sort of interfaces they are.
 */
#include "tests/unit/fake_rtnetlink.h"

#include "monitor/kind.h"

static void sorted_by_metric(void **state)
{
	struct fake *f = fake_settled();

	(void)state;
	assert_string_equal(paths(f, "192.0.2.1"), "wlan0:10.1.0.2 wwan0:10.2.0.2");
	new_route(f, (struct fake_route){
	                 .ifindex = 3, .family = AF_INET, .gateway = "10.2.0.1", .metric = 50});
	assert_string_equal(paths(f, "192.0.2.1"), "wwan0:10.2.0.2 wlan0:10.1.0.2");
	del_route(f, (struct fake_route){
	                 .ifindex = 3, .family = AF_INET, .gateway = "10.2.0.1", .metric = 50});
	assert_string_equal(paths(f, "192.0.2.1"), "wlan0:10.1.0.2 wwan0:10.2.0.2");
	fake_free(f);
}

static void only_routes_that_cover_the_peer(void **state)
{
	struct fake *f = fake_settled();

	(void)state;
	del_route(f, f->route[2]);
	del_route(f, f->route[3]);
	assert_string_equal(paths(f, "192.0.2.1"), "");
	assert_string_equal(paths(f, "10.2.0.77"), "wwan0:10.2.0.2");
	assert_string_equal(paths(f, "10.2.1.77"), "");
	new_route(f, (struct fake_route){.ifindex = 2,
	                                 .destination = "192.0.2.128",
	                                 .prefix_len = 25,
	                                 .gateway = "10.1.0.1"});
	assert_string_equal(paths(f, "192.0.2.127"), "");
	assert_string_equal(paths(f, "192.0.2.129"), "wlan0:10.1.0.2");
	/* Other tables, other kinds of route, routes of other sources: not for us. */
	new_route(f, (struct fake_route){.ifindex = 3, .family = AF_INET, .table = 77});
	new_route(f, (struct fake_route){.ifindex = 3, .family = AF_INET, .type = RTN_MULTICAST});
	assert_string_equal(paths(f, "192.0.2.1"), "");
	fake_free(f);
}

static void never_where_no_interface_leads(void **state)
{
	struct fake *f = fake_settled();

	(void)state;
	new_route(f, (struct fake_route){.ifindex = 1, .family = AF_INET, .metric = 1});
	assert_string_equal(paths(f, "192.0.2.1"), "wlan0:10.1.0.2 wwan0:10.2.0.2");
	assert_string_equal(paths(f, "127.0.0.1"), "");
	assert_string_equal(paths(f, "0.0.0.0"), "");
	assert_string_equal(paths(f, "224.0.0.251"), "");
	assert_string_equal(paths(f, "10.2.0.2"), ""); /* ourselves */
	assert_string_equal(paths(f, "::1"), "");
	assert_string_equal(paths(f, "::"), "");
	assert_string_equal(paths(f, "ff02::1"), "");
	fake_free(f);
}

static void mapped_peers_are_ipv4(void **state)
{
	struct fake *f = fake_settled();

	(void)state;
	assert_string_equal(paths(f, "::ffff:192.0.2.1"), "wlan0:10.1.0.2 wwan0:10.2.0.2");
	assert_string_equal(paths(f, "2001:db8:9::1"), "wlan0:2001:db8:1::2");
	fake_free(f);
}

static void what_the_host_rejects_has_no_path(void **state)
{
	struct fake *f = fake_settled();
	struct fake_route no = {
	    .destination = "192.0.2.0", .prefix_len = 24, .type = RTN_UNREACHABLE};
	struct fake_route last = {
	    .family = AF_INET6, .type = RTN_UNREACHABLE, .ifindex = 1, .metric = UINT32_MAX};

	(void)state;
	new_route(f, no);
	mirror_flush(&f->m);
	assert_told(f, "routes  (routes changed)\n");
	assert_string_equal(paths(f, "192.0.2.1"), "");
	assert_string_equal(paths(f, "198.51.100.1"), "wlan0:10.1.0.2 wwan0:10.2.0.2");
	/* A longer one of an interface goes before it. */
	new_route(f,
	          (struct fake_route){.ifindex = 3, .destination = "192.0.2.1", .prefix_len = 32});
	assert_string_equal(paths(f, "192.0.2.1"), "wwan0:10.2.0.2");
	/* The kernel's own last resort rejects nothing while there is a default route. */
	new_route(f, last);
	assert_string_equal(paths(f, "2001:db8:9::1"), "wlan0:2001:db8:1::2");
	fake_free(f);
}

static void multipath_counts_every_nexthop(void **state)
{
	struct fake *f = fake_settled();
	struct fake_route both = {
	    .ifindex = 2, .second = 3, .destination = "198.51.100.0", .prefix_len = 24};

	(void)state;
	del_route(f, f->route[2]);
	del_route(f, f->route[3]);
	new_route(f, both);
	assert_string_equal(paths(f, "198.51.100.1"), "wlan0:10.1.0.2 wwan0:10.2.0.2");
	new_link(f, (struct fake_link){2, "wlan0", NO_CARRIER, IF_OPER_DOWN, NULL, NULL, 0});
	assert_string_equal(paths(f, "198.51.100.1"), "wwan0:10.2.0.2");
	new_link(f, wlan);
	del_route(f, both);
	assert_string_equal(paths(f, "198.51.100.1"), "");
	fake_free(f);
}

static void a_replaced_route_is_gone(void **state)
{
	struct fake *f = fake_settled();
	struct nlmsghdr *h = route_message(
	    RTM_NEWROUTE,
	    &(struct fake_route){
	        .ifindex = 3, .family = AF_INET, .gateway = "10.2.0.1", .metric = 100},
	    0);

	(void)state;
	h->nlmsg_flags |= NLM_F_REPLACE;
	event(f, h);
	assert_string_equal(paths(f, "192.0.2.1"), "wwan0:10.2.0.2");
	fake_free(f);
}

static void best_source(void **state)
{
	struct fake *f = fake_settled();

	(void)state;
	/* Of several IPv4 addresses the one in the gateway's subnet, and no second one. */
	new_address(f, (struct fake_address){2, "169.254.3.3", 16, 0});
	new_address(f, (struct fake_address){2, "10.9.0.2", 24, 0});
	new_address(f, (struct fake_address){2, "10.1.0.3", 24, IFA_F_SECONDARY});
	assert_string_equal(paths(f, "192.0.2.1"), "wlan0:10.1.0.2 wwan0:10.2.0.2");
	/* Deprecated only where there is no other. */
	new_address(f, (struct fake_address){2, "10.1.0.2", 24, IFA_F_DEPRECATED});
	assert_string_equal(paths(f, "192.0.2.1"), "wlan0:10.1.0.3 wwan0:10.2.0.2");
	new_address(f, (struct fake_address){3, "10.2.0.2", 24, IFA_F_DEPRECATED});
	assert_string_equal(paths(f, "192.0.2.1"), "wlan0:10.1.0.3 wwan0:10.2.0.2");
	/* The route asks for one. */
	new_route(f, (struct fake_route){.ifindex = 2,
	                                 .family = AF_INET,
	                                 .gateway = "10.1.0.1",
	                                 .metric = 100,
	                                 .source = "10.9.0.2"});
	assert_string_equal(paths(f, "192.0.2.1"), "wlan0:10.9.0.2 wwan0:10.2.0.2");
	fake_free(f);
}

static void best_source_of_ipv6(void **state)
{
	struct fake *f = fake_settled();

	(void)state;
	new_address(f, (struct fake_address){2, "fe80::2", 64, 0});
	new_address(f, (struct fake_address){2, "fd00::2", 64, 0});
	new_address(f, (struct fake_address){2, "2001:db8:1::bad", 64, IFA_F_TENTATIVE});
	assert_string_equal(paths(f, "2001:db8:9::1"), "wlan0:2001:db8:1::2");
	assert_string_equal(paths(f, "fd00:9::1"), "wlan0:fd00::2");
	new_address(f, (struct fake_address){2, "2001:db8:1::aaaa", 64, IFA_F_TEMPORARY});
	assert_string_equal(paths(f, "2001:db8:9::1"), "wlan0:2001:db8:1::aaaa");
	del_address(f, (struct fake_address){2, "fd00::2", 64, 0});
	del_address(f, (struct fake_address){2, "2001:db8:1::2", 64, 0});
	del_address(f, (struct fake_address){2, "2001:db8:1::aaaa", 64, 0});
	/* Link-local is no source for the world: rather no path. */
	assert_string_equal(paths(f, "2001:db8:9::1"), "");
	/* Link-local peers: by the interface they belong to, or not at all. */
	new_route(f, (struct fake_route){
	                 .ifindex = 2, .destination = "fe80::", .prefix_len = 64, .metric = 256});
	assert_string_equal(paths(f, "fe80::9%2"), "wlan0:fe80::2");
	assert_string_equal(paths(f, "fe80::9%3"), "");
	assert_string_equal(paths(f, "fe80::9"), "");
	fake_free(f);
}

static void owners(void **state)
{
	struct fake *f = fake_settled();
	struct in_addr own, loopback, other;

	(void)state;
	inet_pton(AF_INET, "10.2.0.2", &own);
	inet_pton(AF_INET, "127.0.0.1", &loopback);
	inet_pton(AF_INET, "10.2.0.3", &other);
	assert_int_equal(paths_owner(&f->m.table, AF_INET, &own, false), 3);
	assert_int_equal(paths_owner(&f->m.table, AF_INET, &own, true), 3);
	assert_int_equal(paths_owner(&f->m.table, AF_INET, &loopback, true), 1);
	assert_int_equal(paths_owner(&f->m.table, AF_INET, &other, false), 0);
	assert_int_equal(paths_owner(&f->m.table, AF_UNIX, &other, false), 0);
	assert_true(paths_usable(&f->m.table, AF_INET, &own, 3));
	assert_true(paths_usable(&f->m.table, AF_INET, &own, 0));
	new_link(f, (struct fake_link){3, "wwan0", NO_CARRIER, IF_OPER_DOWN, NULL, NULL, 0});
	assert_int_equal(paths_owner(&f->m.table, AF_INET, &own, false), 3);
	assert_int_equal(paths_owner(&f->m.table, AF_INET, &own, true), 0);
	assert_false(paths_usable(&f->m.table, AF_INET, &own, 3));
	/* Another uplink has the same address: each interface counts for itself. */
	new_address(f, (struct fake_address){2, "10.2.0.2", 24, 0});
	assert_false(paths_usable(&f->m.table, AF_INET, &own, 3));
	assert_true(paths_usable(&f->m.table, AF_INET, &own, 2));
	/* It has moved there. */
	del_address(f, (struct fake_address){3, "10.2.0.2", 24, 0});
	assert_true(paths_usable(&f->m.table, AF_INET, &own, 3));
	fake_free(f);
}

static void kinds(void **state)
{
	static const struct {
		const char *name, *info;
		unsigned arphrd, flags;
		enum mif_kind kind;
	} cases[] = {
	    {"lo", "", ARPHRD_LOOPBACK, IFF_LOOPBACK, MIF_LOOPBACK},
	    {"wlan0", "veth", ARPHRD_ETHER, 0, MIF_WIFI},
	    {"wlp3s0", "", ARPHRD_ETHER, 0, MIF_WIFI},
	    {"wwan0", "veth", ARPHRD_ETHER, 0, MIF_CELLULAR},
	    {"wwp0s20u4", "", ARPHRD_NONE, 0, MIF_CELLULAR},
	    {"rmnet_data0", "", ARPHRD_RAWIP, 0, MIF_CELLULAR},
	    {"mhi0.1", "wwan", ARPHRD_NONE, 0, MIF_CELLULAR},
	    {"eth0", "veth", ARPHRD_ETHER, 0, MIF_ETHERNET},
	    {"enp4s0", "", ARPHRD_ETHER, 0, MIF_ETHERNET},
	    {"lan7", "", ARPHRD_ETHER, 0, MIF_ETHERNET},
	    {"uplink", "vlan", ARPHRD_ETHER, 0, MIF_ETHERNET},
	    {"wg0", "wireguard", ARPHRD_NONE, 0, MIF_TUNNEL},
	    {"eth9", "tun", ARPHRD_NONE, 0, MIF_TUNNEL},
	    {"wlan9", "wireguard", ARPHRD_NONE, 0, MIF_TUNNEL},
	    {"ppp0", "", ARPHRD_PPP, 0, MIF_TUNNEL},
	    {"he", "", ARPHRD_SIT, 0, MIF_TUNNEL},
	    {"docker0", "bridge", ARPHRD_ETHER, 0, MIF_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (ifkind_guess(cases[i].name, cases[i].info, cases[i].arphrd, cases[i].flags) !=
		    cases[i].kind)
			fail_msg("%s is not %s", cases[i].name, mif_kind_name(cases[i].kind));
	assert_false(ifkind_wireless("../../etc"));
	assert_false(ifkind_wireless(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sorted_by_metric),
	    cmocka_unit_test(only_routes_that_cover_the_peer),
	    cmocka_unit_test(never_where_no_interface_leads),
	    cmocka_unit_test(mapped_peers_are_ipv4),
	    cmocka_unit_test(what_the_host_rejects_has_no_path),
	    cmocka_unit_test(multipath_counts_every_nexthop),
	    cmocka_unit_test(a_replaced_route_is_gone),
	    cmocka_unit_test(best_source),
	    cmocka_unit_test(best_source_of_ipv6),
	    cmocka_unit_test(owners),
	    cmocka_unit_test(kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
