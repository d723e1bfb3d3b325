/* SPDX-License-Identifier: MIT */
/*
 * Something that was found out at some cost, and is believed for a time in proportion to it: so the
 * cost stays a small part of the whole however large the process is, and where it is small next to
 * nothing is taken on trust.
 */
#ifndef PRELOAD_LATELY_H
#define PRELOAD_LATELY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

#define LATELY_LEAST_MS 20

struct lately {
	int share;   /* it is believed for so many times as long as it took, */
	int most_ms; /* but no longer than this, and for LATELY_LEAST_MS in any case */
	int64_t begun_ns;
	_Atomic int64_t until_ns;
	_Atomic uint32_t changes, seen;
};

static inline void lately_begin(struct lately *l)
{
	/* A change from here on counts, whether it is still seen or not. */
	atomic_store(&l->seen, atomic_load(&l->changes));
	l->begun_ns = clock_ns();
}

static inline void lately_end(struct lately *l)
{
	int64_t now = clock_ns(), for_ns = (now - l->begun_ns) * l->share;

	for_ns = for_ns < LATELY_LEAST_MS * 1000000LL ? LATELY_LEAST_MS * 1000000LL : for_ns;
	for_ns = for_ns < l->most_ms * 1000000LL ? for_ns : l->most_ms * 1000000LL;
	atomic_store(&l->until_ns, now + for_ns);
}

/* It is out of date. Async-signal-safe. */
static inline void lately_not(struct lately *l)
{
	/* If it is so already, whoever finds it out anew has yet to begin. */
	if (atomic_load(&l->changes) == atomic_load(&l->seen))
		atomic_fetch_add(&l->changes, 1);
}

static inline bool lately_was(const struct lately *l)
{
	int64_t until = atomic_load(&l->until_ns);

	return until && clock_ns() < until && atomic_load(&l->changes) == atomic_load(&l->seen);
}

#endif
