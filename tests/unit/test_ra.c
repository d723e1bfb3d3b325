/* SPDX-License-Identifier: MIT */
/* Router advertisements as they are on the wire, right ones and wrong ones. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "monitor/useropt.h"

static uint8_t message[4096];
static size_t length;
static struct ra ra;

/* High preference, lifetime 1800 s, DHCPv6 for the rest. */
static const uint8_t header[16] = {134, 0, 0, 0, 64, 0x48, 0x07, 0x08};

static void begin(void)
{
	memcpy(message, header, sizeof(header));
	length = sizeof(header);
}

static uint8_t *put(const void *bytes, size_t n)
{
	uint8_t *at = message + length;

	assert_true(length + n <= sizeof(message));
	if (bytes)
		memcpy(at, bytes, n);
	else
		memset(at, 0, n);
	length += n;
	return at;
}

static uint8_t *option(uint8_t type, size_t eights)
{
	uint8_t *p = put(NULL, eights * 8);

	p[0] = type;
	p[1] = (uint8_t)eights;
	return p;
}

static void ip(uint8_t *at, const char *text, size_t n)
{
	uint8_t raw[16];

	assert_int_equal(inet_pton(AF_INET6, text, raw), 1);
	memcpy(at, raw, n);
}

/* In memory of its own, so that a sanitizer sees a byte too much. */
static int parse(void)
{
	uint8_t *copy = malloc(length ? length : 1);
	int r;

	assert_non_null(copy);
	memcpy(copy, message, length);
	r = ra_parse(copy, length, &ra);
	free(copy);
	return r;
}

static void is_ip(const struct ra_element *e, const char *text, unsigned prefix_len)
{
	char got[INET6_ADDRSTRLEN];

	assert_string_equal(inet_ntop(AF_INET6, e->ip, got, sizeof(got)), text);
	assert_int_equal(e->prefix_len, prefix_len);
}

static uint8_t *prefix(const char *text, uint8_t bits, uint32_t valid, uint32_t preferred)
{
	uint8_t *p = option(3, 4);

	p[2] = bits;
	p[3] = 0xc0;
	put_be32(p + 4, valid);
	put_be32(p + 8, preferred);
	ip(p + 16, text, 16);
	return p;
}

static void the_header_is_read(void **state)
{
	(void)state;
	begin();
	assert_int_equal(parse(), 0);
	assert_int_equal(ra.router_s, 1800);
	assert_int_equal(ra.preference, 1);
	assert_false(ra.managed);
	assert_true(ra.other);
	assert_int_equal(ra.count, 0);
	assert_string_equal(ra.pvd.id, "");
	message[5] = 0x98;
	assert_int_equal(parse(), 0);
	assert_int_equal(ra.preference, -1);
	assert_true(ra.managed);
	message[5] = 0x10; /* reserved: medium */
	assert_int_equal(parse(), 0);
	assert_int_equal(ra.preference, 0);
}

static void what_is_no_advertisement_is_refused(void **state)
{
	(void)state;
	begin();
	for (length = 0; length < 16; length++)
		assert_int_equal(parse(), -EBADMSG);
	length = 16;
	message[1] = 1;
	assert_int_equal(parse(), -EBADMSG);
	begin();
	message[0] = 133;
	assert_int_equal(parse(), -EBADMSG);
	/* Options of no length, cut short, of one byte. */
	begin();
	option(3, 1)[1] = 0;
	assert_int_equal(parse(), -EBADMSG);
	begin();
	option(3, 1)[1] = 2;
	assert_int_equal(parse(), -EBADMSG);
	begin();
	put("\x03", 1);
	assert_int_equal(parse(), -EBADMSG);
}

static void prefixes_and_their_lifetimes(void **state)
{
	(void)state;
	begin();
	prefix("2001:db8:1:ffff::ff", 52, 3600, RA_FOREVER)[3] = 0x40;
	assert_int_equal(parse(), 0); /* contradicts itself: passed over */
	assert_int_equal(ra.count, 0);
	begin();
	prefix("2001:db8:1:ffff::ff", 52, RA_FOREVER, 600)[3] = 0x40;
	prefix("fe80::", 64, 60, 60);
	prefix("2001:db8::", 129, 60, 60);
	prefix("2001:db8::", 64, 0, 0);
	assert_int_equal(parse(), 0);
	assert_int_equal(ra.count, 2);
	assert_int_equal(ra.element[0].kind, RA_PREFIX);
	is_ip(&ra.element[0], "2001:db8:1:f000::", 52);
	assert_int_equal(ra.element[0].flags, RA_AUTONOMOUS);
	assert_int_equal(ra.element[0].valid_s, RA_FOREVER);
	assert_int_equal(ra.element[0].preferred_s, 600);
	assert_int_equal(ra.element[1].valid_s, 0);
	assert_int_equal(ra.element[1].flags, RA_AUTONOMOUS | RA_ON_LINK);
}

static void routes(void **state)
{
	uint8_t *p;

	(void)state;
	begin();
	p = option(24, 2);
	p[2] = 48;
	p[3] = 0x18;
	put_be32(p + 4, 300);
	ip(p + 8, "2001:db8:7::", 8);
	option(24, 1)[3] = 0x08; /* the default route, high */
	option(24, 2)[2] = 65;   /* too short for that */
	option(24, 1)[2] = 1;
	option(24, 3)[3] = 0x10; /* a preference there is not */
	option(24, 4);
	assert_int_equal(parse(), 0);
	assert_int_equal(ra.count, 2);
	is_ip(&ra.element[0], "2001:db8:7::", 48);
	assert_int_equal(ra.element[0].kind, RA_ROUTE);
	assert_int_equal(ra.element[0].preference, -1);
	assert_int_equal(ra.element[0].valid_s, 300);
	is_ip(&ra.element[1], "::", 0);
	assert_int_equal(ra.element[1].preference, 1);
}

static void name_servers_and_suffixes(void **state)
{
	static const uint8_t names[] = "\x04Home\x07"
	                               "example\0\x03lab\0\0\0\0"; /* 24 with the last */
	uint8_t *p;

	(void)state;
	begin();
	p = option(25, 5);
	put_be32(p + 4, 1200);
	ip(p + 8, "2001:db8::53", 16);
	ip(p + 24, "fe80::1", 16);
	option(25, 4); /* an address and a half */
	option(25, 1);
	option(25, 3); /* the unspecified address */
	p = option(31, 4);
	put_be32(p + 4, RA_FOREVER);
	memcpy(p + 8, names, sizeof(names));
	assert_int_equal(parse(), 0);
	assert_int_equal(ra.count, 4);
	is_ip(&ra.element[0], "2001:db8::53", 128);
	assert_int_equal(ra.element[0].valid_s, 1200);
	is_ip(&ra.element[1], "fe80::1", 128);
	assert_int_equal(ra.element[2].kind, RA_DNS_SUFFIX);
	assert_string_equal(ra.element[2].text, "home.example");
	assert_string_equal(ra.element[3].text, "lab");
	assert_int_equal(ra.element[3].valid_s, RA_FOREVER);
}

static void bad_names_are_passed_over(void **state)
{
	static const struct {
		uint8_t bytes[16];
	} bad[] = {
	    {{0xc0, 0x0c}},           /* a pointer */
	    {{3, 'a', '/', 'b', 0}},  /* would be another URL */
	    {{3, 'a', '.', 'b', 0}},  /* would be another name */
	    {{3, 'a', '\n', 'b', 0}}, /* would be another line */
	    {{15, 'a', 'b', 'c', 0}}, /* longer than what is there */
	    {{7, '1', '2', '3', '4', '5', '6', '7', 7, '1', '2', '3', '4', '5', '6',
	      '7'}}, /* no end */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		begin();
		memcpy(option(31, 3) + 8, bad[i].bytes, 16);
		assert_int_equal(parse(), 0);
		assert_int_equal(ra.count, 0);
	}
}

static void a_name_of_any_length_has_room(void **state)
{
	uint8_t *p;

	(void)state;
	/* The longest there is: 253 characters. */
	begin();
	p = option(31, 34) + 8;
	for (int i = 0; i < 4; i++) {
		*p++ = i < 3 ? 63 : 61;
		for (int n = i < 3 ? 63 : 61; n; n--)
			*p++ = 'x';
	}
	assert_int_equal(parse(), 0);
	assert_int_equal(ra.count, 1);
	assert_int_equal(strlen(ra.element[0].text), 253);
	/* And one longer. */
	begin();
	p = option(31, 34) + 8;
	for (int i = 0; i < 4; i++) {
		*p++ = i < 3 ? 63 : 62;
		for (int n = i < 3 ? 63 : 62; n; n--)
			*p++ = 'x';
	}
	assert_int_equal(parse(), 0);
	assert_int_equal(ra.count, 0);
}

static void the_portal(void **state)
{
	static const char uri[] = "https://portal.example/api?x=1";

	(void)state;
	begin();
	memcpy(option(37, 4) + 2, uri, 30);
	memcpy(option(37, 2) + 2, "https://a b", 11);
	option(37, 1); /* nothing but zeros */
	assert_int_equal(parse(), 0);
	assert_int_equal(ra.count, 1);
	assert_int_equal(ra.element[0].kind, RA_PORTAL);
	assert_string_equal(ra.element[0].text, uri);
	/* As long as an option can be is longer than a URI may be. */
	begin();
	memset(option(37, 255) + 2, 'x', 255 * 8 - 2);
	assert_int_equal(parse(), 0);
	assert_int_equal(ra.count, 0);
}

static void nat64_prefixes(void **state)
{
	static const uint8_t bits[] = {96, 64, 56, 48, 40, 32};
	uint8_t *p;

	(void)state;
	for (uint8_t plc = 0; plc < 8; plc++) {
		begin();
		p = option(38, 2);
		put_be16(p + 2, (uint16_t)(75 << 3 | plc));
		ip(p + 4, "64:ff9b:1:2:3:4::", 12);
		assert_int_equal(parse(), 0);
		assert_int_equal(ra.count, plc < 6);
		if (plc >= 6)
			continue;
		assert_int_equal(ra.element[0].prefix_len, bits[plc]);
		assert_int_equal(ra.element[0].valid_s, 600);
	}
	begin();
	p = option(38, 2);
	put_be16(p + 2, 0xfff8 | 3);
	ip(p + 4, "2001:db8:1:2:3:4::", 12);
	assert_int_equal(parse(), 0);
	is_ip(&ra.element[0], "2001:db8:1::", 48);
	assert_int_equal(ra.element[0].valid_s, 65528);
}

/* H, L, delay 5, sequence 0x1234. */
static uint8_t *domain(size_t eights, uint8_t flags)
{
	static const uint8_t id[] = "\x03pvd\x07"
	                            "Example\x03org"; /* 17 bytes, one of them the end */
	uint8_t *p = option(21, eights);

	p[2] = flags;
	p[3] = 5;
	put_be16(p + 4, 0x1234);
	memcpy(p + 6, id, sizeof(id));
	return p;
}

static void the_domain_has_a_name(void **state)
{
	(void)state;
	begin();
	domain(3, 0xc0);
	option(21, 3); /* a second one: never looked at */
	assert_int_equal(parse(), 0);
	assert_string_equal(ra.pvd.id, "pvd.example.org");
	assert_true(ra.pvd.http);
	assert_true(ra.pvd.legacy);
	assert_int_equal(ra.pvd.delay, 5);
	assert_int_equal(ra.pvd.sequence, 0x1234);
	assert_int_equal(ra.router_s, 1800);
	/* Without a name it is none. */
	begin();
	option(21, 3)[2] = 0x80;
	assert_int_equal(parse(), 0);
	assert_string_equal(ra.pvd.id, "");
	assert_false(ra.pvd.http);
}

static void the_domain_has_options_and_a_header_of_its_own(void **state)
{
	uint8_t *outer;

	(void)state;
	begin();
	outer = domain(3, 0x20);
	memcpy(put(NULL, 16), (uint8_t[]){0, 7, 9, 9, 64, 0x80, 0, 60}, 8);
	prefix("2001:db8:5::", 64, 60, 60);
	/* One within one: not looked at. */
	domain(3, 0x80)[7] = 'x';
	outer[1] = (uint8_t)((message + length - outer) / 8);
	prefix("2001:db8:6::", 64, 60, 60);
	assert_int_equal(parse(), 0);
	assert_string_equal(ra.pvd.id, "pvd.example.org");
	assert_int_equal(ra.router_s, 60);
	assert_true(ra.managed);
	assert_false(ra.other);
	assert_int_equal(ra.count, 2);
	is_ip(&ra.element[0], "2001:db8:5::", 64);
	is_ip(&ra.element[1], "2001:db8:6::", 64);
	/* An option within it that has no length. */
	outer[24 + 16 + 1] = 0;
	assert_int_equal(parse(), -EBADMSG);
	/* Said to have a header, and too short for it. */
	begin();
	domain(4, 0x20);
	assert_int_equal(parse(), 0);
	assert_string_equal(ra.pvd.id, "");
	assert_int_equal(ra.router_s, 1800);
}

static void more_than_there_is_room_for(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < RA_ELEMENTS + 1; i++)
		prefix("2001:db8::", 64, 60, 60);
	assert_int_equal(parse(), 0);
	assert_int_equal(ra.count, RA_ELEMENTS);
	assert_true(ra.more);
}

static void what_the_kernel_passes_on(void **state)
{
	uint32_t space[64] = {0};
	struct nlmsghdr *h = mnl_nlmsg_put_header(space);
	struct nduseroptmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m) + 24);
	uint8_t router[16], from[16];
	int ifindex = 0;

	(void)state;
	h->nlmsg_type = RTM_NEWNDUSEROPT;
	m->nduseropt_family = AF_INET6;
	m->nduseropt_ifindex = 7;
	m->nduseropt_icmp_type = 134;
	m->nduseropt_opts_len = 24;
	length = 0;
	ip(option(25, 3) + 8, "2001:db8::53", 16);
	put_be32(message + 4, 90);
	memcpy(m + 1, message, 24);
	ip(from, "fe80::1", 16);
	/* Nobody said whose it is. */
	assert_false(useropt_parse(h, &ifindex, router, &ra));
	mnl_attr_put(h, NDUSEROPT_SRCADDR, 16, from);
	assert_true(useropt_parse(h, &ifindex, router, &ra));
	assert_int_equal(ifindex, 7);
	assert_memory_equal(router, from, 16);
	assert_int_equal(ra.count, 1);
	is_ip(&ra.element[0], "2001:db8::53", 128);
	assert_int_equal(ra.element[0].valid_s, 90);
	/* Longer than the message. */
	m->nduseropt_opts_len = 240;
	assert_false(useropt_parse(h, &ifindex, router, &ra));
	m->nduseropt_opts_len = 24;
	h->nlmsg_len = sizeof(*h) + sizeof(*m) - 1;
	assert_false(useropt_parse(h, &ifindex, router, &ra));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_header_is_read),
	    cmocka_unit_test(what_is_no_advertisement_is_refused),
	    cmocka_unit_test(prefixes_and_their_lifetimes),
	    cmocka_unit_test(routes),
	    cmocka_unit_test(name_servers_and_suffixes),
	    cmocka_unit_test(bad_names_are_passed_over),
	    cmocka_unit_test(a_name_of_any_length_has_room),
	    cmocka_unit_test(the_portal),
	    cmocka_unit_test(nat64_prefixes),
	    cmocka_unit_test(the_domain_has_a_name),
	    cmocka_unit_test(the_domain_has_options_and_a_header_of_its_own),
	    cmocka_unit_test(more_than_there_is_room_for),
	    cmocka_unit_test(what_the_kernel_passes_on),
	};

	return cmocka_run_group_tests_name("ra", tests, NULL, NULL);
}
