/* SPDX-License-Identifier: MIT */
/*
 * `resolve = path` for flows that are dialled again: what their peer's name means in the network
 * they go to. Agent only. Answers are kept for a minute, and as long as the interface stays as it
 * is.
 */
#ifndef PRELOAD_THERE_H
#define PRELOAD_THERE_H

#include <stdbool.h>

#include "monitor/monitor.h"
#include "preload/flow.h"
#include "preload/places.h"
#include "preload/waits.h"

/* Has the flow to wait for an answer from the network of this path before it is dialled there? Asks
 * if nobody has; waits a second and a half at most. */
bool there_wait(const struct flow *f, const struct mif_path *path, struct waits *w);

/* Where the peer is by the answers there are: each good by its own interface alone. */
void there_places(const struct flow *f, struct places *p);

/* The interface is in another network, perhaps. */
void there_forget(int ifindex);

#endif
