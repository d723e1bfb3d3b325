/* SPDX-License-Identifier: MIT */
/*
 * Exchanging the open file behind a program's descriptors. Agent only.
 *
 * The order is what keeps streams whole. Bytes arrive on the old socket, and threads read them,
 * until the very moment the descriptor refers to something else; so first a placeholder goes onto
 * the descriptor, then every thread is brought away from the old socket, and only then it is asked
 * how much the program has read.
 */
#ifndef PRELOAD_SPLICE_H
#define PRELOAD_SPLICE_H

#include <stdbool.h>

#include "preload/flow.h"
#include "preload/waits.h"

/*
 * Puts a quiet placeholder on the flow's descriptors and keeps the old socket aside. Writers are
 * held from here on. Already parked: nothing. Negative errno: nothing was changed (-EBADF: no
 * descriptor of the flow is left).
 */
int splice_park(struct flow *f);

static inline bool splice_parked(const struct flow *f)
{
	return f->old_fd >= 0;
}

/*
 * Has every thread left the old socket? Nudges those that have not, again and again with growing
 * distance. Once true it stays true while the flow is parked, and the kernel's counts of the old
 * socket are final.
 */
bool splice_drained(struct flow *f);

/*
 * On the placeholder, with writers held: true once none is inside a write any more, neither about
 * to note what it wrote to the old file, nor asleep in the placeholder. A sleeper must not be there
 * when the new file is put on: any signal with SA_RESTART (the program's timers, libc's own for
 * set*id) makes its call again, on the new file, in the middle of what is replayed. It is called
 * out by an end of the placeholder's direction, which the hook takes for what it is. To be asked
 * again and again.
 */
bool splice_writers_out(struct flow *f);

/*
 * Puts `fd` (an own descriptor) on the flow's descriptors, with the flags and options the program
 * has set meanwhile. The own descriptor stays the caller's. Writers are still held. Nudges whoever
 * waits, except blocked writers.
 */
int splice_put(struct flow *f, int fd);

/*
 * In a process that has no agent for the flow: puts `fd` onto its descriptors. The caller has the
 * table's lock. Negative errno: nothing was changed.
 */
int splice_install(struct flow *f, int fd);

/* In a forked child: no thread is in the middle of an exchange. */
void splice_forked(void);

/*
 * Puts the old socket back: the move is given up, nothing has happened. Writers go on. Where the
 * table's lock is not to be had the flow stays parked (splice_parked()), to be looked at again.
 */
void splice_unpark(struct flow *f);

/* Closes what is left of the old socket with a RST, and the placeholder's far end. */
void splice_retire(struct flow *f);

/* Lets go of what a connect() that does not block has behind it. */
void splice_unguard(struct flow *f);

/* The further looks after an exchange; time limits go into `w`. */
void splice_follow_up(struct flow *f, struct waits *w);

/* Lets the writers go on; those that were told EAGAIN get a new edge. */
void splice_release_writers(struct flow *f);

/* Parks if need be, and makes every call on the flow fail with ECONNRESET from now on. */
void splice_reset(struct flow *f);

/* What the program has read and written, by the kernel's own counts. */
struct stream_counts {
	uint64_t read, written;
	bool peer_fin;    /* the peer's FIN was received */
	uint64_t unacked; /* written, but not acknowledged by the peer's kernel */
	uint64_t unread;  /* received, but not read by the program */
};
int splice_counts(struct flow *f, struct stream_counts *c);

/*
 * What the program had read when it closed the flow. The hook that saw the close cannot tell while
 * a placeholder is on; the old file behind it can. Agent only.
 */
uint64_t splice_closed_read(struct flow *f);

/* From here on the kernel's counts of `fd` stand for these stream counts. */
int splice_base(struct flow *f, int fd, uint64_t read, uint64_t written);

/* The same for our own direction alone, while the program is reading already. */
int splice_base_written(struct flow *f, int fd, uint64_t written);

#endif
