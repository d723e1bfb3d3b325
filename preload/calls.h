/* SPDX-License-Identifier: MIT */
/*
 * The usual call, without the unusual: entered by a thread that has its seat and is in no other
 * call, on a flow that is its own. Any doubt ends in NULL or false, and call_enter() and
 * call_leave() decide.
 */
#ifndef PRELOAD_CALLS_H
#define PRELOAD_CALLS_H

#include "preload/barrier.h"
#include "preload/flow.h"

/* Kept out of the way of what usually happens. */
#define COLD __attribute__((cold, noinline))

static inline bool likely(bool b)
{
	return __builtin_expect(b, true);
}

static inline void calls_depth(uint32_t depth)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&this_thread.depth, depth, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

/* The order of it all is that of enter_seated(), see there. */
__attribute__((always_inline)) static inline struct call_record *call_begin(struct flow *f, int fd)
{
	struct thread *t = &this_thread;

	if (!t->seated || atomic_load_explicit(&t->depth, memory_order_relaxed) ||
	    atomic_load_explicit(&f->state, memory_order_relaxed) == FLOW_INHERITED)
		return NULL;

	_Atomic uintptr_t *on = t->seat->on;
	struct call_record *r = &t->call[0];
	uint32_t gen = atomic_load_explicit(&f->gen, memory_order_acquire);

	r->flow = f;
	r->gen = gen;
	r->fd = fd;
	r->stack = (uintptr_t)__builtin_frame_address(0);
	r->timed = r->nudged = r->suspended = r->writes = false;
	r->seated = true;
	calls_depth(1);
	atomic_store_explicit(on, (uintptr_t)f | (gen & 1), memory_order_relaxed);
	barrier_light();
	if (likely(atomic_load_explicit(&f->gen, memory_order_acquire) == gen && r->gen == gen &&
	           flow_of(fd) == f)) {
		seat_note(t->seat, fd);
		return r;
	}
	calls_depth(0);
	atomic_store_explicit(on, 0, memory_order_release);
	return NULL;
}

/* False: nothing was left, that is call_leave()'s to do. */
static inline bool call_end(const struct call_record *r, const struct flow *f)
{
	struct thread *t = &this_thread;

	if (!likely(atomic_load_explicit(&t->depth, memory_order_relaxed) == 1 && r->flow == f &&
	            !r->nudged && !r->suspended))
		return false;
	calls_depth(0);
	atomic_store_explicit(t->seat->on, 0, memory_order_release);
	seat_note(t->seat, SEAT_EMPTY);
	return true;
}

#endif
