/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/limits.h"

static unsigned taken(struct limits *l, uint32_t source, unsigned tries, int64_t now)
{
	unsigned n = 0;

	for (unsigned i = 0; i < tries; i++)
		n += limits_take(l, &source, sizeof(source), now);
	return n;
}

static void a_burst_and_then_the_rate(void **state)
{
	struct limits *l = limits_new(10, 50, 100);

	(void)state;
	assert_int_equal(taken(l, 1, 100, 0), 50);
	assert_int_equal(taken(l, 1, 100, 0), 0);
	assert_int_equal(taken(l, 1, 100, 99), 0);
	assert_int_equal(taken(l, 1, 100, 1000), 9 + 1);
	assert_int_equal(taken(l, 1, 100, 2000), 10);
	/* It fills up to the burst and no further, after however long. */
	assert_int_equal(taken(l, 1, 1000, INT64_MAX / 2), 50);
	/* Somebody else has what is his. */
	assert_int_equal(taken(l, 2, 100, INT64_MAX / 2), 50);
	limits_free(l);
}

static void a_flood_of_sources_takes_nothing_from_those_before(void **state)
{
	struct limits *l = limits_new(10, 20, 3);

	(void)state;
	assert_int_equal(taken(l, 1, 5, 0), 5);
	assert_int_equal(taken(l, 2, 5, 0), 5);
	assert_int_equal(taken(l, 3, 5, 0), 5);
	/* No place is left: a thousand others share one bucket. */
	unsigned n = 0;

	for (uint32_t s = 100; s < 1100; s++)
		n += taken(l, s, 1, 0);
	assert_int_equal(n, 20);
	assert_int_equal(taken(l, 1, 100, 0), 15);
	/* When one has come to rest its place is free. */
	assert_int_equal(taken(l, 7, 100, 10000), 20);
	limits_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_burst_and_then_the_rate),
	    cmocka_unit_test(a_flood_of_sources_takes_nothing_from_those_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
