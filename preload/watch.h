/* SPDX-License-Identifier: MIT */
/* Looks at every flow when something happened, and acts on the decision. Agent only. */
#ifndef PRELOAD_WATCH_H
#define PRELOAD_WATCH_H

#include <stdbool.h>

#include "preload/waits.h"

/*
 * The machine has slept: every session goes on over a new connection, for what became of the old
 * one nobody knows. Plain connections are left to TCP.
 */
void flows_slept(void);

/*
 * One turn over all flows: dials asked for by hooks, path errors they met, confirmations wanted,
 * closed flows; and, if `network` (a MIF event, a new policy), the decision for each. Time limits
 * go into `w`.
 */
void watch_flows(bool network, struct waits *w);

/* True while any flow may need the agent. */
bool watch_busy(void);

#endif
