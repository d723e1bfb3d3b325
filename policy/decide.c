/* SPDX-License-Identifier: MIT */
#include "policy/decide.h"

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

static bool better(const struct pol_candidate *a, const struct pol_candidate *b)
{
	if (a->prefer != b->prefer)
		return a->prefer > b->prefer;
	if (a->metric != b->metric)
		return a->metric < b->metric;
	return a->id < b->id;
}

/*
 * May the flow go there at all? What the host sends through a tunnel stays in tunnels, unless the
 * policy names the path: nothing goes around a VPN by itself.
 */
static bool allowed(const struct pol_snapshot *s, const struct pol_candidate *c)
{
	bool tunnelled = s->current_tunnel || s->host_tunnel;

	return !tunnelled || c->tunnel || c->named;
}

static bool held(const struct pol_snapshot *s, const struct pol_candidate *c)
{
	return c->failed_ms >= 0 && c->failed_ms < s->hold_ms;
}

/* The best of those allowed; without those that failed a moment ago if `rested`. */
static const struct pol_candidate *best(const struct pol_snapshot *s, bool rested)
{
	const struct pol_candidate *b = NULL;

	for (unsigned i = 0; i < s->candidates; i++) {
		const struct pol_candidate *c = &s->candidate[i];

		if (!allowed(s, c) || (rested && held(s, c)))
			continue;
		if (!b || better(c, b))
			b = c;
	}
	return b;
}

static const struct pol_candidate *current(const struct pol_snapshot *s)
{
	for (unsigned i = 0; i < s->candidates; i++)
		if (s->candidate[i].id == s->current)
			return &s->candidate[i];
	return NULL;
}

static void rescue(const struct pol_snapshot *s, struct pol_decision *d, const char *why)
{
	const struct pol_candidate *b = best(s, true);

	/* All have just failed: one of them is still better than none, and who asks keeps a
	 * distance between attempts. */
	if (!b)
		b = best(s, false);
	if (!b) {
		d->verb = POL_WAIT;
		because(d, "%s, and no %spath is left", why, s->candidates ? "allowed " : "");
		return;
	}
	d->verb = POL_RESCUE;
	d->target = b->id;
	because(d, "%s; %s is the best of %u (prefer %d, metric %u)", why, b->name, s->candidates,
	        b->prefer, b->metric);
}

void pol_decide(const struct pol_snapshot *s, struct pol_decision *d)
{
	const struct pol_candidate *now = current(s), *b;

	memset(d, 0, sizeof(*d));
	d->again_ms = -1;
	if (!s->current_usable) {
		rescue(s, d, s->current ? "the flow's path is gone" : "the flow has no path");
		return;
	}
	if (s->current_failed) {
		rescue(s, d, "the connection failed");
		return;
	}
	b = best(s, true);
	d->verb = POL_STAY;
	if (!now) {
		/* Its address is there, but no route: that may be a moment in a reconfiguration,
		 * and TCP may live on it. */
		because(d, "the path has no route just now");
		return;
	}
	if (!b || b->id == now->id || b->prefer <= now->prefer) {
		because(d, "%s is as good as any (prefer %d)", now->name, now->prefer);
		return;
	}
	if (b->usable_ms < s->stable_ms) {
		d->again_ms = s->stable_ms - b->usable_ms;
		because(d, "%s is preferred (%d over %d) but was usable for only %lld ms", b->name,
		        b->prefer, now->prefer, (long long)b->usable_ms);
		return;
	}
	d->verb = POL_MOVE;
	d->target = b->id;
	because(d, "%s is preferred to %s (%d over %d)", b->name, now->name, b->prefer,
	        now->prefer);
}
