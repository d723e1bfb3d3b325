/* SPDX-License-Identifier: MIT */
/* The bytes of the PROXY protocol, version 2. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "relay/proxy.h"

static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static struct ses_addr at(const char *ip, uint16_t port)
{
	struct ses_addr a = {.family = strchr(ip, ':') ? 6 : 4, .port = port};

	assert_int_equal(inet_pton(a.family == 6 ? AF_INET6 : AF_INET, ip, a.ip), 1);
	return a;
}

static void both_ipv4(void **state)
{
	static const uint8_t rest[] = {0x21, 0x11, 0,   12, 192,  0,    2, 1,
	                               198,  51,   100, 2,  0xc0, 0x01, 1, 0xbb};
	struct ses_addr from = at("192.0.2.1", 0xc001), to = at("198.51.100.2", 443);
	uint8_t out[PROXY_MAX];

	(void)state;
	assert_int_equal(proxy_header(&from, &to, out), 28);
	assert_memory_equal(out, signature, 12);
	assert_memory_equal(out + 12, rest, sizeof(rest));
}

static void of_two_families_both_are_ipv6(void **state)
{
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
	struct ses_addr from = at("192.0.2.1", 1), to = at("2001:db8::7", 2);
	uint8_t out[PROXY_MAX];

	(void)state;
	assert_int_equal(proxy_header(&from, &to, out), PROXY_MAX);
	assert_int_equal(out[13], 0x21);
	assert_int_equal(out[15], 36);
	assert_memory_equal(out + 16, mapped, 16);
	assert_memory_equal(out + 32, to.ip, 16);
	assert_int_equal(out[49], 1);
	assert_int_equal(out[51], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_ipv4),
	    cmocka_unit_test(of_two_families_both_are_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
