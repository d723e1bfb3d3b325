/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "preload/silence.h"

/* A connection as the kernel would tell of it, 20 ms from its peer. */
struct line {
	struct silence s;
	struct silence_facts f;
	int64_t acked_ms, came_ms, sent_ms;
	int64_t next_ms;
	bool moved;
};

static struct line begun(void)
{
	struct line l = {.f = {.now_ms = 1000000, .rtt_us = 20000, .var_us = 1000}};

	l.acked_ms = l.came_ms = l.f.now_ms - 5000;
	l.sent_ms = l.came_ms - 100;
	return l;
}

static enum silence_verdict look(struct line *l)
{
	l->f.ack_age_ms = (int)(l->f.now_ms - l->acked_ms);
	l->f.data_age_ms = (int)(l->f.now_ms - l->came_ms);
	l->f.sent_age_ms = (int)(l->f.now_ms - l->sent_ms);
	return silence_look(&l->s, &l->f, &l->next_ms, &l->moved);
}

static void pass(struct line *l, int ms)
{
	l->f.now_ms += ms;
}

static void acked(struct line *l, int bytes)
{
	l->f.acked += (uint64_t)bytes;
	l->acked_ms = l->f.now_ms;
}

static void came(struct line *l, int bytes)
{
	l->f.received += (uint64_t)bytes;
	l->came_ms = l->f.now_ms;
}

/* Looks when it wants to be looked at, for so long at most; the first verdict that is not NONE. */
static enum silence_verdict wait_for(struct line *l, int most_ms, int *after_ms)
{
	int64_t from = l->f.now_ms;
	enum silence_verdict v = SILENCE_NONE;

	while (v == SILENCE_NONE && l->f.now_ms - from < most_ms) {
		v = look(l);
		if (v == SILENCE_NONE) {
			assert_true(l->next_ms > l->f.now_ms);
			l->f.now_ms = l->next_ms;
		}
	}
	*after_ms = (int)(l->f.now_ms - from);
	return v;
}

static void nothing_under_way_is_rest(void **state)
{
	struct line l = begun();
	int after;

	(void)state;
	assert_int_equal(wait_for(&l, 5000, &after), SILENCE_REST);
	assert_in_range(after, 1000, 1100);
	/* And so after an exchange, an old acknowledgement or not. */
	l.f.unacked = 1;
	assert_int_equal(look(&l), SILENCE_NONE);
	pass(&l, 21);
	l.f.unacked = 0;
	acked(&l, 10);
	came(&l, 10);
	assert_int_equal(wait_for(&l, 5000, &after), SILENCE_REST);
	assert_true(after <= 1200);
}

static void unacknowledged_for_long_is_doubt(void **state)
{
	struct line l = begun();
	int after;

	(void)state;
	l.f.unacked = 5;
	assert_int_equal(wait_for(&l, 5000, &after), SILENCE_DOUBT);
	/* Not before the path's own time, and soon after: the last acknowledgement was long ago. */
	assert_in_range(after, 25, 120);
	/* Then less and less often. */
	for (int i = 0; i < 20; i++) {
		assert_int_equal(look(&l), SILENCE_DOUBT);
		assert_true(l.next_ms > l.f.now_ms && l.next_ms - l.f.now_ms <= 2000);
		l.f.now_ms = l.next_ms;
	}
	assert_true(l.f.now_ms - 1000000 > 1000);
	acked(&l, 1);
	assert_int_equal(look(&l), SILENCE_NONE);
	assert_true(l.moved);
}

static void a_longer_path_has_more_time(void **state)
{
	struct line l = begun();
	int near, far, alone;

	(void)state;
	l.f.unacked = 5;
	wait_for(&l, 5000, &near);
	l = begun();
	l.f.unacked = 1;
	assert_int_equal(wait_for(&l, 5000, &alone), SILENCE_DOUBT);
	assert_true(alone >= near + 40); /* an acknowledgement may be delayed by so much */
	l = begun();
	l.f.unacked = 5;
	l.f.rtt_us = 300000;
	assert_int_equal(wait_for(&l, 5000, &far), SILENCE_DOUBT);
	assert_in_range(far, 330, 500);
	l = begun();
	l.f.unacked = 5;
	l.f.rtt_us = l.f.var_us = 0;
	assert_int_equal(wait_for(&l, 5000, &far), SILENCE_DOUBT);
	assert_true(far >= 250);
}

static void what_acknowledges_nothing_new_is_no_silence(void **state)
{
	struct line l = begun();

	(void)state;
	l.f.unacked = 50;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(look(&l), SILENCE_NONE);
		pass(&l, 20);
		l.acked_ms = l.f.now_ms; /* duplicates, for a segment was lost */
	}
}

static void a_busy_sender_is_well(void **state)
{
	struct line l = begun();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		l.f.unacked = 20;
		acked(&l, 1000);
		enum silence_verdict v = look(&l);

		assert_int_equal(v, SILENCE_NONE);
		pass(&l, 10);
	}
}

static void a_transfer_that_stops_is_asked_about_once(void **state)
{
	struct line l = begun();
	int after;

	(void)state;
	for (int i = 0; i < 300; i++) {
		came(&l, 100);
		assert_int_equal(look(&l), SILENCE_NONE);
		pass(&l, 1);
	}
	assert_int_equal(wait_for(&l, 5000, &after), SILENCE_ASK);
	assert_in_range(after, 15, 60);
	assert_int_equal(wait_for(&l, 5000, &after), SILENCE_REST);
	/* The next lull is another. */
	look(&l);
	for (int i = 0; i < 300; i++) {
		came(&l, 100);
		assert_int_equal(look(&l), SILENCE_NONE);
		pass(&l, 1);
	}
	assert_int_equal(wait_for(&l, 5000, &after), SILENCE_ASK);
}

static void one_by_fits_and_starts_is_asked_about_later(void **state)
{
	struct line l = begun();
	int after;

	(void)state;
	for (int i = 0; i < 50; i++) {
		came(&l, 10000);
		assert_int_equal(look(&l), SILENCE_NONE);
		/* Looked at in each lull, too. */
		for (int k = 0; k < 4; k++) {
			pass(&l, 8);
			assert_int_equal(look(&l), SILENCE_NONE);
		}
	}
	assert_int_equal(wait_for(&l, 5000, &after), SILENCE_ASK);
	assert_in_range(after, 5, 60);
}

static void a_transfer_is_asked_about_before_its_rest(void **state)
{
	struct line l = begun();
	int after;

	(void)state;
	/* Too short for a lull to tell anything. */
	look(&l);
	pass(&l, 5);
	came(&l, 500000);
	assert_int_equal(wait_for(&l, 5000, &after), SILENCE_ASK);
	assert_in_range(after, 1000, 1100);
	assert_int_equal(wait_for(&l, 5000, &after), SILENCE_REST);
	assert_true(after <= 100);
}

/* It was acknowledged, so the path worked then; the answer may be lost on it. */
static void what_has_no_answer_is_asked_about_before_its_rest(void **state)
{
	struct line l = begun();
	int after;

	(void)state;
	l.sent_ms = l.f.now_ms;
	l.f.unacked = 1;
	assert_int_equal(look(&l), SILENCE_NONE);
	pass(&l, 20);
	l.f.unacked = 0;
	acked(&l, 100);
	assert_int_equal(wait_for(&l, 2000, &after), SILENCE_ASK);
	assert_true(after >= 500);
	pass(&l, (int)(l.next_ms - l.f.now_ms));
	assert_int_equal(look(&l), SILENCE_REST);
	/* The next one is asked about, too, unless it is answered. */
	l.sent_ms = l.f.now_ms;
	l.f.unacked = 1;
	assert_int_equal(look(&l), SILENCE_NONE);
	pass(&l, 20);
	l.f.unacked = 0;
	acked(&l, 100);
	came(&l, 100);
	assert_int_equal(wait_for(&l, 2000, &after), SILENCE_REST);
}

static void who_reads_late_is_asked_for(void **state)
{
	struct line l = begun();
	int after;

	(void)state;
	l.f.received = 1000000; /* five seconds ago, and read now */
	assert_int_equal(wait_for(&l, 5000, &after), SILENCE_ASK);
	assert_in_range(after, 25, 120);
	assert_int_equal(wait_for(&l, 5000, &after), SILENCE_REST);
	/* More follows: it is well. */
	l.f.received = 1000000;
	look(&l);
	pass(&l, 20);
	came(&l, 1000);
	assert_int_equal(wait_for(&l, 5000, &after), SILENCE_REST);
	/* It had come just now: it is a message like any. */
	pass(&l, 3000);
	came(&l, 1000);
	assert_int_equal(wait_for(&l, 5000, &after), SILENCE_REST);
}

static void an_answer_is_no_transfer(void **state)
{
	struct line l = begun();
	int after;

	(void)state;
	look(&l);
	for (int i = 0; i < 20; i++) {
		pass(&l, 1);
		came(&l, 1000);
		look(&l);
	}
	assert_int_equal(wait_for(&l, 5000, &after), SILENCE_REST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_under_way_is_rest),
	    cmocka_unit_test(unacknowledged_for_long_is_doubt),
	    cmocka_unit_test(a_longer_path_has_more_time),
	    cmocka_unit_test(what_acknowledges_nothing_new_is_no_silence),
	    cmocka_unit_test(a_busy_sender_is_well),
	    cmocka_unit_test(a_transfer_that_stops_is_asked_about_once),
	    cmocka_unit_test(one_by_fits_and_starts_is_asked_about_later),
	    cmocka_unit_test(a_transfer_is_asked_about_before_its_rest),
	    cmocka_unit_test(what_has_no_answer_is_asked_about_before_its_rest),
	    cmocka_unit_test(who_reads_late_is_asked_for),
	    cmocka_unit_test(an_answer_is_no_transfer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
