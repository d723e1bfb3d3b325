/* SPDX-License-Identifier: MIT */
/*
 * Carrying a flow's bytes between a local pair and its session, for descriptors that the hooks do
 * not have to themselves: stdio writes inside libc, other processes hold the same open file, the
 * kernel writes by itself (io_uring, kernel TLS).
 *
 * One end of a loopback TCP pair goes onto the program's descriptors, for good; the agent moves
 * bytes between the other end and the session's connection. From then on nothing has to be counted,
 * nudged or exchanged in any process: a handover is the agent's alone. It costs two more copies and
 * a thread switch, so only flows that need it are carried this way. Agent only, but for the
 * asking.
 */
#ifndef PRELOAD_PUMP_H
#define PRELOAD_PUMP_H

#include <stdbool.h>

#include "preload/flow.h"
#include "preload/splice.h"
#include "preload/waits.h"

/* How long a call waits for it, no longer than a lost path may take anyway; a millisecond as a
 * rule.
 */
#define PUMP_MS 1500

/*
 * Asks the agent to carry the flow and waits for it, `ms` at most. True: the descriptors hold the
 * pair now. False: not (yet); the wish stands, and is granted when the flow has a path.
 * Async-signal- safe; keeps errno.
 */
bool pump_ask(struct flow *f, int ms);

/* The same for every flow that a program executed now would have a descriptor of, for PUMP_MS. */
void pumps_ask_inherited(void);

/* One look at a flow that is asked for, or on its way: begins, goes on. */
void pump_begin(struct flow *f, struct waits *w);

/*
 * Has the flow's wish been granted (1), is it still to be (0), or can it not be (-1)?
 */
int pump_state(const struct flow *f);

/*
 * In the turn in which that was granted: the program's end of the pair, duplicated for a relative.
 * The program may have closed its own at that very moment. Else, or if there is no descriptor left,
 * negative.
 */
int pump_spare(const struct flow *f);

/*
 * A flow whose connection nobody here has any more (the program closed it; a relative has it):
 * `fd`, the connection, becomes the agent's in any case, and the result is the relative's end of a
 * pair. Negative errno: it stays as it is.
 */
int pump_adopt(struct flow *f, int fd);

/*
 * A pair by which the agent carries bytes to and from the program: `app` is for its descriptor,
 * `far` is non-blocking, and whoever has `app` sees an error should this process be killed. Both
 * are own descriptors. Negative errno: there is none.
 */
int pump_pair(struct flow *f, int *app, int *far);

/* The connection the flow has now: the pump's, or the program's own descriptor. -1: none. */
int pump_connection(const struct flow *f);

void pump_counts(struct flow *f, struct stream_counts *c);

/* The handover's steps: from COMMIT on neither connection is touched; the old one is taken out; the
 * new one is put in, with everything in the ring sent. */
void pump_pause(struct flow *f);
void pump_resume(struct flow *f);
int pump_take(struct flow *f);
void pump_put(struct flow *f, int fd, uint64_t read);

/* Has the program written what has not reached the relay's kernel? For the program's threads. */
bool pump_owes(const struct flow *f);

/* The program's ends fail with ECONNRESET from now on. */
void pump_reset(struct flow *f);

/* Closes what the pump has. */
void pump_free(struct flow *f);

void pumps_wait(struct waits *w);
void pumps_step(void);

/* In a forked child: nothing is carried here. */
void pumps_forget(void);

#endif
