/* SPDX-License-Identifier: MIT */
#include "service/chance.h"

#include <stdlib.h>
#include <sys/random.h>

uint64_t chance(uint64_t below)
{
	uint64_t n;

	/* Hosts that do the same at the same time is what it is to prevent, not a cipher's key. */
	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != sizeof(n))
		n = (uint64_t)random();
	return below ? n % below : 0;
}
