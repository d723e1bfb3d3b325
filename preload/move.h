/* SPDX-License-Identifier: MIT */
/*
 * A flow under way: the dial of a new session, the resume of one over another path, the re-dial of
 * a plain connection. Agent only; never blocks.
 *
 *   racing     one or two connections are being made and asked (OPEN, RESUME, or only connect)
 *   parking    one has answered; the placeholder is on, threads are leaving the old socket
 *   opening    a plain connection that begins with a greeting or a login begins so
 *   skipping   COMMIT is out; what the program had read meanwhile is thrown away
 *   replaying  the new socket is on the descriptor; what the peer lacks of ours is sent again
 */
#ifndef PRELOAD_MOVE_H
#define PRELOAD_MOVE_H

#include <stdbool.h>

#include "monitor/monitor.h"
#include "preload/flow.h"
#include "preload/waits.h"

struct move;

/*
 * Begins the dial of a session the program asked for with connect(). False: too much is under way;
 * come again.
 */
bool move_open(struct flow *f);

/*
 * Begins a handover to the first of `paths`, the others in reserve. `gentle`: the old connection
 * works (make-before-break); `urgent`: it does, as far as is known, but is silent: it is left for
 * whatever answers, unless it speaks before. False: nothing was begun (too many at once; try again
 * later).
 */
bool move_to(struct flow *f, const struct mif_path *paths, int n, bool gentle, bool urgent);

/* So many are under way that none can be begun until one has ended. */
bool moves_full(void);

/* Gives up what can still be given up; after COMMIT the flow stays parked and is resumed anew. */
void move_abandon(struct flow *f, const char *why);

/* Abandons moves whose path is no longer usable. */
void moves_review(void);

void moves_wait(struct waits *w);
void moves_step(struct waits *w);

/* Is a handover under way that has not left the old connection yet? */
bool move_racing(const struct flow *f);

/* The old connection of a make-before-break has failed meanwhile: there is no way back to it. */
void move_old_lost(struct flow *f);

/* The least count that an attempt under way has named: nothing above it may be confirmed.
 * UINT64_MAX: none. */
uint64_t move_floor(const struct flow *f);

/* In a forked child. */
void moves_forget(void);

#endif
