/* SPDX-License-Identifier: MIT */
#include "monitor/table.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/kind.h"

/* May the source speak about this entry? Records that it did. */
static bool allow(struct iftable *t, struct if_mark *m, enum iftable_source s)
{
	if (s == IFTABLE_EVENT) {
		m->heard = t->dump;
		return true;
	}
	m->seen = t->dump;
	return m->heard != t->dump;
}

static void bury(struct iftable *t, struct if_mark *m)
{
	m->gone = true;
	t->gone++;
}

static void revive(struct iftable *t, struct if_mark *m)
{
	if (!m->gone)
		return;
	m->gone = false;
	t->gone--;
}

/* Unknown, and removed: to be known to the lines of the dump that is under way. */
static void never_there(struct iftable *t, struct if_mark *m)
{
	m->heard = t->dump;
	bury(t, m);
}

static void *fresh(struct iftable *t, unsigned count, unsigned max, size_t size)
{
	void *p = count < max ? calloc(1, size) : NULL;

	if (!p)
		t->incomplete = true;
	return p;
}

/* --- looking things up --- */

struct if_link *iftable_link_any(const struct iftable *t, int ifindex)
{
	struct if_link *l;

	HASH_FIND_INT(t->links, &ifindex, l);
	return l;
}

struct if_link *iftable_link(const struct iftable *t, int ifindex)
{
	struct if_link *l = iftable_link_any(t, ifindex);

	return l && !l->mark.gone ? l : NULL;
}

struct if_link *iftable_told(const struct iftable *t, int ifindex)
{
	struct if_link *l = iftable_link_any(t, ifindex);

	return l && l->announced ? l : NULL;
}

static struct if_address *address_any(const struct iftable *t, const struct if_address_key *k)
{
	struct if_address *a;

	HASH_FIND(hh, t->addresses, k, sizeof(*k), a);
	return a;
}

static struct if_route *route_any(const struct iftable *t, const struct if_route_key *k)
{
	struct if_route *r;

	HASH_FIND(hh, t->routes, k, sizeof(*k), r);
	return r;
}

bool iftable_link_usable(const struct if_link *l)
{
	const unsigned need = IFF_UP | IFF_RUNNING | IFF_LOWER_UP;

	/*
	 * LOWER_UP alone is not enough (it is set before the interface is really up), RUNNING alone
	 * neither: it may lag a second behind the carrier. An operational state nobody maintains
	 * counts as up.
	 */
	return !l->mark.gone && !l->port && (l->flags & need) == need &&
	       (l->operstate == IF_OPER_UP || l->operstate == IF_OPER_UNKNOWN);
}

bool iftable_address_valid(const struct if_address *a)
{
	if (a->mark.gone || (a->flags & IFA_F_DADFAILED))
		return false;
	return !(a->flags & IFA_F_TENTATIVE) || (a->flags & IFA_F_OPTIMISTIC);
}

/* --- routes --- */

static void route_changed(struct iftable *t, const struct if_route *r)
{
	struct if_link *l = iftable_link_any(t, r->key.ifindex);

	if (l)
		l->routes_changed = true;
	else if (!r->key.ifindex)
		t->rejects_changed = true;
}

static void bury_route(struct iftable *t, struct if_route *r)
{
	if (r->mark.gone)
		return;
	bury(t, &r->mark);
	route_changed(t, r);
}

/* `family` 0: both */
static void drop_routes_of(struct iftable *t, int ifindex, sa_family_t family)
{
	for (struct if_route *r = t->routes; r; r = r->hh.next) {
		if (r->key.ifindex != ifindex || (family && r->key.family != family))
			continue;
		r->mark.heard = t->dump;
		bury_route(t, r);
	}
}

static bool same_source(const struct if_route *a, const struct if_route *b)
{
	return a->has_source == b->has_source &&
	       memcmp(a->source, b->source, sizeof(a->source)) == 0;
}

static struct if_route *new_route(struct iftable *t, const struct if_route_key *k)
{
	unsigned max = IFTABLE_ROUTES + (k->prefix_len ? 0 : IFTABLE_DEFAULT_ROUTES);
	struct if_route *r = fresh(t, HASH_COUNT(t->routes), max, sizeof(*r));

	if (!r)
		return NULL;
	r->key = *k;
	r->mark.heard = t->dump - 1;
	HASH_ADD(hh, t->routes, key, sizeof(r->key), r);
	if (!r->hh.tbl) {
		free(r);
		t->incomplete = true;
		return NULL;
	}
	return r;
}

void iftable_put_route(struct iftable *t, const struct if_route *model, enum iftable_source s)
{
	struct if_route *r = route_any(t, &model->key);
	bool changed = true;

	if (r) {
		if (!allow(t, &r->mark, s))
			return;
		changed = r->mark.gone || !same_source(r, model);
		revive(t, &r->mark);
	} else {
		r = new_route(t, &model->key);
		if (!r)
			return;
		allow(t, &r->mark, s);
	}
	r->has_source = model->has_source;
	r->protocol = model->protocol;
	memcpy(r->source, model->source, sizeof(r->source));
	if (changed)
		route_changed(t, r);
}

void iftable_drop_route(struct iftable *t, const struct if_route_key *k)
{
	struct if_route *r = route_any(t, k);

	if (r) {
		r->mark.heard = t->dump;
		bury_route(t, r);
	} else if (t->dumping && (r = new_route(t, k))) {
		never_there(t, &r->mark);
	}
}

void iftable_drop_alternatives(struct iftable *t, const struct if_route_key *k)
{
	for (struct if_route *r = t->routes; r; r = r->hh.next) {
		if (r->key.family != k->family || r->key.prefix_len != k->prefix_len ||
		    r->key.metric != k->metric ||
		    memcmp(r->key.destination, k->destination, sizeof(k->destination)) != 0)
			continue;
		r->mark.heard = t->dump;
		bury_route(t, r);
	}
}

/* --- addresses --- */

static void count_ipv4(struct iftable *t, const struct if_address *a, int change)
{
	struct if_link *l = NULL;

	if (a->key.family == AF_INET)
		l = iftable_link_any(t, a->key.ifindex);
	if (!l)
		return;
	l->ipv4 += change;
	/* With the last address the kernel disables IPv4 there, without a word about the routes. */
	if (l->ipv4 == 0 && change < 0)
		drop_routes_of(t, l->ifindex, AF_INET);
}

static void bury_address(struct iftable *t, struct if_address *a)
{
	if (a->mark.gone)
		return;
	bury(t, &a->mark);
	count_ipv4(t, a, -1);
}

static struct if_address *new_address(struct iftable *t, const struct if_address_key *k)
{
	struct if_address *a = fresh(t, HASH_COUNT(t->addresses), IFTABLE_ADDRESSES, sizeof(*a));

	if (!a)
		return NULL;
	a->key = *k;
	a->mark.heard = t->dump - 1;
	HASH_ADD(hh, t->addresses, key, sizeof(a->key), a);
	if (!a->hh.tbl) {
		free(a);
		t->incomplete = true;
		return NULL;
	}
	return a;
}

struct if_address *iftable_put_address(struct iftable *t, const struct if_address *model,
                                       enum iftable_source s)
{
	struct if_address *a = address_any(t, &model->key);

	if (a) {
		if (!allow(t, &a->mark, s))
			return NULL;
		if (a->mark.gone)
			count_ipv4(t, a, 1);
		revive(t, &a->mark);
	} else {
		a = new_address(t, &model->key);
		if (!a)
			return NULL;
		allow(t, &a->mark, s);
		count_ipv4(t, a, 1);
	}
	a->flags = model->flags;
	a->valid_s = model->valid_s;
	a->preferred_s = model->preferred_s;
	a->protocol = model->protocol;
	a->told_ms = t->now;
	return a;
}

struct if_address *iftable_drop_address(struct iftable *t, const struct if_address_key *k)
{
	struct if_address *a = address_any(t, k);

	if (!a) {
		if (t->dumping && (a = new_address(t, k)))
			never_there(t, &a->mark);
		return NULL;
	}
	a->mark.heard = t->dump;
	bury_address(t, a);
	return a;
}

/* --- links --- */

static void bury_link(struct iftable *t, struct if_link *l)
{
	if (l->mark.gone)
		return;
	bury(t, &l->mark);
	for (struct if_address *a = t->addresses; a; a = a->hh.next) {
		if (a->key.ifindex != l->ifindex)
			continue;
		a->mark.heard = t->dump;
		bury_address(t, a);
	}
	drop_routes_of(t, l->ifindex, 0);
}

static struct if_link *new_link(struct iftable *t, int ifindex)
{
	struct if_link *l = fresh(t, HASH_COUNT(t->links), IFTABLE_LINKS, sizeof(*l));

	if (!l)
		return NULL;
	l->ifindex = ifindex;
	l->mark.heard = t->dump - 1;
	HASH_ADD_INT(t->links, ifindex, l);
	if (!l->hh.tbl) {
		free(l);
		t->incomplete = true;
		return NULL;
	}
	/* Its addresses may have been heard of before. */
	for (struct if_address *a = t->addresses; a; a = a->hh.next)
		if (!a->mark.gone && a->key.ifindex == ifindex && a->key.family == AF_INET)
			l->ipv4++;
	return l;
}

static void find_kind(const struct iftable *t, struct if_link *l, bool new_name)
{
	/* What sysfs said of it holds as long as the name does. */
	if (!new_name && l->kind == MIF_WIFI)
		return;
	l->kind = ifkind_guess(l->name, l->info, l->arphrd, l->flags);
	if (new_name && (l->kind == MIF_ETHERNET || l->kind == MIF_OTHER) && t->wireless &&
	    t->wireless(l->name))
		l->kind = MIF_WIFI;
}

struct if_link *iftable_put_link(struct iftable *t, const struct if_link *model,
                                 enum iftable_source s)
{
	struct if_link *l = iftable_link_any(t, model->ifindex);
	bool was_up, new_name;

	if (!l)
		l = new_link(t, model->ifindex);
	if (!l || !allow(t, &l->mark, s))
		return NULL;
	revive(t, &l->mark);
	was_up = l->flags & IFF_UP;
	new_name = strcmp(l->name, model->name) != 0;
	memcpy(l->name, model->name, sizeof(l->name));
	memcpy(l->info, model->info, sizeof(l->info));
	l->flags = model->flags;
	l->arphrd = model->arphrd;
	l->mtu = model->mtu;
	l->operstate = model->operstate;
	l->port = model->port;
	find_kind(t, l, new_name);
	/* Admin down takes the routes along, and for IPv4 the kernel says nothing of it. */
	if (was_up && !(l->flags & IFF_UP))
		drop_routes_of(t, l->ifindex, 0);
	return l;
}

struct if_link *iftable_drop_link(struct iftable *t, int ifindex)
{
	struct if_link *l = iftable_link_any(t, ifindex);

	if (!l) {
		if (t->dumping && (l = new_link(t, ifindex)))
			never_there(t, &l->mark);
		return NULL;
	}
	l->mark.heard = t->dump;
	bury_link(t, l);
	return l;
}

/* --- dumps --- */

void iftable_dump_begin(struct iftable *t)
{
	t->dump++;
	t->dumping = true;
}

void iftable_dump_end(struct iftable *t)
{
	t->dumping = false;
}

static bool missing(const struct iftable *t, const struct if_mark *m)
{
	return !m->gone && m->heard != t->dump && m->seen != t->dump;
}

void iftable_sweep_links(struct iftable *t)
{
	for (struct if_link *l = t->links; l; l = l->hh.next)
		if (missing(t, &l->mark))
			bury_link(t, l);
}

void iftable_sweep_addresses(struct iftable *t)
{
	for (struct if_address *a = t->addresses; a; a = a->hh.next)
		if (missing(t, &a->mark))
			bury_address(t, a);
}

void iftable_sweep_routes(struct iftable *t, sa_family_t family)
{
	for (struct if_route *r = t->routes; r; r = r->hh.next)
		if (r->key.family == family && missing(t, &r->mark))
			bury_route(t, r);
}

/* Frees the entries that are gone, or all of them. */
static void release(struct iftable *t, bool all)
{
	struct if_link *l, *next_l;
	struct if_address *a, *next_a;
	struct if_route *r, *next_r;

	HASH_ITER(hh, t->routes, r, next_r)
	{
		if (!all && !r->mark.gone)
			continue;
		HASH_DEL(t->routes, r);
		free(r);
	}
	HASH_ITER(hh, t->addresses, a, next_a)
	{
		if (!all && !a->mark.gone)
			continue;
		HASH_DEL(t->addresses, a);
		free(a);
	}
	HASH_ITER(hh, t->links, l, next_l)
	{
		if (!all && !l->mark.gone)
			continue;
		HASH_DEL(t->links, l);
		free(l);
	}
	t->gone = 0;
}

void iftable_purge(struct iftable *t)
{
	if (t->gone)
		release(t, false);
}

void iftable_free(struct iftable *t)
{
	release(t, true);
}
