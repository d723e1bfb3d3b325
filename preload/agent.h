/* SPDX-License-Identifier: MIT */
/*
 * The background thread: it listens to the monitor, moves flows, talks to relays.
 *
 * It starts at the first flow that can need it, never at load. It can be parked: stopped, with all
 * it knows kept, and started again from another thread. glibc aborts a process whose threads
 * disagree about set*id, and unshare(CLONE_NEWUSER) and setns() refuse a process with threads, so
 * these calls are made while it is parked.
 */
#ifndef PRELOAD_AGENT_H
#define PRELOAD_AGENT_H

#include <stdbool.h>

struct mif_monitor;

/* Starts the agent if it does not run. False: it cannot (no memory, no threads, no netlink): flows
 * stay uncovered. */
bool agent_ensure(void);

/* Tells it that a flow wants something. Async-signal-safe. */
void agent_kick(void);

/* Is the calling thread it? */
bool agent_here(void);

bool agent_running(void);

/* The same, or it is parked and will run again: an error on a flow can wait for it. */
bool agent_there(void);

/*
 * Stops the thread and waits for it; no effect when it does not run, or when called by itself.
 * agent_unpark() undoes the innermost park and starts it again, from the calling thread, if it ran.
 */
void agent_park(void);
void agent_unpark(void);

/*
 * The main thread is about to end while others go on. A process ends with its last thread, and that
 * must not be the agent, which never ends by itself: from now on it looks whether it is alone.
 */
void agent_leader_ends(void);

/* In a forked child: there is no agent here, and its descriptors are closed by the caller. */
void agent_forget(void);

/* In a child that takes over the flows: parked as in the parent, but no lock is held. */
void agent_succeeded(void);

/*
 * The agent's work done by the calling thread, which nothing else is left for: one turn, sleeping
 * at most `ms`. False: there is no flow any more (the relays have been told).
 */
bool agent_keep(int ms);

/* For the agent's own modules; NULL where netlink is forbidden. */
struct mif_monitor *agent_monitor(void);

#endif
