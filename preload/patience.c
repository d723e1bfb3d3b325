/* SPDX-License-Identifier: MIT */
#include "preload/patience.h"

#define STREAM_MS 2000 /* bytes that came so shortly before the loss were part of a transfer */

/* Does the program wait for an answer, or was it in the middle of one? */
static bool awaits(const struct patience *p)
{
	return p->sent_ms < p->came_ms || p->came_ms - p->lost_ms < STREAM_MS;
}

int64_t patience_left(const struct patience *p)
{
	bool busy = p->unacked || (p->recognised && awaits(p));
	int64_t most = p->told || (p->recognised && busy) ? p->outage_ms : p->gone_ms;

	/* What it has got already is its own to read. */
	if (!p->recognised && !busy)
		return PATIENCE_IDLE;
	if (p->lost_ms < most)
		return most - p->lost_ms;
	return p->unread && p->lost_ms < most + p->gone_ms ? 200 : 0;
}
