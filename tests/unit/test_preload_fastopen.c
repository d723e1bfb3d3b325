/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "preload/fastopen.h"

static void each_path_has_its_own(void **state)
{
	struct fastopen_table t = {0};

	(void)state;
	assert_int_equal(fastopen_state(&t, 2, 1000), FASTOPEN_UNKNOWN);
	fastopen_note(&t, 2, FASTOPEN_WORKS, 1000);
	fastopen_note(&t, 3, FASTOPEN_NOT, 1000);
	assert_int_equal(fastopen_state(&t, 2, 1001), FASTOPEN_WORKS);
	assert_int_equal(fastopen_state(&t, 3, 1001), FASTOPEN_NOT);
	assert_int_equal(fastopen_state(&t, 4, 1001), FASTOPEN_UNKNOWN);
	fastopen_note(&t, 2, FASTOPEN_UNKNOWN, 1002);
	assert_int_equal(fastopen_state(&t, 2, 1003), FASTOPEN_UNKNOWN);
}

static void nothing_is_known_for_ever(void **state)
{
	struct fastopen_table t = {0};

	(void)state;
	fastopen_note(&t, 2, FASTOPEN_NOT, 1000);
	assert_int_equal(fastopen_state(&t, 2, 600999), FASTOPEN_NOT);
	assert_int_equal(fastopen_state(&t, 2, 601000), FASTOPEN_UNKNOWN);
	/* Who was to find out may never say. */
	fastopen_note(&t, 2, FASTOPEN_TRYING, 700000);
	assert_int_equal(fastopen_state(&t, 2, 700100), FASTOPEN_TRYING);
	assert_int_equal(fastopen_state(&t, 2, 703000), FASTOPEN_UNKNOWN);
}

/* Where the host's routing decides the way is not known, and nothing about it. */
static void without_a_path_never(void **state)
{
	struct fastopen_table t = {0};

	(void)state;
	fastopen_note(&t, 0, FASTOPEN_WORKS, 1000);
	assert_int_equal(fastopen_state(&t, 0, 1000), FASTOPEN_NOT);
}

static void the_oldest_makes_room(void **state)
{
	struct fastopen_table t = {0};

	(void)state;
	for (int i = 1; i <= FASTOPEN_PATHS + 1; i++)
		fastopen_note(&t, i, FASTOPEN_WORKS, 1000 + i);
	assert_int_equal(fastopen_state(&t, 1, 2000), FASTOPEN_UNKNOWN);
	for (int i = 2; i <= FASTOPEN_PATHS + 1; i++)
		assert_int_equal(fastopen_state(&t, i, 2000), FASTOPEN_WORKS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_path_has_its_own),
	    cmocka_unit_test(nothing_is_known_for_ever),
	    cmocka_unit_test(without_a_path_never),
	    cmocka_unit_test(the_oldest_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
