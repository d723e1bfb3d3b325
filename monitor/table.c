/* SPDX-License-Identifier: MIT */
#include "monitor/table.h"

#include <linux/if.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/kind.h"
#include "monitor/table_private.h"

/* --- what belongs to an interface --- */

static struct if_belongings *find(const struct iftable *t, int ifindex)
{
	struct if_belongings *b;

	HASH_FIND_INT(t->by_interface, &ifindex, b);
	return b;
}

struct if_belongings *table_belongings(struct iftable *t, int ifindex)
{
	struct if_belongings *b = find(t, ifindex);

	if (b)
		return b;
	b = calloc(1, sizeof(*b));
	if (b) {
		b->ifindex = ifindex;
		HASH_ADD_INT(t->by_interface, ifindex, b);
	}
	if (!b || !b->hh.tbl) {
		free(b);
		t->incomplete = true;
		return NULL;
	}
	/* Should there be no room for what it was wanted for, it is found and freed. */
	table_touch(t, b);
	return b;
}

void table_touch(struct iftable *t, struct if_belongings *b)
{
	if (b->touched)
		return;
	b->touched = true;
	b->next_touched = t->touched;
	t->touched = b;
}

struct if_address *iftable_addresses(const struct iftable *t, int ifindex)
{
	const struct if_belongings *b = find(t, ifindex);

	return b ? b->addresses : NULL;
}

struct if_route *iftable_routes(const struct iftable *t, int ifindex)
{
	const struct if_belongings *b = find(t, ifindex);

	return b ? b->routes : NULL;
}

/* --- marks --- */

bool table_allow(const struct iftable *t, struct if_mark *m, enum iftable_source s)
{
	if (s == IFTABLE_EVENT) {
		m->heard = t->dump;
		return true;
	}
	m->seen = t->dump;
	return m->heard != t->dump;
}

void table_bury(struct iftable *t, struct if_belongings *of, struct if_mark *m)
{
	m->gone = true;
	t->gone++;
	table_touch(t, of);
}

void table_revive(struct iftable *t, struct if_mark *m)
{
	if (!m->gone)
		return;
	m->gone = false;
	t->gone--;
}

void table_never_there(struct iftable *t, struct if_belongings *of, struct if_mark *m)
{
	m->heard = t->dump;
	table_bury(t, of, m);
}

bool table_missing(const struct iftable *t, const struct if_mark *m)
{
	return !m->gone && m->heard != t->dump && m->seen != t->dump;
}

void *table_fresh(struct iftable *t, unsigned count, unsigned max, size_t size)
{
	void *p = count < max ? calloc(1, size) : NULL;

	if (!p)
		t->incomplete = true;
	return p;
}

/* --- links --- */

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

static void bury(struct iftable *t, struct if_link *l)
{
	l->mark.heard = t->dump;
	if (l->mark.gone)
		return;
	table_bury(t, l->belongings, &l->mark);
	table_bury_addresses(t, l->belongings);
	table_bury_routes(t, l->belongings, 0);
}

static struct if_link *new_link(struct iftable *t, int ifindex)
{
	struct if_belongings *b = table_belongings(t, ifindex);
	struct if_link *l =
	    b ? table_fresh(t, HASH_COUNT(t->links), IFTABLE_LINKS, sizeof(*l)) : NULL;

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
	l->belongings = b;
	b->link = l;
	/* Its addresses may have been heard of before. */
	for (const struct if_address *a = b->addresses; a; a = a->next)
		if (!a->mark.gone && a->key.family == AF_INET)
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
	if (!l || !table_allow(t, &l->mark, s))
		return NULL;
	table_revive(t, &l->mark);
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
		table_bury_routes(t, l->belongings, 0);
	return l;
}

struct if_link *iftable_drop_link(struct iftable *t, int ifindex)
{
	struct if_link *l = iftable_link_any(t, ifindex);

	if (l) {
		bury(t, l);
		return l;
	}
	if (t->dumping && (l = new_link(t, ifindex)))
		table_never_there(t, l->belongings, &l->mark);
	return NULL;
}

void iftable_sweep_links(struct iftable *t)
{
	for (struct if_link *l = t->links; l; l = l->hh.next)
		if (table_missing(t, &l->mark))
			bury(t, l);
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

/* Frees those that are gone, or all of them, and what has nothing left. */
static void release(struct iftable *t, struct if_belongings *b, bool all)
{
	struct if_address *a, *next_a;
	struct if_route *r, *next_r;

	DL_FOREACH_SAFE(b->routes, r, next_r)
	if (all || r->mark.gone)
		table_free_route(t, r);
	DL_FOREACH_SAFE(b->addresses, a, next_a)
	if (all || a->mark.gone)
		table_free_address(t, a);
	if (b->link && (all || b->link->mark.gone)) {
		HASH_DEL(t->links, b->link);
		free(b->link);
		b->link = NULL;
	}
	b->touched = false;
	if (b->link || b->addresses || b->routes)
		return;
	HASH_DEL(t->by_interface, b);
	free(b);
}

void iftable_purge(struct iftable *t)
{
	struct if_belongings *b = t->touched, *next;

	for (; b; b = next) {
		next = b->next_touched;
		release(t, b, false);
	}
	t->touched = NULL;
	t->gone = 0;
}

void iftable_free(struct iftable *t)
{
	struct if_belongings *b, *next;

	HASH_ITER(hh, t->by_interface, b, next)
	release(t, b, true);
	t->touched = NULL;
	t->gone = 0;
}
