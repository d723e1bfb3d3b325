/* SPDX-License-Identifier: MIT */
/*
 * Paths that are up as far as the kernel knows and yet bring nothing back. Pure: the clock is the
 * caller's.
 *
 * A path that has fallen silent is left for another that answers, and then rests: 2 s at first,
 * twice as long each time that it is silent again, up to 4 minutes. So a preferred path that is up
 * and dead is tried by few packets, and no flow goes to and fro. What is known of an interface is
 * forgotten when it has a new address or carrier: it may be another network.
 */
#ifndef PRELOAD_DOUBTS_H
#define PRELOAD_DOUBTS_H

#include <stdbool.h>
#include <stdint.h>

#define DOUBTS 16

struct doubts {
	struct doubt {
		int ifindex;        /* 0: free */
		int64_t silent_ms;  /* since when; 0: it is not */
		int64_t doubted_ms; /* when it was doubted last */
		int64_t until_ms;   /* it rests until then */
		unsigned times;
	} path[DOUBTS];
};

/* It has been silent since then; true: that is news. */
bool doubts_raise(struct doubts *d, int ifindex, int64_t since_ms, int64_t now_ms);

/* Something came over it: not silent; it rests as long as it was to. True: that is news. */
bool doubts_settle(struct doubts *d, int ifindex, int64_t now_ms);

/* A flow has left it, or an attempt over it was not answered: it rests, longer each time. */
void doubts_rest(struct doubts *d, int ifindex, int64_t now_ms);

void doubts_forget(struct doubts *d, int ifindex);

/* For how long it has been silent; 0: it is not. */
int64_t doubts_silent(const struct doubts *d, int ifindex, int64_t now_ms);

/* For how long it is still to rest; 0: it need not. */
int64_t doubts_resting(const struct doubts *d, int ifindex, int64_t now_ms);

#endif
