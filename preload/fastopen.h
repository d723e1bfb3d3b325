/* SPDX-License-Identifier: MIT */
/*
 * What is known of TCP Fast Open on each path to a relay. Pure: the clock is the caller's.
 *
 * A box on the way may throw a SYN with data away, and the kernel asks again without data only a
 * second later. So on a path of which nothing is known one connection tries it, beside a plain one
 * that is ready to go on; the others wait for what comes of it.
 */
#ifndef PRELOAD_FASTOPEN_H
#define PRELOAD_FASTOPEN_H

#include <stdint.h>

#define FASTOPEN_PATHS 8

enum fastopen {
	FASTOPEN_UNKNOWN,
	FASTOPEN_TRYING, /* somebody is about to find out */
	FASTOPEN_WORKS,
	FASTOPEN_NOT, /* for a while: not offered there, or eaten on the way */
};

struct fastopen_table {
	struct {
		int ifindex; /* 0: free */
		enum fastopen state;
		int64_t ms; /* since when */
	} path[FASTOPEN_PATHS];
};

enum fastopen fastopen_state(const struct fastopen_table *t, int ifindex, int64_t now_ms);
void fastopen_note(struct fastopen_table *t, int ifindex, enum fastopen state, int64_t now_ms);

#endif
