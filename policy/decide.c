/* SPDX-License-Identifier: MIT */
#include "policy/decide.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void because(struct pol_decision *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->reason, sizeof(d->reason), fmt, ap);
	va_end(ap);
}

static unsigned count(const struct pol_snapshot *s)
{
	return s->candidates < POL_CANDIDATES ? s->candidates : POL_CANDIDATES;
}

static int rank(const struct pol_candidate *c)
{
	return c->chosen ? INT_MAX : c->prefer;
}

static bool better(const struct pol_candidate *a, const struct pol_candidate *b)
{
	if (rank(a) != rank(b))
		return rank(a) > rank(b);
	if (a->metric != b->metric)
		return a->metric < b->metric;
	return a->id < b->id;
}

/* --- tunnels -------------------------------------------------------------------------------- */

static bool tunnelled(const struct pol_snapshot *s)
{
	return s->current_tunnel || s->host_tunnel;
}

/* Does the policy name every tunnel in question, so that it is known to rank them? */
static bool ranked(const struct pol_snapshot *s)
{
	bool known = s->current_tunnel && s->current_named;

	for (unsigned i = 0; i < count(s); i++) {
		const struct pol_candidate *c = &s->candidate[i];

		if (c->tunnel && !c->named)
			return false;
		known = known || c->tunnel;
	}
	return known && (!s->current_tunnel || s->current_named);
}

static bool connected(const struct pol_snapshot *s, const struct pol_candidate *c)
{
	return !s->tested || c->net == POL_NET_FULL || c->id == s->current;
}

static bool routed(const struct pol_snapshot *s, const struct pol_candidate *c)
{
	return !tunnelled(s) || c->tunnel || c->chosen || (c->named && ranked(s));
}

static bool allowed(const struct pol_snapshot *s, const struct pol_candidate *c)
{
	return routed(s, c) && connected(s, c);
}

/* Which of those that nothing is known of should be asked? The best. */
static const struct pol_candidate *to_check(const struct pol_snapshot *s)
{
	const struct pol_candidate *b = NULL;

	for (unsigned i = 0; i < count(s) && s->tested; i++) {
		const struct pol_candidate *c = &s->candidate[i];

		if (c->net == POL_NET_UNKNOWN && c->id != s->current && routed(s, c) &&
		    (!b || better(c, b)))
			b = c;
	}
	return b;
}

/* --- time ----------------------------------------------------------------------------------- */

/* For how many ms the path is still to be left alone after a failed attempt; 0: it is not. */
static int64_t resting(const struct pol_snapshot *s, const struct pol_candidate *c)
{
	int64_t failed =
	    c->failed_ms >= 0 && c->failed_ms < s->hold_ms ? s->hold_ms - c->failed_ms : 0;

	int64_t rest = failed > c->rest_ms ? failed : c->rest_ms;

	return rest > c->drain_ms ? rest : c->drain_ms;
}

/* For how long it must have been usable. */
static int64_t to_prove(const struct pol_snapshot *s, const struct pol_candidate *c)
{
	int64_t most = s->damp_ms > s->stable_ms ? s->damp_ms : s->stable_ms, ms = s->stable_ms;

	for (unsigned i = 0; i < c->flaps && ms < most && !c->chosen; i++)
		ms = 2 * ms < most ? 2 * ms : most;
	return ms;
}

/* Until a flow that works may be moved to it. */
static int64_t wait_for(const struct pol_snapshot *s, const struct pol_candidate *c)
{
	int64_t rest = resting(s, c);
	int64_t prove = to_prove(s, c);

	prove = c->usable_ms < prove ? prove - c->usable_ms : 0;

	return rest > prove ? rest : prove;
}

static bool attracts(const struct pol_snapshot *s, const struct pol_candidate *c)
{
	return allowed(s, c) && (!s->sticky || c->chosen);
}

/*
 * The best path that is preferred to `than` and may be gone to now. `*later`: the one that could be
 * so soonest by waiting, of those better still; NULL if there is none.
 */
static const struct pol_candidate *preferred(const struct pol_snapshot *s,
                                             const struct pol_candidate *than,
                                             const struct pol_candidate **later)
{
	const struct pol_candidate *ready = NULL;

	*later = NULL;
	for (unsigned i = 0; i < count(s); i++) {
		const struct pol_candidate *c = &s->candidate[i];

		if (attracts(s, c) && rank(c) > rank(than) && wait_for(s, c) == 0 &&
		    (!ready || better(c, ready)))
			ready = c;
	}
	for (unsigned i = 0; i < count(s); i++) {
		const struct pol_candidate *c = &s->candidate[i];

		if (attracts(s, c) && rank(c) > rank(ready ? ready : than) && wait_for(s, c) > 0 &&
		    (!*later || wait_for(s, c) < wait_for(s, *later)))
			*later = c;
	}
	return ready;
}

/* --- the decision --------------------------------------------------------------------------- */

/* The best path of those at rest; where all have failed a moment ago, the one that did so first. */
static const struct pol_candidate *best(const struct pol_snapshot *s)
{
	const struct pol_candidate *b = NULL;

	for (unsigned i = 0; i < count(s); i++) {
		const struct pol_candidate *c = &s->candidate[i];

		if (!allowed(s, c))
			continue;
		if (!b || resting(s, c) < resting(s, b) ||
		    (resting(s, c) == resting(s, b) && better(c, b)))
			b = c;
	}
	return b;
}

static void rescue(const struct pol_snapshot *s, struct pol_decision *d, const char *why)
{
	const struct pol_candidate *b = best(s), *later;

	if (!b) {
		d->verb = POL_WAIT;
		const struct pol_candidate *c = &s->candidate[0], *asked = to_check(s);

		if (count(s) == 0)
			because(d, "%s, and no other is there", why);
		else if (asked)
			because(d, "%s; is %.15s connected?", why, asked->name);
		else if (s->tested && routed(s, c))
			because(d, "%s, and %.15s is not connected (%s)", why, c->name,
			        pol_connectivity_name(c->net));
		else
			because(d,
			        "%s, and none of %u others may be taken: the host routes the peer "
			        "through a tunnel, and the policy does not name both",
			        why, count(s));
		return;
	}
	d->verb = POL_RESCUE;
	d->target = b->id;
	if (resting(s, b) && !b->drain_ms && b->failed_ms >= 0)
		because(d, "%s; %.15s failed %lld ms ago, but no other of %u is better off", why,
		        b->name, (long long)b->failed_ms, count(s));
	else if (b->drain_ms)
		because(d, "%s; %.15s is about to be turned off, but there is no other", why,
		        b->name);
	else if (resting(s, b))
		because(d, "%s; %.15s was silent, but no other of %u is better off", why, b->name,
		        count(s));
	else
		because(d, "%s; %.15s is the best of %u (prefer %d, metric %u)", why, b->name,
		        count(s), b->prefer, b->metric);
	preferred(s, b, &later);
	if (later)
		d->again_ms = wait_for(s, later);
}

static void compare(const struct pol_snapshot *s, const struct pol_candidate *now,
                    struct pol_decision *d)
{
	const struct pol_candidate *later, *ready = preferred(s, now, &later);

	d->verb = POL_STAY;
	if (later)
		d->again_ms = wait_for(s, later);
	if (ready && ready->chosen) {
		d->verb = POL_MOVE;
		d->target = ready->id;
		because(d, "%.15s is the user's choice", ready->name);
	} else if (ready) {
		d->verb = POL_MOVE;
		d->target = ready->id;
		because(d, "%.15s is preferred to %.15s (%d over %d)", ready->name, now->name,
		        ready->prefer, now->prefer);
	} else if (later && later->drain_ms) {
		because(d, "%.15s is preferred to %.15s but about to be turned off", later->name,
		        now->name);
	} else if (later && later->rest_ms) {
		because(
		    d,
		    "%.15s is preferred to %.15s (%d over %d) but was silent, and is left alone "
		    "for %lld ms",
		    later->name, now->name, later->prefer, now->prefer, (long long)later->rest_ms);
	} else if (later && resting(s, later)) {
		because(d, "%.15s is preferred to %.15s (%d over %d) but failed %lld ms ago",
		        later->name, now->name, later->prefer, now->prefer,
		        (long long)later->failed_ms);
	} else if (later && to_prove(s, later) > s->stable_ms) {
		because(
		    d,
		    "%.15s is preferred to %.15s (%d over %d) but comes and goes: usable for %lld "
		    "of %lld ms",
		    later->name, now->name, later->prefer, now->prefer, (long long)later->usable_ms,
		    (long long)to_prove(s, later));
	} else if (later) {
		because(d,
		        "%.15s is preferred to %.15s (%d over %d) but was usable for only %lld ms",
		        later->name, now->name, later->prefer, now->prefer,
		        (long long)later->usable_ms);
	} else if (s->sticky) {
		because(d, "%.15s works, and the flow is sticky", now->name);
	} else {
		because(d, "%.15s is as good as any that may be taken (prefer %d)", now->name,
		        now->prefer);
	}
}

/* The best other path that may be gone to now, or when there may be one (-1: never). */
static const struct pol_candidate *other(const struct pol_snapshot *s, int64_t *soonest)
{
	const struct pol_candidate *b = NULL;

	*soonest = -1;
	for (unsigned i = 0; i < count(s); i++) {
		const struct pol_candidate *c = &s->candidate[i];
		int64_t rest = resting(s, c);

		if (c->id == s->current || !allowed(s, c))
			continue;
		if (rest && (*soonest < 0 || rest < *soonest))
			*soonest = rest;
		if (!rest && (!b || better(c, b)))
			b = c;
	}
	return b;
}

/* Make-before-break to any other path: the interface goes away soon. */
static void leave(const struct pol_snapshot *s, const char *name, struct pol_decision *d)
{
	const struct pol_candidate *b = other(s, &d->again_ms);

	if (!b) {
		d->verb = POL_STAY;
		because(d, "%.15s is about to be turned off, but no other path may be taken%s",
		        name, d->again_ms < 0 ? "" : " just now");
		return;
	}
	d->verb = POL_MOVE;
	d->target = b->id;
	d->again_ms = -1;
	because(d, "%.15s is about to be turned off; %.15s is the best other (prefer %d)", name,
	        b->name, b->prefer);
}

/* The current path brings nothing back. */
static void doubt(const struct pol_snapshot *s, const char *name, struct pol_decision *d)
{
	int64_t soonest;
	const struct pol_candidate *b = other(s, &soonest);

	if (!b) {
		d->verb = POL_STAY;
		d->again_ms = soonest;
		because(d, "%.15s has been silent for %lld ms, but no other path may be taken %s",
		        name, (long long)s->silent_ms, soonest < 0 ? "" : "just now");
		return;
	}
	d->verb = POL_MOVE;
	d->urgent = true;
	d->target = b->id;
	because(d, "%.15s has been silent for %lld ms; does %.15s answer? (prefer %d, metric %u)",
	        name, (long long)s->silent_ms, b->name, b->prefer, b->metric);
}

void pol_decide(const struct pol_snapshot *s, struct pol_decision *d)
{
	const struct pol_candidate *now = NULL;
	char why[64];

	for (unsigned i = 0; i < count(s) && s->current; i++)
		if (s->candidate[i].id == s->current)
			now = &s->candidate[i];
	const struct pol_candidate *ask = to_check(s);

	memset(d, 0, sizeof(*d));
	d->again_ms = -1;
	d->check = ask ? ask->id : 0;
	if (!s->current) {
		rescue(s, d, "the flow has no path");
	} else if (!s->current_usable) {
		rescue(s, d, "the flow's path is gone");
	} else if (s->current_failed) {
		snprintf(why, sizeof(why), "the connection over %.15s failed",
		         now ? now->name : "its path");
		rescue(s, d, why);
	} else if (s->silent_ms > 0) {
		doubt(s, now ? now->name : "the path", d);
	} else if (s->current_drained) {
		leave(s, now ? now->name : "the path", d);
	} else if (now) {
		compare(s, now, d);
	} else {
		/* Its address is there, but no route: that may be a moment in a reconfiguration,
		 * and TCP may live on it. */
		d->verb = POL_STAY;
		because(d, "the flow's path has no route just now");
	}
	/* While it works nobody is asked about a path that it would not be moved to. */
	if (d->verb == POL_STAY && now && ask && (s->sticky || rank(ask) <= rank(now)) &&
	    !s->silent_ms && !s->current_drained)
		d->check = 0;
}

void pol_spare(const struct pol_snapshot *s, enum pol_standby wanted, struct pol_decision *d)
{
	struct pol_snapshot lost = *s;
	const struct pol_candidate *b;

	memset(d, 0, sizeof(*d));
	d->verb = POL_STAY;
	d->again_ms = -1;
	lost.candidates = 0;
	for (unsigned i = 0; i < count(s); i++)
		if (s->candidate[i].id != s->current)
			lost.candidate[lost.candidates++] = s->candidate[i];
	b = best(&lost);
	if (wanted == POL_STANDBY_NO) {
		because(d, "the policy wants none");
	} else if (!s->current || !s->current_usable) {
		because(d, "there is no path to lose");
	} else if (!b) {
		because(d,
		        lost.candidates ? "no other path may be taken" : "there is no other path");
	} else if (b->metered && wanted != POL_STANDBY_METERED) {
		because(d, "%.15s, the next path, is metered", b->name);
	} else if (wait_for(s, b) > 0) {
		d->again_ms = wait_for(s, b);
		because(d, "%.15s, the next path, has yet to prove stable", b->name);
	} else {
		d->verb = POL_MOVE;
		d->target = b->id;
		because(d, "%.15s is the next path (prefer %d, metric %u)", b->name, b->prefer,
		        b->metric);
	}
}
