/* SPDX-License-Identifier: MIT */
/*
 * The lowest free number is the program's: POSIX promises it to every call that makes a descriptor,
 * and programs rely on it (close(0), then open()).
 *
 * The kernel gives that number to the library, too, until it is moved up. So whoever makes one for
 * the library holds the numbers meanwhile, some microseconds: a call of the program that makes a
 * descriptor, or forks, waits until they are free again; and the library waits for those that are
 * in such a call. All waiting is bounded: what takes longer goes on.
 */
#ifndef PRELOAD_NUMBERS_H
#define PRELOAD_NUMBERS_H

#include <stdatomic.h>
#include <stdbool.h>

/* The library has made descriptors, or is about to: until then programs pay one load. */
extern _Atomic bool numbers_watched;

/*
 * Around what makes a descriptor for the library and moves it up. May be nested. Meanwhile the
 * thread has no signals: a handler might wait for what it has interrupted.
 */
void numbers_hold(void);
void numbers_free(void);

/* For a thread that has all signals blocked anyway. */
void numbers_no_signals(void);

unsigned numbers_enter_watched(void);
void numbers_leave_watched(unsigned at);

/*
 * Around a call of the program that makes a descriptor, or puts one onto a number. No lock: who
 * never leaves (a thread that is cancelled, a handler that jumps away) makes the library wait once.
 */
static inline unsigned numbers_enter(void)
{
	return __builtin_expect(atomic_load_explicit(&numbers_watched, memory_order_relaxed), 0)
	           ? numbers_enter_watched()
	           : 0;
}

static inline void numbers_leave(unsigned at)
{
	if (__builtin_expect(at != 0, 0))
		numbers_leave_watched(at);
}

/* Around fork(): the child is to have all that the library knows to have, and nothing else. */
void numbers_before_fork(void);
void numbers_parent(void);
void numbers_child(void);

#endif
