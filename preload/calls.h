/* SPDX-License-Identifier: MIT */
/*
 * The usual call, without the unusual: entered by a thread that has its seat and is in no other
 * call, on a flow that is its own. Any doubt ends in false, and call_enter() and call_leave()
 * decide.
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

static inline void calls_depth(struct thread *t, uint32_t depth)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&t->depth, depth, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

/*
 * A usual call behind a system call costs the lines of code and data it touches, nearly all of them
 * cold, far more than what it does with them. So these are short, and what they ask is where they
 * have to look anyhow.
 */
#define HOT __attribute__((noinline, aligned(64)))

/* Does nothing stand against it, as far as `wanted` and `unwanted` tell? */
static inline bool ways_are(const struct flow *f, uint64_t wanted, uint64_t unwanted)
{
	return (flow_ways(f) & (wanted | unwanted | WAY_INHERITED)) == wanted;
}

/* What call_begin() has entered is left: false. */
COLD static bool call_undo(struct thread *t)
{
	calls_depth(t, 0);
	atomic_store_explicit(t->seat->on, 0, memory_order_release);
	return false;
}

/* About where on the stack we are. */
static inline uintptr_t stack_here(void)
{
#if defined(__x86_64__)
	uintptr_t sp;

	__asm__("mov %%rsp, %0" : "=r"(sp));
	return sp;
#else
	return (uintptr_t)__builtin_frame_address(0);
#endif
}

/*
 * `slot`: where the flow was found. False: nothing was entered. The order of it all is that of
 * enter_seated(), see there; the flow's ways are to be looked at again afterwards by who needs them
 * to stay. A call that may wait notes itself in the seat besides.
 */
__attribute__((always_inline)) static inline bool call_begin(struct thread *t, struct flow *f,
                                                             _Atomic(struct flow *) *slot, int fd)
{
	struct call_record *r = &t->call[0];
	struct seat *seat = t->seat;
	uint32_t gen = atomic_load_explicit(&f->gen, memory_order_acquire);

	r->flow = f;
	r->gen = gen;
	r->fd = fd;
	r->stack = stack_here();
	r->how = HOW(seated);
	calls_depth(t, 1);
	atomic_store_explicit(seat->on, (uintptr_t)f | (gen & 1), memory_order_relaxed);
	barrier_light();
	/* A handler that came before the depth was there has made its own call of the record. */
	uint64_t differs =
	    (uint64_t)(atomic_load_explicit(&f->gen, memory_order_acquire) ^ gen) | (r->gen ^ gen) |
	    (uint32_t)(r->fd ^ fd) | ((uintptr_t)r->flow ^ (uintptr_t)f) |
	    ((uintptr_t)atomic_load_explicit(slot, memory_order_acquire) ^ (uintptr_t)f);

	if (!likely(!differs))
		return call_undo(t);
	return true;
}

/* False: nothing was left, that is call_leave()'s to do. */
static inline bool call_end(struct thread *t, const struct flow *f, uint64_t how)
{
	const struct call_record *r = &t->call[0];
	uint64_t differs = (uint64_t)(atomic_load_explicit(&t->depth, memory_order_relaxed) ^ 1) |
	                   ((uintptr_t)r->flow ^ (uintptr_t)f) | (r->how ^ how);

	if (!likely(!differs))
		return false;
	calls_depth(t, 0);
	atomic_store_explicit(t->seat->on, 0, memory_order_release);
	return true;
}

#endif
