/* SPDX-License-Identifier: MIT */
#include "monitor/told.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- addresses --- */

struct told_address *told_find_address(const struct told_domain *d,
                                       const struct told_address_key *k)
{
	struct told_address *a;

	HASH_FIND(hh, d->addresses, k, sizeof(*k), a);
	return a;
}

void told_add_address(struct told_domain *d, const struct told_address *model)
{
	struct told_address *a = malloc(sizeof(*a));

	/* One that cannot be remembered is told again. */
	if (!a)
		return;
	*a = *model;
	HASH_ADD(hh, d->addresses, key, sizeof(a->key), a);
	if (!a->hh.tbl)
		free(a);
}

void told_renew_address(struct told_address *a, const struct told_address *model)
{
	a->flags = model->flags;
	a->valid_ms = model->valid_ms;
	a->preferred_ms = model->preferred_ms;
}

void told_forget_address(struct told_domain *d, struct told_address *a)
{
	HASH_DEL(d->addresses, a);
	free(a);
}

void told_forget_addresses(struct told_domain *d)
{
	struct told_address *a, *next;

	HASH_ITER(hh, d->addresses, a, next)
	told_forget_address(d, a);
}

/* --- domains --- */

struct told_domain *told_find_domain(const struct told_interface *i, const char *id)
{
	struct told_domain *d = i->domains;

	while (d && strcasecmp(d->id, id) != 0)
		d = d->next;
	return d;
}

struct told_domain *told_open_domain(struct told_interface *i, const struct domain *of)
{
	struct told_domain *d = told_find_domain(i, of->id), **last = &i->domains;

	if (d)
		return d;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	snprintf(d->id, sizeof(d->id), "%s", of->id);
	d->implicit = of->implicit;
	while (*last)
		last = &(*last)->next;
	*last = d;
	return d;
}

void told_close_domain(struct told_interface *i, struct told_domain *d)
{
	struct told_domain **at = &i->domains;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	told_forget_addresses(d);
	free(d);
}

/* --- interfaces --- */

struct told_interface *told_find(const struct told *t, int ifindex)
{
	struct told_interface *i;

	HASH_FIND_INT(t->interfaces, &ifindex, i);
	return i;
}

static struct told_interface *open_interface(struct told *t, int ifindex)
{
	struct told_interface *i = told_find(t, ifindex);

	if (i || HASH_COUNT(t->interfaces) >= IFTABLE_LINKS)
		return i;
	i = calloc(1, sizeof(*i));
	if (!i)
		return NULL;
	i->ifindex = ifindex;
	i->reason = "present";
	HASH_ADD_INT(t->interfaces, ifindex, i);
	if (!i->hh.tbl) {
		free(i);
		return NULL;
	}
	return i;
}

void told_close(struct told *t, struct told_interface *i)
{
	told_settle(t, i);
	while (i->domains)
		told_close_domain(i, i->domains);
	HASH_DEL(t->interfaces, i);
	free(i);
}

void told_free(struct told *t)
{
	struct told_interface *i, *next;

	HASH_ITER(hh, t->interfaces, i, next)
	told_close(t, i);
}

/* All of them are noted in their order, others are few: from the end it is not far. */
static void insert(struct told *t, struct told_interface *i)
{
	struct told_interface *before = t->dirty ? t->dirty->prev : NULL;

	while (before && before->ifindex > i->ifindex)
		before = before == t->dirty ? NULL : before->prev;
	if (before)
		DL_APPEND_ELEM(t->dirty, before, i);
	else
		DL_PREPEND(t->dirty, i);
}

struct told_interface *told_note(struct told *t, int ifindex)
{
	struct told_interface *i = open_interface(t, ifindex);

	if (i && !i->dirty) {
		i->dirty = true;
		insert(t, i);
	}
	return i;
}

void told_settle(struct told *t, struct told_interface *i)
{
	if (!i->dirty)
		return;
	i->dirty = false;
	DL_DELETE(t->dirty, i);
}
