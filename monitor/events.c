/* SPDX-License-Identifier: MIT */
#include "monitor/events.h"
#include "monitor/paths.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <string.h>

static bool visible(const struct if_link *l)
{
	return !l->mark.gone && !l->port && !(l->flags & IFF_LOOPBACK);
}

static const char *loss(const struct if_link *l)
{
	if (l->mark.gone)
		return "device removed";
	if (l->port)
		return "enslaved";
	if (!(l->flags & IFF_UP))
		return "admin down";
	if (l->operstate == IF_OPER_DORMANT)
		return "dormant";
	return "carrier lost";
}

static void tell_link(const struct if_link *l, enum mif_event_type type, const char *reason,
                      mif_event_fn *fn, void *ctx)
{
	struct mif_event ev;

	memset(&ev, 0, sizeof(ev));
	ev.type = type;
	ev.ifindex = l->ifindex;
	memcpy(ev.name, l->name, sizeof(ev.name));
	ev.reason = reason;
	fn(ctx, &ev);
}

static void tell_address(const struct if_link *l, const struct if_address *a,
                         enum mif_event_type type, const char *reason, mif_event_fn *fn, void *ctx)
{
	struct mif_event ev;

	memset(&ev, 0, sizeof(ev));
	ev.type = type;
	ev.ifindex = l->ifindex;
	memcpy(ev.name, l->name, sizeof(ev.name));
	ev.reason = reason;
	ev.address.family = a->key.family;
	ev.address.prefix_len = a->key.prefix_len;
	memcpy(ev.address.ip, a->key.ip, sizeof(ev.address.ip));
	ev.address.flags = a->flags;
	ev.address.valid_s = a->valid_s;
	ev.address.preferred_s = a->preferred_s;
	fn(ctx, &ev);
}

static void withdraw(const struct if_link *l, struct if_address *a, const char *reason,
                     mif_event_fn *fn, void *ctx)
{
	if (!a->announced)
		return;
	a->announced = false;
	tell_address(l, a, MIF_NO_ADDRESS_ANNOUNCEMENT, reason, fn, ctx);
}

static void announce(const struct if_link *l, struct if_address *a, const char *reason,
                     mif_event_fn *fn, void *ctx)
{
	if (a->announced)
		return;
	a->announced = true;
	a->was_unusable = false;
	tell_address(l, a, MIF_ADDRESS_ANNOUNCEMENT, reason, fn, ctx);
}

static void lose_link(struct iftable *t, struct if_link *l, mif_event_fn *fn, void *ctx)
{
	const char *why = loss(l);

	l->told_usable = false;
	tell_link(l, MIF_INTERFACE_GOING_AWAY, why, fn, ctx);
	for (struct if_address *a = iftable_addresses(t, l->ifindex); a; a = a->next)
		withdraw(l, a, why, fn, ctx);
}

static void gain_link(struct iftable *t, struct if_link *l, mif_event_fn *fn, void *ctx)
{
	l->told_usable = true;
	tell_link(l, MIF_INTERFACE_GOING_UP, "up with carrier", fn, ctx);
	for (struct if_address *a = iftable_addresses(t, l->ifindex); a; a = a->next)
		if (iftable_address_valid(a))
			announce(l, a, "interface usable", fn, ctx);
}

void events_link(struct iftable *t, struct if_link *l, mif_event_fn *fn, void *ctx)
{
	bool usable = visible(l) && iftable_link_usable(l);

	if (l->told_usable && !usable)
		lose_link(t, l, fn, ctx);
	if (l->announced && !visible(l)) {
		l->announced = false;
		tell_link(l, MIF_NO_INTERFACE_ANNOUNCEMENT, loss(l), fn, ctx);
	}
	if (visible(l) && (!l->announced || strcmp(l->told_name, l->name) != 0)) {
		/* The identifier stays, so a new name is the same interface announced again. */
		const char *why = l->announced ? "renamed" : "device added";

		l->announced = true;
		memcpy(l->told_name, l->name, sizeof(l->told_name));
		tell_link(l, MIF_INTERFACE_ANNOUNCEMENT, why, fn, ctx);
	}
	if (usable && !l->told_usable)
		gain_link(t, l, fn, ctx);
}

void events_address(struct iftable *t, struct if_address *a, mif_event_fn *fn, void *ctx)
{
	struct if_link *l = iftable_link_any(t, a->key.ifindex);
	bool valid = iftable_address_valid(a);

	if (!l)
		return;
	if (!valid) {
		const char *why = "address removed";

		if (!a->mark.gone) {
			why = a->flags & IFA_F_DADFAILED ? "duplicate address" : "being verified";
			a->was_unusable = true;
		}
		withdraw(l, a, why, fn, ctx);
	} else if (l->told_usable) {
		announce(l, a, a->was_unusable ? "address verified" : "address added", fn, ctx);
	}
}

void events_all(struct iftable *t, mif_event_fn *fn, void *ctx)
{
	struct if_link *l, *next_l;
	struct if_address *a, *next_a;

	HASH_ITER(hh, t->links, l, next_l)
	events_link(t, l, fn, ctx);
	HASH_ITER(hh, t->addresses, a, next_a)
	events_address(t, a, fn, ctx);
}

void events_enumerate(struct iftable *t, mif_event_fn *fn, void *ctx)
{
	struct if_link *l, *next_l;
	struct if_address *a, *next_a;

	HASH_ITER(hh, t->links, l, next_l)
	{
		l->routes_changed = false;
		if (!visible(l))
			continue;
		l->announced = true;
		memcpy(l->told_name, l->name, sizeof(l->told_name));
		l->told_usable = iftable_link_usable(l);
		tell_link(l, MIF_INTERFACE_ANNOUNCEMENT, "present", fn, ctx);
	}
	t->rejects_changed = false;
	HASH_ITER(hh, t->addresses, a, next_a)
	{
		l = iftable_link(t, a->key.ifindex);
		a->was_unusable = !iftable_address_valid(a);
		if (l && l->told_usable && iftable_address_valid(a))
			announce(l, a, "present", fn, ctx);
	}
}

void events_routes(struct iftable *t, mif_event_fn *fn, void *ctx)
{
	for (const struct if_belongings *b = t->touched; b; b = b->next_touched) {
		struct if_link *l = b->link;

		if (!l || !l->routes_changed)
			continue;
		l->routes_changed = false;
		if (l->announced)
			tell_link(l, MIF_ROUTES_CHANGED, "routes changed", fn, ctx);
	}
	if (t->rejects_changed) {
		const struct if_link none = {.ifindex = 0};

		t->rejects_changed = false;
		tell_link(&none, MIF_ROUTES_CHANGED, "routes changed", fn, ctx);
	}
}

void events_unreached(struct iftable *t, int ifindex, sa_family_t family, const uint8_t ip[16],
                      mif_event_fn *fn, void *ctx)
{
	const struct if_link *l = iftable_link(t, ifindex);
	struct mif_event ev;

	if (!l || !l->told_usable || !paths_router(t, ifindex, family, ip))
		return;
	memset(&ev, 0, sizeof(ev));
	ev.type = MIF_ROUTER_NOT_REACHED;
	ev.ifindex = ifindex;
	memcpy(ev.name, l->name, sizeof(ev.name));
	ev.reason = "no neighbour";
	ev.address.family = family;
	ev.address.prefix_len = family == AF_INET ? 32 : 128;
	memcpy(ev.address.ip, ip, sizeof(ev.address.ip));
	fn(ctx, &ev);
}

const char *mif_event_name(enum mif_event_type t)
{
	switch (t) {
	case MIF_INTERFACE_ANNOUNCEMENT:
		return "Interface Announcement";
	case MIF_NO_INTERFACE_ANNOUNCEMENT:
		return "No Interface Announcement";
	case MIF_ADDRESS_ANNOUNCEMENT:
		return "Address Announcement";
	case MIF_NO_ADDRESS_ANNOUNCEMENT:
		return "No Address Announcement";
	case MIF_INTERFACE_GOING_UP:
		return "Interface is going up";
	case MIF_INTERFACE_GOING_AWAY:
		return "Interface is going away";
	case MIF_ROUTES_CHANGED:
		return "Routes changed";
	case MIF_ROUTER_NOT_REACHED:
		return "Router is not reached";
	}
	return "unknown";
}
