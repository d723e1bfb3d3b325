/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "preload/patience.h"

/* Lost for so long, at rest since a minute: the last word was the peer's. */
static struct patience at_rest(int64_t lost)
{
	return (struct patience){.outage_ms = 3000,
	                         .gone_ms = 30000,
	                         .lost_ms = lost,
	                         .sent_ms = 60000 + lost,
	                         .came_ms = 59000 + lost};
}

static void what_is_unknown_is_left_unless_it_cannot_go_on(void **state)
{
	struct patience p = at_rest(100000);

	(void)state;
	assert_int_equal(patience_left(&p), PATIENCE_IDLE);
	/* Not even while it waits: its peer may speak first. */
	p.sent_ms = 200;
	assert_int_equal(patience_left(&p), PATIENCE_IDLE);
	p.unacked = true;
	assert_int_equal(patience_left(&p), 0);
	p.lost_ms = 29000;
	assert_int_equal(patience_left(&p), 1000);
	p.told = true;
	assert_int_equal(patience_left(&p), 0);
	p.lost_ms = 1000;
	assert_int_equal(patience_left(&p), 2000);
	p.unacked = false;
	assert_int_equal(patience_left(&p), PATIENCE_IDLE);
}

static void what_can_be_begun_anew_ends_soon_if_it_waits(void **state)
{
	struct patience p = at_rest(1000);

	(void)state;
	p.recognised = true;
	assert_int_equal(patience_left(&p), 29000);
	p = at_rest(40000);
	p.recognised = true;
	assert_int_equal(patience_left(&p), 0);
	/* An answer is outstanding. */
	p = at_rest(4000);
	p.recognised = true;
	p.sent_ms = 50000;
	assert_int_equal(patience_left(&p), 0);
	/* Bytes were coming. */
	p = at_rest(4000);
	p.recognised = true;
	p.came_ms = 4100;
	p.sent_ms = 9000;
	assert_int_equal(patience_left(&p), 0);
	p.lost_ms = 2500;
	assert_int_equal(patience_left(&p), 500);
	p.lost_ms = 4000;
	p.unread = true;
	assert_true(patience_left(&p) > 0);
	p.lost_ms = 40000;
	p.came_ms = 40100;
	assert_int_equal(patience_left(&p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_unknown_is_left_unless_it_cannot_go_on),
	    cmocka_unit_test(what_can_be_begun_anew_ends_soon_if_it_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
