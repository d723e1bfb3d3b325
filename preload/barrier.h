/* SPDX-License-Identifier: MIT */
/*
 * A memory barrier of which one side costs nothing.
 *
 * A thread that enters a call says so, and then looks whether the file is still the one it thinks;
 * the agent exchanges the file, and then looks who is in a call. Neither may have its look before
 * its word. Threads do this a million times where the agent does it once, so the agent makes the
 * kernel do it for all of them (membarrier). Where it may not, every thread does it for itself.
 */
#ifndef PRELOAD_BARRIER_H
#define PRELOAD_BARRIER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "preload/hot.h"

/* By an exchange, which every checker of races knows; fences not all do. */
static inline void barrier_full(void)
{
	_Atomic int word = 0;

	atomic_exchange(&word, 1);
}

/* In the thread: between its word and its look. */
static inline void barrier_light(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	if (__builtin_expect(atomic_load_explicit(&hot.fenced, memory_order_relaxed), 0))
		barrier_full();
	atomic_signal_fence(memory_order_seq_cst);
}

/*
 * In the agent: between its word and its look. False: not this time; from now on threads do it
 * themselves, and the next time it is true. Some microseconds.
 */
bool barrier_heavy(void);

/* In the agent's thread, when it starts: threads may leave it to barrier_heavy() from now on. May
 * take some milliseconds. */
void barrier_start(void);

/* From now on without the kernel: before a sandbox is closed that does not allow it. */
void barrier_stop(void);

/* In a forked child, which has no agent yet. */
void barrier_forked(void);

#endif
