/* SPDX-License-Identifier: MIT */
/* The MIF API's events and their order, from what the kernel says in each case, and from what it
 * leaves out. */
#include <linux/neighbour.h>

#include "tests/unit/fake_rtnetlink.h"

static struct fake_link with(struct fake_link l, unsigned flags, uint8_t operstate)
{
	l.flags = flags;
	l.operstate = operstate;
	return l;
}

static void enumerates_interfaces_then_addresses(void **state)
{
	struct fake *f = fake_start();

	(void)state;
	f->address[f->addresses++] = (struct fake_address){3, "2001:db8:2::2", 64, IFA_F_TENTATIVE};
	settle(f);
	assert_told(f, "interface wlan0 (present)\n"
	               "interface wwan0 (present)\n"
	               "address wlan0 10.1.0.2 (present)\n"
	               "address wlan0 2001:db8:1::2 (present)\n"
	               "address wwan0 10.2.0.2 (present)\n");
	fake_free(f);
}

static void says_nothing_before_the_enumeration(void **state)
{
	struct fake *f = fake_start();
	struct mirror_request r;

	(void)state;
	assert_true(mirror_request(&f->m, f->now, &r));
	new_link(f, with(wlan, NO_CARRIER, IF_OPER_DOWN));
	new_address(f, f->address[3]);
	mirror_flush(&f->m);
	assert_told(f, "");
	/* And the event is newer than the dump that still shows a carrier. */
	answer_lines(f, &r);
	answer_done(f, r.seq, 0, 0);
	settle(f);
	assert_told(f, "interface wlan0 (present)\n"
	               "interface wwan0 (present)\n"
	               "address wwan0 10.2.0.2 (present)\n");
	new_link(f, wlan);
	assert_told(f, "going up wlan0 (up with carrier)\n"
	               "address wlan0 10.1.0.2 (interface usable)\n"
	               "address wlan0 2001:db8:1::2 (interface usable)\n");
	fake_free(f);
}

static void neighbour(struct fake *f, int ifindex, const char *ip, uint16_t state)
{
	struct nlmsghdr *h = fake_header(RTM_NEWNEIGH, 0, 0);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(h, sizeof(*nd));

	nd->ndm_family = (uint8_t)family_of(ip);
	nd->ndm_ifindex = ifindex;
	nd->ndm_state = state;
	put_ip(h, NDA_DST, ip);
	event(f, h);
}

static void a_router_that_is_not_reached_is_told_of(void **state)
{
	struct fake *f = fake_settled();

	(void)state;
	neighbour(f, 2, "10.1.0.1", NUD_FAILED);
	assert_told(f, "router not reached wlan0 10.1.0.1 (no neighbour)\n");
	neighbour(f, 2, "fe80::1", NUD_FAILED);
	assert_told(f, "router not reached wlan0 fe80::1 (no neighbour)\n");
	/* A neighbour that is no router, one on another interface, one that answers. */
	neighbour(f, 2, "10.1.0.9", NUD_FAILED);
	neighbour(f, 3, "10.1.0.1", NUD_FAILED);
	neighbour(f, 7, "10.1.0.1", NUD_FAILED);
	neighbour(f, 2, "10.1.0.1", NUD_REACHABLE);
	neighbour(f, 2, "10.1.0.1", NUD_PROBE);
	assert_told(f, "");
	/* What cannot be used has no router. */
	new_link(f, with(wlan, NO_CARRIER, IF_OPER_DOWN));
	f->log[0] = 0;
	neighbour(f, 2, "10.1.0.1", NUD_FAILED);
	assert_told(f, "");
	fake_free(f);
}

static void carrier_loss_is_one_link_message(void **state)
{
	struct fake *f = fake_settled();

	(void)state;
	new_link(f, with(wlan, NO_CARRIER, IF_OPER_DOWN));
	assert_told(f, "going away wlan0 (carrier lost)\n"
	               "no address wlan0 10.1.0.2 (carrier lost)\n"
	               "no address wlan0 2001:db8:1::2 (carrier lost)\n");
	assert_string_equal(paths(f, "192.0.2.1"), "wwan0:10.2.0.2");
	/* Said again, it is no news. */
	new_link(f, with(wlan, NO_CARRIER, IF_OPER_LOWERLAYERDOWN));
	assert_told(f, "");
	f->link[1] = with(wlan, NO_CARRIER, IF_OPER_DOWN);
	settle(f);
	assert_told(f, "");
	new_link(f, wlan);
	assert_told(f, "going up wlan0 (up with carrier)\n"
	               "address wlan0 10.1.0.2 (interface usable)\n"
	               "address wlan0 2001:db8:1::2 (interface usable)\n");
	assert_string_equal(paths(f, "192.0.2.1"), "wlan0:10.1.0.2 wwan0:10.2.0.2");
	fake_free(f);
}

static void a_carrier_without_the_state_is_not_enough(void **state)
{
	struct fake *f = fake_settled();

	(void)state;
	/* Running still stands, the carrier does not: what an answer says before the announcement.
	 */
	new_link(f, with(wlan, UP & ~IFF_LOWER_UP, IF_OPER_UP));
	assert_told(f, "going away wlan0 (carrier lost)\n"
	               "no address wlan0 10.1.0.2 (carrier lost)\n"
	               "no address wlan0 2001:db8:1::2 (carrier lost)\n");
	new_link(f, with(wlan, UP & ~IFF_RUNNING, IF_OPER_LOWERLAYERDOWN));
	new_link(f, with(wlan, (UP & ~IFF_RUNNING) | IFF_DORMANT, IF_OPER_DORMANT));
	assert_told(f, "");
	new_link(f, with(wlan, UP, IF_OPER_UNKNOWN));
	assert_non_null(strstr(f->log, "going up wlan0"));
	fake_free(f);
}

static void admin_down_takes_the_silent_ipv4_routes(void **state)
{
	struct fake *f = fake_settled();

	(void)state;
	new_link(f, with(wlan, DOWN, IF_OPER_DOWN));
	assert_told(f, "going away wlan0 (admin down)\n"
	               "no address wlan0 10.1.0.2 (admin down)\n"
	               "no address wlan0 2001:db8:1::2 (admin down)\n");
	del_route(f, f->route[4]);
	del_address(f, f->address[2]);
	mirror_flush(&f->m);
	assert_told(f, "routes wlan0 (routes changed)\n");
	/* Up again: the address is still there, the default route is not, and nobody has said so.
	 */
	new_link(f, wlan);
	assert_told(f, "going up wlan0 (up with carrier)\n"
	               "address wlan0 10.1.0.2 (interface usable)\n");
	assert_string_equal(paths(f, "192.0.2.1"), "wwan0:10.2.0.2");
	new_route(f, f->route[0]);
	assert_string_equal(paths(f, "10.1.0.9"), "wlan0:10.1.0.2 wwan0:10.2.0.2");
	fake_free(f);
}

static void a_silent_route_is_found_by_the_next_dump(void **state)
{
	struct fake *f = fake_settled();

	(void)state;
	assert_int_equal(mirror_due(&f->m), -1);
	/* One that comes takes none with it. */
	new_address(f, (struct fake_address){3, "10.2.0.3", 24, 0});
	assert_int_equal(mirror_due(&f->m), -1);
	del_address(f, (struct fake_address){3, "10.2.0.3", 24, 0});
	f->routes = 3; /* wwan0's default route vanished, and the IPv6 one */
	assert_true(mirror_due(&f->m) > f->now);
	f->log[0] = 0;
	settle(f);
	assert_told(f, "routes wlan0 (routes changed)\nroutes wwan0 (routes changed)\n");
	assert_int_equal(f->dumps, 2); /* the routes, nothing else */
	assert_string_equal(paths(f, "192.0.2.1"), "wlan0:10.1.0.2");
	fake_free(f);
}

static void address_removal(void **state)
{
	struct fake *f = fake_settled();

	(void)state;
	new_address(f, (struct fake_address){3, "10.2.0.3", 24, IFA_F_SECONDARY});
	assert_told(f, "address wwan0 10.2.0.3 (address added)\n");
	del_address(f, f->address[3]);
	assert_told(f, "no address wwan0 10.2.0.2 (address removed)\n");
	assert_string_equal(paths(f, "192.0.2.1"), "wlan0:10.1.0.2 wwan0:10.2.0.3");
	/* With the last one the default route goes, in silence. */
	del_address(f, (struct fake_address){3, "10.2.0.3", 24, 0});
	assert_told(f, "no address wwan0 10.2.0.3 (address removed)\n");
	mirror_flush(&f->m);
	assert_told(f, "routes wwan0 (routes changed)\n");
	new_address(f, f->address[3]);
	assert_told(f, "address wwan0 10.2.0.2 (address added)\n");
	assert_string_equal(paths(f, "192.0.2.1"), "wlan0:10.1.0.2");
	/* Removing what was never there is no news. */
	del_address(f, (struct fake_address){3, "10.9.9.9", 24, 0});
	assert_told(f, "");
	fake_free(f);
}

static void device_deletion_ends_with_no_interface(void **state)
{
	struct fake *f = fake_settled();

	(void)state;
	/* As the kernel tells it. */
	new_link(f, with(wlan, DOWN, IF_OPER_DOWN));
	del_address(f, f->address[2]);
	del_address(f, f->address[1]);
	del_link(f, wlan);
	assert_told(f, "going away wlan0 (admin down)\n"
	               "no address wlan0 10.1.0.2 (admin down)\n"
	               "no address wlan0 2001:db8:1::2 (admin down)\n"
	               "no interface wlan0 (device removed)\n");
	/* As it looks when the rest is lost, or the device left for another namespace. */
	del_link(f, wwan);
	assert_told(f, "going away wwan0 (device removed)\n"
	               "no address wwan0 10.2.0.2 (device removed)\n"
	               "no interface wwan0 (device removed)\n");
	assert_string_equal(paths(f, "192.0.2.1"), "");
	mirror_flush(&f->m);
	assert_int_equal(HASH_COUNT(f->m.table.links), 1);
	assert_int_equal(HASH_COUNT(f->m.table.addresses), 1);
	assert_int_equal(HASH_COUNT(f->m.table.routes), 0);
	fake_free(f);
}

static void an_address_counts_once_it_is_verified(void **state)
{
	struct fake *f = fake_settled();
	struct fake_address a = {3, "2001:db8:2::2", 64, IFA_F_TENTATIVE | IFA_F_PERMANENT};

	(void)state;
	new_address(f, a);
	assert_told(f, "");
	assert_int_equal(paths_owner(&f->m.table, AF_INET6,
	                             &(struct in6_addr){{{0x20, 1, 0xd, 0xb8, 0, 2, [15] = 2}}},
	                             true),
	                 0);
	a.flags = IFA_F_PERMANENT;
	new_address(f, a);
	assert_told(f, "address wwan0 2001:db8:2::2 (address verified)\n");
	/* Refreshed by a router, deprecated: an update, not a new address. */
	a.flags = IFA_F_DEPRECATED;
	new_address(f, a);
	assert_told(f, "");
	a.flags = IFA_F_DADFAILED | IFA_F_TENTATIVE;
	new_address(f, a);
	assert_told(f, "no address wwan0 2001:db8:2::2 (duplicate address)\n");
	a.flags = IFA_F_TENTATIVE | IFA_F_OPTIMISTIC;
	new_address(f, a);
	assert_told(f, "address wwan0 2001:db8:2::2 (address verified)\n");
	fake_free(f);
}

static void new_devices_and_new_names(void **state)
{
	struct fake *f = fake_settled();
	struct fake_link l = {7, "usb0", DOWN, IF_OPER_DOWN, NULL, NULL, 0};

	(void)state;
	new_link(f, l);
	new_address(f, (struct fake_address){7, "10.7.0.2", 24, 0});
	assert_told(f, "interface usb0 (device added)\n");
	new_link(f, with(l, UP, IF_OPER_UP));
	assert_told(f,
	            "going up usb0 (up with carrier)\naddress usb0 10.7.0.2 (interface usable)\n");
	l.name = "wwan1";
	new_link(f, with(l, UP, IF_OPER_UP));
	assert_told(f, "interface wwan1 (renamed)\n");
	assert_int_equal(iftable_link(&f->m.table, 7)->kind, MIF_CELLULAR);
	fake_free(f);
}

static void ports_of_a_bridge_are_not_interfaces(void **state)
{
	struct fake *f = fake_settled();
	struct fake_link port = wwan;
	struct nlmsghdr *h;

	(void)state;
	port.master = 9;
	port.slave = "bridge";
	new_link(f, port);
	assert_told(f, "going away wwan0 (enslaved)\n"
	               "no address wwan0 10.2.0.2 (enslaved)\n"
	               "no interface wwan0 (enslaved)\n");
	/* The bridge's goodbye to its port is no goodbye of the device. */
	h = link_message(RTM_DELLINK, &port, 0);
	((struct ifinfomsg *)mnl_nlmsg_get_payload(h))->ifi_family = AF_BRIDGE;
	event(f, h);
	assert_non_null(iftable_link(&f->m.table, 3));
	new_link(f, wwan);
	assert_told(f, "interface wwan0 (device added)\n"
	               "going up wwan0 (up with carrier)\n"
	               "address wwan0 10.2.0.2 (interface usable)\n");
	/* In a VRF an interface keeps its own addresses. */
	port.slave = "vrf";
	new_link(f, port);
	assert_told(f, "");
	fake_free(f);
}

static void messages_of_wireless_extensions_are_no_links(void **state)
{
	struct fake *f = fake_settled();
	struct nlmsghdr *h = fake_header(RTM_NEWLINK, 0, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));

	(void)state;
	ifi->ifi_index = 2;
	mnl_attr_put_strz(h, IFLA_IFNAME, "wlan0");
	mnl_attr_put_u32(h, IFLA_WIRELESS, 1);
	event(f, h);
	assert_told(f, "");
	assert_true(iftable_link_usable(iftable_link(&f->m.table, 2)));
	fake_free(f);
}

/* --- losing track, and finding it again --- */

static void an_overrun_ends_in_the_difference(void **state)
{
	struct fake *f = fake_settled();

	(void)state;
	/* Unheard: wlan0 lost its carrier, wwan0 was replaced by eth0, which has an address. */
	f->link[1] = with(wlan, NO_CARRIER, IF_OPER_DOWN);
	f->link[2] = (struct fake_link){4, "eth0", UP, IF_OPER_UP, NULL, NULL, 0};
	f->address[3] = (struct fake_address){4, "10.4.0.2", 24, 0};
	f->route[1] =
	    (struct fake_route){.ifindex = 4, .destination = "10.4.0.0", .prefix_len = 24};
	f->route[3] = (struct fake_route){.ifindex = 4, .family = AF_INET, .gateway = "10.4.0.1"};
	mirror_overrun(&f->m);
	settle(f);
	assert_told(f, "going away wlan0 (carrier lost)\n"
	               "no address wlan0 10.1.0.2 (carrier lost)\n"
	               "no address wlan0 2001:db8:1::2 (carrier lost)\n"
	               "going away wwan0 (device removed)\n"
	               "no address wwan0 10.2.0.2 (device removed)\n"
	               "no interface wwan0 (device removed)\n"
	               "interface eth0 (device added)\n"
	               "going up eth0 (up with carrier)\n"
	               "address eth0 10.4.0.2 (interface usable)\n"
	               "routes eth0 (routes changed)\n");
	assert_string_equal(paths(f, "192.0.2.1"), "eth0:10.4.0.2");
	assert_int_equal(f->dumps, 4);
	fake_free(f);
}

/* A dump answered line by line, with an event in between. */
static void a_dump_does_not_undo_what_was_heard(void **state)
{
	struct fake *f = fake_settled();
	struct mirror_request r;

	(void)state;
	mirror_overrun(&f->m);
	f->now = mirror_due(&f->m);
	assert_true(mirror_request(&f->m, f->now, &r));
	/* The dump was taken before, so it shows the interface with its carrier. */
	new_link(f, with(wlan, NO_CARRIER, IF_OPER_DOWN));
	f->log[0] = 0;
	answer_lines(f, &r);
	answer_done(f, r.seq, 0, 0);
	assert_false(iftable_link_usable(iftable_link(&f->m.table, 2)));
	assert_true(mirror_request(&f->m, f->now, &r));
	assert_int_equal(r.type, RTM_GETADDR);
	/* One address goes that the dump has, one comes that it has not. */
	del_address(f, f->address[3]);
	new_address(f, (struct fake_address){3, "10.2.0.9", 24, 0});
	answer_lines(f, &r);
	answer_done(f, r.seq, 0, 0);
	assert_told(f, "no address wwan0 10.2.0.2 (address removed)\n"
	               "address wwan0 10.2.0.9 (address added)\n");
	fake_free(f);
}

/* The kernel sends no such answers, but an interface must not vanish untold because of one. */
static void an_answer_to_another_question_is_ignored(void **state)
{
	struct fake *f = fake_settled();
	struct mirror_request r;

	(void)state;
	del_address(f, (struct fake_address){3, "10.2.0.3", 24, 0});
	f->now = mirror_due(&f->m);
	assert_true(mirror_request(&f->m, f->now, &r));
	assert_int_equal(r.type, RTM_GETROUTE);
	answer(f, link_message(RTM_DELLINK, &wlan, r.seq));
	answer(f, address_message(RTM_DELADDR, &f->address[3], r.seq));
	answer(f,
	       link_message(RTM_NEWLINK,
	                    &(struct fake_link){8, "old0", UP, IF_OPER_UP, NULL, NULL, 0}, r.seq));
	assert_non_null(iftable_link(&f->m.table, 2));
	assert_null(iftable_link(&f->m.table, 8));
	answer_lines(f, &r);
	answer_done(f, r.seq, 0, 0);
	settle(f);
	assert_told(f, "");
	assert_string_equal(paths(f, "192.0.2.1"), "wlan0:10.1.0.2 wwan0:10.2.0.2");
	fake_free(f);
}

/* It came unheard, is in the dump, and is removed: the event is read before the dump's line is. */
static void what_is_removed_before_the_dump_is_read_is_gone(void **state)
{
	static const struct fake_link eth = {4, "eth0", UP, IF_OPER_UP, NULL, NULL, 0};
	struct fake *f = fake_settled();
	struct mirror_request r;

	(void)state;
	f->link[f->links++] = eth;
	f->address[f->addresses++] = (struct fake_address){3, "10.2.0.7", 24, 0};
	f->route[f->routes++] =
	    (struct fake_route){.ifindex = 3, .destination = "192.0.2.0", .prefix_len = 24};
	mirror_overrun(&f->m);
	for (int phase = 0; phase < 4; phase++) {
		f->now = mirror_due(&f->m);
		assert_true(mirror_request(&f->m, f->now, &r));
		if (r.type == RTM_GETLINK)
			del_link(f, eth);
		else if (r.type == RTM_GETADDR)
			del_address(f, f->address[f->addresses - 1]);
		else if (r.family == AF_INET)
			del_route(f, f->route[f->routes - 1]);
		answer_lines(f, &r);
		answer_done(f, r.seq, 0, 0);
		mirror_flush(&f->m);
	}
	assert_told(f, "");
	assert_null(iftable_link_any(&f->m.table, 4));
	assert_int_equal(HASH_COUNT(f->m.table.addresses), f->addresses - 1);
	assert_int_equal(HASH_COUNT(f->m.table.routes), f->routes - 1);
	assert_string_equal(paths(f, "192.0.2.1"), "wlan0:10.1.0.2 wwan0:10.2.0.2");
	/* And it may come again. */
	f->links--;
	f->routes--;
	new_address(f, f->address[f->addresses - 1]);
	assert_told(f, "address wwan0 10.2.0.7 (address added)\n");
	settle(f);
	assert_told(f, "");
	/* Of what is removed while nothing is asked nothing is kept. */
	del_address(f, (struct fake_address){3, "10.2.0.8", 24, 0});
	assert_int_equal(HASH_COUNT(f->m.table.addresses), f->addresses);
	fake_free(f);
}

static void what_is_replaced_before_the_dump_is_read_is_gone(void **state)
{
	struct fake *f = fake_settled();
	struct fake_route *route = &f->route[f->routes++];
	struct mirror_request r;
	struct nlmsghdr *h;

	(void)state;
	*route = (struct fake_route){.ifindex = 3, .destination = "192.0.2.0", .prefix_len = 24};
	mirror_overrun(&f->m);
	for (int phase = 0; phase < 4; phase++) {
		f->now = mirror_due(&f->m);
		assert_true(mirror_request(&f->m, f->now, &r));
		if (r.family != AF_INET) {
			answer_lines(f, &r);
		} else {
			struct fake_route old = *route;

			route->ifindex = 2;
			h = route_message(RTM_NEWROUTE, route, 0);
			h->nlmsg_flags |= NLM_F_REPLACE;
			event(f, h);
			answer_lines(f, &r);
			answer(f, route_message(RTM_NEWROUTE, &old, r.seq));
		}
		answer_done(f, r.seq, 0, 0);
	}
	settle(f);
	assert_int_equal(HASH_COUNT(f->m.table.routes), f->routes);
	fake_free(f);
}

static void a_dump_of_which_a_part_is_lost_is_asked_for_again(void **state)
{
	struct fake *f = fake_settled();
	struct mirror_request r;

	(void)state;
	mirror_overrun(&f->m);
	f->now = mirror_due(&f->m);
	assert_true(mirror_request(&f->m, f->now, &r));
	answer(f, link_message(RTM_NEWLINK, &lo, r.seq));
	mirror_answer_lost(&f->m);
	answer_done(f, r.seq, 0, 0);
	assert_non_null(iftable_link(&f->m.table, 2));
	assert_true(mirror_request(&f->m, f->now, &r));
	assert_int_equal(r.type, RTM_GETLINK);
	answer_lines(f, &r);
	answer_done(f, r.seq, 0, 0);
	settle(f);
	assert_told(f, "");
	fake_free(f);
}

static void an_interrupted_dump_is_asked_for_again(void **state)
{
	struct fake *f = fake_settled();
	struct mirror_request r;
	uint32_t first;

	(void)state;
	mirror_overrun(&f->m);
	f->now = mirror_due(&f->m);
	assert_true(mirror_request(&f->m, f->now, &r));
	first = r.seq;
	/* Half the links, and the flag that says so: nothing may be taken for gone. */
	answer(f, link_message(RTM_NEWLINK, &lo, r.seq));
	answer_done(f, r.seq, NLM_F_DUMP_INTR, 0);
	assert_told(f, "");
	assert_non_null(iftable_link(&f->m.table, 2));
	assert_true(mirror_request(&f->m, f->now, &r));
	assert_int_equal(r.type, RTM_GETLINK);
	assert_int_not_equal(r.seq, first);
	/* A late line of the first dump is not taken for one of the second. */
	answer(f,
	       link_message(RTM_NEWLINK,
	                    &(struct fake_link){8, "old0", UP, IF_OPER_UP, NULL, NULL, 0}, first));
	assert_null(iftable_link(&f->m.table, 8));
	answer_lines(f, &r);
	answer_done(f, r.seq, 0, 0);
	settle(f);
	assert_told(f, "");
	fake_free(f);
}

static void dumps_that_never_succeed_take_nothing_away(void **state)
{
	struct fake *f = fake_settled();
	struct mirror_request r;
	int asked = 0;
	int64_t began = f->now;

	(void)state;
	mirror_overrun(&f->m);
	while (f->now < began + 10000) {
		int64_t due = mirror_due(&f->m);

		assert_true(due >= 0);
		if (f->now < due)
			f->now = due;
		if (mirror_request(&f->m, f->now, &r)) {
			answer_done(f, r.seq, NLM_F_DUMP_INTR, 0);
			asked++;
		}
	}
	assert_told(f, "");
	assert_string_equal(paths(f, "192.0.2.1"), "wlan0:10.1.0.2 wwan0:10.2.0.2");
	assert_true(asked < 400); /* and it does not spin */
	settle(f);
	assert_told(f, "");
	fake_free(f);
}

static void errors_and_silence_are_survived(void **state)
{
	struct fake *f = fake_start();
	struct mirror_request r;
	struct nlmsghdr *h;
	int error = -EBUSY;

	(void)state;
	assert_true(mirror_request(&f->m, f->now, &r));
	assert_false(mirror_request(&f->m, f->now, &r)); /* one at a time */
	h = fake_header(NLMSG_ERROR, 0, r.seq);
	memcpy(mnl_nlmsg_put_extra_header(h, sizeof(struct nlmsgerr)), &error, sizeof(error));
	answer(f, h);
	assert_true(mirror_due(&f->m) > f->now);
	f->now = mirror_due(&f->m);
	assert_true(mirror_request(&f->m, f->now, &r));
	mirror_not_sent(&f->m, f->now);
	f->now = mirror_due(&f->m);
	assert_true(mirror_request(&f->m, f->now, &r));
	f->now = mirror_due(&f->m); /* silence */
	assert_false(mirror_request(&f->m, f->now, &r));
	settle(f);
	assert_non_null(strstr(f->log, "interface wlan0 (present)"));
	assert_string_equal(paths(f, "192.0.2.1"), "wlan0:10.1.0.2 wwan0:10.2.0.2");
	fake_free(f);
}

static void a_routing_table_that_does_not_exist_is_empty(void **state)
{
	struct fake *f = fake_settled();
	struct mirror_request r;

	(void)state;
	del_address(f, (struct fake_address){3, "10.2.0.3", 24, 0});
	f->now = mirror_due(&f->m);
	assert_true(mirror_request(&f->m, f->now, &r));
	assert_int_equal(r.family, AF_INET);
	answer_done(f, r.seq, 0, -ENOENT);
	assert_string_equal(paths(f, "192.0.2.1"), "");
	assert_string_equal(paths(f, "2001:db8:9::1"), "wlan0:2001:db8:1::2");
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(enumerates_interfaces_then_addresses),
	    cmocka_unit_test(says_nothing_before_the_enumeration),
	    cmocka_unit_test(carrier_loss_is_one_link_message),
	    cmocka_unit_test(a_carrier_without_the_state_is_not_enough),
	    cmocka_unit_test(admin_down_takes_the_silent_ipv4_routes),
	    cmocka_unit_test(a_silent_route_is_found_by_the_next_dump),
	    cmocka_unit_test(address_removal),
	    cmocka_unit_test(device_deletion_ends_with_no_interface),
	    cmocka_unit_test(an_address_counts_once_it_is_verified),
	    cmocka_unit_test(new_devices_and_new_names),
	    cmocka_unit_test(ports_of_a_bridge_are_not_interfaces),
	    cmocka_unit_test(messages_of_wireless_extensions_are_no_links),
	    cmocka_unit_test(an_overrun_ends_in_the_difference),
	    cmocka_unit_test(a_dump_does_not_undo_what_was_heard),
	    cmocka_unit_test(an_answer_to_another_question_is_ignored),
	    cmocka_unit_test(what_is_removed_before_the_dump_is_read_is_gone),
	    cmocka_unit_test(what_is_replaced_before_the_dump_is_read_is_gone),
	    cmocka_unit_test(a_dump_of_which_a_part_is_lost_is_asked_for_again),
	    cmocka_unit_test(an_interrupted_dump_is_asked_for_again),
	    cmocka_unit_test(dumps_that_never_succeed_take_nothing_away),
	    cmocka_unit_test(errors_and_silence_are_survived),
	    cmocka_unit_test(a_routing_table_that_does_not_exist_is_empty),
	    cmocka_unit_test(a_router_that_is_not_reached_is_told_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
