/* SPDX-License-Identifier: MIT */
#include "monitor/pvd.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 8

static bool make_key(struct pvd_key *k, int ifindex, const char *name)
{
	size_t n = strlen(name);

	if (n && name[n - 1] == '.')
		n--;
	if (n >= sizeof(k->name))
		return false;
	memset(k, 0, sizeof(*k));
	k->ifindex = ifindex;
	/* Not tolower(): a PvD ID means the same in every locale. */
	for (size_t i = 0; i < n; i++)
		k->name[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
	return true;
}

static struct pvd *find(const struct pvd_table *t, const struct pvd_key *k)
{
	struct pvd *p;

	HASH_FIND(hh, t->all, k, sizeof(*k), p);
	return p;
}

const struct pvd *pvd_find(const struct pvd_table *t, int ifindex, const char *name)
{
	struct pvd_key k;

	return make_key(&k, ifindex, name) ? find(t, &k) : NULL;
}

static void tell(const struct pvd_table *t, int ifindex)
{
	if (t->changed)
		t->changed(t->ctx, ifindex);
}

static struct pvd_interface *interface(const struct pvd_table *t, int ifindex)
{
	struct pvd_interface *i;

	HASH_FIND_INT(t->interfaces, &ifindex, i);
	return i;
}

static struct pvd_interface *open_interface(struct pvd_table *t, int ifindex)
{
	struct pvd_interface *i = interface(t, ifindex);

	if (i)
		return i;
	i = calloc(1, sizeof(*i));
	if (!i)
		return NULL;
	i->ifindex = ifindex;
	HASH_ADD_INT(t->interfaces, ifindex, i);
	if (i->hh.tbl)
		return i;
	free(i);
	return NULL;
}

static void close_interface(struct pvd_table *t, struct pvd_interface *i)
{
	if (i->domains)
		return;
	HASH_DEL(t->interfaces, i);
	free(i);
}

static unsigned explicit_of(const struct pvd_interface *i)
{
	unsigned n = 0;

	for (const struct pvd *p = i->domains; p; p = p->next)
		n += p->key.name[0] != 0;
	return n;
}

static struct pvd *open_domain(struct pvd_table *t, const struct pvd_key *k)
{
	struct pvd *p = find(t, k);
	struct pvd_interface *of;

	if (p)
		return p;
	of = HASH_COUNT(t->all) < PVD_DOMAINS ? open_interface(t, k->ifindex) : NULL;
	if (of && (!k->name[0] || explicit_of(of) < PVD_EXPLICIT))
		p = calloc(1, sizeof(*p));
	if (p) {
		p->key = *k;
		p->due = PVD_FOREVER;
		HASH_ADD(hh, t->all, key, sizeof(p->key), p);
	}
	if (!p || !p->hh.tbl) {
		free(p);
		if (of)
			close_interface(t, of);
		t->incomplete = true;
		return NULL;
	}
	p->of = of;
	DL_APPEND(of->domains, p);
	return p;
}

static int64_t first_end(const struct pvd *p)
{
	int64_t due = PVD_FOREVER;

	for (unsigned i = 0; i < p->count; i++)
		if (p->entries[i].item.until < due)
			due = p->entries[i].item.until;
	return due;
}

static void set_due(struct pvd_table *t, struct pvd *p)
{
	int64_t was = p->due, due = PVD_FOREVER;

	p->due = first_end(p);
	if (p->due == was)
		return;
	if (p->due < pvd_due(t)) {
		t->due = p->due;
	} else if (was == t->due) {
		for (const struct pvd *o = t->all; o; o = o->hh.next)
			if (o->due < due)
				due = o->due;
		t->due = due == PVD_FOREVER ? 0 : due;
	}
}

/* After each change. A domain of which nothing is known is none. */
static void close_domain(struct pvd_table *t, struct pvd *p)
{
	set_due(t, p);
	if (p->count)
		return;
	HASH_DEL(t->all, p);
	DL_DELETE(p->of->domains, p);
	close_interface(t, p->of);
	free(p->entries);
	free(p);
}

void pvd_free(struct pvd_table *t)
{
	struct pvd *p, *next;

	memset(t->fed, 0, sizeof(t->fed));
	t->due = 0;
	HASH_ITER(hh, t->all, p, next)
	{
		p->count = 0;
		close_domain(t, p);
	}
}

/* --- items --- */

static bool single(enum pvd_info i)
{
	return i == PVD_MTU || i == PVD_CAPTIVE_PORTAL || i == PVD_NO_INTERNET ||
	       i == PVD_DHCPV4_BOUND || (i >= PVD_PORTAL_CAPTIVE && i <= PVD_PORTAL_SESSION);
}

static bool same_value(const struct pvd_item *a, const struct pvd_item *b)
{
	return a->info == b->info && a->number == b->number && a->port == b->port &&
	       a->family == b->family && a->prefix_len == b->prefix_len &&
	       memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 &&
	       strncmp(a->text, b->text, sizeof(a->text)) == 0;
}

/* Does the one take the place of the other? */
static bool same_place(const struct pvd_entry *e, enum pvd_feeder feeder, enum pvd_source source,
                       const struct pvd_item *item)
{
	return e->feeder == feeder && e->source == source &&
	       memcmp(e->item.origin, item->origin, sizeof(item->origin)) == 0 &&
	       (same_value(&e->item, item) || (single(item->info) && e->item.info == item->info));
}

static void drop(struct pvd_table *t, struct pvd *p, unsigned i)
{
	t->fed[p->entries[i].feeder]--;
	memmove(&p->entries[i], &p->entries[i + 1], (--p->count - i) * sizeof(*p->entries));
}

static struct pvd_entry *append(struct pvd_table *t, struct pvd *p)
{
	if (p->count == p->room && p->count < PVD_ITEMS) {
		unsigned room = p->room ? 2 * p->room : FIRST_ROOM;
		struct pvd_entry *e = realloc(p->entries, room * sizeof(*e));

		if (e) {
			p->entries = e;
			p->room = room;
		}
	}
	if (p->count == p->room || p->count == PVD_ITEMS) {
		t->incomplete = true;
		return NULL;
	}
	return &p->entries[p->count++];
}

/* True: the domain is no longer what it was. */
static bool put(struct pvd_table *t, struct pvd *p, enum pvd_feeder feeder, enum pvd_source source,
                const struct pvd_item *item, int64_t now)
{
	struct pvd_entry *e = NULL;
	bool changed;

	for (unsigned i = 0; i < p->count && !e; i++)
		if (same_place(&p->entries[i], feeder, source, item))
			e = &p->entries[i];
	if (item->until <= now) {
		if (e)
			drop(t, p, (unsigned)(e - p->entries));
		return e != NULL;
	}
	changed = !e || !same_value(&e->item, item);
	if (!e) {
		e = append(t, p);
		if (!e)
			return false;
		t->fed[feeder]++;
	}
	*e = (struct pvd_entry){source, feeder, false, *item};
	e->item.text[sizeof(e->item.text) - 1] = 0;
	return changed;
}

static bool known(enum pvd_feeder feeder, enum pvd_source source, const struct pvd_item *item)
{
	return (unsigned)feeder < PVD_FEEDERS && (unsigned)source < PVD_SOURCES &&
	       (!item || (unsigned)item->info < PVD_INFOS);
}

void pvd_put(struct pvd_table *t, int ifindex, const char *name, enum pvd_feeder feeder,
             enum pvd_source source, const struct pvd_item *item, int64_t now)
{
	struct pvd_key k;
	struct pvd *p;
	bool changed;

	if (!known(feeder, source, item) || ifindex <= 0 || !make_key(&k, ifindex, name))
		return;
	p = item->until > now ? open_domain(t, &k) : find(t, &k);
	if (!p)
		return;
	changed = put(t, p, feeder, source, item, now);
	close_domain(t, p);
	if (changed)
		tell(t, ifindex);
}

static bool drop_stale(struct pvd_table *t, struct pvd *p)
{
	bool any = false;

	for (unsigned i = p->count; i-- > 0;)
		if (p->entries[i].stale) {
			drop(t, p, i);
			any = true;
		}
	return any;
}

void pvd_replace(struct pvd_table *t, int ifindex, const char *name, enum pvd_feeder feeder,
                 enum pvd_source source, const struct pvd_item *items, unsigned n, int64_t now)
{
	struct pvd_key k;
	struct pvd *p;
	bool changed = false;

	if (!known(feeder, source, NULL) || ifindex <= 0 || !make_key(&k, ifindex, name))
		return;
	p = n ? open_domain(t, &k) : find(t, &k);
	if (!p)
		return;
	for (unsigned i = 0; i < p->count; i++)
		p->entries[i].stale =
		    p->entries[i].feeder == feeder && p->entries[i].source == source;
	for (unsigned i = 0; i < n; i++)
		if (known(feeder, source, &items[i]) && items[i].until > now)
			changed |= put(t, p, feeder, source, &items[i], now);
	changed |= drop_stale(t, p);
	close_domain(t, p);
	if (changed)
		tell(t, ifindex);
}

/* What is stale. */
static void withdraw(struct pvd_table *t, struct pvd *p)
{
	int of = p->key.ifindex;
	bool changed = drop_stale(t, p);

	close_domain(t, p);
	if (changed)
		tell(t, of);
}

static void withdraw_of(struct pvd_table *t, struct pvd *p, enum pvd_feeder feeder)
{
	for (unsigned i = 0; i < p->count; i++)
		p->entries[i].stale = p->entries[i].feeder == feeder;
	withdraw(t, p);
}

static void withdraw_all(struct pvd_table *t, struct pvd_interface *i, enum pvd_feeder feeder)
{
	/* With its last domain the interface is closed, too. */
	for (struct pvd *p = i->domains, *next; p; p = next) {
		next = p->next;
		withdraw_of(t, p, feeder);
	}
}

void pvd_withdraw(struct pvd_table *t, int ifindex, const char *name, enum pvd_feeder feeder)
{
	struct pvd_interface *i, *next;
	struct pvd_key k;
	struct pvd *p;

	if (!known(feeder, PVD_STATIC, NULL) || !t->fed[feeder])
		return;
	if (name) {
		p = make_key(&k, ifindex, name) ? find(t, &k) : NULL;
		if (p)
			withdraw_of(t, p, feeder);
	} else if (ifindex) {
		i = interface(t, ifindex);
		if (i)
			withdraw_all(t, i, feeder);
	} else {
		HASH_ITER(hh, t->interfaces, i, next)
		withdraw_all(t, i, feeder);
	}
}

void pvd_expire(struct pvd_table *t, int64_t now)
{
	struct pvd *p, *next;

	if (pvd_due(t) > now)
		return;
	HASH_ITER(hh, t->all, p, next)
	{
		for (unsigned i = 0; i < p->count; i++)
			p->entries[i].stale = p->entries[i].item.until <= now;
		withdraw(t, p);
	}
}

int64_t pvd_due(const struct pvd_table *t)
{
	return t->due ? t->due : PVD_FOREVER;
}

/* --- reading --- */

static int by_name(const void *a, const void *b)
{
	const struct pvd *const *p = a, *const *q = b;

	return strcmp((*p)->key.name, (*q)->key.name);
}

unsigned pvd_explicit(const struct pvd_table *t, int ifindex, const struct pvd *out[PVD_EXPLICIT])
{
	const struct pvd_interface *i = interface(t, ifindex);
	unsigned n = 0;

	for (const struct pvd *p = i ? i->domains : NULL; p && n < PVD_EXPLICIT; p = p->next)
		if (p->key.name[0])
			out[n++] = p;
	qsort(out, n, sizeof(*out), by_name);
	return n;
}

unsigned pvd_items(const struct pvd *pvd, enum pvd_source source, enum pvd_info info,
                   const struct pvd_item *out[PVD_ITEMS])
{
	unsigned n = 0;

	for (unsigned i = 0; pvd && i < pvd->count; i++) {
		const struct pvd_entry *e = &pvd->entries[i];
		unsigned seen = 0;

		if ((source != PVD_SOURCES && e->source != source) ||
		    (info != PVD_INFOS && e->item.info != info))
			continue;
		while (seen < n && !same_value(out[seen], &e->item))
			seen++;
		if (seen == n)
			out[n++] = &e->item;
		else if (out[seen]->until < e->item.until)
			out[seen] = &e->item;
	}
	return n;
}

const char *pvd_source_name(enum pvd_source s)
{
	static const char *const names[] = {
	    [PVD_STATIC] = "static",     [PVD_RA] = "RA",
	    [PVD_DHCPV4] = "DHCPv4",     [PVD_DHCPV6] = "DHCPv6",
	    [PVD_RESOLVER] = "resolver", [PVD_ADDITIONAL] = "additional",
	    [PVD_LINK] = "link",         [PVD_PORTAL] = "portal",
	};

	return (unsigned)s < PVD_SOURCES ? names[s] : "unknown";
}

const char *pvd_info_name(enum pvd_info i)
{
	static const char *const names[] = {
	    [PVD_DNS_SERVER] = "dns-server",
	    [PVD_SEARCH_DOMAIN] = "search-domain",
	    [PVD_GATEWAY] = "gateway",
	    [PVD_PREFIX] = "prefix",
	    [PVD_ROUTE] = "route",
	    [PVD_MTU] = "mtu",
	    [PVD_CAPTIVE_PORTAL] = "captive-portal",
	    [PVD_NAT64_PREFIX] = "nat64-prefix",
	    [PVD_NO_INTERNET] = "no-internet",
	    [PVD_DNS_ZONE] = "dns-zone",
	    [PVD_DHCPV4_BOUND] = "dhcpv4-bound",
	    [PVD_PORTAL_CAPTIVE] = "captive",
	    [PVD_PORTAL_PAGE] = "portal-page",
	    [PVD_PORTAL_VENUE] = "venue-page",
	    [PVD_PORTAL_SESSION] = "portal-session",
	};

	return (unsigned)i < PVD_INFOS ? names[i] : "unknown";
}
