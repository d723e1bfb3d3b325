/* SPDX-License-Identifier: MIT */
/* What a client makes of the service's records, see monitor/shared.h. */
#include "monitor/shared.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/parse.h"
#include "monitor/shared_item.h"

/* --- items --- */

static bool number(const struct nlattr *a, size_t size, uint64_t *out)
{
	if (!a || mnl_attr_get_payload_len(a) != size)
		return false;
	*out = 0;
	memcpy(out, mnl_attr_get_payload(a), size); /* little-endian machines only, as all of it */
	return true;
}

static bool bytes(const struct nlattr *a, uint8_t out[16])
{
	if (!a || mnl_attr_get_payload_len(a) != 16)
		return false;
	memcpy(out, mnl_attr_get_payload(a), 16);
	return true;
}

static bool text(const struct nlattr *a, char *out, size_t size)
{
	size_t n;

	if (!a)
		return false;
	n = strnlen(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
	if (n >= size)
		return false;
	memcpy(out, mnl_attr_get_payload(a), n);
	return true;
}

struct heard_item {
	struct pvd_key of;
	enum pvd_source source;
	struct pvd_item item;
};

/* Zeros where nothing is said: items are compared as bytes. */
static bool item(const struct nlmsghdr *h, struct heard_item *out)
{
	const struct nlattr *a[ITEM_ATTRIBUTES] = {NULL}, *at = mnl_nlmsg_get_payload(h);
	int left = (int)mnl_nlmsg_get_payload_len(h);
	uint64_t ifindex, source, info, until, n, port, family, prefix;

	memset(out, 0, sizeof(*out));
	for (; mnl_attr_ok(at, left); at = mnl_attr_next(at)) {
		if (mnl_attr_get_type(at) < ITEM_ATTRIBUTES)
			a[mnl_attr_get_type(at)] = at;
		left -= (int)MNL_ALIGN(mnl_attr_get_len(at));
	}
	if (!number(a[ITEM_IFINDEX], 4, &ifindex) || !number(a[ITEM_SOURCE], 4, &source) ||
	    !number(a[ITEM_INFO], 4, &info) || !number(a[ITEM_UNTIL], 8, &until) ||
	    !number(a[ITEM_NUMBER], 4, &n) || !number(a[ITEM_PORT], 4, &port) ||
	    !number(a[ITEM_FAMILY], 1, &family) || !number(a[ITEM_PREFIX], 1, &prefix) ||
	    !bytes(a[ITEM_IP], out->item.ip) || !bytes(a[ITEM_ORIGIN], out->item.origin) ||
	    !text(a[ITEM_DOMAIN], out->of.name, sizeof(out->of.name)) ||
	    !text(a[ITEM_TEXT], out->item.text, sizeof(out->item.text)))
		return false;
	if (!ifindex || ifindex > INT32_MAX || source >= PVD_SOURCES || info >= PVD_INFOS ||
	    prefix > (family == AF_INET ? 32u : 128u) || port > UINT16_MAX)
		return false;
	out->of.ifindex = (int)ifindex;
	out->source = (enum pvd_source)source;
	out->item.info = (enum pvd_info)info;
	out->item.until = (int64_t)until;
	out->item.number = (uint32_t)n;
	out->item.port = (uint16_t)port;
	out->item.family = (uint8_t)family;
	out->item.prefix_len = (uint8_t)prefix;
	return true;
}

/*
 * The service has heard this router, so what the kernel said of it is old: some of it may be of
 * another domain, for the kernel does not pass on the name.
 */
static void supersede(struct shared *s, int ifindex, const uint8_t origin[16], int64_t now)
{
	const struct pvd *d = pvd_find(s->domains, ifindex, "");
	struct pvd_item keep[PVD_ITEMS];
	unsigned n = 0, all = 0;

	for (unsigned i = 0; d && i < d->count && n < PVD_ITEMS; i++) {
		const struct pvd_entry *e = &d->entries[i];

		if (e->feeder != PVD_BY_USEROPT || e->source != PVD_RA)
			continue;
		all++;
		if (memcmp(e->item.origin, origin, sizeof(e->item.origin)) != 0)
			keep[n++] = e->item;
	}
	if (n < all)
		pvd_replace(s->domains, ifindex, "", PVD_BY_USEROPT, PVD_RA, keep, n, now);
}

static void put_item(struct shared *s, const struct heard_item *i, int64_t now)
{
	pvd_put(s->domains, i->of.ifindex, i->of.name, PVD_BY_SERVICE, i->source, &i->item, now);
	if (i->source == PVD_RA)
		supersede(s, i->of.ifindex, i->item.origin, now);
}

static void keep_item(struct shared *s, const struct heard_item *i)
{
	if (s->count == s->room && s->room < SHARED_ITEMS) {
		unsigned room = s->room ? 2 * s->room : 16;
		struct heard_item *more = realloc(s->loaded, room * sizeof(*more));

		if (!more)
			return;
		s->loaded = more;
		s->room = room;
	}
	if (s->count < s->room)
		s->loaded[s->count++] = *i;
}

static void take_item(struct shared *s, const struct nlmsghdr *h, int64_t now)
{
	struct heard_item i;

	if (!item(h, &i))
		return;
	if (s->state == SHARED_LOADING) {
		keep_item(s, &i);
		return;
	}
	if (h->nlmsg_type == SHARED_DEL_ITEM)
		i.item.until = now;
	put_item(s, &i, now);
}

/* But for how long it holds. */
static bool same(const struct pvd_item *a, const struct pvd_item *b)
{
	const size_t from = offsetof(struct pvd_item, info);

	return memcmp((const char *)a + from, (const char *)b + from,
	              offsetof(struct pvd_item, text) - from) == 0 &&
	       strcmp(a->text, b->text) == 0;
}

static bool is_loaded(const struct shared *s, const struct pvd_key *of, const struct pvd_entry *e)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct heard_item *h = &s->loaded[i];

		if (h->source == e->source && memcmp(&h->of, of, sizeof(*of)) == 0 &&
		    same(&h->item, &e->item))
			return true;
	}
	return false;
}

/* What the service has told is all it has: the rest of what it ever told is no more. */
static void loaded(struct shared *s, int64_t now)
{
	struct heard_item old = {.item.until = 0};
	bool more = true;

	for (unsigned i = 0; i < s->count; i++)
		put_item(s, &s->loaded[i], now);
	/* One at a time: the table closes a domain with its last item. */
	while (more) {
		more = false;
		for (const struct pvd *d = s->domains->all; d && !more; d = d->hh.next)
			for (unsigned i = 0; i < d->count && !more; i++) {
				const struct pvd_entry *e = &d->entries[i];

				if (e->feeder != PVD_BY_SERVICE || is_loaded(s, &d->key, e))
					continue;
				old = (struct heard_item){d->key, e->source, e->item};
				more = true;
			}
		if (more) {
			old.item.until = now;
			pvd_put(s->domains, old.of.ifindex, old.of.name, PVD_BY_SERVICE, old.source,
			        &old.item, now);
		}
	}
	free(s->loaded);
	s->loaded = NULL;
	s->count = s->room = 0;
}

/* --- the connection --- */

/* Lifetimes count from when the service heard of them. */
static int64_t told(const struct nlmsghdr *h, int64_t now)
{
	const struct nlattr *a;
	int left = (int)mnl_nlmsg_get_payload_len(h) - (int)MNL_ALIGN(sizeof(struct ifaddrmsg));
	uint64_t at;

	for (a = mnl_nlmsg_get_payload_offset(h, sizeof(struct ifaddrmsg)); mnl_attr_ok(a, left);
	     a = mnl_attr_next(a)) {
		if (mnl_attr_get_type(a) == SHARED_TOLD && number(a, 8, &at) && at <= (uint64_t)now)
			return (int64_t)at;
		left -= (int)MNL_ALIGN(mnl_attr_get_len(a));
	}
	return now;
}

static int greet(struct shared *s, const struct nlmsghdr *h)
{
	uint32_t version;
	uint64_t network;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(version) + sizeof(network))
		return -EPROTO;
	memcpy(&version, h + 1, sizeof(version));
	memcpy(&network, (const char *)(h + 1) + sizeof(version), sizeof(network));
	if (version != SHARED_VERSION)
		return -EPROTO;
	if (network != s->network)
		return -EXDEV;
	s->state = SHARED_GREETED;
	return 0;
}

static int load(struct shared *s)
{
	if (s->state == SHARED_NEW)
		return -EPROTO;
	s->count = 0;
	mirror_feed(s->mirror);
	s->state = SHARED_LOADING;
	return 0;
}

static int one(struct shared *s, const struct nlmsghdr *h, int64_t now)
{
	struct shared_check found;

	switch (h->nlmsg_type) {
	case SHARED_HELLO:
		return s->state == SHARED_NEW ? greet(s, h) : -EPROTO;
	case SHARED_BEGIN:
		return load(s);
	case SHARED_END:
		if (s->state != SHARED_LOADING)
			return -EPROTO;
		mirror_fed(s->mirror);
		loaded(s, now);
		s->state = SHARED_LIVE;
		return 0;
	case SHARED_ANSWER:
		s->answers++;
		return 0;
	case SHARED_CHECK:
		if (!shared_checked(h, h->nlmsg_len, &found))
			return 0;
		if (s->checked)
			s->checked(s->checked_ctx, &found);
		else if (s->earlies < SHARED_EARLY)
			s->early[s->earlies++] = found;
		return 0;
	case SHARED_NEW_ITEM:
	case SHARED_DEL_ITEM:
		if (s->state < SHARED_LOADING)
			return -EPROTO;
		take_item(s, h, now);
		return 0;
	default:
		if (s->state < SHARED_LOADING)
			return -EPROTO;
		mirror_feed_one(s->mirror, h, h->nlmsg_type == RTM_NEWADDR ? told(h, now) : now);
		return 0;
	}
}

int shared_receive(struct shared *s, const void *record, size_t len, int64_t now)
{
	const struct nlmsghdr *h = record;
	int left = len > SHARED_RECORD ? SHARED_RECORD : (int)len, r = 0;

	for (; r == 0 && rtparse_whole(h, left); h = mnl_nlmsg_next(h, &left))
		r = one(s, h, now);
	return r == 0 && left > 0 ? -EPROTO : r;
}

void shared_lost(struct shared *s, int64_t now)
{
	if (s->state >= SHARED_LOADING) {
		const struct pvd *d, *next;

		for (d = s->domains->all; d; d = next) {
			next = d->hh.next;
			if (*d->key.name)
				continue;
			for (unsigned i = 0; i < d->count; i++) {
				struct pvd_item item = d->entries[i].item;

				if (d->entries[i].feeder == PVD_BY_SERVICE &&
				    d->entries[i].source == PVD_RA)
					pvd_put(s->domains, d->key.ifindex, "", PVD_BY_USEROPT,
					        PVD_RA, &item, now);
			}
		}
		pvd_withdraw(s->domains, 0, NULL, PVD_BY_SERVICE);
		mirror_unfeed(s->mirror);
	}
	shared_free(s);
	s->state = SHARED_NEW;
	s->answers = 0;
}

void shared_free(struct shared *s)
{
	free(s->loaded);
	s->loaded = NULL;
	s->count = s->room = 0;
}
