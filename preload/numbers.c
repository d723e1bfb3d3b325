/* SPDX-License-Identifier: MIT */
#include "preload/numbers.h"

#include <errno.h>
#include <stdint.h>

#include "preload/futex.h"
#include "preload/raw.h"

#define PATIENCE_MS 100 /* of the program, for the library: more is the fault of a file system */
#define CALLS_US 10000  /* of the library, for calls: who is in one for longer has its number */
#define FORK_MS 1000    /* a fork waits longer: what a child has by mistake it has for good */
#define FORKS_US 2000000

_Atomic bool numbers_watched;

/* Calls begun and ended, counted in several places so that threads do not meet there. */
#define STRIPES 16

static struct stripe {
	_Alignas(64) _Atomic uint32_t in;
	_Atomic uint32_t out;
} stripes[STRIPES];
static struct stripe forks;

static _Atomic uint32_t serial; /* odd: held; futex */
static _Atomic uint32_t waiting;
static _Atomic uint32_t ignored; /* this one was held for too long */
static struct flock_word holder;

/* By the holder only: calls that do not end. */
static uint32_t stuck_calls, stuck_forks;

static __thread unsigned depth;
static __thread bool no_signals, took;
static __thread uint64_t before;
static __thread uint32_t self;

/* --- the library --- */

static uint32_t inside(const struct stripe *s, int n)
{
	uint32_t in = 0, out = 0;

	/* The ends first: never fewer than there are. */
	for (int i = 0; i < n; i++)
		out += atomic_load(&s[i].out);
	for (int i = 0; i < n; i++)
		in += atomic_load(&s[i].in);
	return in - out;
}

static void wait_for(const struct stripe *s, int n, uint32_t *stuck, int limit_us)
{
	for (int waited = 0, spins = 0;;) {
		uint32_t now = inside(s, n);

		if (now <= *stuck || waited >= limit_us) {
			*stuck = now;
			return;
		}
		if (spins++ < 200) {
			atomic_signal_fence(memory_order_seq_cst);
			continue;
		}
		struct timespec step = {0, 50000};

		raw_call3(SYS_nanosleep, (long)&step, 0, 0);
		waited += 50;
	}
}

void numbers_no_signals(void)
{
	no_signals = true;
}

void numbers_hold(void)
{
	uint64_t all = ~0ull;

	if (depth++)
		return;
	if (!no_signals)
		raw_call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&before, sizeof(all),
		          0, 0);
	if (!self)
		self = (uint32_t)raw_gettid();
	took = lock_take(&holder, self, 100);
	if (!took)
		return;
	atomic_store(&numbers_watched, true);
	atomic_fetch_add(&serial, 1);
	wait_for(stripes, STRIPES, &stuck_calls, CALLS_US);
	wait_for(&forks, 1, &stuck_forks, FORKS_US);
}

void numbers_free(void)
{
	if (--depth)
		return;
	if (took) {
		atomic_fetch_add(&serial, 1);
		if (atomic_load(&waiting))
			futex_wake(&serial);
		lock_release(&holder);
	}
	if (!no_signals)
		raw_call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, sizeof(before), 0, 0);
}

/* --- the program --- */

static bool held(uint32_t s)
{
	return s & 1 && s != atomic_load(&ignored);
}

/* And not again for the same. */
static void wait_until_free(uint32_t s, int ms)
{
	struct timespec begun, now;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	atomic_fetch_add(&waiting, 1);
	while (atomic_load(&serial) == s) {
		futex_wait(&serial, s, ms);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if ((now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000 >=
		    ms) {
			atomic_store(&ignored, s);
			break;
		}
	}
	atomic_fetch_sub(&waiting, 1);
}

static void enter(struct stripe *s, int ms)
{
	for (;;) {
		atomic_fetch_add(&s->in, 1);

		uint32_t n = atomic_load(&serial);

		if (!held(n))
			return;
		atomic_fetch_add(&s->out, 1);
		wait_until_free(n, ms);
	}
}

unsigned numbers_enter_watched(void)
{
	/* The library's own: it has them. */
	if (depth)
		return 0;
	/* Threads differ in where their variables are, in the bits from a page upwards. */
	uintptr_t at = (uintptr_t)&depth;
	unsigned i = (unsigned)((at >> 12 ^ at >> 17 ^ at >> 23) % STRIPES);

	enter(&stripes[i], PATIENCE_MS);
	return i + 1;
}

void numbers_leave_watched(unsigned at)
{
	atomic_fetch_add(&stripes[at - 1].out, 1);
}

void numbers_before_fork(void)
{
	if (!depth)
		enter(&forks, FORK_MS);
}

void numbers_parent(void)
{
	if (!depth)
		atomic_fetch_add(&forks.out, 1);
}

void numbers_child(void)
{
	self = 0;
	for (int i = 0; i < STRIPES; i++) {
		atomic_store(&stripes[i].in, 0);
		atomic_store(&stripes[i].out, 0);
	}
	atomic_store(&forks.in, 0);
	atomic_store(&forks.out, 0);
	atomic_store(&serial, 0);
	atomic_store(&ignored, 0);
	atomic_store(&waiting, 0);
	atomic_store(&holder.word, 0);
	stuck_calls = stuck_forks = 0;
}
