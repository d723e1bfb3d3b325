/* SPDX-License-Identifier: MIT */
/* Messages cut short at every length, spoilt at random, and more of them than a table holds. */
#include "tests/unit/fake_rtnetlink.h"

#define SAMPLES 8

static const struct nlmsghdr *sample(int i)
{
	static const struct fake_address v4 = {2, "10.1.0.7", 24, 0},
	                                 v6 = {3, "2001:db8::7", 64, 0};
	static const struct fake_route one = {.ifindex = 2,
	                                      .destination = "10.6.0.0",
	                                      .prefix_len = 16,
	                                      .gateway = "10.1.0.1",
	                                      .metric = 7,
	                                      .source = "10.1.0.2"};
	static const struct fake_route two = {.ifindex = 2,
	                                      .second = 3,
	                                      .destination = "2001:db8:6::",
	                                      .prefix_len = 48,
	                                      .gateway = "fe80::1"};
	static const struct fake_link l = {7, "wlan7", UP, IF_OPER_UP, "veth", "bridge", 9};

	switch (i) {
	case 0:
		return link_message(RTM_NEWLINK, &l, 0);
	case 1:
		return link_message(RTM_DELLINK, &wwan, 0);
	case 2:
		return address_message(RTM_NEWADDR, &v4, 0);
	case 3:
		return address_message(RTM_NEWADDR, &v6, 0);
	case 4:
		return address_message(RTM_DELADDR, &v4, 0);
	case 5:
		return route_message(RTM_NEWROUTE, &one, 0);
	case 6:
		return route_message(RTM_NEWROUTE, &two, 0);
	default:
		return route_message(RTM_DELROUTE, &two, 0);
	}
}

/* A copy with nothing behind it, so that a sanitizer sees every byte read too far. */
static void feed_exactly(struct fake *f, const void *p, size_t n)
{
	void *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, p, n);
	mirror_events(&f->m, copy, n, f->now);
	mirror_answers(&f->m, copy, n, f->now);
	free(copy);
}

static void cut_at_every_length(void **state)
{
	struct fake *f = fake_settled();

	(void)state;
	for (int i = 0; i < SAMPLES; i++) {
		size_t whole = sample(i)->nlmsg_len;

		for (size_t n = 0; n < whole; n++) {
			struct nlmsghdr *h = (struct nlmsghdr *)fake_buf;

			sample(i);
			feed_exactly(f, h, n); /* the header promises more than there is */
			assert_told(f, "");
			if (n < sizeof(*h))
				continue;
			h->nlmsg_len = (uint32_t)n; /* the attributes do */
			feed_exactly(f, h, n);
			f->log[0] = 0;
		}
	}
	fake_free(f);
}

/* An address or name that is not complete changes nothing at all. */
static void incomplete_attributes_change_nothing(void **state)
{
	struct fake *f = fake_settled();
	struct nlmsghdr *h = fake_header(RTM_NEWADDR, 0, 0);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(h, sizeof(*ifa));
	struct ifinfomsg *ifi;
	char name[64];

	(void)state;
	ifa->ifa_index = 2;
	ifa->ifa_family = AF_INET6;
	ifa->ifa_prefixlen = 64;
	mnl_attr_put(h, IFA_ADDRESS, 4, "abcd"); /* too short for its family */
	event(f, h);
	ifa->ifa_family = AF_INET; /* right, but for the prefix */
	event(f, h);
	assert_told(f, "");
	ifa->ifa_prefixlen = 32;
	event(f, h);
	assert_told(f, "address wlan0 97.98.99.100 (address added)\n");

	memset(name, 'x', sizeof(name));
	name[63] = 0;
	h = fake_header(RTM_NEWLINK, 0, 0);
	ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
	ifi->ifi_index = 9;
	ifi->ifi_flags = UP;
	mnl_attr_put_u32(h, IFLA_MTU, 1500);
	event(f, h); /* no name */
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	event(f, h); /* too long a name */
	assert_null(iftable_link(&f->m.table, 9));
	fake_free(f);
}

static uint32_t seed = 20140704;

static uint32_t chance(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

static void spoilt_at_random(void **state)
{
	struct fake *f = fake_settled();
	struct mirror_request r;

	(void)state;
	for (int round = 0; round < 100000; round++) {
		size_t n = sample((int)(chance() % SAMPLES))->nlmsg_len;
		uint8_t *p = (uint8_t *)fake_buf;

		for (uint32_t spoil = chance() % 6; spoil; spoil--)
			p[chance() % n] = (uint8_t)(chance() % 3 ? chance() : chance() % 8);
		if (chance() % 4 == 0)
			((struct nlmsghdr *)fake_buf)->nlmsg_seq = f->m.seq;
		if (chance() % 8 == 0)
			((struct nlmsghdr *)fake_buf)->nlmsg_type = chance() % 5;
		feed_exactly(f, p, n);
		f->now += 7;
		mirror_request(&f->m, f->now, &r);
		if (round % 16 == 0)
			mirror_flush(&f->m);
		f->log[0] = 0;
	}
	/* Whatever came, the next whole dump puts it right. */
	f->link[3] = (struct fake_link){7, "wlan7", DOWN, IF_OPER_DOWN, NULL, NULL, 0};
	f->links = 4;
	f->now += 100000;
	mirror_request(&f->m, f->now, &r);
	mirror_overrun(&f->m);
	settle(f);
	assert_int_equal(HASH_COUNT(f->m.table.links), 4);
	assert_int_equal(HASH_COUNT(f->m.table.addresses), 4);
	assert_int_equal(HASH_COUNT(f->m.table.routes), 5);
	assert_string_equal(paths(f, "192.0.2.1"), "wlan0:10.1.0.2 wwan0:10.2.0.2");
	fake_free(f);
}

static void tables_are_bounded(void **state)
{
	struct fake *f = fake_settled();
	char ip[32];

	(void)state;
	f->m.fn = NULL;
	f->m.enumerated = false; /* nobody listens: this is about room */
	for (int i = 0; i < IFTABLE_ADDRESSES + 100; i++) {
		snprintf(ip, sizeof(ip), "172.%d.%d.%d", 16 + (i >> 16), i >> 8 & 255, i & 255);
		new_address(f, (struct fake_address){2, ip, 32, 0});
	}
	for (int i = 0; i < IFTABLE_LINKS + 100; i++)
		new_link(f, (struct fake_link){100 + i, "many", DOWN, IF_OPER_DOWN, NULL, NULL, 0});
	for (int i = 0; i < IFTABLE_ROUTES + 100; i++) {
		snprintf(ip, sizeof(ip), "172.%d.%d.%d", 16 + (i >> 16), i >> 8 & 255, i & 255);
		new_route(f,
		          (struct fake_route){.ifindex = 2, .destination = ip, .prefix_len = 32});
	}
	assert_true(f->m.table.incomplete);
	assert_int_equal(HASH_COUNT(f->m.table.links), IFTABLE_LINKS);
	assert_int_equal(HASH_COUNT(f->m.table.addresses), IFTABLE_ADDRESSES);
	assert_int_equal(HASH_COUNT(f->m.table.routes), IFTABLE_ROUTES);
	/* A default route finds room all the same. */
	new_route(f, (struct fake_route){
	                 .ifindex = 3, .family = AF_INET, .gateway = "10.2.0.1", .metric = 1});
	assert_string_equal(paths(f, "192.0.2.1"), "wwan0:10.2.0.2 wlan0:10.1.0.2");
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cut_at_every_length),
	    cmocka_unit_test(incomplete_attributes_change_nothing),
	    cmocka_unit_test(spoilt_at_random),
	    cmocka_unit_test(tables_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
