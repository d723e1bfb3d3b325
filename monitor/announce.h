/* SPDX-License-Identifier: MIT */
/*
 * The difference between what there is and what a subscriber was told, as messages to it. Pure.
 *
 * What there is no room for now is found again by the next comparison: each of these returns true
 * only when the subscriber will have it all.
 */
#ifndef MONITOR_ANNOUNCE_H
#define MONITOR_ANNOUNCE_H

#include "monitor/subscriber.h"

/* A message about the interface. */
bool announce_interface(struct subscriber *s, const struct told_interface *i, enum mif_type type);

/* All that was told of the interface's domains is withdrawn. */
bool announce_loss(struct subscriber *s, struct told_interface *i);

/* The difference for one interface; one that is gone is closed. False also if there is no memory.
 */
bool announce_difference(struct subscriber *s, struct told_interface *i);

#endif
