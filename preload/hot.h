/* SPDX-License-Identifier: MIT */
/*
 * What every call on a descriptor reads that is neither its flow's nor its thread's: together, on
 * one line of the cache. Behind a system call a call's cost is the lines it touches, see calls.h.
 */
#ifndef PRELOAD_HOT_H
#define PRELOAD_HOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>

#define TABLE_CHUNK 1024
#define TABLE_CHUNKS 1024

struct flow;

struct hot {
	/* Threads make their barriers themselves, see barrier.h. */
	_Alignas(64) _Atomic bool fenced;
	/*
	 * All calls go by way of libc, or of the library that is between it and us: one of those in
	 * `real` is not libc's own, or a thread was cancelled, which libc's call may have to
	 * notice.
	 */
	_Atomic bool indirect;
	/* A copy of the same in `real`. */
	ssize_t (*recv)(int, void *, size_t, int);
	/* Flows by descriptor: of the first, and of the others in chunks that are made when they
	 * are needed and stay. */
	_Atomic(struct flow *) first[TABLE_CHUNK];
	_Atomic(struct flow *) *_Atomic table[TABLE_CHUNKS];
};

extern struct hot hot;

#endif
