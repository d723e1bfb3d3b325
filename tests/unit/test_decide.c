/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/decide.h"

#define WLAN 1
#define WWAN 2
#define VPN 3

static struct pol_candidate path(int id, int prefer)
{
	struct pol_candidate c = {.id = id,
	                          .prefer = prefer,
	                          .named = prefer > 0,
	                          .metric = 100u * (unsigned)id,
	                          .usable_ms = 100000,
	                          .failed_ms = -1,
	                          .tunnel = id == VPN};

	snprintf(c.name, sizeof(c.name), "if%d", id);
	return c;
}

static struct pol_snapshot two(int current)
{
	struct pol_snapshot s = {.current = current,
	                         .current_usable = true,
	                         .stable_ms = 250,
	                         .hold_ms = 2000,
	                         .candidates = 2};

	s.candidate[0] = path(WLAN, 200);
	s.candidate[1] = path(WWAN, 100);
	return s;
}

static void expect(const struct pol_snapshot *s, enum pol_verb verb, int target)
{
	struct pol_decision d;

	pol_decide(s, &d);
	if (d.verb != verb || (target && d.target != target))
		fail_msg("verb %d target %d, expected %d %d: %s", d.verb, d.target, verb, target,
		         d.reason);
	assert_true(d.reason[0] != 0);
}

static void stays_on_the_best(void **state)
{
	struct pol_snapshot s = two(WLAN);

	(void)state;
	expect(&s, POL_STAY, 0);
}

static void goes_to_a_better_one_when_it_is_stable(void **state)
{
	struct pol_snapshot s = two(WWAN);
	struct pol_decision d;

	(void)state;
	expect(&s, POL_MOVE, WLAN);
	s.candidate[0].usable_ms = 100;
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_STAY);
	assert_int_equal(d.again_ms, 150);
}

static void equal_paths_do_not_attract(void **state)
{
	struct pol_snapshot s = two(WWAN);

	(void)state;
	s.candidate[0].prefer = s.candidate[1].prefer;
	expect(&s, POL_STAY, 0);
}

static void a_lost_path_is_left_at_once(void **state)
{
	struct pol_snapshot s = two(WLAN);

	(void)state;
	s.current_usable = false;
	s.candidate[0] = s.candidate[1];
	s.candidates = 1;
	s.candidate[0].usable_ms = 0;
	expect(&s, POL_RESCUE, WWAN);
	s.candidates = 0;
	expect(&s, POL_WAIT, 0);
}

static void a_failed_attempt_rests_unless_there_is_no_other(void **state)
{
	struct pol_snapshot s = two(WLAN);

	(void)state;
	s.current_failed = true;
	s.candidate[0].failed_ms = 100;
	expect(&s, POL_RESCUE, WWAN);
	s.candidate[1].failed_ms = 100;
	expect(&s, POL_RESCUE, WLAN);
	s.candidate[0].failed_ms = 5000;
	expect(&s, POL_RESCUE, WLAN);
	s = two(WWAN);
	s.candidate[0].failed_ms = 100;
	expect(&s, POL_STAY, 0);
}

static void nothing_goes_around_a_tunnel(void **state)
{
	struct pol_snapshot s = two(VPN);

	(void)state;
	s.current_tunnel = true;
	for (int i = 0; i < 2; i++) {
		s.candidate[i].named = false;
		s.candidate[i].prefer = 0;
	}
	s.candidate[2] = path(VPN, 0);
	s.candidates = 3;
	expect(&s, POL_STAY, 0);
	s.current_usable = false;
	s.candidates = 2;
	expect(&s, POL_WAIT, 0);
	s.candidate[1].named = true;
	expect(&s, POL_RESCUE, WWAN);
}

/* Whatever the situation: a target is a candidate, and following the decision in an unchanged world
 * ends at once. */
static void decisions_settle(void **state)
{
	(void)state;
	srand(7);
	for (int round = 0; round < 200000; round++) {
		struct pol_snapshot s = {.stable_ms = 250, .hold_ms = 2000};
		struct pol_decision d;
		bool open = false;

		s.candidates = (unsigned)rand() % 5;
		for (unsigned i = 0; i < s.candidates; i++) {
			s.candidate[i] = path((int)i + 1, rand() % 3 * 100);
			s.candidate[i].metric = (unsigned)rand() % 3;
			s.candidate[i].usable_ms = rand() % 500;
			s.candidate[i].failed_ms = rand() % 3 ? -1 : rand() % 3000;
			s.candidate[i].tunnel = rand() % 6 == 0;
		}
		s.current = rand() % 6;
		s.current_usable = s.current && s.current <= (int)s.candidates && rand() % 2;
		s.current_failed = rand() % 4 == 0;
		s.current_tunnel = rand() % 5 == 0;
		s.host_tunnel = rand() % 5 == 0;
		for (unsigned i = 0; i < s.candidates; i++)
			open = open || s.candidate[i].tunnel || s.candidate[i].named ||
			       !(s.current_tunnel || s.host_tunnel);
		pol_decide(&s, &d);
		assert_int_equal(d.verb == POL_WAIT,
		                 (!s.current_usable || s.current_failed) && !open);
		if (d.verb != POL_MOVE && d.verb != POL_RESCUE)
			continue;
		assert_in_range(d.target, 1, s.candidates);
		/* It went there and it works: now it stays, until something changes. */
		s.current = d.target;
		s.current_usable = true;
		s.current_failed = false;
		int from = d.target;

		for (int steps = 0; steps < 5; steps++) {
			pol_decide(&s, &d);
			if (d.verb != POL_MOVE)
				break;
			assert_true(s.candidate[d.target - 1].prefer >
			            s.candidate[from - 1].prefer);
			s.current = from = d.target;
		}
		assert_int_equal(d.verb, POL_STAY);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stays_on_the_best),
	    cmocka_unit_test(goes_to_a_better_one_when_it_is_stable),
	    cmocka_unit_test(equal_paths_do_not_attract),
	    cmocka_unit_test(a_lost_path_is_left_at_once),
	    cmocka_unit_test(a_failed_attempt_rests_unless_there_is_no_other),
	    cmocka_unit_test(nothing_goes_around_a_tunnel),
	    cmocka_unit_test(decisions_settle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
