/* SPDX-License-Identifier: MIT */
/*
 * Looks whether sessions that are in use still get anywhere, so that a path that is up and dead is
 * left although no event tells of it. Agent only; never blocks.
 *
 * A flow at rest costs nothing: no timer, no packet. The first bytes after a rest wake the agent
 * (flow_stir()), which looks at the kernel's counts until a second has passed without any. A flow
 * that has no other path is not looked at.
 */
#ifndef PRELOAD_PULSE_H
#define PRELOAD_PULSE_H

#include "preload/flow.h"
#include "preload/waits.h"

/* The flow is on another connection, or has another path now (`pulse`): begin anew. */
void pulse_begin(struct flow *f);

/* Is there another path it could go to? To be told when that may have changed. */
void pulse_wanted(struct flow *f, bool wanted);

/* True: the flow is silent, or its path is: to be decided upon. */
bool pulse_look(struct flow *f, int64_t now, struct waits *w);

/* Has something come back over the connection, or the path, since it was doubted? */
bool pulse_beats(struct flow *f);

/* What is known of an interface is of another network. */
void pulse_forget(int ifindex);

/* For how long nothing has come back over it; 0: something has. For how long it is left alone. */
int64_t pulse_silent(int ifindex);
int64_t pulse_resting(int ifindex);

/* An attempt over it was not answered, or a flow has left it because it was silent. */
void pulse_rests(int ifindex);

/* The relay has been asked over it at that time (clock_ms()) and has not answered; or has. */
void pulse_doubt(int ifindex, int64_t asked_ms);
void pulse_trust(int ifindex);

/* Has any path fallen silent since it was last asked? All flows on it are to be decided upon. */
bool pulse_news(void);

#endif
