/* SPDX-License-Identifier: MIT */
/* Has any other process the same sockets? For flows that were open when the program forked. */
#ifndef PRELOAD_ALONE_H
#define PRELOAD_ALONE_H

#include <stdbool.h>

#include "preload/flow.h"

/*
 * Looks at the descriptors of all processes that may be looked at; one that may not, and is a child
 * of this one, is taken to have all. True: nobody has the flow's socket besides, and it is no
 * longer `shared`. False: somebody has it, or it was looked for a moment ago, or not all have been
 * looked at (alone_looking()): ask again. Agent only; each time takes a millisecond or two, for all
 * such flows together.
 */
bool alone(struct flow *f);
bool alone_looking(void);

#endif
