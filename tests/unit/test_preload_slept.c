/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "preload/slept.h"

static void sleep_is_what_one_clock_has_and_the_other_has_not(void **state)
{
	struct slept a = {0};

	(void)state;
	/* A process that begins on a machine that has slept before has not slept. */
	assert_int_equal(slept_for(&a, 5000000, 1000000), 0);
	/* Time that both have is none. */
	assert_int_equal(slept_for(&a, 9000000, 5000000), 0);
	assert_int_equal(slept_for(&a, 9060000, 5010000), 50000);
	assert_int_equal(slept_for(&a, 9061000, 5011000), 0);
	/* Read one after the other they differ by a little. */
	assert_int_equal(slept_for(&a, 9062000, 5012001), 0);
	assert_int_equal(slept_for(&a, 9062002, 5012001), 0);
}

static void naps_add_up(void **state)
{
	struct slept a = {0};
	int64_t boot = 1000000, monotonic = 1000000;
	int noticed = 0;

	(void)state;
	slept_for(&a, boot, monotonic);
	for (int i = 0; i < 10; i++) {
		boot += 2000;
		monotonic += 500;
		noticed += slept_for(&a, boot, monotonic) >= SLEPT_LEAST_MS;
	}
	assert_int_equal(noticed, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sleep_is_what_one_clock_has_and_the_other_has_not),
	    cmocka_unit_test(naps_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
