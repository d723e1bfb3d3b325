/* SPDX-License-Identifier: MIT */
#include "monitor/subscriber.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "monitor/message.h"

#define SAME_END_MS 2000 /* the kernel counts lifetimes in whole seconds */

/* --- the queue --- */

int subscriber_init(struct subscriber *s, const struct domains *d)
{
	memset(s, 0, sizeof(*s));
	s->domains = d;
	s->queue = calloc(SUBSCRIBER_QUEUE, sizeof(*s->queue));
	return s->queue ? 0 : -ENOMEM;
}

unsigned subscriber_room(const struct subscriber *s)
{
	return SUBSCRIBER_QUEUE - s->waiting;
}

bool subscriber_put(struct subscriber *s, const struct mif_message *msg)
{
	if (!subscriber_room(s))
		return false;
	s->queue[(s->first + s->waiting++) % SUBSCRIBER_QUEUE] = *msg;
	return true;
}

/* --- what was told --- */

static void free_domain(struct told_domain *d)
{
	free(d->addresses);
	free(d);
}

static void free_interface(struct subscriber *s, struct told_interface *i)
{
	while (i->domains) {
		struct told_domain *next = i->domains->next;

		free_domain(i->domains);
		i->domains = next;
	}
	HASH_DEL(s->interfaces, i);
	free(i);
}

void subscriber_free(struct subscriber *s)
{
	struct told_interface *i, *next;

	HASH_ITER(hh, s->interfaces, i, next)
	free_interface(s, i);
	free(s->queue);
}

static struct told_interface *find_interface(const struct subscriber *s, int ifindex)
{
	struct told_interface *i;

	HASH_FIND_INT(s->interfaces, &ifindex, i);
	return i;
}

static struct told_interface *open_interface(struct subscriber *s, int ifindex)
{
	struct told_interface *i = find_interface(s, ifindex);

	if (i || HASH_COUNT(s->interfaces) >= IFTABLE_LINKS)
		return i;
	i = calloc(1, sizeof(*i));
	if (!i)
		return NULL;
	i->ifindex = ifindex;
	i->reason = "present";
	HASH_ADD_INT(s->interfaces, ifindex, i);
	if (!i->hh.tbl) {
		free(i);
		return NULL;
	}
	return i;
}

static struct told_domain *find_domain(const struct told_interface *i, const char *id)
{
	struct told_domain *d = i->domains;

	while (d && strcasecmp(d->id, id) != 0)
		d = d->next;
	return d;
}

static struct told_domain *open_domain(struct told_interface *i, const struct domain *of)
{
	struct told_domain *d = find_domain(i, of->id), **last = &i->domains;

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

void subscriber_note(struct subscriber *s, int ifindex)
{
	struct told_interface *i = open_interface(s, ifindex);

	if (!i)
		return;
	i->dirty = true;
	s->dirty = true;
}

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

static struct mif_message of_domain(const struct told_interface *i, const struct told_domain *d,
                                    enum mif_type type)
{
	struct mif_message m = about(i, type);

	memcpy(m.pvd, d->id, sizeof(m.pvd));
	m.implicit = d->implicit;
	return m;
}

/* What there is no room for now is found again by the next comparison: each of these is true only
 * when the subscriber will have the message. */
static bool tell_domain(struct subscriber *s, const struct told_interface *i,
                        const struct told_domain *d, enum mif_type type)
{
	struct mif_message m = of_domain(i, d, type);

	return subscriber_put(s, &m);
}

static bool tell_element(struct subscriber *s, const struct told_interface *i,
                         const struct told_domain *d, enum mif_type type, enum pvd_source source)
{
	struct mif_message m = of_domain(i, d, type);

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
                         const struct told_address *a)
{
	struct mif_message m = of_domain(i, d, type);

	message_address(&m.address, a->family, a->ip, 0, i->ifindex);
	m.prefix_len = a->prefix_len;
	if (type == MIF_ADDRESS) {
		m.valid = left(s, a->valid_ms);
		m.preferred = left(s, a->preferred_ms);
		m.deprecated = (a->flags & IFA_F_DEPRECATED) != 0;
	}
	return subscriber_put(s, &m);
}

/* --- withdrawing: addresses, elements, the domain, and last the interface --- */

static void forget_address(struct told_domain *d, unsigned n)
{
	d->addresses[n] = d->addresses[--d->count];
}

static bool withdraw_addresses(struct subscriber *s, const struct told_interface *i,
                               struct told_domain *d, bool unseen_only)
{
	for (unsigned n = d->count; n-- > 0;) {
		if (unseen_only && d->addresses[n].seen)
			continue;
		if (!tell_address(s, i, d, MIF_NO_ADDRESS, &d->addresses[n]))
			return false;
		forget_address(d, n);
	}
	return true;
}

static bool withdraw_elements(struct subscriber *s, const struct told_interface *i,
                              struct told_domain *d)
{
	for (int e = 0; e < PVD_SOURCES; e++) {
		if (!d->element[e])
			continue;
		if (!tell_element(s, i, d, MIF_NO_ELEMENT, (enum pvd_source)e))
			return false;
		d->element[e] = 0;
	}
	return true;
}

static bool withdraw_domain(struct subscriber *s, struct told_interface *i, struct told_domain *d)
{
	struct told_domain **at = &i->domains;

	if (!withdraw_addresses(s, i, d, false) || !withdraw_elements(s, i, d))
		return false;
	if (d->told && !tell_domain(s, i, d, MIF_NO_PVD))
		return false;
	/* And with it what was asked for about it. */
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	free_domain(d);
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

/* --- announcing --- */

static struct told_address *find_address(struct told_domain *d, const struct if_address *a)
{
	for (unsigned n = 0; n < d->count; n++) {
		struct told_address *t = &d->addresses[n];

		if (t->family == a->key.family && t->prefix_len == a->key.prefix_len &&
		    memcmp(t->ip, a->key.ip, sizeof(t->ip)) == 0)
			return t;
	}
	return NULL;
}

static struct told_address *append_address(struct told_domain *d)
{
	if (d->count == d->room) {
		unsigned room = d->room ? 2 * d->room : 4;
		struct told_address *p = realloc(d->addresses, room * sizeof(*p));

		if (!p)
			return NULL;
		d->addresses = p;
		d->room = room;
	}
	return &d->addresses[d->count++];
}

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

static bool news(const struct told_address *then, const struct told_address *now)
{
	return other_end(then->valid_ms, now->valid_ms) ||
	       other_end(then->preferred_ms, now->preferred_ms) ||
	       ((then->flags ^ now->flags) & IFA_F_DEPRECATED);
}

static bool announce_addresses(struct subscriber *s, const struct told_interface *i,
                               const struct domain *of, struct told_domain *d)
{
	for (unsigned n = 0; n < d->count; n++)
		d->addresses[n].seen = false;
	for (const struct if_address *a = s->domains->table->addresses; a; a = a->hh.next) {
		struct told_address *t;

		if (a->key.ifindex != i->ifindex || !domains_has(s->domains, of, a))
			continue;
		t = find_address(d, a);
		if (t)
			t->seen = true;
	}
	if (!withdraw_addresses(s, i, d, true))
		return false;
	for (const struct if_address *a = s->domains->table->addresses; a; a = a->hh.next) {
		struct told_address now = {
		    .family = a->key.family,
		    .prefix_len = a->key.prefix_len,
		    .flags = a->flags,
		    .valid_ms = until(a, a->valid_s),
		    .preferred_ms = until(a, a->preferred_s),
		    .seen = true,
		};
		struct told_address *t;

		if (a->key.ifindex != i->ifindex || !domains_has(s->domains, of, a))
			continue;
		memcpy(now.ip, a->key.ip, sizeof(now.ip));
		t = find_address(d, a);
		if (t && !news(t, &now))
			continue;
		if (!tell_address(s, i, d, MIF_ADDRESS, &now))
			return false;
		if (!t)
			t = append_address(d);
		if (t)
			*t = now;
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

static bool announce_elements(struct subscriber *s, const struct told_interface *i,
                              const struct domain *of, struct told_domain *d)
{
	for (int e = 0; e < PVD_SOURCES; e++) {
		uint64_t now = digest(of->known, (enum pvd_source)e);

		if (d->element[e] == now)
			continue;
		if (!tell_element(s, i, d, now ? MIF_ELEMENT : MIF_NO_ELEMENT, (enum pvd_source)e))
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

static bool visible(const struct if_link *l)
{
	return l && l->announced;
}

/* The difference for one interface. False: no more room, or memory; to be gone on with. */
static bool compare(struct subscriber *s, struct told_interface *i)
{
	const struct if_link *l = iftable_told(s->domains->table, i->ifindex);
	struct domain of[DOMAINS_OF_INTERFACE];
	unsigned n = visible(l) ? domains_of(s->domains, i->ifindex, of) : 0;

	for (struct told_domain *d = i->domains; d; d = d->next)
		d->seen = false;
	for (unsigned k = 0; k < n; k++) {
		struct told_domain *d = find_domain(i, of[k].id);

		if (d)
			d->seen = true;
	}
	if (!withdraw_domains(s, i, true))
		return false;
	if (!visible(l)) {
		struct mif_message m = about(i, MIF_NO_INTERFACE);

		if (i->told && !subscriber_put(s, &m))
			return false;
		free_interface(s, i);
		return true;
	}
	if (strcmp(i->name, l->told_name) != 0) {
		i->told = false;
		memcpy(i->name, l->told_name, sizeof(i->name));
	}
	if (s->wants_interfaces && !i->told) {
		struct mif_message m = about(i, MIF_INTERFACE);

		if (!subscriber_put(s, &m))
			return false;
		i->told = true;
	}
	for (unsigned k = 0; k < n; k++) {
		struct told_domain *d = open_domain(i, &of[k]);

		if (!d || !announce_domain(s, i, &of[k], d))
			return false;
	}
	i->dirty = false;
	return true;
}

/* By index, that is in the order in which the interfaces came. */
static int by_index(const struct told_interface *a, const struct told_interface *b)
{
	return a->ifindex < b->ifindex ? -1 : a->ifindex > b->ifindex;
}

static void work(struct subscriber *s)
{
	struct told_interface *i, *next;

	if (!s->dirty)
		return;
	HASH_SORT(s->interfaces, by_index);
	HASH_ITER(hh, s->interfaces, i, next)
	if (i->dirty && !compare(s, i))
		return;
	s->dirty = false;
}

bool subscriber_pending(struct subscriber *s)
{
	if (!s->waiting)
		work(s);
	return s->waiting > 0;
}

bool subscriber_get(struct subscriber *s, struct mif_message *out)
{
	if (!subscriber_pending(s))
		return false;
	*out = s->queue[s->first];
	s->first = (s->first + 1) % SUBSCRIBER_QUEUE;
	s->waiting--;
	return true;
}

/* --- the monitor's events --- */

static bool follows(const struct subscriber *s, const struct told_interface *i)
{
	return s->wants_interfaces || s->wants_domains || i->wants_domains;
}

void subscriber_event(struct subscriber *s, const struct mif_event *ev)
{
	bool away = ev->type == MIF_INTERFACE_GOING_AWAY, up = ev->type == MIF_INTERFACE_GOING_UP;
	struct told_interface *i;
	struct mif_message m;

	if (ev->ifindex <= 0)
		return;
	subscriber_note(s, ev->ifindex);
	i = find_interface(s, ev->ifindex);
	if (!i)
		return;
	if (ev->type != MIF_ROUTES_CHANGED && ev->type != MIF_ROUTER_NOT_REACHED)
		i->reason = ev->reason;
	if (!i->name[0])
		memcpy(i->name, ev->name, sizeof(i->name));
	if (!(away || up) || !follows(s, i))
		return;
	/* An interface is announced before anything else is said of it. */
	if (up && s->wants_interfaces && !i->told) {
		m = about(i, MIF_INTERFACE);
		memcpy(i->name, ev->name, sizeof(i->name));
		snprintf(m.name, sizeof(m.name), "%s", i->name);
		i->told = subscriber_put(s, &m);
	}
	m = about(i, away ? MIF_INTERFACE_IS_GOING_AWAY : MIF_INTERFACE_IS_GOING_UP);
	subscriber_put(s, &m);
	/* Not left to the comparison: if it is back by then, it is to be told anew. */
	if (away && withdraw_domains(s, i, false))
		i->dirty = true;
}

/* --- requests --- */

bool subscriber_domain(const struct subscriber *s, const struct mif_message *msg,
                       struct domain *out)
{
	if (msg->pvd[0])
		return domains_find(s->domains, msg->pvd, msg->interface, out);
	if (s->pvd[0])
		return domains_find(s->domains, s->pvd, s->pvd_interface, out);
	return false;
}

static void all_again(struct subscriber *s)
{
	for (const struct if_link *l = s->domains->table->links; l; l = l->hh.next)
		if (visible(l))
			subscriber_note(s, l->ifindex);
}

static int announce_interfaces(struct subscriber *s, bool on)
{
	work(s);
	s->wants_interfaces = on;
	for (struct told_interface *i = s->interfaces; i; i = i->hh.next)
		i->told = false;
	if (on)
		all_again(s);
	return 0;
}

static int announce_domains(struct subscriber *s, const struct mif_message *msg, bool on)
{
	work(s);
	if (msg->interface) {
		struct told_interface *i;

		if (!visible(iftable_told(s->domains->table, msg->interface)))
			return on ? -ENODEV : 0;
		subscriber_note(s, msg->interface);
		i = find_interface(s, msg->interface);
		if (!i)
			return -ENOMEM;
		i->wants_domains = on;
	} else {
		s->wants_domains = on;
		all_again(s);
	}
	for (struct told_interface *i = s->interfaces; i; i = i->hh.next)
		for (struct told_domain *d = i->domains; d; d = d->next) {
			if (!msg->interface && !on)
				i->wants_domains = false;
			if (!msg->interface || msg->interface == i->ifindex)
				d->told = false;
		}
	if (!on && !msg->interface)
		for (struct told_interface *i = s->interfaces; i; i = i->hh.next)
			i->wants_domains = false;
	return 0;
}

/* Elements or addresses of one domain, which may be on several interfaces. */
static int announce_of(struct subscriber *s, const struct mif_message *msg, bool elements, bool on)
{
	bool any = false;

	work(s);
	for (const struct if_link *l = s->domains->table->links; l; l = l->hh.next) {
		struct domain of;
		struct told_interface *i;
		struct told_domain *d;

		if (!visible(l) || (msg->interface && msg->interface != l->ifindex) ||
		    !domains_find(s->domains, msg->pvd, l->ifindex, &of))
			continue;
		subscriber_note(s, l->ifindex);
		i = find_interface(s, l->ifindex);
		d = i ? open_domain(i, &of) : NULL;
		if (!d)
			return -ENOMEM;
		any = true;
		if (elements) {
			d->wants_elements = on;
			memset(d->element, 0, sizeof(d->element));
		} else {
			d->wants_addresses = on;
			d->count = 0;
		}
	}
	return any || !on ? 0 : -ENOENT;
}

static int announce_of_all(struct subscriber *s, bool elements, bool on)
{
	work(s);
	if (elements)
		s->wants_elements = on;
	else
		s->wants_addresses = on;
	for (struct told_interface *i = s->interfaces; i; i = i->hh.next)
		for (struct told_domain *d = i->domains; d; d = d->next) {
			if (elements) {
				d->wants_elements &= on;
				memset(d->element, 0, sizeof(d->element));
			} else {
				d->wants_addresses &= on;
				d->count = 0;
			}
		}
	if (on)
		all_again(s);
	return 0;
}

static int configuration(struct subscriber *s, const struct mif_message *msg)
{
	struct mif_message m = {.type = MIF_NO_CONFIGURATION_DATA, .fd = -1};
	const struct pvd_item *items[PVD_ITEMS];
	enum pvd_source source;
	enum pvd_info info;
	struct domain of;
	unsigned n;

	if (!message_source(msg->element, &source) || !message_info(msg->information, &info))
		return -EINVAL;
	if (!subscriber_domain(s, msg, &of))
		return -ENOENT;
	n = pvd_items(of.known, source, info, items);
	if (subscriber_room(s) < n + !n)
		return -ENOBUFS;
	m.interface = of.ifindex;
	m.id = msg->id;
	m.element = msg->element;
	m.information = msg->information;
	m.implicit = of.implicit;
	snprintf(m.pvd, sizeof(m.pvd), "%s", of.id);
	if (!n)
		subscriber_put(s, &m);
	for (unsigned k = 0; k < n; k++) {
		m.type = MIF_CONFIGURATION_DATA;
		m.remaining = n - 1 - k;
		message_item(&m, of.known, items[k]);
		subscriber_put(s, &m);
	}
	return 0;
}

static int connect_to(struct subscriber *s, const struct mif_message *msg)
{
	struct domain of;

	if (!msg->pvd[0]) {
		s->pvd[0] = 0;
		return 0;
	}
	if (!domains_find(s->domains, msg->pvd, msg->interface, &of))
		return -ENOENT;
	memcpy(s->pvd, msg->pvd, sizeof(s->pvd));
	s->pvd[sizeof(s->pvd) - 1] = 0;
	s->pvd_interface = msg->interface;
	return 0;
}

int subscriber_post(struct subscriber *s, const struct mif_message *msg)
{
	switch (msg->type) {
	case MIF_ANNOUNCE_INTERFACES:
		return announce_interfaces(s, true);
	case MIF_STOP_ANNOUNCING_INTERFACES:
		return announce_interfaces(s, false);
	case MIF_ANNOUNCE_PVD:
		return announce_domains(s, msg, true);
	case MIF_STOP_ANNOUNCING_PVD:
		return announce_domains(s, msg, false);
	case MIF_ANNOUNCE_ELEMENT:
	case MIF_STOP_ANNOUNCING_ELEMENT:
		if (!msg->pvd[0])
			return announce_of_all(s, true, msg->type == MIF_ANNOUNCE_ELEMENT);
		return announce_of(s, msg, true, msg->type == MIF_ANNOUNCE_ELEMENT);
	case MIF_ANNOUNCE_ADDRESS:
	case MIF_STOP_ANNOUNCING_ADDRESS:
		if (!msg->pvd[0])
			return announce_of_all(s, false, msg->type == MIF_ANNOUNCE_ADDRESS);
		return announce_of(s, msg, false, msg->type == MIF_ANNOUNCE_ADDRESS);
	case MIF_GET_CONFIGURATION_DATA:
		return configuration(s, msg);
	case MIF_CONNECT_TO_PVD:
		return connect_to(s, msg);
	default:
		return -EINVAL;
	}
}
