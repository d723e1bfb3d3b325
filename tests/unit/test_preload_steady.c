/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "preload/steady.h"

static void what_was_there_from_the_start_is_old(void **state)
{
	struct steady s = {0};

	(void)state;
	assert_int_equal(steady_ms(&s, 3, 5), INT32_MAX);
	assert_int_equal(steady_flaps(&s, 3, 5), 0);
	/* Its first loss is no flap, whenever it comes. */
	steady_gone(&s, 3, 10);
	assert_int_equal(steady_ms(&s, 3, 11), INT32_MAX);
	steady_here(&s, 3, 20);
	assert_int_equal(steady_ms(&s, 3, 50), 30);
	assert_int_equal(steady_flaps(&s, 3, 50), 0);
	assert_int_equal(steady_ms(&s, 4, 50), INT32_MAX);
}

static void flaps_are_counted_once_each(void **state)
{
	struct steady s = {0};
	int64_t now = 1000;

	(void)state;
	steady_here(&s, 3, now);
	for (unsigned i = 1; i < 100; i++) {
		/* An interface goes and comes with its addresses. */
		for (int k = 0; k < 3; k++)
			steady_gone(&s, 3, now += 300);
		for (int k = 0; k < 3; k++)
			steady_here(&s, 3, now += 300);
		assert_int_equal(steady_flaps(&s, 3, now), i < STEADY_FLAPS ? i : STEADY_FLAPS);
		assert_int_equal(steady_ms(&s, 3, now), 0);
	}
}

static void a_minute_there_or_away_makes_them_forgotten(void **state)
{
	struct steady s = {0};

	(void)state;
	steady_here(&s, 3, 0);
	steady_gone(&s, 3, 1000);
	steady_here(&s, 3, 2000);
	assert_int_equal(steady_flaps(&s, 3, 2000 + STEADY_MS - 1), 1);
	assert_int_equal(steady_flaps(&s, 3, 2000 + STEADY_MS), 0);
	steady_gone(&s, 3, 2000 + STEADY_MS);
	steady_here(&s, 3, 3000 + STEADY_MS);
	assert_int_equal(steady_flaps(&s, 3, 3000 + STEADY_MS), 0);
	steady_gone(&s, 3, 4000 + STEADY_MS);
	steady_here(&s, 3, 4000 + 2 * STEADY_MS - 1);
	assert_int_equal(steady_flaps(&s, 3, 4000 + 2 * STEADY_MS), 1);
	steady_gone(&s, 3, 5000 + 2 * STEADY_MS);
	steady_here(&s, 3, 5000 + 3 * STEADY_MS);
	assert_int_equal(steady_flaps(&s, 3, 5000 + 3 * STEADY_MS), 0);
}

static void the_longest_untouched_makes_room(void **state)
{
	struct steady s = {0};

	(void)state;
	for (int i = 1; i <= STEADY_MAX; i++)
		steady_here(&s, i, i);
	steady_here(&s, 1, 1000);
	steady_here(&s, STEADY_MAX + 1, 1001);
	assert_int_equal(steady_ms(&s, 1, 1001), 1);
	assert_int_equal(steady_ms(&s, 2, 1001), INT32_MAX);
	assert_int_equal(steady_ms(&s, 3, 1001), 998);
	assert_int_equal(steady_ms(&s, STEADY_MAX + 1, 1001), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_there_from_the_start_is_old),
	    cmocka_unit_test(flaps_are_counted_once_each),
	    cmocka_unit_test(a_minute_there_or_away_makes_them_forgotten),
	    cmocka_unit_test(the_longest_untouched_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
