/* SPDX-License-Identifier: MIT */
/*
 * One subscriber of the MIF API: which announcements it has asked for, what it has been told, and
 * the messages that wait for it. Sans-I/O.
 *
 * Nothing is queued that can be worked out again: what is told is the difference between what there
 * is and what the subscriber was told, taken when there is room for it. One that does not read
 * loses no state and costs no memory; things that come and go meanwhile it never hears of.
 */
#ifndef MONITOR_SUBSCRIBER_H
#define MONITOR_SUBSCRIBER_H

#include "monitor/domains.h"
#include "monitor/mif.h"
#include "monitor/told.h"

#define SUBSCRIBER_QUEUE 256 /* messages waiting */

struct subscriber {
	const struct domains *domains;
	struct told told;
	bool wants_interfaces;
	bool wants_domains, wants_elements, wants_addresses; /* of any, now and later */
	char pvd[MIF_NAME];                                  /* connected to; "": none */
	int pvd_interface;
	struct mif_message *queue; /* a ring */
	unsigned first, waiting;
};

int subscriber_init(struct subscriber *s, const struct domains *d);
void subscriber_free(struct subscriber *s);

/*
 * A message about announcements or configuration data, or Connect to PvD. 0; -ENODEV, -ENOENT: no
 * such interface, domain; -ENOBUFS: messages are to be read first; -EINVAL: not one of these.
 */
int subscriber_post(struct subscriber *s, const struct mif_message *msg);

/* The monitor's events, as they come; and that a domain of the interface may have changed. */
void subscriber_event(struct subscriber *s, const struct mif_event *ev);
void subscriber_note(struct subscriber *s, int ifindex);

/* A message from elsewhere (names, connections). False: no room. */
bool subscriber_put(struct subscriber *s, const struct mif_message *msg);

/* The first message waiting that matches is given out of its turn, and is not told. False: none
 * does (any more). */
typedef bool subscriber_match(const struct mif_message *waiting, const struct mif_message *wanted);
bool subscriber_take_back(struct subscriber *s, subscriber_match *match,
                          const struct mif_message *wanted, struct mif_message *out);

/* How many more subscriber_put() takes. */
unsigned subscriber_room(const struct subscriber *s);

/* Works out what is to be told, as far as there is room for it. */
void subscriber_compare(struct subscriber *s);

/* Is something to be told? And the next message, true; false: none. */
bool subscriber_pending(struct subscriber *s);
bool subscriber_get(struct subscriber *s, struct mif_message *out);

/*
 * The domain a message is about: of its `pvd` and `interface`, or the one connected to. False:
 * there is no such domain (any more).
 */
bool subscriber_domain(const struct subscriber *s, const struct mif_message *msg,
                       struct domain *out);

#endif
