/* SPDX-License-Identifier: MIT */
/* Listens to a monitor as a program would that believes the MIF API: every event must fit the ones
 * before it. */
#ifndef TESTS_FUZZ_LISTENER_H
#define TESTS_FUZZ_LISTENER_H

#include "monitor/table.h"
#include "tests/fuzz/input.h"

#define HEARD 256

struct heard_link {
	int ifindex;
	bool usable;
	bool unsaid; /* the enumeration names interfaces, usable or not; what follows tells */
	char name[IFNAMSIZ];
};

/* The kernel may have an address several times, with different peers: the listener counts. */
struct heard_address {
	int ifindex, times;
	struct mif_address a;
};

struct listener {
	struct heard_link link[HEARD];
	struct heard_address address[HEARD];
	int links, addresses;
	bool full; /* lost count: nothing more is judged */
};

static inline struct heard_link *heard_link(struct listener *l, int ifindex)
{
	for (int i = 0; i < l->links; i++)
		if (l->link[i].ifindex == ifindex)
			return &l->link[i];
	return NULL;
}

static inline struct heard_address *heard_address(struct listener *l, const struct mif_event *ev)
{
	for (int i = 0; i < l->addresses; i++) {
		const struct heard_address *h = &l->address[i];

		if (h->ifindex == ev->ifindex && h->a.family == ev->address.family &&
		    h->a.prefix_len == ev->address.prefix_len &&
		    memcmp(h->a.ip, ev->address.ip, sizeof(h->a.ip)) == 0)
			return &l->address[i];
	}
	return NULL;
}

static inline bool has_addresses(const struct listener *l, int ifindex)
{
	for (int i = 0; i < l->addresses; i++)
		if (l->address[i].ifindex == ifindex)
			return true;
	return false;
}

static inline void hear_address(struct listener *l, const struct mif_event *ev)
{
	struct heard_link *known = heard_link(l, ev->ifindex);
	struct heard_address *a = heard_address(l, ev);

	must(known != NULL, "an address of an interface that was never announced");
	must(ev->address.family == AF_INET || ev->address.family == AF_INET6,
	     "an address of no family");
	if (ev->type == MIF_ADDRESS_ANNOUNCEMENT) {
		must(known->usable || known->unsaid, "an address of an interface that is not up");
		known->usable = true;
		known->unsaid = false;
		if (a) {
			a->times++;
		} else if (l->addresses < HEARD) {
			l->address[l->addresses++] =
			    (struct heard_address){ev->ifindex, 1, ev->address};
		} else {
			l->full = true;
		}
		return;
	}
	must(a != NULL, "No Address for what was never announced");
	if (--a->times == 0)
		*a = l->address[--l->addresses];
}

static inline void hear(void *ctx, const struct mif_event *ev)
{
	struct listener *l = ctx;
	struct heard_link *known = heard_link(l, ev->ifindex);

	must(ev->reason && *ev->reason, "an event without a reason");
	must(memchr(ev->name, 0, sizeof(ev->name)) != NULL, "a name without an end");
	if (l->full)
		return;
	switch (ev->type) {
	case MIF_INTERFACE_ANNOUNCEMENT:
		must(!known || strcmp(known->name, ev->name) != 0, "announced twice");
		if (!known && l->links == HEARD) {
			l->full = true;
			return;
		}
		if (!known) {
			known = &l->link[l->links++];
			*known = (struct heard_link){.ifindex = ev->ifindex,
			                             .unsaid = strcmp(ev->reason, "present") == 0};
		}
		memcpy(known->name, ev->name, sizeof(known->name));
		break;
	case MIF_NO_INTERFACE_ANNOUNCEMENT:
		must(known != NULL, "No Interface for what was never announced");
		must(!known->usable, "No Interface without Going Away");
		must(!has_addresses(l, ev->ifindex), "No Interface before No Address");
		*known = l->link[--l->links];
		break;
	case MIF_INTERFACE_GOING_UP:
		must(known && !known->usable, "Going Up twice, or of nothing");
		known->usable = true;
		known->unsaid = false;
		break;
	case MIF_INTERFACE_GOING_AWAY:
		must(known && (known->usable || known->unsaid), "Going Away twice, or of nothing");
		known->usable = known->unsaid = false;
		break;
	case MIF_ADDRESS_ANNOUNCEMENT:
	case MIF_NO_ADDRESS_ANNOUNCEMENT:
		hear_address(l, ev);
		break;
	case MIF_ROUTES_CHANGED:
		must(known || !ev->ifindex, "routes of an interface that was never announced");
		break;
	case MIF_ROUTER_NOT_REACHED:
		must(known && known->usable, "a router of an interface that is none");
		break;
	}
}

#endif
