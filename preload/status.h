/* SPDX-License-Identifier: MIT */
/*
 * What `mifcont status` asks: the process's flows, as JSON, over an abstract UNIX socket named
 * "mifcont/<pid>" (kin_name()). Agent only, but for status_open().
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

/*
 * Nobody is to be found under the name: the agent stays away, and who asked would wait in vain; or
 * the process goes on as the child of a fork, and has another number. The agent opens it again.
 */
void status_close(void);

#endif
