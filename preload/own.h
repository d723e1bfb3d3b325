/* SPDX-License-Identifier: MIT */
/*
 * The library's own descriptors in the program's table: high numbers, close-on-exec, known by
 * number so that the close family spares them, and by inode so that one the program closed all the
 * same (by a raw system call) is noticed before it is used.
 */
#ifndef PRELOAD_OWN_H
#define PRELOAD_OWN_H

#include <stdbool.h>
#include <sys/socket.h>

/*
 * Each makes one, close-on-exec, and moves it to a high number while the program's own calls wait
 * (numbers.h), so that the program never meets it at a low one. Negative errno.
 */
int own_socket(int family, int type, int protocol);
int own_accept(int listener, struct sockaddr *a, socklen_t *len, int flags);
int own_pipe(int fd[2]);
int own_pair(int fd[2]); /* of local sockets */
int own_copy(int fd);

/* The same by any system call of up to three arguments; it must set close-on-exec by itself. */
int own_call(long nr, long a, long b, long c);

/*
 * The same of a file; but where the limit leaves no high number it has the low one, and is not
 * remembered: for what is read and closed at once, by own_shut(). For longer after own_renew().
 */
int own_open(int dir, const char *path, int flags, int mode);
void own_shut(int fd);

/*
 * Moves `fd` (close-on-exec already) to a high number and remembers it. Returns the new number;
 * on failure `fd` is closed and the result is a negative errno.
 */
int own_fd(int fd);

/* Is the number one of ours? Lock-free, async-signal-safe; false for all in the usual program. */
bool own_is(int fd);

/* Does it still refer to what we put there? */
bool own_intact(int fd);

/* What is on it now is ours from now on: another file was put there by dup3(). */
void own_renew(int fd);

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
