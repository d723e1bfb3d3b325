/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "preload/doubts.h"

static void a_silent_path_rests_longer_each_time(void **state)
{
	struct doubts d = {0};
	int64_t now = 1000000, rest, before = 0;

	(void)state;
	assert_int_equal(doubts_silent(&d, 3, now), 0);
	for (int i = 0; i < 12; i++) {
		assert_true(doubts_raise(&d, 3, now - 50, now));
		assert_false(doubts_raise(&d, 3, now, now));
		assert_int_equal(doubts_silent(&d, 3, now), 50);
		assert_int_equal(doubts_resting(&d, 4, now), 0);
		rest = doubts_resting(&d, 3, now);
		assert_true(rest >= before && rest <= 256000);
		if (i < 7)
			assert_int_equal(rest, 2000 << i);
		before = rest;
		/* Settled is not silent, and yet left alone. */
		now += 600;
		assert_true(doubts_settle(&d, 3, now));
		assert_false(doubts_settle(&d, 3, now));
		assert_int_equal(doubts_silent(&d, 3, now), 0);
		assert_int_equal(doubts_resting(&d, 3, now), rest - 600);
	}
	now += 700000;
	assert_true(doubts_raise(&d, 3, now, now));
	assert_int_equal(doubts_resting(&d, 3, now), 2000);
}

static void a_crowd_that_leaves_is_one_time(void **state)
{
	struct doubts d = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		doubts_rest(&d, 3, 1000000 + i);
	assert_int_equal(doubts_resting(&d, 3, 1000100), 1900);
	assert_int_equal(doubts_silent(&d, 3, 1000100), 0);
}

static void another_network_is_not_the_old_one(void **state)
{
	struct doubts d = {0};

	(void)state;
	doubts_raise(&d, 3, 1000000, 1000000);
	doubts_forget(&d, 3);
	assert_int_equal(doubts_silent(&d, 3, 1000001), 0);
	assert_int_equal(doubts_resting(&d, 3, 1000001), 0);
	/* More than there is room for: the oldest is forgotten. */
	for (int i = 1; i <= DOUBTS + 1; i++)
		doubts_raise(&d, i, 1000000 + i, 1000000 + i);
	assert_int_equal(doubts_resting(&d, 1, 1000100), 0);
	assert_true(doubts_resting(&d, DOUBTS + 1, 1000100) > 0);
	assert_false(doubts_raise(&d, 0, 5, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_silent_path_rests_longer_each_time),
	    cmocka_unit_test(a_crowd_that_leaves_is_one_time),
	    cmocka_unit_test(another_network_is_not_the_old_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
