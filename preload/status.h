/* SPDX-License-Identifier: MIT */
/*
 * What `mifcont status` asks: the process's flows, as JSON, over an abstract UNIX socket named
 * "mifcont/<pid>". Agent only, but for status_open().
 */
#ifndef PRELOAD_STATUS_H
#define PRELOAD_STATUS_H

#include "preload/waits.h"

/*
 * Before the agent's thread is there: a child that the program forks right after its connect() asks
 * under this name for its part in the connection, and takes a name that is not there for an owner
 * that has gone.
 */
void status_open(void);

void status_wait(struct waits *w);
void status_step(const struct waits *w);
void status_forget(void);

/* The process goes on as the child of a fork: it is to be found under its own number. */
void status_renamed(void);

#endif
