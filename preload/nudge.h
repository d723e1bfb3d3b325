/* SPDX-License-Identifier: MIT */
/*
 * Making a thread that is blocked on a descriptor look it up again.
 *
 * A thread blocked in read() stays with the open file it found, whatever is put onto the
 * descriptor. A signal makes the kernel end the call; with SA_RESTART it makes it anew and finds
 * the new file. Calls that are not restarted (those with timeouts, poll, select) are rewound by the
 * handler: it puts the call's number back and the instruction pointer onto the system call. So the
 * program never sees EINTR. The kernel
 * itself keeps the limits of ppoll and select; poll() with a limit is made a ppoll() by its hook,
 * and a call on a socket with SO_RCVTIMEO or SO_SNDTIMEO is left to its hook to make again.
 */
#ifndef PRELOAD_NUDGE_H
#define PRELOAD_NUDGE_H

#include <stdbool.h>

enum {
	NUDGE_READERS = 1, /* and those that wait in poll or select */
	NUDGE_WRITERS = 2,
	NUDGE_ALL = 3,
};

/*
 * Installs the handler, unless it is there: for a signal that no program can have (with glibc), or
 * for a free real-time signal. It is never given back: a nudge may be pending on a thread that
 * blocks it, and would end the process if the handler were gone. 0; -EBUSY: all are in use; -EAGAIN
 * (glibc): before the first thread was made.
 */
int nudge_init(void);

/*
 * One look at all threads: those blocked in a call of these kinds on one of the descriptors are
 * nudged. Returns how many, or negative errno without /proc.
 */
int nudge(const int *fds, int nfds, int kinds);

/*
 * The same for many flows by one look: theirs are gathered, and looked for when all are. Agent
 * only. In a forked child what was gathered is forgotten.
 */
void nudge_soon(const int *fds, int nfds, int kinds);
void nudge_now(void);
void nudge_forget(void);

/* Has every nudge sent so far been handled? */
bool nudge_settled(void);

#endif
