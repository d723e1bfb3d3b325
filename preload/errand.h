/* SPDX-License-Identifier: MIT */
/*
 * The policy's on-handover command: what a user has to do elsewhere when a flow goes on from
 * another address (log in to a firewall anew, fetch another ticket). It runs outside the program:
 * a shell that is nobody's child, in a session of its own, without the program's descriptors,
 * signals and environment. Agent only; never blocks.
 */
#ifndef PRELOAD_ERRAND_H
#define PRELOAD_ERRAND_H

#include <stdbool.h>

#include "preload/flow.h"
#include "preload/waits.h"

struct mif_path;

/* The flow has moved: its rule's command is begun, if there is one and it was not begun for the
 * same peer and path a moment ago. */
void errand_tell(struct flow *f);

/*
 * The flow is about to be reset, for it may not go on over `path`: may it be, has the command that
 * the program's next connection may need ended? False: it is still running, and is waited for,
 * 10 seconds at most.
 */
bool errand_over(struct flow *f, const struct mif_path *path, struct waits *w);

void errands_wait(struct waits *w);
void errands_step(const struct waits *w);

/* In a forked child. */
void errands_forked(void);

#endif
