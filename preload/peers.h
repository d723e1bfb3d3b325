/* SPDX-License-Identifier: MIT */
/*
 * What getpeername() and getsockname() are to say of a socket whose own answer would be the
 * loopback's: the program's end of a pump's pair, in this process or in one that came by it later.
 * Known by inode, so that every duplicate of the descriptor has the same answer; and written on the
 * socket itself, for a process that was never told.
 */
#ifndef PRELOAD_PEERS_H
#define PRELOAD_PEERS_H

#include "preload/flow.h"

/* Remembers; the oldest of 256 is forgotten. */
void peers_note(uint64_t inode, const union flow_address *peer, const union flow_address *local);

/* Is anything remembered at all? One load. */
bool peers_any(void);

/* The record of this socket. False: none. */
bool peers_find(int fd, union flow_address *peer, union flow_address *local);

/*
 * Writes it on the socket, where whoever is given the descriptor can read it: as the constants of a
 * packet filter that lets everything pass.
 */
void peers_label(int fd, const union flow_address *peer, const union flow_address *local);

/*
 * A descriptor has come from another process: remembers what is written on it, unless another user
 * has done so: anybody may pass on a socket of his with what he likes on it. Keeps errno.
 */
void peers_given(int fd);

#endif
