/* SPDX-License-Identifier: MIT */
#include "monitor/announce.h"

#include <linux/if_addr.h>
#include <stdio.h>
#include <string.h>

#include "monitor/message.h"

#define SAME_END_MS 2000 /* the kernel counts lifetimes in whole seconds */

/* --- messages --- */

static struct mif_message about(const struct told_interface *i, enum mif_type type)
{
	struct mif_message m;

	memset(&m, 0, sizeof(m));
	m.type = type;
	m.interface = i->ifindex;
	m.fd = -1;
	snprintf(m.name, sizeof(m.name), "%s", i->name);
	snprintf(m.text, sizeof(m.text), "%s", i->reason);
	return m;
}

static void because(struct mif_message *m, const char *reason)
{
	snprintf(m->text, sizeof(m->text), "%s", reason);
}

static struct mif_message of_domain(const struct told_interface *i, const struct told_domain *d,
                                    enum mif_type type)
{
	struct mif_message m = about(i, type);

	memcpy(m.pvd, d->id, sizeof(m.pvd));
	m.implicit = d->implicit;
	return m;
}

bool announce_interface(struct subscriber *s, const struct told_interface *i, enum mif_type type)
{
	struct mif_message m = about(i, type);

	return subscriber_put(s, &m);
}

static bool tell_domain(struct subscriber *s, const struct told_interface *i,
                        const struct told_domain *d, enum mif_type type)
{
	struct mif_message m = of_domain(i, d, type);

	return subscriber_put(s, &m);
}

static bool tell_element(struct subscriber *s, const struct told_interface *i,
                         const struct told_domain *d, enum mif_type type, enum pvd_source source,
                         const char *reason)
{
	struct mif_message m = of_domain(i, d, type);

	because(&m, reason);
	m.element = message_element(source);
	return subscriber_put(s, &m);
}

/* Seconds from now on. */
static uint32_t left(const struct subscriber *s, int64_t until)
{
	int64_t ms = until - s->domains->table->now;

	if (until == PVD_FOREVER)
		return MIF_FOREVER;
	return ms <= 0 ? 0 : (uint32_t)((ms + 500) / 1000);
}

static bool tell_address(struct subscriber *s, const struct told_interface *i,
                         const struct told_domain *d, enum mif_type type,
                         const struct told_address *a, const char *reason)
{
	struct mif_message m = of_domain(i, d, type);

	because(&m, reason);
	message_address(&m.address, a->key.family, a->key.ip, 0, i->ifindex);
	m.prefix_len = a->key.prefix_len;
	if (type == MIF_ADDRESS) {
		m.valid = left(s, a->valid_ms);
		m.preferred = left(s, a->preferred_ms);
		m.deprecated = (a->flags & IFA_F_DEPRECATED) != 0;
	}
	return subscriber_put(s, &m);
}

/* --- withdrawing: addresses, elements, the domain, and last the interface --- */

static bool withdraw_addresses(struct subscriber *s, const struct told_interface *i,
                               struct told_domain *d, bool unseen_only)
{
	const char *reason = unseen_only ? "no longer there" : i->reason;
	struct told_address *a, *next;

	HASH_ITER(hh, d->addresses, a, next)
	{
		if (unseen_only && a->seen == d->comparison)
			continue;
		if (!tell_address(s, i, d, MIF_NO_ADDRESS, a, reason))
			return false;
		told_forget_address(d, a);
	}
	return true;
}

static bool withdraw_elements(struct subscriber *s, const struct told_interface *i,
                              struct told_domain *d)
{
	for (int e = 0; e < PVD_SOURCES; e++) {
		if (!d->element[e])
			continue;
		if (!tell_element(s, i, d, MIF_NO_ELEMENT, (enum pvd_source)e, i->reason))
			return false;
		d->element[e] = 0;
	}
	return true;
}

static bool withdraw_domain(struct subscriber *s, struct told_interface *i, struct told_domain *d)
{
	if (!withdraw_addresses(s, i, d, false) || !withdraw_elements(s, i, d))
		return false;
	if (d->told && !tell_domain(s, i, d, MIF_NO_PVD))
		return false;
	/* And with it what was asked for about it. */
	told_close_domain(i, d);
	return true;
}

static bool withdraw_domains(struct subscriber *s, struct told_interface *i, bool unseen_only)
{
	struct told_domain *d = i->domains, *next;

	for (; d; d = next) {
		next = d->next;
		if (!(unseen_only && d->seen) && !withdraw_domain(s, i, d))
			return false;
	}
	return true;
}

bool announce_loss(struct subscriber *s, struct told_interface *i)
{
	return withdraw_domains(s, i, false);
}

/* --- announcing --- */

static int64_t until(const struct if_address *a, uint32_t lifetime_s)
{
	return lifetime_s == UINT32_MAX ? PVD_FOREVER : a->told_ms + (int64_t)lifetime_s * 1000;
}

/* Lifetimes that just run down are no news; a new start, or the end of being preferred, is. */
static bool other_end(int64_t a, int64_t b)
{
	return a != b &&
	       (a == PVD_FOREVER || b == PVD_FOREVER || a - b > SAME_END_MS || b - a > SAME_END_MS);
}

/* What is new of it; NULL: nothing. */
static const char *news(const struct told_address *then, const struct told_address *now)
{
	if ((then->flags ^ now->flags) & IFA_F_DEPRECATED)
		return now->flags & IFA_F_DEPRECATED ? "no longer preferred" : "preferred again";
	return other_end(then->valid_ms, now->valid_ms) ||
	               other_end(then->preferred_ms, now->preferred_ms)
	           ? "other lifetime"
	           : NULL;
}

static struct told_address as_told(const struct if_address *a)
{
	struct told_address t;

	memset(&t, 0, sizeof(t));
	t.key.family = a->key.family;
	t.key.prefix_len = a->key.prefix_len;
	memcpy(t.key.ip, a->key.ip, sizeof(t.key.ip));
	t.flags = a->flags;
	t.valid_ms = until(a, a->valid_s);
	t.preferred_ms = until(a, a->preferred_s);
	return t;
}

static bool announce_address(struct subscriber *s, const struct told_interface *i,
                             struct told_domain *d, struct told_address *now)
{
	struct told_address *t = told_find_address(d, &now->key);
	const char *reason = t ? news(t, now) : i->reason;

	now->seen = d->comparison;
	if (!reason)
		return true;
	if (!tell_address(s, i, d, MIF_ADDRESS, now, reason))
		return false;
	if (t)
		told_renew_address(t, now);
	else
		told_add_address(d, now);
	return true;
}

static bool announce_addresses(struct subscriber *s, const struct told_interface *i,
                               const struct domain *of, struct told_domain *d)
{
	const struct if_address *first = iftable_addresses(s->domains->table, i->ifindex);

	d->comparison++;
	for (const struct if_address *a = first; a; a = a->next) {
		struct told_address now, *t;

		if (!domains_has(s->domains, of, a))
			continue;
		now = as_told(a);
		t = told_find_address(d, &now.key);
		if (t)
			t->seen = d->comparison;
	}
	if (!withdraw_addresses(s, i, d, true))
		return false;
	for (const struct if_address *a = first; a; a = a->next) {
		struct told_address now;

		if (!domains_has(s->domains, of, a))
			continue;
		now = as_told(a);
		if (!announce_address(s, i, d, &now))
			return false;
	}
	return true;
}

/* Of all the element says, in whatever order; never 0 for something. */
static uint64_t digest(const struct pvd *p, enum pvd_source source)
{
	const struct pvd_item *items[PVD_ITEMS];
	unsigned n = pvd_items(p, source, PVD_INFOS, items);
	uint64_t sum = n;

	for (unsigned k = 0; k < n; k++)
		sum += message_digest(items[k]);
	return n && !sum ? 1 : sum;
}

static const char *element_reason(uint64_t then, uint64_t now)
{
	if (!now)
		return "no longer said";
	return then ? "changed" : "configured";
}

static bool announce_elements(struct subscriber *s, const struct told_interface *i,
                              const struct domain *of, struct told_domain *d)
{
	for (int e = 0; e < PVD_SOURCES; e++) {
		uint64_t now = digest(of->known, (enum pvd_source)e);

		if (d->element[e] == now)
			continue;
		if (!tell_element(s, i, d, now ? MIF_ELEMENT : MIF_NO_ELEMENT, (enum pvd_source)e,
		                  element_reason(d->element[e], now)))
			return false;
		d->element[e] = now;
	}
	return true;
}

static bool announce_domain(struct subscriber *s, struct told_interface *i, const struct domain *of,
                            struct told_domain *d)
{
	if (!d->told && (i->wants_domains || s->wants_domains)) {
		if (!tell_domain(s, i, d, MIF_PVD))
			return false;
		d->told = true;
	}
	if ((d->wants_elements || s->wants_elements) && !announce_elements(s, i, of, d))
		return false;
	return !(d->wants_addresses || s->wants_addresses) || announce_addresses(s, i, of, d);
}

bool announce_difference(struct subscriber *s, struct told_interface *i)
{
	const struct if_link *l = iftable_told(s->domains->table, i->ifindex);
	struct domain of[DOMAINS_OF_INTERFACE];
	unsigned n = l ? domains_of(s->domains, i->ifindex, of) : 0;

	for (struct told_domain *d = i->domains; d; d = d->next)
		d->seen = false;
	for (unsigned k = 0; k < n; k++) {
		struct told_domain *d = told_find_domain(i, of[k].id);

		if (d)
			d->seen = true;
	}
	if (!withdraw_domains(s, i, true))
		return false;
	if (!l) {
		if (i->told && !announce_interface(s, i, MIF_NO_INTERFACE))
			return false;
		told_close(&s->told, i);
		return true;
	}
	if (strcmp(i->name, l->told_name) != 0) {
		i->told = false;
		memcpy(i->name, l->told_name, sizeof(i->name));
	}
	if (s->wants_interfaces && !i->told) {
		if (!announce_interface(s, i, MIF_INTERFACE))
			return false;
		i->told = true;
	}
	for (unsigned k = 0; k < n; k++) {
		struct told_domain *d = told_open_domain(i, &of[k]);

		if (!d || !announce_domain(s, i, &of[k], d))
			return false;
	}
	told_settle(&s->told, i);
	return true;
}
