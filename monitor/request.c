/* SPDX-License-Identifier: MIT */
/* What a subscriber posts. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "monitor/message.h"
#include "monitor/subscriber.h"

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
		if (l->announced)
			told_note(&s->told, l->ifindex);
}

/* What waits of announcements that are stopped: of this domain or interface, or of all. */
static bool stopped(const struct mif_message *waiting, const struct mif_message *stop)
{
	enum mif_type t = waiting->type;

	if ((stop->interface && waiting->interface != stop->interface) ||
	    (stop->pvd[0] && strcasecmp(waiting->pvd, stop->pvd) != 0))
		return false;
	switch (stop->type) {
	case MIF_STOP_ANNOUNCING_INTERFACES:
		return t == MIF_INTERFACE || t == MIF_NO_INTERFACE;
	case MIF_STOP_ANNOUNCING_PVD:
		return t == MIF_PVD || t == MIF_NO_PVD;
	case MIF_STOP_ANNOUNCING_ELEMENT:
		return t == MIF_ELEMENT || t == MIF_NO_ELEMENT;
	default:
		return t == MIF_ADDRESS || t == MIF_NO_ADDRESS;
	}
}

static void forget_waiting(struct subscriber *s, const struct mif_message *stop)
{
	struct mif_message unread;

	while (subscriber_take_back(s, stopped, stop, &unread))
		;
}

static int announce_interfaces(struct subscriber *s, const struct mif_message *msg, bool on)
{
	subscriber_compare(s);
	s->wants_interfaces = on;
	if (!on)
		forget_waiting(s, msg);
	for (struct told_interface *i = s->told.interfaces; i; i = i->hh.next)
		i->told = false;
	if (on)
		all_again(s);
	return 0;
}

static int announce_domains(struct subscriber *s, const struct mif_message *msg, bool on)
{
	subscriber_compare(s);
	if (msg->interface) {
		struct told_interface *i;

		if (!iftable_told(s->domains->table, msg->interface))
			return on ? -ENODEV : 0;
		i = told_note(&s->told, msg->interface);
		if (!i)
			return -ENOMEM;
		i->wants_domains = on;
		/* It goes on: all were asked for. */
		if (!on && s->wants_domains)
			return 0;
	} else {
		s->wants_domains = on;
		all_again(s);
	}
	if (!on)
		forget_waiting(s, msg);
	for (struct told_interface *i = s->told.interfaces; i; i = i->hh.next)
		for (struct told_domain *d = i->domains; d; d = d->next) {
			if (!msg->interface && !on)
				i->wants_domains = false;
			if (!msg->interface || msg->interface == i->ifindex)
				d->told = false;
		}
	if (!on && !msg->interface)
		for (struct told_interface *i = s->told.interfaces; i; i = i->hh.next)
			i->wants_domains = false;
	return 0;
}

/* Elements or addresses of one domain, which may be on several interfaces. */
static int announce_of(struct subscriber *s, const struct mif_message *msg, bool elements, bool on)
{
	bool all = elements ? s->wants_elements : s->wants_addresses;
	bool any = false, goes_on = all && !on; /* all were asked for */

	subscriber_compare(s);
	for (const struct if_link *l = s->domains->table->links; l; l = l->hh.next) {
		struct domain of;
		struct told_interface *i;
		struct told_domain *d;

		if (!l->announced || (msg->interface && msg->interface != l->ifindex) ||
		    !domains_find(s->domains, msg->pvd, l->ifindex, &of))
			continue;
		i = told_note(&s->told, l->ifindex);
		d = i ? told_open_domain(i, &of) : NULL;
		if (!d)
			return -ENOMEM;
		any = true;
		if (elements)
			d->wants_elements = on;
		else
			d->wants_addresses = on;
		if (goes_on)
			continue;
		if (elements)
			memset(d->element, 0, sizeof(d->element));
		else
			told_forget_addresses(d);
	}
	if (!on && !goes_on)
		forget_waiting(s, msg);
	return any || !on ? 0 : -ENOENT;
}

static int announce_of_all(struct subscriber *s, const struct mif_message *msg, bool elements,
                           bool on)
{
	subscriber_compare(s);
	if (!on)
		forget_waiting(s, msg);
	if (elements)
		s->wants_elements = on;
	else
		s->wants_addresses = on;
	for (struct told_interface *i = s->told.interfaces; i; i = i->hh.next)
		for (struct told_domain *d = i->domains; d; d = d->next) {
			if (elements) {
				d->wants_elements &= on;
				memset(d->element, 0, sizeof(d->element));
			} else {
				d->wants_addresses &= on;
				told_forget_addresses(d);
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
		return announce_interfaces(s, msg, true);
	case MIF_STOP_ANNOUNCING_INTERFACES:
		return announce_interfaces(s, msg, false);
	case MIF_ANNOUNCE_PVD:
		return announce_domains(s, msg, true);
	case MIF_STOP_ANNOUNCING_PVD:
		return announce_domains(s, msg, false);
	case MIF_ANNOUNCE_ELEMENT:
	case MIF_STOP_ANNOUNCING_ELEMENT:
		if (!msg->pvd[0])
			return announce_of_all(s, msg, true, msg->type == MIF_ANNOUNCE_ELEMENT);
		return announce_of(s, msg, true, msg->type == MIF_ANNOUNCE_ELEMENT);
	case MIF_ANNOUNCE_ADDRESS:
	case MIF_STOP_ANNOUNCING_ADDRESS:
		if (!msg->pvd[0])
			return announce_of_all(s, msg, false, msg->type == MIF_ANNOUNCE_ADDRESS);
		return announce_of(s, msg, false, msg->type == MIF_ANNOUNCE_ADDRESS);
	case MIF_GET_CONFIGURATION_DATA:
		return configuration(s, msg);
	case MIF_CONNECT_TO_PVD:
		return connect_to(s, msg);
	default:
		return -EINVAL;
	}
}
