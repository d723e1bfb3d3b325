/* SPDX-License-Identifier: MIT */
/*
 * What the listener must be told: the difference between the table and what it was told before, in
 * the MIF API's order. Pure. Whether an event or a dump changed the table makes no difference, nor
 * whether the kernel said anything about the addresses of an interface that was lost (for IPv4 it
 * says nothing).
 */
#ifndef MONITOR_EVENTS_H
#define MONITOR_EVENTS_H

#include "monitor/table.h"

/* Tell of all there is: every interface, then every address. Once, when the first dump is complete.
 */
void events_enumerate(struct iftable *t, mif_event_fn *fn, void *ctx);

/* A link changed: going away and its addresses, no interface, announcement, going up and its
 * addresses. */
void events_link(struct iftable *t, struct if_link *l, mif_event_fn *fn, void *ctx);

/* One address changed. */
void events_address(struct iftable *t, struct if_address *a, mif_event_fn *fn, void *ctx);

/* Anything may have changed (a dump is complete). */
void events_all(struct iftable *t, mif_event_fn *fn, void *ctx);

/* Interfaces whose routes changed since the last call, one event for each. */
void events_routes(struct iftable *t, mif_event_fn *fn, void *ctx);

/* A neighbour on the interface has not answered: told if it is a default router of one that can be
 * used. */
void events_unreached(struct iftable *t, int ifindex, sa_family_t family, const uint8_t ip[16],
                      mif_event_fn *fn, void *ctx);

#endif
