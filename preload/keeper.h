/* SPDX-License-Identifier: MIT */
/*
 * When the owner of flows ends or becomes another program while relatives (kin.h) go on with them,
 * a process is left behind to look after them: the keeper, a fork of the owner with nothing but the
 * library's own descriptors, which is the agent and nothing else, and ends with the last flow. It
 * is nobody's child, has a session (setsid) of its own, and handles no signal.
 */
#ifndef PRELOAD_KEEPER_H
#define PRELOAD_KEEPER_H

#include <stdbool.h>

/* Is there a flow that may go on without this process? */
bool keeper_needed(void);

/* Any flow of ours that an exec would end or pass on? */
bool keeper_has_flows(void);

/*
 * At the end of the process, with the agent running or parked: makes the keeper, which takes effect
 * when this process is gone. False: it could not be made.
 */
bool keeper_leave(void);

/*
 * Before an exec: parks the agent and makes a keeper that waits for the exec to succeed. The token
 * goes to keeper_stay() if it does not; -1: there is none (then the agent runs on).
 */
int keeper_before_exec(void);

/* The exec failed: the keeper goes, the agent comes back. Keeps errno. */
void keeper_stay(int token);

#endif
