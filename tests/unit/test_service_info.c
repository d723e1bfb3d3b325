/* SPDX-License-Identifier: MIT */
/* When additional information is fetched: RFC 8801, 4.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/info.h"

static uint64_t most(uint64_t below)
{
	return below ? below - 1 : 0;
}

static uint64_t least(uint64_t below)
{
	(void)below;
	return 0;
}

static struct info i;
static struct info_network n;
static struct ra_pvd pvd;

static int begin(void **state)
{
	(void)state;
	i = (struct info){.state = INFO_NONE};
	n = (struct info_network){.failures = 0};
	pvd = (struct ra_pvd){.id = "pvd.example", .http = true, .sequence = 1};
	return 0;
}

static void hold(int64_t now, int64_t until)
{
	info_advertised(&i, &pvd, now, least);
	assert_true(info_begin(&i, &n, now));
	info_ended(&i, &n, INFO_GOT, until, now, least);
	assert_int_equal(i.state, INFO_HELD);
	assert_true(i.held);
}

static void without_the_flag_nobody_asks(void **state)
{
	(void)state;
	pvd.http = false;
	assert_false(info_advertised(&i, &pvd, 1000, least));
	assert_int_equal(info_due(&i, &n), -1);
	assert_false(info_begin(&i, &n, 100000));
	/* And what is held is let go when the flag goes. */
	pvd.http = true;
	hold(1000, 500000);
	pvd.http = false;
	assert_true(info_advertised(&i, &pvd, 2000, least));
	assert_false(i.held);
	assert_int_equal(info_due(&i, &n), -1);
	/* It comes back, with the same number. */
	pvd.http = true;
	info_advertised(&i, &pvd, 3000, least);
	assert_int_equal(info_due(&i, &n), 11000);
}

static void it_is_waited_a_random_while(void **state)
{
	(void)state;
	info_advertised(&i, &pvd, 1000, most);
	assert_int_equal(i.due, 1000 + 1023);
	assert_false(info_begin(&i, &n, 2022));
	begin(NULL);
	pvd.delay = 15;
	info_advertised(&i, &pvd, 1000, most);
	assert_int_equal(i.due, 1000 + 33554431);
	/* The same advertisement again changes nothing. */
	info_advertised(&i, &pvd, 5000, least);
	assert_int_equal(i.due, 1000 + 33554431);
}

static void another_number_ends_what_is_held(void **state)
{
	(void)state;
	hold(20000, 900000);
	assert_false(info_advertised(&i, &pvd, 21000, least));
	pvd.sequence = 0; /* different is enough */
	assert_true(info_advertised(&i, &pvd, 22000, least));
	assert_false(i.held);
	/* Ten seconds after the last fetch, not before. */
	assert_int_equal(info_due(&i, &n), 30000);
	assert_false(info_begin(&i, &n, 29999));
	assert_true(info_begin(&i, &n, 30000));
	/* Another one while it is being fetched: what comes is of the past. */
	pvd.sequence = 7;
	info_advertised(&i, &pvd, 30500, least);
	info_ended(&i, &n, INFO_GOT, 900000, 31000, least);
	assert_false(i.held);
	assert_int_equal(i.state, INFO_WAITING);
	assert_int_equal(i.due, 40000);
}

static void it_is_renewed_in_the_second_half_of_its_life(void **state)
{
	(void)state;
	hold(100000, 300000);
	assert_int_equal(i.due, 200000);
	assert_true(info_begin(&i, &n, 200000));
	assert_true(i.held); /* meanwhile it counts */
	info_ended(&i, &n, INFO_GOT, 500000, 200000, most);
	assert_in_range(i.due, 499000, 499999);
	/* It ends if that comes to nothing. */
	assert_true(info_begin(&i, &n, i.due));
	info_ended(&i, &n, INFO_REFUSED, 0, 499999, most);
	assert_true(i.held);
	assert_int_equal(info_due(&i, &n), 500000);
	assert_false(info_expire(&i, 499999));
	assert_true(info_expire(&i, 500000));
	assert_false(info_expire(&i, 500000));
	assert_int_equal(info_due(&i, &n), -1);
	/* Short-lived ones are not fetched without pause. */
	begin(NULL);
	hold(1000, 1001);
	assert_int_equal(i.due, 11000);
}

static void what_fails_is_not_tried_again(void **state)
{
	(void)state;
	info_advertised(&i, &pvd, 1000, least);
	assert_true(info_begin(&i, &n, 1000));
	info_ended(&i, &n, INFO_REFUSED, 0, 1000, least);
	assert_int_equal(i.state, INFO_FAILED);
	pvd.sequence++;
	info_advertised(&i, &pvd, 100000, least);
	assert_int_equal(info_due(&i, &n), -1);
	assert_false(info_begin(&i, &n, 1000000));
}

static void after_ten_failures_nothing_is_fetched_there(void **state)
{
	(void)state;
	for (int k = 0; k < 10; k++) {
		i = (struct info){.state = INFO_NONE};
		info_advertised(&i, &pvd, 100000 * (k + 1), least);
		assert_true(info_begin(&i, &n, 100000 * (k + 1)));
		info_ended(&i, &n, INFO_REFUSED, 0, 100000 * (k + 1), least);
	}
	i = (struct info){.state = INFO_NONE};
	info_advertised(&i, &pvd, 5000000, least);
	assert_int_equal(info_due(&i, &n), -1);
	assert_false(info_begin(&i, &n, 9000000));
}

static void five_in_ten_seconds(void **state)
{
	struct info many[7];

	(void)state;
	for (int k = 0; k < 7; k++) {
		many[k] = (struct info){.state = INFO_NONE};
		info_advertised(&many[k], &pvd, 1000, least);
	}
	for (int k = 0; k < 7; k++)
		assert_int_equal(info_begin(&many[k], &n, 1000 + k), k < 5);
	assert_int_equal(info_due(&many[5], &n), 11000);
	assert_true(info_begin(&many[5], &n, 11000));
	assert_false(info_begin(&many[6], &n, 11000));
	assert_true(info_begin(&many[6], &n, 11001));
}

static void who_is_not_reached_is_asked_ever_less_often(void **state)
{
	int64_t now = 1000, before = 0;

	(void)state;
	info_advertised(&i, &pvd, now, least);
	for (int k = 0; k < 20; k++) {
		assert_true(info_begin(&i, &n, now));
		info_ended(&i, &n, INFO_UNREACHED, 0, now, least);
		assert_true(i.due - now >= 10000 && i.due - now <= 3600000);
		assert_true(i.due - now >= before);
		before = i.due - now;
		now = i.due;
	}
	assert_int_equal(before, 3600000);
	assert_int_equal(n.failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(without_the_flag_nobody_asks, begin),
	    cmocka_unit_test_setup(it_is_waited_a_random_while, begin),
	    cmocka_unit_test_setup(another_number_ends_what_is_held, begin),
	    cmocka_unit_test_setup(it_is_renewed_in_the_second_half_of_its_life, begin),
	    cmocka_unit_test_setup(what_fails_is_not_tried_again, begin),
	    cmocka_unit_test_setup(after_ten_failures_nothing_is_fetched_there, begin),
	    cmocka_unit_test_setup(five_in_ten_seconds, begin),
	    cmocka_unit_test_setup(who_is_not_reached_is_asked_ever_less_often, begin),
	};

	return cmocka_run_group_tests_name("info", tests, NULL, NULL);
}
