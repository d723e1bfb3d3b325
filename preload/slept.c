/* SPDX-License-Identifier: MIT */
#include "preload/slept.h"

int64_t slept_for(struct slept *s, int64_t boot_ms, int64_t monotonic_ms)
{
	int64_t ahead = boot_ms - monotonic_ms, slept = s->known ? ahead - s->ahead_ms : 0;

	/* Naps add up: the way to a server notices their sum. */
	if (slept > 0 && slept < SLEPT_LEAST_MS)
		return 0;
	s->known = true;
	s->ahead_ms = ahead;
	return slept > 0 ? slept : 0;
}
