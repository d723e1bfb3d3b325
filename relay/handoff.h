/* SPDX-License-Identifier: MIT */
/*
 * A relay that is replaced by a new process, for an upgrade, hands it everything over a UNIX socket
 * in the state directory: listeners, associations, sessions with their bytes and descriptors. The
 * old process goes on as if nothing had happened unless the new one has said that it has
 * everything.
 */
#ifndef RELAY_HANDOFF_H
#define RELAY_HANDOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/relay.h"

/* Offers the sessions to whoever comes with our own uid. Without a place for the socket there is no
 * handing over. */
void handoff_offer(void);

/* Somebody is at the door. */
void handoff_event(void);

/* A successor waits: nothing new is begun. */
bool handoff_pending(void);

/* After each round. True: all was handed over; leave without a word. */
bool handoff_step(int64_t now);

/*
 * Takes over from the process that holds the state directory: 1: done, listeners and all; 0: there
 * is none; -1: it failed (after a message), and the other process goes on.
 */
int handoff_take(void);

#endif
