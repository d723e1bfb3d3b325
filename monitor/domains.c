/* SPDX-License-Identifier: MIT */
#include "monitor/domains.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BY_KERNEL_RA 2 /* IFAPROT_KERNEL_RA, which older headers lack */
#define ROUTES 32      /* told per domain */
#define NAME_MS 200    /* clients add an address first, some with another prefix, then a route */

static struct domains_link *find(const struct domains *d, int ifindex)
{
	struct domains_link *l;

	HASH_FIND_INT(d->links, &ifindex, l);
	return l;
}

/* To be settled. */
static void mark(struct domains *d, struct domains_link *l)
{
	if (l->dirty)
		return;
	l->dirty = true;
	l->next_dirty = NULL;
	*d->last_dirty = l;
	d->last_dirty = &l->next_dirty;
}

static void pvds_changed(void *ctx, int ifindex)
{
	struct domains *d = ctx;
	struct domains_link *l = d->settling ? NULL : find(d, ifindex);

	/* An explicit domain's prefixes say which addresses are the implicit one's. */
	if (l)
		mark(d, l);
	if (d->changed)
		d->changed(d->ctx, ifindex);
}

void domains_init(struct domains *d, const struct iftable *t, const char *salt)
{
	memset(d, 0, sizeof(*d));
	d->table = t;
	d->pvds.changed = pvds_changed;
	d->pvds.ctx = d;
	d->last_dirty = &d->dirty;
	d->wonder_ms = PVD_FOREVER;
	snprintf(d->salt, sizeof(d->salt), "%s", salt);
}

void domains_free(struct domains *d)
{
	struct domains_link *l, *next;

	HASH_ITER(hh, d->links, l, next)
	{
		HASH_DEL(d->links, l);
		free(l);
	}
	pvd_free(&d->pvds);
	free(d->scratch);
}

/* --- addresses --- */

static bool link_local(const struct if_address *a)
{
	const uint8_t *ip = a->key.ip;

	if (a->key.family == AF_INET)
		return ip[0] == 169 && ip[1] == 254;
	return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

static bool inside(const uint8_t *ip, const uint8_t *prefix, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	if (memcmp(ip, prefix, bytes) != 0)
		return false;
	return !rest || ((ip[bytes] ^ prefix[bytes]) >> (8 - rest)) == 0;
}

/* Does an explicit domain claim it? */
static bool claims(const struct pvd *p, const struct if_address *a)
{
	for (unsigned i = 0; i < p->count; i++) {
		const struct pvd_item *item = &p->entries[i].item;

		if (item->info == PVD_DHCPV4_BOUND && a->key.family == AF_INET)
			return true;
		if (item->info == PVD_PREFIX && item->family == a->key.family &&
		    item->prefix_len <= 128 && inside(a->key.ip, item->ip, item->prefix_len))
			return true;
	}
	return false;
}

static const struct pvd *claimed_by(const struct domains *d, const struct if_address *a)
{
	const struct pvd *of[PVD_EXPLICIT];
	unsigned n = pvd_explicit(&d->pvds, a->key.ifindex, of);

	for (unsigned i = 0; i < n; i++)
		if (!link_local(a) && claims(of[i], a))
			return of[i];
	return NULL;
}

static bool is_of(const struct domains *d, int ifindex, const struct pvd *explicit_one,
                  const struct if_address *a)
{
	return a->key.ifindex == ifindex && a->announced && claimed_by(d, a) == explicit_one;
}

bool domains_has(const struct domains *d, const struct domain *dom, const struct if_address *a)
{
	return is_of(d, dom->ifindex, dom->implicit ? NULL : dom->known, a);
}

static bool usable(const struct domains *d, int ifindex)
{
	const struct if_link *l = iftable_told(d->table, ifindex);

	return l && l->told_usable;
}

static bool configured(const struct domains *d, int ifindex, const struct pvd *explicit_one)
{
	for (const struct if_address *a = iftable_addresses(d->table, ifindex); a; a = a->next)
		if (!link_local(a) && is_of(d, ifindex, explicit_one, a))
			return true;
	return false;
}

/* --- what the kernel says --- */

static enum pvd_source address_source(const struct if_address *a)
{
	if (a->flags & IFA_F_PERMANENT)
		return PVD_STATIC;
	if (a->key.family == AF_INET)
		return PVD_DHCPV4;
	if (a->protocol == BY_KERNEL_RA || (a->flags & (IFA_F_MANAGETEMPADDR | IFA_F_TEMPORARY)))
		return PVD_RA;
	return a->key.prefix_len == 128 ? PVD_DHCPV6 : PVD_RA;
}

static enum pvd_source route_source(const struct if_route *r, bool dynamic)
{
	if (r->protocol == RTPROT_RA)
		return PVD_RA;
	if (r->protocol == RTPROT_DHCP)
		return r->key.family == AF_INET ? PVD_DHCPV4 : PVD_DHCPV6;
	if (r->protocol == RTPROT_BOOT && r->key.family == AF_INET && dynamic)
		return PVD_DHCPV4;
	return PVD_STATIC;
}

/* What the kernel says of an interface, before it is fed. Too large for the agent's stack. */
struct domains_lists {
	enum pvd_source source[PVD_ITEMS];
	struct pvd_item item[PVD_ITEMS];
	unsigned n;
	struct pvd_item one[PVD_ITEMS]; /* those of one source */
};

static struct pvd_item *add(struct domains_lists *l, enum pvd_source s, enum pvd_info info)
{
	struct pvd_item *i;

	if (l->n == PVD_ITEMS)
		return NULL;
	l->source[l->n] = s;
	i = &l->item[l->n++];
	memset(i, 0, sizeof(*i));
	i->info = info;
	i->until = PVD_FOREVER;
	return i;
}

static void mask(uint8_t ip[16], unsigned bits)
{
	for (unsigned i = 0; i < 16; i++)
		if (8 * i >= bits)
			ip[i] = 0;
		else if (8 * i + 8 > bits)
			ip[i] &= (uint8_t)(0xff00u >> (bits - 8 * i));
}

static bool zero(const uint8_t ip[16])
{
	static const uint8_t none[16];

	return memcmp(ip, none, sizeof(none)) == 0;
}

static void note_router(struct attach_network *n, uint8_t family, const uint8_t ip[16])
{
	for (unsigned i = 0; i < n->routers; i++)
		if (n->router[i].family == family && memcmp(n->router[i].ip, ip, 16) == 0)
			return;
	if (n->routers == ATTACH_ROUTERS)
		return;
	n->router[n->routers].family = family;
	memcpy(n->router[n->routers++].ip, ip, 16);
}

static void note_prefix(struct attach_network *n, uint8_t family, const uint8_t ip[16],
                        unsigned len)
{
	struct attach_prefix p = {family, (uint8_t)len, {0}};

	memcpy(p.ip, ip, 16);
	for (unsigned i = 0; i < n->prefixes; i++)
		if (memcmp(&n->prefix[i], &p, sizeof(p)) == 0)
			return;
	if (n->prefixes < ATTACH_PREFIXES)
		n->prefix[n->prefixes++] = p;
}

/* Whether an IPv4 address of the interface is not for ever: then its boot-time routes are a DHCP
 * client's. */
static bool read_addresses(const struct domains *d, int ifindex, struct domains_lists *l,
                           struct attach_network *n)
{
	bool dynamic = false;

	for (const struct if_address *a = iftable_addresses(d->table, ifindex); a; a = a->next) {
		enum pvd_source s;
		struct pvd_item *i;
		uint8_t ip[16];

		if (link_local(a) || !is_of(d, ifindex, NULL, a))
			continue;
		s = address_source(a);
		dynamic |= a->key.family == AF_INET && s == PVD_DHCPV4;
		memcpy(ip, a->key.ip, sizeof(ip));
		mask(ip, a->key.prefix_len);
		note_prefix(n, a->key.family, ip, a->key.prefix_len);
		i = add(l, s, PVD_PREFIX);
		if (!i)
			continue;
		i->family = a->key.family;
		i->prefix_len = a->key.prefix_len;
		memcpy(i->ip, ip, sizeof(ip));
	}
	return dynamic;
}

static void read_routes(const struct domains *d, int ifindex, bool dynamic, struct domains_lists *l,
                        struct attach_network *n)
{
	unsigned routes = 0;

	for (const struct if_route *r = iftable_routes(d->table, ifindex); r; r = r->next) {
		struct pvd_item *i;

		if (r->mark.gone || zero(r->key.gateway))
			continue;
		if (!r->key.prefix_len)
			note_router(n, r->key.family, r->key.gateway);
		else if (++routes > ROUTES)
			continue;
		i = add(l, route_source(r, dynamic), r->key.prefix_len ? PVD_ROUTE : PVD_GATEWAY);
		if (!i)
			continue;
		i->family = r->key.family;
		i->prefix_len = r->key.prefix_len;
		memcpy(i->ip, r->key.prefix_len ? r->key.destination : r->key.gateway, 16);
	}
}

static void feed(struct domains *d, const struct if_link *l, int64_t now)
{
	struct domains_lists *lists = d->scratch;
	struct pvd_item *mtu = l->mtu ? add(lists, PVD_LINK, PVD_MTU) : NULL;

	if (mtu)
		mtu->number = l->mtu;
	for (int s = 0; s < PVD_SOURCES; s++) {
		unsigned n = 0;

		for (unsigned i = 0; i < lists->n; i++)
			if (lists->source[i] == (enum pvd_source)s)
				lists->one[n++] = lists->item[i];
		pvd_replace(&d->pvds, l->ifindex, "", PVD_BY_KERNEL, (enum pvd_source)s, lists->one,
		            n, now);
	}
}

/* --- keeping them --- */

void domains_note(struct domains *d, int ifindex)
{
	struct domains_link *l = find(d, ifindex);

	if (!l && ifindex > 0 && HASH_COUNT(d->links) < IFTABLE_LINKS) {
		l = calloc(1, sizeof(*l));
		if (!l)
			return;
		l->ifindex = ifindex;
		l->wonder_ms = PVD_FOREVER;
		HASH_ADD_INT(d->links, ifindex, l);
		if (!l->hh.tbl) {
			free(l);
			return;
		}
	}
	if (l)
		mark(d, l);
}

static void forget(struct domains *d, int ifindex, bool gone)
{
	pvd_withdraw(&d->pvds, ifindex, NULL, PVD_BY_KERNEL);
	pvd_withdraw(&d->pvds, ifindex, NULL, PVD_BY_USEROPT);
	if (gone)
		pvd_withdraw(&d->pvds, ifindex, NULL, PVD_BY_FILES);
}

static void tell(struct domains *d, int ifindex)
{
	if (d->changed)
		d->changed(d->ctx, ifindex);
}

void domains_lost(struct domains *d, int ifindex)
{
	struct domains_link *l = find(d, ifindex);

	if (!l)
		return;
	attach_lost(&l->attachment);
	l->name_ms = 0;
	mark(d, l);
	forget(d, ifindex, !iftable_told(d->table, ifindex));
	tell(d, ifindex);
}

void domains_event(struct domains *d, const struct mif_event *ev)
{
	if (ev->type == MIF_INTERFACE_GOING_AWAY || ev->type == MIF_NO_INTERFACE_ANNOUNCEMENT)
		domains_lost(d, ev->ifindex);
	else
		domains_note(d, ev->ifindex);
}

/* Who the routers are the kernel knows once something was sent by them: it is asked, and again for
 * a minute and a half. Nothing is sent for it. */
static void wonder(struct domains *d, struct domains_link *l, int64_t now)
{
	static const int64_t pause_ms[] = {500, 2000, 8000, 20000, 60000};
	const struct attach_network *n = &l->attachment.now;
	bool any = false;

	for (unsigned i = 0; d->wonder && i < n->routers; i++)
		if (!n->router[i].lladdr_len) {
			any = true;
			d->wonder(d->ctx, l->ifindex, n->router[i].family, n->router[i].ip);
		}
	l->wonder_ms = PVD_FOREVER;
	if (any && l->wondered < sizeof(pause_ms) / sizeof(*pause_ms))
		l->wonder_ms = now + pause_ms[l->wondered++];
	if (l->wonder_ms < d->wonder_ms)
		d->wonder_ms = l->wonder_ms;
}

static void wonder_again(struct domains *d, int64_t now)
{
	struct domains_link *l;

	if (now < d->wonder_ms)
		return;
	d->wonder_ms = PVD_FOREVER;
	for (l = d->links; l; l = l->hh.next)
		if (!l->dirty && now >= l->wonder_ms && !l->attachment.id[0])
			mark(d, l);
		else if (!l->dirty && now >= l->wonder_ms)
			wonder(d, l, now);
		else if (l->wonder_ms < d->wonder_ms)
			d->wonder_ms = l->wonder_ms;
}

int64_t domains_due(const struct domains *d)
{
	return d->wonder_ms;
}

/* Has a network that comes up no router yet that would tell which one it is? */
static bool not_yet(struct domains *d, struct domains_link *l, const struct attach_network *n,
                    const struct if_link *link, int64_t now)
{
	if (l->attachment.id[0] || n->routers || link->kind == MIF_TUNNEL || !d->begun) {
		l->name_ms = 0;
		return false;
	}
	if (!l->name_ms)
		l->name_ms = now + NAME_MS;
	if (now >= l->name_ms)
		return false;
	l->wonder_ms = l->name_ms;
	if (l->wonder_ms < d->wonder_ms)
		d->wonder_ms = l->wonder_ms;
	return true;
}

static void settle(struct domains *d, struct domains_link *l, int64_t now)
{
	struct attach_network n;
	const struct if_link *link = iftable_told(d->table, l->ifindex);

	memset(&n, 0, sizeof(n));
	if (!link || !usable(d, l->ifindex) || !configured(d, l->ifindex, NULL)) {
		if (l->attachment.id[0])
			attach_lost(&l->attachment);
		l->name_ms = 0;
		l->wonder_ms = PVD_FOREVER;
		pvd_withdraw(&d->pvds, l->ifindex, "", PVD_BY_KERNEL);
		tell(d, l->ifindex);
		return;
	}
	d->scratch->n = 0;
	read_routes(d, l->ifindex, read_addresses(d, l->ifindex, d->scratch, &n), d->scratch, &n);
	if (not_yet(d, l, &n, link, now)) {
		tell(d, l->ifindex);
		return;
	}
	if (!l->attachment.known)
		memcpy(l->name, link->name, sizeof(l->name));
	if (attach_seen(&l->attachment, &n, d->salt, l->name))
		l->wondered = 0;
	feed(d, link, now);
	wonder(d, l, now);
	tell(d, l->ifindex);
}

void domains_settle(struct domains *d, int64_t now)
{
	struct domains_link *l, *next;

	if (!d->scratch)
		d->scratch = malloc(sizeof(*d->scratch));
	if (!d->scratch)
		return;
	wonder_again(d, now);
	l = d->dirty;
	d->dirty = NULL;
	d->last_dirty = &d->dirty;
	d->settling = true;
	for (; l; l = next) {
		next = l->next_dirty;
		l->dirty = false;
		settle(d, l, now);
		if (iftable_told(d->table, l->ifindex))
			continue;
		/* Indices are not given out again soon, and then to something else. */
		forget(d, l->ifindex, true);
		HASH_DEL(d->links, l);
		free(l);
	}
	d->settling = false;
	d->begun |= d->links != NULL;
}

void domains_lladdr(struct domains *d, int ifindex, uint8_t family, const uint8_t ip[16],
                    const uint8_t *lladdr, size_t len)
{
	struct domains_link *l = find(d, ifindex);

	if (l && attach_lladdr(&l->attachment, family, ip, lladdr, len, d->salt, l->name))
		tell(d, ifindex);
}

/* --- asking --- */

unsigned domains_of(const struct domains *d, int ifindex, struct domain out[DOMAINS_OF_INTERFACE])
{
	const struct domains_link *l = find(d, ifindex);
	const struct pvd *of[PVD_EXPLICIT];
	unsigned n = 0, explicits;

	if (!usable(d, ifindex))
		return 0;
	if (l && l->attachment.id[0] && configured(d, ifindex, NULL))
		out[n++] = (struct domain){ifindex, l->attachment.id, true,
		                           pvd_find(&d->pvds, ifindex, "")};
	explicits = pvd_explicit(&d->pvds, ifindex, of);
	for (unsigned i = 0; i < explicits; i++)
		if (configured(d, ifindex, of[i]))
			out[n++] = (struct domain){ifindex, of[i]->key.name, false, of[i]};
	return n;
}

bool domains_find(const struct domains *d, const char *id, int ifindex, struct domain *out)
{
	struct domain of[DOMAINS_OF_INTERFACE];

	for (const struct if_link *l = d->table->links; l; l = l->hh.next) {
		unsigned n;

		if (ifindex && l->ifindex != ifindex)
			continue;
		n = domains_of(d, l->ifindex, of);
		for (unsigned i = 0; i < n; i++)
			if (strcasecmp(of[i].id, id) == 0) {
				*out = of[i];
				return true;
			}
	}
	return false;
}
