/* SPDX-License-Identifier: MIT */
/*
 * A socket that had more than one descriptor before it was connected, in this process (dup) or in
 * another (fork). A connection is put onto descriptors, not onto the socket that was there: each
 * has to be found, or the connection is left alone. Asked for when a connection is made, and only
 * where there was anything that can have made a second one.
 */
#ifndef PRELOAD_DOUBLES_H
#define PRELOAD_DOUBLES_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A descriptor has been doubled, or `to` has come from another process (-1); it
 * need not be a socket's. Memory alone is touched.
 */
void doubles_note(int from, int to);

/* In a child: what there is now is its parent's as well. */
void doubles_forked(void);

/* socket() has made this one, in this process and this program. */
void doubles_made(int fd);

/*
 * Is it the only descriptor of its socket, for all that is known? One load. Then there is nothing
 * to look for; a number beyond a million is taken for such a one.
 */
bool doubles_alone(int fd);

/* This process's descriptors of this open file: at most `max` into `fds`; how many. Keeps errno. */
int doubles_of(uint64_t inode, int *fds, int max);

/* Is it not alone, and has the parent this socket, too? Keeps errno. */
bool doubles_shared(int fd, uint64_t inode);

#endif
