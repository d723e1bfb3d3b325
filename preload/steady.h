/* SPDX-License-Identifier: MIT */
/*
 * For how long each interface has been usable, and how often it was lost again soon. Pure; times in
 * ms of any clock that does not go back. A handful of interfaces is all a machine has; of more the
 * longest untouched makes room.
 */
#ifndef PRELOAD_STEADY_H
#define PRELOAD_STEADY_H

#include <stdbool.h>
#include <stdint.h>

#define STEADY_MAX 64
#define STEADY_MS 60000 /* what has lasted so long was no flap */
#define STEADY_FLAPS 30

struct steady {
	struct steady_interface {
		int ifindex;
		int64_t touched_ms, since_ms, gone_ms;
		unsigned flaps;
		bool gone, known; /* known: since when it is usable */
	} on[STEADY_MAX];
};

/* It has become usable, or something of it has. */
void steady_here(struct steady *s, int ifindex, int64_t now_ms);

/* It, or an address of it, is gone. */
void steady_gone(struct steady *s, int ifindex, int64_t now_ms);

/* For how long it has been usable. INT32_MAX: longer than anybody has looked. */
int64_t steady_ms(const struct steady *s, int ifindex, int64_t now_ms);

/* How often, one after the other, it was lost within STEADY_MS of its coming; up to STEADY_FLAPS.
 */
unsigned steady_flaps(const struct steady *s, int ifindex, int64_t now_ms);

#endif
