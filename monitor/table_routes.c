/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "monitor/table_private.h"

static struct if_route *find(const struct iftable *t, const struct if_route_key *k)
{
	struct if_route *r;

	HASH_FIND(hh, t->routes, k, sizeof(*k), r);
	return r;
}

static void changed(struct iftable *t, struct if_belongings *of)
{
	if (of->link)
		of->link->routes_changed = true;
	else if (!of->ifindex)
		t->rejects_changed = true;
	table_touch(t, of);
}

static void bury(struct iftable *t, struct if_route *r)
{
	r->mark.heard = t->dump;
	if (r->mark.gone)
		return;
	table_bury(t, r->of, &r->mark);
	changed(t, r->of);
}

void table_bury_routes(struct iftable *t, const struct if_belongings *b, sa_family_t family)
{
	for (struct if_route *r = b->routes; r; r = r->next)
		if (!family || r->key.family == family)
			bury(t, r);
}

static bool same_source(const struct if_route *a, const struct if_route *b)
{
	return a->has_source == b->has_source &&
	       memcmp(a->source, b->source, sizeof(a->source)) == 0;
}

static struct if_route *new_route(struct iftable *t, const struct if_route_key *k)
{
	unsigned max = IFTABLE_ROUTES + (k->prefix_len ? 0 : IFTABLE_DEFAULT_ROUTES);
	struct if_belongings *of = table_belongings(t, k->ifindex);
	struct if_route *r = of ? table_fresh(t, HASH_COUNT(t->routes), max, sizeof(*r)) : NULL;

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
	r->of = of;
	DL_APPEND(of->routes, r);
	return r;
}

void table_free_route(struct iftable *t, struct if_route *r)
{
	HASH_DEL(t->routes, r);
	DL_DELETE(r->of->routes, r);
	free(r);
}

void iftable_put_route(struct iftable *t, const struct if_route *model, enum iftable_source s)
{
	struct if_route *r = find(t, &model->key);
	bool news = true;

	if (r) {
		if (!table_allow(t, &r->mark, s))
			return;
		news = r->mark.gone || !same_source(r, model);
		table_revive(t, &r->mark);
	} else {
		r = new_route(t, &model->key);
		if (!r)
			return;
		table_allow(t, &r->mark, s);
	}
	r->has_source = model->has_source;
	r->protocol = model->protocol;
	memcpy(r->source, model->source, sizeof(r->source));
	if (news)
		changed(t, r->of);
}

void iftable_drop_route(struct iftable *t, const struct if_route_key *k)
{
	struct if_route *r = find(t, k);

	if (r)
		bury(t, r);
	else if (t->dumping && (r = new_route(t, k)))
		table_never_there(t, r->of, &r->mark);
}

void iftable_drop_alternatives(struct iftable *t, const struct if_route_key *k)
{
	for (struct if_route *r = t->routes; r; r = r->hh.next)
		if (r->key.family == k->family && r->key.prefix_len == k->prefix_len &&
		    r->key.metric == k->metric &&
		    memcmp(r->key.destination, k->destination, sizeof(k->destination)) == 0)
			bury(t, r);
}

void iftable_sweep_routes(struct iftable *t, sa_family_t family)
{
	for (struct if_route *r = t->routes; r; r = r->hh.next)
		if (r->key.family == family && table_missing(t, &r->mark))
			bury(t, r);
}
