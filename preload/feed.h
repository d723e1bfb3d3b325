/* SPDX-License-Identifier: MIT */
/*
 * The rest of an answer whose frame is not the one that the program is in the middle of: it comes
 * in chunks of its own, or as a part of known length where chunks are expected (http/frame.h).
 *
 * One end of a loopback TCP pair is on the program's descriptor; the agent reads the body from the
 * server and writes it to the other end as the program expects it. For hooks and handovers the pair
 * is a connection like any: it is counted, parked and left for another one in the same way. No
 * request that the program writes on it goes anywhere: once the answer is over the first one, or a
 * second's rest, has the flow dialled anew, as if its path were lost. Agent only.
 */
#ifndef PRELOAD_FEED_H
#define PRELOAD_FEED_H

#include <stdbool.h>

#include "http/frame.h"
#include "preload/flow.h"
#include "preload/waits.h"

/* A pair for the program: `app` is for its descriptor. Negative errno: there is none. */
int feed_pair(struct flow *f, int *app, int *far);

/*
 * `app` is on the flow's descriptor. From now on `server` is read, and is the feed's, as `far` is:
 * `skip` bytes of the body are thrown away first. False: too many; both stay the caller's.
 */
bool feed_begin(struct flow *f, int server, int far, const struct http_source *from,
                const struct http_frame *to, uint64_t skip);

/* Is there room for another? */
bool feed_room(void);

/* The flow is on something else now, or over: what the feed has is closed. */
void feed_end(struct flow *f);

/* The connection to the server. -1: it is not needed any more. */
int feed_server(const struct flow *f);

/* Has all of the answer been written to the program? */
bool feed_over(const struct flow *f);

/* The pair is about to be left: what the program did not ask for does not go along. */
void feed_leave(struct flow *f, int app);

void feeds_wait(struct waits *w);
void feeds_step(void);

/* In a forked child. */
void feeds_forget(void);

#endif
