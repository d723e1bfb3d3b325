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

static void a_sticky_flow_is_not_attracted(void **state)
{
	struct pol_snapshot s = two(WWAN);
	struct pol_decision d;

	(void)state;
	s.sticky = true;
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_STAY);
	assert_int_equal(d.again_ms, -1);
	assert_string_equal(d.reason, "if2 works, and the flow is sticky");
	/* But it is not held where nothing works, and the user's word is above the policy's. */
	s.candidate[0].chosen = true;
	expect(&s, POL_MOVE, WLAN);
	s.candidate[0].chosen = false;
	s.silent_ms = 80;
	expect(&s, POL_MOVE, WLAN);
	s.silent_ms = 0;
	s.current_drained = true;
	expect(&s, POL_MOVE, WLAN);
	s.current_usable = false;
	expect(&s, POL_RESCUE, WLAN);
}

static void a_path_is_tested_where_that_is_wanted(void **state)
{
	struct pol_snapshot s = two(WWAN);
	struct pol_decision d;

	(void)state;
	s.tested = true;
	/* A better one is asked about first. */
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_STAY);
	assert_int_equal(d.check, WLAN);
	s.candidate[0].net = POL_NET_PORTAL;
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_STAY);
	assert_int_equal(d.check, 0);
	s.candidate[0].net = POL_NET_FULL;
	expect(&s, POL_MOVE, WLAN);
	/* Nobody is asked about one that would not be taken. */
	s = two(WLAN);
	s.tested = true;
	pol_decide(&s, &d);
	assert_int_equal(d.check, 0);
	/* A loss waits for the answer, and for somebody to log in. */
	s.current = 0;
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_WAIT);
	assert_int_equal(d.check, WLAN);
	assert_string_equal(d.reason, "the flow has no path; is if1 connected?");
	s.candidate[0].net = POL_NET_PORTAL;
	pol_decide(&s, &d);
	assert_int_equal(d.check, WWAN);
	s.candidate[1].net = POL_NET_LIMITED;
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_WAIT);
	assert_int_equal(d.check, 0);
	assert_string_equal(d.reason, "the flow has no path, and if1 is not connected (portal)");
	s.candidate[1].net = POL_NET_FULL;
	expect(&s, POL_RESCUE, WWAN);
	/* Its own path is not in question: what it had there it had. */
	s = two(WLAN);
	s.tested = true;
	s.current_failed = true;
	expect(&s, POL_RESCUE, WLAN);
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

static void a_silent_path_is_left_for_one_that_answers(void **state)
{
	struct pol_snapshot s = two(WLAN);
	struct pol_decision d;

	(void)state;
	s.silent_ms = 80;
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_MOVE);
	assert_true(d.urgent);
	assert_int_equal(d.target, WWAN);
	assert_non_null(strstr(d.reason, "if1 has been silent for 80 ms; does if2 answer?"));
	/* Stable or not; but not one that was silent itself a moment ago. */
	s.candidate[1].usable_ms = 1;
	expect(&s, POL_MOVE, WWAN);
	s.candidate[1].rest_ms = 700;
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_STAY);
	assert_int_equal(d.again_ms, 700);
	s.candidates = 1;
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_STAY);
	assert_int_equal(d.again_ms, -1);
	assert_non_null(strstr(d.reason, "no other path may be taken"));
	/* From a worse path to a better one, too; and a loss is a loss. */
	s = two(WWAN);
	s.silent_ms = 80;
	expect(&s, POL_MOVE, WLAN);
	s.current_usable = false;
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_RESCUE);
	assert_false(d.urgent);
}

static void a_better_path_that_was_silent_rests(void **state)
{
	struct pol_snapshot s = two(WWAN);
	struct pol_decision d;

	(void)state;
	s.candidate[0].rest_ms = 8000;
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_STAY);
	assert_int_equal(d.again_ms, 8000);
	assert_non_null(strstr(d.reason, "if1 is preferred to if2 (200 over 100) but was silent"));
	s.candidate[0].rest_ms = 0;
	expect(&s, POL_MOVE, WLAN);
	/* Better than none, where the other is gone. */
	s.candidate[0].rest_ms = 8000;
	s.candidates = 1;
	s.current_usable = false;
	expect(&s, POL_RESCUE, WLAN);
}

static void an_interface_about_to_be_turned_off_is_left(void **state)
{
	struct pol_snapshot s = two(WLAN);
	struct pol_decision d;

	(void)state;
	s.current_drained = true;
	s.candidate[0].drain_ms = 60000;
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_MOVE);
	assert_int_equal(d.target, WWAN);
	assert_false(d.urgent);
	assert_non_null(strstr(d.reason, "if1 is about to be turned off; if2 is the best other"));
	/* And nobody goes there, however preferred, for as long as that lasts. */
	s.current = WWAN;
	s.current_drained = false;
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_STAY);
	assert_int_equal(d.again_ms, 60000);
	assert_non_null(strstr(d.reason, "about to be turned off"));
	/* Unless it is all there is. */
	s.candidates = 1;
	s.current_usable = false;
	expect(&s, POL_RESCUE, WLAN);
	s = two(WLAN);
	s.current_drained = true;
	s.candidate[0].drain_ms = 60000;
	s.candidates = 1;
	expect(&s, POL_STAY, 0);
	/* A chosen one, too. */
	s = two(WLAN);
	s.candidate[0].chosen = s.current_drained = true;
	s.candidate[0].drain_ms = 60000;
	expect(&s, POL_MOVE, WWAN);
}

static void the_users_choice_is_above_the_policys(void **state)
{
	struct pol_snapshot s = two(WLAN);
	struct pol_decision d;

	(void)state;
	s.candidate[1].chosen = true;
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_MOVE);
	assert_int_equal(d.target, WWAN);
	assert_non_null(strstr(d.reason, "if2 is the user's choice"));
	s.current = WWAN;
	expect(&s, POL_STAY, 0);
	/* Where it is not to be had the policy's is. */
	s.candidates = 1;
	s.current_usable = false;
	expect(&s, POL_RESCUE, WLAN);
	/* Out of a tunnel, too: it was said in so many words. */
	s = two(VPN);
	s.candidate[2] = path(VPN, 0);
	s.candidates = 3;
	s.current_tunnel = s.host_tunnel = true;
	expect(&s, POL_STAY, 0);
	s.candidate[1].chosen = true;
	expect(&s, POL_MOVE, WWAN);
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

static void the_longest_rested_of_failed_ones_is_tried(void **state)
{
	struct pol_snapshot s = two(WLAN);

	(void)state;
	s.current_failed = true;
	s.candidate[0].failed_ms = 10;
	s.candidate[1].failed_ms = 1500;
	expect(&s, POL_RESCUE, WWAN);
	s.candidates = 1;
	expect(&s, POL_RESCUE, WLAN);
}

static void time_alone_may_change_the_answer(void **state)
{
	struct pol_snapshot s = two(WWAN);
	struct pol_decision d;

	(void)state;
	/* The preferred one failed a moment ago, and is not stable either: the longer wait counts.
	 */
	s.candidate[0].failed_ms = 500;
	s.candidate[0].usable_ms = 100;
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_STAY);
	assert_int_equal(d.again_ms, 1500);
	assert_non_null(strstr(d.reason, "failed 500 ms ago"));
	/* A rescue onto the lesser one comes back to the question. */
	s.current_usable = false;
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_RESCUE);
	assert_int_equal(d.target, WWAN);
	assert_int_equal(d.again_ms, 1500);
	/* Nothing to wait for on the best. */
	s = two(WLAN);
	pol_decide(&s, &d);
	assert_int_equal(d.again_ms, -1);
	/* Two that are preferred: to the one that is ready, and then again for the best. */
	s = two(WWAN);
	s.candidates = 3;
	s.candidate[2] = path(4, 300);
	s.candidate[2].usable_ms = 50;
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_MOVE);
	assert_int_equal(d.target, WLAN);
	assert_int_equal(d.again_ms, 200);
}

static void what_comes_and_goes_has_longer_to_prove_each_time(void **state)
{
	const int64_t proof[] = {250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000};
	struct pol_snapshot s = two(WWAN);
	struct pol_decision d;

	(void)state;
	s.stable_ms = 250;
	s.damp_ms = 30000;
	for (unsigned i = 0; i < sizeof(proof) / sizeof(*proof); i++) {
		s.candidate[0].flaps = i;
		s.candidate[0].usable_ms = proof[i] - 1;
		pol_decide(&s, &d);
		assert_int_equal(d.verb, POL_STAY);
		assert_int_equal(d.again_ms, 1);
		assert_int_equal(!strstr(d.reason, "comes and goes"), i == 0);
		s.candidate[0].usable_ms = proof[i];
		expect(&s, POL_MOVE, WLAN);
	}
	/* The user's choice has not. */
	s.candidate[0].usable_ms = 250;
	s.candidate[0].chosen = true;
	expect(&s, POL_MOVE, WLAN);
	/* Nor where the flow's own path is gone, nor where the policy does not want that. */
	s.candidate[0].chosen = false;
	s.candidate[0].usable_ms = 0;
	s.current_usable = false;
	s.candidates = 1;
	expect(&s, POL_RESCUE, WLAN);
	s = two(WWAN);
	s.damp_ms = 0;
	s.candidate[0].flaps = 30;
	s.candidate[0].usable_ms = s.stable_ms;
	expect(&s, POL_MOVE, WLAN);
}

static void among_equals_metric_then_number(void **state)
{
	struct pol_snapshot s = two(0);

	(void)state;
	s.candidate[0].prefer = s.candidate[1].prefer = 5;
	expect(&s, POL_RESCUE, WLAN);
	s.candidate[1].metric = 1;
	expect(&s, POL_RESCUE, WWAN);
	s.candidate[0].metric = 1;
	expect(&s, POL_RESCUE, WLAN);
}

static void an_address_without_a_route_is_left_alone(void **state)
{
	struct pol_snapshot s = two(7);

	(void)state;
	expect(&s, POL_STAY, 0);
	s.current_failed = true;
	expect(&s, POL_RESCUE, WLAN);
}

static void reasons_name_interfaces_and_numbers(void **state)
{
	struct pol_snapshot s = two(WWAN);
	struct pol_decision d;

	(void)state;
	pol_decide(&s, &d);
	assert_string_equal(d.reason, "if1 is preferred to if2 (200 over 100)");
	s.candidate[0].usable_ms = 100;
	pol_decide(&s, &d);
	assert_string_equal(
	    d.reason, "if1 is preferred to if2 (200 over 100) but was usable for only 100 ms");
	s = two(WLAN);
	pol_decide(&s, &d);
	assert_string_equal(d.reason, "if1 is as good as any that may be taken (prefer 200)");
	s.current_usable = false;
	pol_decide(&s, &d);
	assert_string_equal(
	    d.reason, "the flow's path is gone; if1 is the best of 2 (prefer 200, metric 100)");
	s.candidates = 0;
	pol_decide(&s, &d);
	assert_string_equal(d.reason, "the flow's path is gone, and no other is there");
	/* The longest reason fits, with names that fill their place. */
	s = two(WLAN);
	s.current_tunnel = true;
	s.current_failed = true;
	for (int i = 0; i < 2; i++) {
		memset(s.candidate[i].name, 'x', sizeof(s.candidate[i].name));
		s.candidate[i].failed_ms = 1999;
		s.candidate[i].tunnel = true;
	}
	pol_decide(&s, &d);
	assert_non_null(strstr(d.reason, "is better off"));
	s.candidate[0].tunnel = s.candidate[1].tunnel = false;
	pol_decide(&s, &d);
	assert_int_equal(d.verb, POL_WAIT);
	assert_non_null(strstr(d.reason, "does not name both"));
}

/* VPN, WLAN, WWAN: the policy names those in `named`. */
static struct pol_snapshot with_vpn(int current, const char *named)
{
	struct pol_snapshot s = two(current);

	s.candidates = 3;
	s.candidate[2] = path(VPN, 0);
	s.candidate[2].metric = 1;
	s.host_tunnel = true;
	s.current_tunnel = current == VPN;
	s.current_named = s.current_tunnel && strchr(named, 'v');
	s.candidate[0].named = strchr(named, 'l') != NULL;
	s.candidate[1].named = strchr(named, 'w') != NULL;
	s.candidate[2].named = strchr(named, 'v') != NULL;
	return s;
}

static void lose(struct pol_snapshot *s, int id)
{
	for (unsigned i = 0; i < s->candidates; i++)
		if (s->candidate[i].id == id)
			s->candidate[i] = s->candidate[--s->candidates];
	s->current_usable = s->current_usable && s->current != id;
}

static void nothing_goes_around_a_tunnel(void **state)
{
	/* What the policy names; the flow's path; a path that is lost; what is done. */
	static const struct {
		const char *named;
		int current, lost;
		enum pol_verb verb;
		int target;
	} t[] = {
	    /* A VPN the policy says nothing of: preferences among the others do not count. */
	    {"", VPN, 0, POL_STAY, 0},
	    {"lw", VPN, 0, POL_STAY, 0},
	    {"lw", VPN, VPN, POL_WAIT, 0},
	    {"lw", VPN, WLAN, POL_STAY, 0},
	    /* The policy knows the VPN, but not the others. */
	    {"v", VPN, 0, POL_STAY, 0},
	    {"v", VPN, VPN, POL_WAIT, 0},
	    /* It ranks them. */
	    {"lwv", VPN, 0, POL_MOVE, WLAN},
	    {"wv", VPN, 0, POL_MOVE, WWAN},
	    {"wv", VPN, VPN, POL_RESCUE, WWAN},
	    {"lwv", VPN, VPN, POL_RESCUE, WLAN},
	    /* The VPN came up while the flow was elsewhere: into it, or left alone, never past it.
	     */
	    {"lw", WWAN, 0, POL_STAY, 0},
	    {"lw", WWAN, WWAN, POL_RESCUE, VPN},
	    {"", WLAN, WLAN, POL_RESCUE, VPN},
	    {"lwv", WLAN, WLAN, POL_RESCUE, WWAN},
	    {"lwv", WWAN, 0, POL_MOVE, WLAN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct pol_snapshot s = with_vpn(t[i].current, t[i].named);

		if (t[i].lost)
			lose(&s, t[i].lost);
		struct pol_decision d;

		pol_decide(&s, &d);
		if (d.verb != t[i].verb || d.target != t[i].target)
			fail_msg("case %zu: verb %d target %d: %s", i, d.verb, d.target, d.reason);
	}
	/* A connection that failed in the VPN is dialled again there. */
	struct pol_snapshot s = with_vpn(VPN, "lw");

	s.current_failed = true;
	expect(&s, POL_RESCUE, VPN);
	/* The host routes through a tunnel that is no candidate: nothing is known of its rank. */
	s = with_vpn(WLAN, "lwv");
	lose(&s, VPN);
	lose(&s, WLAN);
	expect(&s, POL_WAIT, 0);
	/* Without a tunnel in the way all is open. */
	s.host_tunnel = false;
	expect(&s, POL_RESCUE, WWAN);
}

/* --- properties ----------------------------------------------------------------------------- */

/* A world that changes at random, and one flow in it, driven as the agent drives it. */
struct world {
	struct pol_candidate path[6];
	bool up[6], broken[6];     /* broken: looks usable, but every attempt over it fails */
	bool dead[6];              /* looks usable, but brings nothing back */
	int64_t rest[6], drain[6]; /* left alone until then; is about to be turned off */
	int chosen;                /* by the user; -1: none */
	bool sticky, tested;
	enum pol_connectivity net[6];
	int asked; /* path id whose connectivity was asked for in the last step; 0: none */
	int64_t since[6], failed[6]; /* failed: the last attempt; -1: none */
	int64_t now;
	unsigned flaps[6];
	int on; /* index of the flow's path; -1: none */
	bool flow_failed, host_tunnel;
};

static bool may(const struct world *w, int i)
{
	const struct pol_candidate *c = &w->path[i];
	bool in_tunnel = w->on >= 0 && w->path[w->on].tunnel, ranked = false, unnamed = false;

	if (w->tested && w->net[i] != POL_NET_FULL && i != w->on)
		return false;
	if ((!in_tunnel && !w->host_tunnel) || c->tunnel || w->chosen == i)
		return true;
	for (int k = 0; k < 6; k++)
		if (w->path[k].tunnel && w->up[k]) {
			ranked = true;
			unnamed = unnamed || !w->path[k].named;
		}
	if (in_tunnel) {
		ranked = true;
		unnamed = unnamed || !w->path[w->on].named;
	}
	return c->named && ranked && !unnamed;
}

static int64_t left(const struct world *w, int64_t until)
{
	return until > w->now ? until - w->now : 0;
}

/* Is it to be left alone now? */
static bool rests(const struct world *w, int i)
{
	return (w->failed[i] >= 0 && w->now - w->failed[i] < 2000) || left(w, w->rest[i]) ||
	       left(w, w->drain[i]);
}

static bool silent(const struct world *w)
{
	return w->on >= 0 && w->up[w->on] && w->dead[w->on];
}

static void look(const struct world *w, struct pol_snapshot *s)
{
	memset(s, 0, sizeof(*s));
	s->stable_ms = 250;
	s->damp_ms = 1200;
	s->hold_ms = 2000;
	s->host_tunnel = w->host_tunnel;
	s->sticky = w->sticky;
	s->tested = w->tested;
	if (w->on >= 0) {
		s->silent_ms = silent(w) ? 90 : 0;
		s->current_drained = left(w, w->drain[w->on]) > 0;
		s->current = w->path[w->on].id;
		s->current_usable = w->up[w->on];
		s->current_failed = w->flow_failed;
		s->current_tunnel = w->path[w->on].tunnel;
		s->current_named = s->current_tunnel && w->path[w->on].named;
	}
	for (int i = 0; i < 6; i++) {
		if (!w->up[i])
			continue;
		s->candidate[s->candidates] = w->path[i];
		s->candidate[s->candidates].usable_ms = w->now - w->since[i];
		s->candidate[s->candidates].flaps = w->flaps[i];
		s->candidate[s->candidates].rest_ms = left(w, w->rest[i]);
		s->candidate[s->candidates].drain_ms = left(w, w->drain[i]);
		s->candidate[s->candidates].chosen = w->chosen == i;
		s->candidate[s->candidates].net = w->net[i];
		s->candidate[s->candidates++].failed_ms =
		    w->failed[i] < 0 ? -1 : w->now - w->failed[i];
	}
}

static void event(struct world *w)
{
	int i = rand() % 6;

	switch (rand() % 11) {
	case 0:
	case 1:
	case 2:
	case 3:
		w->up[i] = !w->up[i];
		w->flaps[i] += !w->up[i];
		w->since[i] = w->now;
		w->net[i] = POL_NET_UNKNOWN;
		break;
	case 4:
		w->broken[i] = !w->broken[i];
		break;
	case 5:
		w->flow_failed = w->on >= 0;
		break;
	case 6:
		w->host_tunnel = rand() % 3 == 0;
		break;
	case 7:
		w->dead[i] = !w->dead[i];
		break;
	case 8:
		w->drain[i] = rand() % 3 ? w->now + rand() % 3000 : 0;
		break;
	case 9:
		w->chosen = rand() % 3 ? -1 : i;
		break;
	case 10:
		break;
	}
}

/* Asks, checks the answer against the header's promises, and does what it says. True: it moved. */
static bool step(struct world *w)
{
	struct pol_snapshot s;
	struct pol_decision d;
	bool works = w->on >= 0 && w->up[w->on] && !w->flow_failed, open = false, rested = false;
	bool spare = false, drained = w->on >= 0 && left(w, w->drain[w->on]) > 0;
	int target = -1;

	for (int i = 0; i < 6 && w->asked; i++)
		if (w->path[i].id == w->asked && w->up[i])
			w->net[i] = POL_NET_PORTAL + (enum pol_connectivity)(rand() % 3);
	look(w, &s);
	pol_decide(&s, &d);
	assert_true(d.reason[0] != 0 && strlen(d.reason) < sizeof(d.reason) - 1);
	/* Asked is only about what nothing is known of. */
	w->asked = d.check;
	for (int i = 0; i < 6 && d.check; i++)
		if (w->path[i].id == d.check)
			assert_true(w->tested && w->up[i] && w->net[i] == POL_NET_UNKNOWN &&
			            i != w->on);
	assert_true(d.again_ms == -1 || (d.again_ms > 0 && d.again_ms <= 3000));
	assert_true(!d.urgent || (works && silent(w)));
	for (int i = 0; i < 6; i++) {
		if (!w->up[i])
			continue;
		if (w->path[i].id == d.target)
			target = i;
		if (!may(w, i))
			continue;
		open = true;
		rested = rested || !rests(w, i);
		spare = spare || (i != w->on && !rests(w, i));
	}
	/* Waits exactly where nothing may be taken, and never while what it has works. */
	assert_int_equal(d.verb == POL_WAIT, !works && !open);
	assert_int_equal(d.verb == POL_RESCUE, !works && open);
	/* A path that is silent or goes away soon is left where that is possible. */
	if (works && (silent(w) || drained))
		assert_int_equal(d.verb == POL_MOVE, spare);
	if (d.verb == POL_STAY || d.verb == POL_WAIT)
		return false;
	/* Never beyond what is there and allowed; never around a tunnel. */
	assert_true(target >= 0);
	assert_true(may(w, target));
	bool held = rests(w, target);

	if (d.verb == POL_MOVE) {
		assert_true(target != w->on);
		assert_false(held);
	}
	if (d.verb == POL_MOVE && !silent(w) && !drained) {
		if (w->chosen != target) {
			assert_false(w->sticky);
			assert_int_not_equal(w->chosen, w->on);
			assert_true(w->path[target].prefer > w->path[w->on].prefer);
		}
		int64_t proof = 250LL << (w->flaps[target] < 3 ? w->flaps[target] : 3);

		proof = w->chosen == target ? 250 : proof < 1200 ? proof : 1200;
		assert_true(w->now - w->since[target] >= proof);
	}
	if (d.verb == POL_RESCUE) {
		/* One that failed a moment ago only if all that may be taken did. */
		assert_true(!held || !rested);
	}
	if (w->broken[target] || w->dead[target]) {
		w->failed[target] = w->now;
		return true;
	}
	if (d.urgent)
		w->rest[w->on] = w->now + 2000;
	w->on = target;
	w->flow_failed = false;
	return true;
}

static void any_sequence_of_events_is_well_answered(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 3000; seed++) {
		struct world w = {.on = -1, .now = 1000000, .chosen = -1};

		srand(seed);
		w.sticky = rand() % 4 == 0;
		w.tested = rand() % 4 == 0;
		for (int i = 0; i < 6; i++) {
			w.path[i] = path(i + 1, rand() % 4 * 100);
			w.path[i].named = rand() % 3 != 0;
			w.path[i].tunnel = rand() % 4 == 0;
			w.path[i].metric = (unsigned)rand() % 3;
			w.failed[i] = -1;
			w.up[i] = rand() % 2;
			w.since[i] = w.now - rand() % 1000;
		}
		for (int n = 0; n < 60; n++) {
			event(&w);
			w.now += rand() % 300;
			step(&w);
		}
		/*
		 * From here on nothing changes but the time. A flow whose attempts succeed leaves
		 * what it must leave, once, and moves at most once for each path that is preferred
		 * to the one before; then never again.
		 */
		memset(w.broken, 0, sizeof(w.broken));
		memset(w.dead, 0, sizeof(w.dead));
		int moves = 0;

		for (int n = 0; n < 100; n++) {
			w.now += 50;
			moves += step(&w);
		}
		assert_true(moves <= 7);
		w.now += 10000;
		while (step(&w))
			assert_true(++moves <= 7);
		for (int n = 0; n < 20; n++) {
			w.now += 1 + rand() % 1000;
			assert_false(step(&w));
		}
	}
}

static void expect_spare(const struct pol_snapshot *s, enum pol_standby wanted, int target,
                         const char *reason)
{
	struct pol_decision d;

	pol_spare(s, wanted, &d);
	if ((d.verb == POL_MOVE ? d.target : 0) != target || !strstr(d.reason, reason))
		fail_msg("verb %d target %d, expected %d: %s", d.verb, d.target, target, d.reason);
	assert_true(d.verb == POL_MOVE || d.verb == POL_STAY);
}

static void ready_on_the_next_path(void **state)
{
	struct pol_snapshot s = two(WLAN);
	struct pol_decision d;

	(void)state;
	expect_spare(&s, POL_STANDBY_YES, WWAN, "if2 is the next path (prefer 100, metric 200)");
	expect_spare(&s, POL_STANDBY_NO, 0, "the policy wants none");
	s.candidate[1].metered = true;
	expect_spare(&s, POL_STANDBY_YES, 0, "if2, the next path, is metered");
	expect_spare(&s, POL_STANDBY_METERED, WWAN, "if2 is");
	/* The one in use may be metered. */
	s = two(WWAN);
	s.candidate[1].metered = true;
	expect_spare(&s, POL_STANDBY_YES, WLAN, "if1 is");
	/* Only where it would be of use: where the flow would go. */
	s = two(3);
	s.candidate[2] = path(3, 300);
	s.candidate[2].tunnel = false;
	s.candidates = 3;
	s.candidate[0].metered = true;
	expect_spare(&s, POL_STANDBY_YES, 0, "if1, the next path, is metered");
	s = two(WLAN);
	s.candidate[1].usable_ms = 50;
	pol_spare(&s, POL_STANDBY_YES, &d);
	assert_int_equal(d.verb, POL_STAY);
	assert_int_equal(d.again_ms, 200);
	s.candidates = 1;
	expect_spare(&s, POL_STANDBY_YES, 0, "there is no other path");
	s = two(WLAN);
	s.current_usable = false;
	expect_spare(&s, POL_STANDBY_YES, 0, "there is no path to lose");
	s = two(VPN);
	s.candidate[2] = path(VPN, 0);
	s.candidates = 3;
	s.current_tunnel = true;
	expect_spare(&s, POL_STANDBY_YES, 0, "no other path may be taken");
}

/* What is held ready is what a loss would take, whatever the paths are. */
static void ready_where_a_loss_would_go(void **state)
{
	(void)state;
	srand(7);
	for (int round = 0; round < 20000; round++) {
		struct pol_snapshot s = {.current_usable = true, .stable_ms = 250, .hold_ms = 2000},
		                    lost;
		struct pol_decision spare, d;

		s.candidates = (unsigned)(rand() % 6);
		for (unsigned i = 0; i < s.candidates; i++) {
			s.candidate[i] = path((int)i + 1, rand() % 4 * 100);
			s.candidate[i].named = rand() % 2;
			s.candidate[i].tunnel = rand() % 4 == 0;
			s.candidate[i].metered = rand() % 2;
			s.candidate[i].failed_ms = rand() % 3 ? -1 : rand() % 4000;
		}
		s.current = rand() % 6 + 1;
		s.current_tunnel = rand() % 4 == 0;
		s.current_named = rand() % 2;
		s.host_tunnel = rand() % 4 == 0;
		lost = s;
		lost.current_usable = false;
		lost.candidates = 0;
		for (unsigned i = 0; i < s.candidates; i++)
			if (s.candidate[i].id != s.current)
				lost.candidate[lost.candidates++] = s.candidate[i];
		pol_spare(&s, POL_STANDBY_METERED, &spare);
		pol_decide(&lost, &d);
		if (spare.verb == POL_MOVE) {
			assert_int_equal(d.verb, POL_RESCUE);
			assert_int_equal(d.target, spare.target);
		} else if (spare.again_ms < 0) {
			assert_int_equal(d.verb, POL_WAIT);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stays_on_the_best),
	    cmocka_unit_test(goes_to_a_better_one_when_it_is_stable),
	    cmocka_unit_test(a_sticky_flow_is_not_attracted),
	    cmocka_unit_test(a_path_is_tested_where_that_is_wanted),
	    cmocka_unit_test(equal_paths_do_not_attract),
	    cmocka_unit_test(a_lost_path_is_left_at_once),
	    cmocka_unit_test(a_failed_attempt_rests_unless_there_is_no_other),
	    cmocka_unit_test(the_longest_rested_of_failed_ones_is_tried),
	    cmocka_unit_test(time_alone_may_change_the_answer),
	    cmocka_unit_test(what_comes_and_goes_has_longer_to_prove_each_time),
	    cmocka_unit_test(among_equals_metric_then_number),
	    cmocka_unit_test(an_address_without_a_route_is_left_alone),
	    cmocka_unit_test(reasons_name_interfaces_and_numbers),
	    cmocka_unit_test(nothing_goes_around_a_tunnel),
	    cmocka_unit_test(a_silent_path_is_left_for_one_that_answers),
	    cmocka_unit_test(a_better_path_that_was_silent_rests),
	    cmocka_unit_test(an_interface_about_to_be_turned_off_is_left),
	    cmocka_unit_test(the_users_choice_is_above_the_policys),
	    cmocka_unit_test(ready_on_the_next_path),
	    cmocka_unit_test(ready_where_a_loss_would_go),
	    cmocka_unit_test(any_sequence_of_events_is_well_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
