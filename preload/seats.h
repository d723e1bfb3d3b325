/* SPDX-License-Identifier: MIT */
/*
 * Which thread is in which call, for all to see.
 *
 * The kernel tells what another thread is blocked in only while the process is dumpable: no longer
 * after a daemon has given up root, nor in a chroot without /proc. Then these seats are what is
 * known: a thread takes one with its first call on a flow and notes each call that may block.
 *
 * The seat also has the flows the thread is in a call on, written by plain stores, for its own
 * thread alone writes them: who looks needs a barrier before (barrier.h).
 */
#ifndef PRELOAD_SEATS_H
#define PRELOAD_SEATS_H

#include <stdatomic.h>
#include <stdint.h>

#define SEATS 1024
#define CALLS_NESTED 4

enum {
	SEAT_EMPTY = -1,
	SEAT_WAITS = -2, /* in poll or select, on some descriptors */
};

struct seat {
	_Alignas(64) _Atomic uint32_t tid; /* 0: free */
	_Atomic int fd;                    /* or SEAT_EMPTY, SEAT_WAITS */
	_Atomic int writes;
	/* The flow, with the parity of the generation that the call saw; 0: none. */
	_Atomic uintptr_t on[CALLS_NESTED];
};

extern struct seat seats[SEATS];

/* What all share that came too late; its `on` is not to be used. */
extern struct seat seat_none;

/* Those above have never been taken. */
int seats_used(void);

/* For this thread; one that nobody looks at if all are taken. Given back with seat_leave(). */
struct seat *seat_take(uint32_t tid);
void seat_leave(struct seat *s);

/* Notes a call. Returns what was noted before: for a handler that interrupted another call. */
static inline int seat_note(struct seat *s, int fd)
{
	int before = atomic_load_explicit(&s->fd, memory_order_relaxed);

	atomic_store_explicit(&s->fd, fd, memory_order_relaxed);
	return before;
}

/* Nobody has a seat any more: in a forked child. */
void seats_forked(void);

#endif
