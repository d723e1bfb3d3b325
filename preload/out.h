/* SPDX-License-Identifier: MIT */
/* One write, whatever it was called: up to IOV bytes pieces, and what only sendmsg can say. */
#ifndef PRELOAD_OUT_H
#define PRELOAD_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct out {
	const struct iovec *iov;
	size_t count;
	const struct msghdr *msg; /* NULL, or the original */
	/* For a signal handler that interrupts the call and writes itself, see catch_up(). */
	size_t done; /* what was written, and is in the ring, before the kernel has it now */

	/* From here on also of a usual call. */
	size_t total;
	size_t caught; /* of what the kernel has taken now, in the ring already */
	int flags;
	bool noting;     /* the call is just putting it there itself */
	uint64_t serial; /* see struct thread; of none */
};

#endif
