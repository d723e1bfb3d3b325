/* SPDX-License-Identifier: MIT */
#include "monitor/subscriber.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/announce.h"

/* --- the queue --- */

int subscriber_init(struct subscriber *s, const struct domains *d)
{
	memset(s, 0, sizeof(*s));
	s->domains = d;
	s->queue = calloc(SUBSCRIBER_QUEUE, sizeof(*s->queue));
	return s->queue ? 0 : -ENOMEM;
}

void subscriber_free(struct subscriber *s)
{
	told_free(&s->told);
	free(s->queue);
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

static struct mif_message *waiting(const struct subscriber *s, unsigned n)
{
	return &s->queue[(s->first + n) % SUBSCRIBER_QUEUE];
}

bool subscriber_take_back(struct subscriber *s, subscriber_match *match,
                          const struct mif_message *wanted, struct mif_message *out)
{
	unsigned n = 0;

	while (n < s->waiting && !match(waiting(s, n), wanted))
		n++;
	if (n == s->waiting)
		return false;
	*out = *waiting(s, n);
	for (s->waiting--; n < s->waiting; n++)
		*waiting(s, n) = *waiting(s, n + 1);
	return true;
}

void subscriber_compare(struct subscriber *s)
{
	while (s->told.dirty && announce_difference(s, s->told.dirty))
		;
}

bool subscriber_pending(struct subscriber *s)
{
	if (!s->waiting)
		subscriber_compare(s);
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

	if (ev->ifindex <= 0)
		return;
	i = told_note(&s->told, ev->ifindex);
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
		memcpy(i->name, ev->name, sizeof(i->name));
		i->told = announce_interface(s, i, MIF_INTERFACE);
	}
	announce_interface(s, i, away ? MIF_INTERFACE_IS_GOING_AWAY : MIF_INTERFACE_IS_GOING_UP);
	/* Not left to the comparison: if it is back by then, it is to be told anew. */
	if (away)
		announce_loss(s, i);
}

void subscriber_note(struct subscriber *s, int ifindex)
{
	told_note(&s->told, ifindex);
}
