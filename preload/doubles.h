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
 * A descriptor that is no flow's has been doubled, or `to` has come from another process (-1).
 * Remembered if it is a socket without a peer; a system call or two.
 */
void doubles_note(int from, int to);

/* In a child: what there is now is its parent's as well. */
void doubles_forked(void);

/* socket() has made this one, in this process and this program. */
void doubles_made(int fd);

/* This process's descriptors of this open file: at most `max` into `fds`; how many. Keeps errno. */
int doubles_of(uint64_t inode, int *fds, int max);

/* Can there be any of this one, which is about to be connected? */
bool doubles_any(int fd);

/* Has this process inherited it from its parent, which has it still? Keeps errno. */
bool doubles_shared(int fd, uint64_t inode);

#endif
