/* SPDX-License-Identifier: MIT */
/*
 * The library's own descriptors in the program's table: high numbers, close-on-exec, known by
 * number so that the close family spares them, and by inode so that one the program closed all the
 * same (by a raw system call) is noticed before it is used.
 */
#ifndef PRELOAD_OWN_H
#define PRELOAD_OWN_H

#include <stdbool.h>

/*
 * Moves `fd` (close-on-exec already) to a high number and remembers it. Returns the new number;
 * on failure `fd` is closed and the result is a negative errno.
 */
int own_fd(int fd);

/* Is the number one of ours? Lock-free, async-signal-safe; false for all in the usual program. */
bool own_is(int fd);

/* Does it still refer to what we put there? */
bool own_intact(int fd);

/* Forgets the number without closing: it now belongs to the program. */
void own_release(int fd);

/* Closes it, if it is still ours. Negative numbers are ignored. */
void own_close(int fd);

/* In a forked child: closes them all but `keep` (the log). */
void own_close_all(int keep);

/* The lowest of ours at or above `from`, or -1: to split a close_range. */
int own_next(unsigned from);

/*
 * Is the program's limit large enough that the ten or so descriptors the library needs are not
 * missed? Below 256 it takes none.
 */
bool own_roomy(void);

/* How many descriptors the library may still open without coming near the program's limit. */
int own_headroom(void);

#endif
