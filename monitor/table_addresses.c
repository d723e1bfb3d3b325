/* SPDX-License-Identifier: MIT */
#include <linux/if_addr.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/table_private.h"

static struct if_address *find(const struct iftable *t, const struct if_address_key *k)
{
	struct if_address *a;

	HASH_FIND(hh, t->addresses, k, sizeof(*k), a);
	return a;
}

bool iftable_address_valid(const struct if_address *a)
{
	if (a->mark.gone || (a->flags & IFA_F_DADFAILED))
		return false;
	return !(a->flags & IFA_F_TENTATIVE) || (a->flags & IFA_F_OPTIMISTIC);
}

static void count_ipv4(struct iftable *t, const struct if_address *a, int change)
{
	struct if_link *l = a->key.family == AF_INET ? a->of->link : NULL;

	if (!l)
		return;
	l->ipv4 += change;
	/* With the last address the kernel disables IPv4 there, without a word about the routes. */
	if (l->ipv4 == 0 && change < 0)
		table_bury_routes(t, a->of, AF_INET);
}

static void bury(struct iftable *t, struct if_address *a)
{
	a->mark.heard = t->dump;
	if (a->mark.gone)
		return;
	table_bury(t, a->of, &a->mark);
	count_ipv4(t, a, -1);
}

void table_bury_addresses(struct iftable *t, const struct if_belongings *b)
{
	for (struct if_address *a = b->addresses; a; a = a->next)
		bury(t, a);
}

static struct if_address *new_address(struct iftable *t, const struct if_address_key *k)
{
	struct if_belongings *of = table_belongings(t, k->ifindex);
	struct if_address *a =
	    of ? table_fresh(t, HASH_COUNT(t->addresses), IFTABLE_ADDRESSES, sizeof(*a)) : NULL;

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
	a->of = of;
	DL_APPEND(of->addresses, a);
	return a;
}

void table_free_address(struct iftable *t, struct if_address *a)
{
	HASH_DEL(t->addresses, a);
	DL_DELETE(a->of->addresses, a);
	free(a);
}

struct if_address *iftable_put_address(struct iftable *t, const struct if_address *model,
                                       enum iftable_source s)
{
	struct if_address *a = find(t, &model->key);

	if (a) {
		if (!table_allow(t, &a->mark, s))
			return NULL;
		if (a->mark.gone)
			count_ipv4(t, a, 1);
		table_revive(t, &a->mark);
	} else {
		a = new_address(t, &model->key);
		if (!a)
			return NULL;
		table_allow(t, &a->mark, s);
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
	struct if_address *a = find(t, k);

	if (a) {
		bury(t, a);
		return a;
	}
	if (t->dumping && (a = new_address(t, k)))
		table_never_there(t, a->of, &a->mark);
	return NULL;
}

void iftable_sweep_addresses(struct iftable *t)
{
	for (struct if_address *a = t->addresses; a; a = a->hh.next)
		if (table_missing(t, &a->mark))
			bury(t, a);
}
