/* SPDX-License-Identifier: MIT */
/* What the agent sleeps on: filled anew for each turn, then asked what happened. */
#ifndef PRELOAD_WAITS_H
#define PRELOAD_WAITS_H

#include <poll.h>
#include <stdint.h>

#define WAITS_MAX 512

struct waits {
	struct pollfd p[WAITS_MAX];
	int n;
	int64_t until_ms; /* absolute; INT64_MAX: no limit */
};

/* Returns the slot to ask later, -1 if there is no room (then also sets a short time limit) or no
 * descriptor. */
static inline int waits_add(struct waits *w, int fd, short events)
{
	if (fd < 0)
		return -1;
	if (w->n == WAITS_MAX) {
		w->until_ms = 0;
		return -1;
	}
	w->p[w->n] = (struct pollfd){.fd = fd, .events = events};
	return w->n++;
}

static inline void waits_until(struct waits *w, int64_t ms)
{
	if (ms < w->until_ms)
		w->until_ms = ms;
}

static inline short waits_got(const struct waits *w, int slot)
{
	return slot >= 0 ? w->p[slot].revents : 0;
}

#endif
