/* SPDX-License-Identifier: MIT */
/*
 * Where the owner of flows serves its relatives (kin.h): who shows a flow's ticket is given an end
 * of the pair that carries it. Agent only; waits for nobody.
 */
#ifndef PRELOAD_DESK_H
#define PRELOAD_DESK_H

#include "preload/waits.h"

/*
 * Takes over the connection `fd` of somebody who has said `line`, and the descriptor that came with
 * it (own_fd()'s; -1: none).
 */
void desk_take(int fd, const char *line, int given);

void desk_wait(struct waits *w);
void desk_step(const struct waits *w);

/* In a forked child. */
void desk_forget(void);

#endif
