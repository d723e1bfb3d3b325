/* SPDX-License-Identifier: MIT */
/*
 * io_uring: the kernel reads and writes by itself, past every hook, and what is under way stays on
 * the file that was there when it was asked for. So where a process has a ring, its sessions are
 * carried (pump.h): the program's end of a pair stays what it is.
 */
#ifndef PRELOAD_RINGS_H
#define PRELOAD_RINGS_H

#include <stdbool.h>

/*
 * Hook: the program is about to make a ring. The sessions there are, are carried before it is made;
 * plain connections are left alone from now on. Waits for the agent; keeps errno.
 */
void rings_coming(void);

/* Has this process a ring, as far as rings_coming() was told? One load. */
bool rings_told(void);

/* The same, but looked for among the first thousand or so descriptors: most programs make theirs by
 * an instruction of their own. A millisecond for a thousand; async-signal-safe. */
bool rings_here(void);

#endif
