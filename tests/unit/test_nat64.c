/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/nat64.h"

/* The table of RFC 6052, 2.4. */
static void every_length(void **state)
{
	static const char *const rows[][2] = {
	    {"2001:db8::/32", "2001:db8:c000:221::"},
	    {"2001:db8:100::/40", "2001:db8:1c0:2:21::"},
	    {"2001:db8:122::/48", "2001:db8:122:c000:2:2100::"},
	    {"2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"},
	    {"2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"},
	    {"2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"},
	    {"64:ff9b::/96", "64:ff9b::192.0.2.33"},
	};
	static const uint8_t v4[4] = {192, 0, 2, 33};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct nat64_prefix p;
		uint8_t want[16], got[16];

		assert_true(nat64_parse(rows[i][0], &p));
		assert_int_equal(inet_pton(AF_INET6, rows[i][1], want), 1);
		assert_true(nat64_embed(&p, v4, got));
		assert_memory_equal(got, want, 16);
	}
}

static void wrong_prefixes(void **state)
{
	static const char *const wrong[] = {
	    "",       "64:ff9b::",       "64:ff9b::/",      "64:ff9b::/95",
	    "::1/96", "64:ff9b::1:0/64", "10.0.0.0/96",     "64:ff9b::/096",
	    "/96",    "64:ff9b::/96 ",   "64:ff9b::/64/96", "2001:db8:1:2:ff00::/96",
	};
	struct nat64_prefix p;

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (nat64_parse(wrong[i], &p))
			fail_msg("\"%s\" was taken", wrong[i]);
}

/* The well-known prefix is for public addresses; a network's own is for any. */
static void private_addresses(void **state)
{
	static const uint8_t v4[][4] = {
	    {10, 9, 0, 2}, {172, 31, 1, 1}, {192, 168, 0, 1}, {169, 254, 1, 1}, {100, 64, 0, 1}};
	struct nat64_prefix known, own, none = {.bits = 0};
	uint8_t out[16];

	(void)state;
	assert_true(nat64_parse("64:ff9b::/96", &known));
	assert_true(nat64_parse("64:ff9b:1::/48", &own));
	for (unsigned i = 0; i < sizeof(v4) / sizeof(*v4); i++) {
		assert_false(nat64_embed(&known, v4[i], out));
		assert_true(nat64_embed(&own, v4[i], out));
		assert_false(nat64_embed(&none, v4[i], out));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_length),
	    cmocka_unit_test(wrong_prefixes),
	    cmocka_unit_test(private_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
