/* SPDX-License-Identifier: MIT */
/* Waiting on a word of memory, and a lock made of one. Never touches errno. */
#ifndef PRELOAD_FUTEX_H
#define PRELOAD_FUTEX_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/raw.h"

/*
 * Sleeps while *word == value. 0, -EAGAIN (it was not), -EINTR (a signal without SA_RESTART),
 * -ETIMEDOUT. `ms` < 0: no limit, and then a signal with SA_RESTART is not noticed, as in a
 * blocking socket call.
 */
static inline int futex_wait(_Atomic uint32_t *word, uint32_t value, int ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

	return (int)raw_call6(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, (long)value,
	                      ms < 0 ? 0 : (long)&t, 0, 0);
}

static inline void futex_wake(_Atomic uint32_t *word)
{
	raw_call6(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, INT32_MAX, 0, 0, 0);
}

/*
 * A lock that knows its owner: 0, or the owner's thread id, with LOCK_WAITERS when somebody sleeps.
 * The owner is what lets a signal handler that interrupts its own thread's locked section see that
 * it must not wait for itself.
 */
#define LOCK_WAITERS 0x80000000u

struct flock_word {
	_Atomic uint32_t word;
};

static inline bool lock_try(struct flock_word *l, uint32_t tid)
{
	uint32_t free = 0;

	return atomic_compare_exchange_strong(&l->word, &free, tid);
}

static inline uint32_t lock_owner(struct flock_word *l)
{
	return atomic_load(&l->word) & ~LOCK_WAITERS;
}

/* Waits at most `ms` (< 0: for ever). False: not taken. */
static inline bool lock_take(struct flock_word *l, uint32_t tid, int ms)
{
	for (int spin = 0; spin < 64; spin++)
		if (lock_try(l, tid))
			return true;
	for (int waited = 0; ms < 0 || waited <= ms; waited += 10) {
		uint32_t w = atomic_load(&l->word);

		if (w == 0) {
			/* Others may be asleep: keep the mark, an unneeded wake is harmless. */
			if (atomic_compare_exchange_strong(&l->word, &w, tid | LOCK_WAITERS))
				return true;
			continue;
		}
		if (!(w & LOCK_WAITERS) &&
		    !atomic_compare_exchange_strong(&l->word, &w, w | LOCK_WAITERS))
			continue;
		futex_wait(&l->word, w | LOCK_WAITERS, 10);
	}
	return false;
}

/*
 * Takes the lock if it is free: 0. Else it is marked as waited for, and the result is the word to
 * wait on (futex_wait) before asking again.
 */
static inline uint32_t lock_ask(struct flock_word *l, uint32_t tid)
{
	for (;;) {
		uint32_t w = atomic_load(&l->word);

		/* Others may be asleep: keep the mark, an unneeded wake is harmless. */
		if (w == 0 && atomic_compare_exchange_strong(&l->word, &w, tid | LOCK_WAITERS))
			return 0;
		if (w & LOCK_WAITERS)
			return w;
		if (w && atomic_compare_exchange_strong(&l->word, &w, w | LOCK_WAITERS))
			return w | LOCK_WAITERS;
	}
}

/* Gives it back if nobody waits for it; false: not done. */
static inline bool lock_drop(struct flock_word *l, uint32_t tid)
{
	return atomic_compare_exchange_strong(&l->word, &tid, 0);
}

static inline void lock_release(struct flock_word *l)
{
	if (atomic_exchange(&l->word, 0) & LOCK_WAITERS)
		futex_wake(&l->word);
}

#endif
