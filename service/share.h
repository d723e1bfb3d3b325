/* SPDX-License-Identifier: MIT */
/*
 * The socket of the clients (monitor/shared.h). Nobody is waited for, and nobody has a queue of his
 * own: what has changed stands in one journal for all, and a client is a place in it. Who has
 * fallen out of it, because he does not read, is told all there is when he does.
 */
#ifndef SERVICE_SHARE_H
#define SERVICE_SHARE_H

#include "monitor/monitor.h"

/* Listens at `path`, or on `fd` if that is not negative. 0 or negative errno. */
int share_start(const char *path, int fd, struct mif_monitor *m);

/* Tells what has changed, if it is time; and what clients can take. */
void share_step(int64_t now);

/* When share_step() is to be called without input; -1: when something happens. */
int64_t share_due(void);

/* Something may have changed. */
void share_note(void);

/* A default router is not reached: for those who listen now. */
void share_unreached(const struct mif_event *ev);

/* The interface has left its network: what was found there counts no more. */
void share_left(int ifindex);

unsigned share_clients(void);
void share_end(void); /* says farewell by closing, and removes the socket it made */

#endif
