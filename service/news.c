/* SPDX-License-Identifier: MIT */
#include "service/news.h"

#include <linux/if.h>
#include <stdlib.h>
#include <string.h>

/* Both messages, one behind the other, at `bytes`. */
struct told {
	unsigned turn; /* in which it was last seen in the table */
	int ifindex;
	sa_family_t family;
	bool up;      /* a link: administratively */
	bool changed; /* and not yet told */
	unsigned key, length;
	UT_hash_handle hh;
	uint32_t bytes[];
};

struct entry {
	int ifindex;
	sa_family_t family;
	bool up;
};

static const char *message(const struct told *t)
{
	return (const char *)t->bytes + t->key;
}

static void forget(struct told **list, struct told *t)
{
	HASH_DEL(*list, t);
	free(t);
}

static struct told *keep(struct news *n, struct told **list, const uint32_t *key, size_t key_len,
                         const uint32_t *now, size_t len)
{
	struct told *t = calloc(1, sizeof(*t) + key_len + len);

	if (!t) {
		n->short_of_memory = true;
		return NULL;
	}
	t->key = (unsigned)key_len;
	t->length = (unsigned)len;
	memcpy(t->bytes, key, key_len);
	memcpy((char *)t->bytes + key_len, now, len);
	HASH_ADD(hh, *list, bytes, key_len, t);
	if (t->hh.tbl)
		return t;
	n->short_of_memory = true;
	free(t);
	return NULL;
}

/* The entry is there, and is as `now` says. */
static struct told *see(struct news *n, struct told **list, const uint32_t *key, size_t key_len,
                        const uint32_t *now, size_t len, struct entry e)
{
	struct told *t;
	bool same;

	HASH_FIND(hh, *list, key, key_len, t);
	same = t && t->length == len && memcmp(message(t), now, len) == 0;
	if (t && !same)
		forget(list, t);
	if (!same)
		t = keep(n, list, key, key_len, now, len);
	if (!t)
		return NULL;
	t->turn = n->turn;
	t->ifindex = e.ifindex;
	t->family = e.family;
	t->up = e.up;
	t->changed |= !same;
	return t;
}

static void tell_new(struct told *list, news_fn *fn, void *ctx)
{
	for (struct told *t = list; t; t = t->hh.next) {
		if (!t->changed)
			continue;
		t->changed = false;
		fn(ctx, message(t), t->length);
	}
}

static void tell_gone(const struct news *n, struct told **list, news_fn *fn, void *ctx)
{
	struct told *t, *next;

	HASH_ITER(hh, *list, t, next)
	{
		if (t->turn == n->turn)
			continue;
		fn(ctx, t->bytes, t->key);
		forget(list, t);
	}
}

/*
 * The client's table has taken these along with something else, without having been told. What is
 * still there is told again.
 */
static void taken_along(struct told *list, int ifindex, sa_family_t family)
{
	for (struct told *t = list; t; t = t->hh.next)
		if (t->ifindex == ifindex && (!family || t->family == family))
			t->changed = true;
}

/* --- one kind after the other; `buf` has room for two messages --- */

#define HALF (SHARED_MESSAGE / sizeof(uint32_t))

static void links(struct news *n, const struct iftable *t, news_fn *fn, void *ctx, uint32_t *buf)
{
	struct told *old, *next;

	for (const struct if_link *l = t->links; l; l = l->hh.next) {
		bool up = l->flags & IFF_UP, was_up = false;
		size_t key;

		if (l->mark.gone)
			continue;
		key = shared_link(buf, l, true);
		HASH_FIND(hh, n->links, buf, key, old);
		was_up = old && old->up;
		see(n, &n->links, buf, key, buf + HALF, shared_link(buf + HALF, l, false),
		    (struct entry){l->ifindex, 0, up});
		if (was_up && !up)
			taken_along(n->routes, l->ifindex, 0);
	}
	HASH_ITER(hh, n->links, old, next)
	{
		if (old->turn == n->turn)
			continue;
		taken_along(n->addresses, old->ifindex, 0);
		taken_along(n->routes, old->ifindex, 0);
	}
	tell_gone(n, &n->links, fn, ctx);
	tell_new(n->links, fn, ctx);
}

static void addresses(struct news *n, const struct iftable *t, news_fn *fn, void *ctx,
                      uint32_t *buf)
{
	for (const struct if_address *a = t->addresses; a; a = a->hh.next) {
		if (a->mark.gone)
			continue;
		see(n, &n->addresses, buf, shared_address(buf, a, true), buf + HALF,
		    shared_address(buf + HALF, a, false),
		    (struct entry){a->key.ifindex, a->key.family, false});
	}
	for (const struct told *old = n->addresses; old; old = old->hh.next)
		if (old->turn != n->turn && old->family == AF_INET)
			taken_along(n->routes, old->ifindex, AF_INET);
	/* The new ones first: with an interface's last IPv4 address all its routes would go. */
	tell_new(n->addresses, fn, ctx);
	tell_gone(n, &n->addresses, fn, ctx);
}

static void routes(struct news *n, const struct iftable *t, news_fn *fn, void *ctx, uint32_t *buf)
{
	for (const struct if_route *r = t->routes; r; r = r->hh.next) {
		if (r->mark.gone)
			continue;
		see(n, &n->routes, buf, shared_route(buf, r, true), buf + HALF,
		    shared_route(buf + HALF, r, false),
		    (struct entry){r->key.ifindex, r->key.family, false});
	}
	tell_gone(n, &n->routes, fn, ctx);
	tell_new(n->routes, fn, ctx);
}

static void items(struct news *n, const struct pvd_table *d, news_fn *fn, void *ctx, uint32_t *buf)
{
	for (const struct pvd *p = d->all; p; p = p->hh.next)
		for (unsigned i = 0; i < p->count; i++) {
			const struct pvd_entry *e = &p->entries[i];
			struct pvd_item key = e->item;

			if (e->feeder != PVD_BY_SERVICE)
				continue;
			key.until = 0; /* may change; it is the same item */
			see(n, &n->items, buf, shared_item(buf, &p->key, e->source, &key, true),
			    buf + HALF,
			    shared_item(buf + HALF, &p->key, e->source, &e->item, false),
			    (struct entry){p->key.ifindex, 0, false});
		}
	/* What is gone first: of some things there is only one, and the new takes the old one's
	 * place. */
	tell_gone(n, &n->items, fn, ctx);
	tell_new(n->items, fn, ctx);
}

void news_difference(struct news *n, const struct iftable *t, const struct pvd_table *d,
                     news_fn *fn, void *ctx)
{
	static uint32_t buf[2 * HALF];

	n->turn++;
	links(n, t, fn, ctx, buf);
	addresses(n, t, fn, ctx, buf);
	routes(n, t, fn, ctx, buf);
	items(n, d, fn, ctx, buf);
}

void news_all(const struct news *n, news_fn *fn, void *ctx)
{
	const struct told *lists[] = {n->links, n->addresses, n->routes, n->items};

	for (int i = 0; i < 4; i++)
		for (const struct told *t = lists[i]; t; t = t->hh.next)
			fn(ctx, message(t), t->length);
}

void news_free(struct news *n)
{
	struct told **lists[] = {&n->links, &n->addresses, &n->routes, &n->items}, *t, *next;

	for (int i = 0; i < 4; i++)
		HASH_ITER(hh, *lists[i], t, next)
	forget(lists[i], t);
}
