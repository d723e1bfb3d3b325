/* SPDX-License-Identifier: MIT */
#include "preload/choose.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "preload/agent.h"
#include "preload/check.h"
#include "preload/dial.h"
#include "preload/process.h"
#include "preload/pulse.h"
#include "preload/steady.h"

static struct steady steady;

/* Those that are about to be turned off. */
#define DRAINS 8
static struct drain {
	int ifindex;
	int64_t until_ms;
} drains[DRAINS];

static int chosen;
static bool news;

void choose_drain(int ifindex, int64_t ms)
{
	struct drain *d = &drains[0];

	for (int i = 0; i < DRAINS; i++) {
		if (drains[i].ifindex == ifindex) {
			d = &drains[i];
			break;
		}
		if (drains[i].until_ms < d->until_ms)
			d = &drains[i];
	}
	*d = (struct drain){ifindex, ms > 0 ? clock_ms() + ms : 0};
	news = true;
}

static int64_t drained_for(int ifindex)
{
	for (int i = 0; i < DRAINS && ifindex; i++)
		if (drains[i].ifindex == ifindex && drains[i].until_ms > clock_ms())
			return drains[i].until_ms - clock_ms();
	return 0;
}

bool choose_drained(int ifindex)
{
	return drained_for(ifindex) > 0;
}

void choose_switch(int ifindex)
{
	chosen = ifindex;
	news = true;
}

void choose_again(void)
{
	news = true;
}

bool choose_news(void)
{
	bool is = news;

	news = false;
	return is;
}

void choose_note(const struct mif_event *ev)
{
	const struct mif_address *a = &ev->address;
	/* A link-local address comes late and opens no path. */
	bool local = a->family == AF_INET6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
	bool opens =
	    ev->type == MIF_INTERFACE_GOING_UP || (ev->type == MIF_ADDRESS_ANNOUNCEMENT && !local);

	if (ev->type == MIF_INTERFACE_GOING_AWAY || ev->type == MIF_NO_INTERFACE_ANNOUNCEMENT ||
	    (ev->type == MIF_NO_ADDRESS_ANNOUNCEMENT && !local))
		steady_gone(&steady, ev->ifindex, clock_ms());
	if (!opens)
		return;
	if (ev->type == MIF_INTERFACE_GOING_UP)
		for (int i = 0; i < DRAINS; i++)
			if (drains[i].ifindex == ev->ifindex)
				drains[i].until_ms = 0;
	pulse_forget(ev->ifindex);
	check_forget(ev->ifindex);
	steady_here(&steady, ev->ifindex, clock_ms());
}

static int preference(const struct mif_path *p, bool *named)
{
	return pol_prefer(process_policy(), p->name, mif_kind_name(p->kind), named, NULL);
}

static bool before(const struct mif_path *a, const struct mif_path *b)
{
	int pa = preference(a, NULL), pb = preference(b, NULL);

	if (pa != pb)
		return pa > pb;
	return a->metric != b->metric ? a->metric < b->metric : a->ifindex < b->ifindex;
}

static void sort(struct mif_path paths[PATHS_MAX], int n)
{
	for (int i = 1; i < n; i++)
		for (int k = i; k > 0 && before(&paths[k], &paths[k - 1]); k--) {
			struct mif_path t = paths[k];

			paths[k] = paths[k - 1];
			paths[k - 1] = t;
		}
}

int choose_paths(const union flow_address *to, struct mif_path paths[PATHS_MAX])
{
	union flow_address plain = *to;
	sa_family_t family;
	const void *ip = address_ip(to, &family);

	if (family == AF_INET && to->sa.sa_family == AF_INET6) {
		memset(&plain, 0, sizeof(plain));
		plain.in.sin_family = AF_INET;
		memcpy(&plain.in.sin_addr, ip, 4);
	}
	int n = agent_monitor() ? mif_paths(agent_monitor(), &plain.sa, paths, PATHS_MAX) : 0;

	sort(paths, n);
	return n;
}

/* Adds the paths to place number `at` over interfaces that are not among the `n` there are. */
static int add_paths(const struct places *to, unsigned at, struct mif_path paths[PATHS_MAX], int n)
{
	struct mif_path more[PATHS_MAX];
	int m = choose_paths(&to->at[at], more), had = n;

	for (int i = 0; i < m && n < PATHS_MAX; i++) {
		int k = 0;

		while (k < had && paths[k].ifindex != more[i].ifindex)
			k++;
		if (k == had && places_leads(to, at, &more[i]))
			paths[n++] = more[i];
	}
	if (n > had)
		sort(paths, n);
	return n;
}

int choose_paths_any(const struct places *to, struct mif_path paths[PATHS_MAX])
{
	int n = 0;

	for (unsigned i = 0; i < to->n; i++)
		n = add_paths(to, i, paths, n);
	return n;
}

int choose_interface(const union flow_address *own)
{
	sa_family_t family;
	const void *ip = address_ip(own, &family);

	return agent_monitor() ? mif_interface_of(agent_monitor(), family, ip) : 0;
}

int choose_interface_to(const union flow_address *own, const union flow_address *to)
{
	struct mif_path paths[PATHS_MAX];
	const struct mif_path *host = NULL;
	sa_family_t family;
	const void *ip = address_ip(own, &family);
	int n = choose_paths(to, paths);

	for (int i = 0; i < n; i++)
		if (paths[i].source.family == family &&
		    memcmp(paths[i].source.ip, ip, family == AF_INET6 ? 16 : 4) == 0 &&
		    (!host || paths[i].metric < host->metric))
			host = &paths[i];
	return host ? host->ifindex : choose_interface(own);
}

bool choose_usable(const union flow_address *own, int ifindex)
{
	sa_family_t family;
	const void *ip = address_ip(own, &family);

	return agent_monitor() && mif_address_usable(agent_monitor(), family, ip, ifindex);
}

bool choose_mobile(const union flow_address *own)
{
	sa_family_t family;
	const void *ip = address_ip(own, &family);

	return agent_monitor() && mif_address_home(agent_monitor(), family, ip);
}

/* Does the host route there by a tunnel? Paths are sorted by preference; its own choice is the
 * lowest metric. */
static bool host_tunnels(const struct mif_path *paths, int n)
{
	const struct mif_path *host = NULL;

	for (int i = 0; i < n; i++)
		if (!host || paths[i].metric < host->metric)
			host = &paths[i];
	return host && host->kind == MIF_TUNNEL;
}

/* All that is known, for the decision; the paths' number. */
static int look_around(const union flow_address *to, const struct whereabouts *at,
                       struct pol_snapshot *s, struct mif_path paths[PATHS_MAX])
{
	enum mif_kind kind = MIF_OTHER;
	char name[IFNAMSIZ];
	int n = choose_paths(to, paths);
	int64_t now = clock_ms();

	memset(s, 0, sizeof(*s));
	s->current = at->ifindex;
	s->current_usable = at->ifindex && choose_usable(&at->source, at->ifindex);
	s->current_failed = at->failed;
	s->current_drained = choose_drained(at->ifindex);
	s->silent_ms = at->silent_ms ? at->silent_ms : pulse_silent(at->ifindex);
	s->current_tunnel = at->ifindex && agent_monitor() &&
	                    mif_interface(agent_monitor(), at->ifindex, name, &kind, NULL) &&
	                    kind == MIF_TUNNEL;
	if (s->current_tunnel)
		pol_prefer(process_policy(), name, mif_kind_name(kind), &s->current_named, NULL);
	/* The other family is no way around a tunnel: the host's own choice is what it does with
	 * the address that is dialled first. */
	s->host_tunnel = host_tunnels(paths, n);
	for (unsigned i = 0; at->also && i < at->also->n; i++) {
		bool none = n == 0;

		n = add_paths(at->also, i, paths, n);
		if (none)
			s->host_tunnel = host_tunnels(paths, n);
	}
	const struct pol_stability *calm = pol_stability(process_policy());

	s->sticky = at->sticky;
	s->tested = at->unproven && check_wanted();
	s->stable_ms = calm->stable + (int)(at->share % (unsigned)(calm->spread + 1));
	s->hold_ms = calm->hold;
	s->damp_ms = calm->damp;
	for (int i = 0; i < n; i++) {
		struct pol_candidate *c = &s->candidate[s->candidates++];
		int metered =
		    pol_metered(process_policy(), paths[i].name, mif_kind_name(paths[i].kind));

		c->id = paths[i].ifindex;
		snprintf(c->name, sizeof(c->name), "%.15s", paths[i].name);
		c->prefer = preference(&paths[i], &c->named);
		c->tunnel = paths[i].kind == MIF_TUNNEL;
		c->metered = metered < 0 ? paths[i].kind == MIF_CELLULAR : metered;
		c->metric = paths[i].metric;
		c->usable_ms = steady_ms(&steady, paths[i].ifindex, now);
		c->flaps = steady_flaps(&steady, paths[i].ifindex, now);
		c->failed_ms = at->failed_ms && at->failed_ifindex == paths[i].ifindex
		                   ? now - at->failed_ms
		                   : -1;
		c->rest_ms = pulse_resting(paths[i].ifindex);
		c->drain_ms = drained_for(paths[i].ifindex);
		c->net = check_says(paths[i].ifindex);
		c->chosen = paths[i].ifindex == (at->chosen ? at->chosen : chosen);
	}
	return n;
}

int choose(const union flow_address *to, const struct whereabouts *at, struct pol_decision *d,
           struct mif_path paths[PATHS_MAX])
{
	struct pol_snapshot s;
	int n = look_around(to, at, &s, paths);

	pol_decide(&s, d);
	for (int i = 0; i < n && d->check; i++)
		if (paths[i].ifindex == d->check)
			check_ask(&paths[i]);
	/* Somebody may log in at a portal: the kernel does not tell. */
	for (int i = 0; i < n && s.tested && d->verb == POL_WAIT; i++) {
		int64_t again = check_again(paths[i].ifindex);

		if (again >= 0 && (d->again_ms < 0 || again < d->again_ms))
			d->again_ms = again;
	}
	if (d->verb != POL_MOVE && d->verb != POL_RESCUE)
		return n;
	for (int i = 1; i < n; i++)
		if (paths[i].ifindex == d->target) {
			struct mif_path t = paths[i];

			memmove(&paths[1], &paths[0], (size_t)i * sizeof(t));
			paths[0] = t;
			break;
		}
	return n;
}

bool choose_spare(const union flow_address *to, const struct whereabouts *at,
                  enum pol_standby wanted, struct pol_decision *d, struct mif_path *path)
{
	struct mif_path paths[PATHS_MAX];
	struct pol_snapshot s;
	int n = look_around(to, at, &s, paths);

	pol_spare(&s, wanted, d);
	for (int i = 0; i < n && d->verb == POL_MOVE; i++)
		if (paths[i].ifindex == d->target) {
			*path = paths[i];
			return true;
		}
	return false;
}
