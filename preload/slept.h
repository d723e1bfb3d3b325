/* SPDX-License-Identifier: MIT */
/*
 * Has the machine been asleep? CLOCK_BOOTTIME goes on meanwhile, CLOCK_MONOTONIC does not. Pure.
 */
#ifndef PRELOAD_SLEPT_H
#define PRELOAD_SLEPT_H

#include <stdbool.h>
#include <stdint.h>

/* Shorter sleep is not noticed by a network. */
#define SLEPT_LEAST_MS 5000

struct slept {
	bool known;
	int64_t ahead_ms; /* of CLOCK_BOOTTIME before CLOCK_MONOTONIC, as last seen */
};

/* For how many ms it has slept since that was last said; 0: it has not, or not for as long as
 * matters. */
int64_t slept_for(struct slept *s, int64_t boot_ms, int64_t monotonic_ms);

#endif
