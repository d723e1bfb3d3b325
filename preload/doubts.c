/* SPDX-License-Identifier: MIT */
#include "preload/doubts.h"

#include <stddef.h>

#define REST_MS 2000
#define DOUBLINGS 7
#define SAME_MS 500        /* many flows leave at once: that is one time */
#define FORGIVEN_MS 600000 /* after such a time without trouble it counts from the beginning */

static const struct doubt *known(const struct doubts *d, int ifindex)
{
	for (int i = 0; i < DOUBTS && ifindex; i++)
		if (d->path[i].ifindex == ifindex)
			return &d->path[i];
	return NULL;
}

/* Its place, or that of the one of which nothing was heard for longest. */
static struct doubt *place(struct doubts *d, int ifindex)
{
	struct doubt *p = &d->path[0];

	for (int i = 0; i < DOUBTS; i++) {
		if (d->path[i].ifindex == ifindex)
			return &d->path[i];
		if (d->path[i].doubted_ms < p->doubted_ms)
			p = &d->path[i];
	}
	*p = (struct doubt){.ifindex = ifindex};
	return p;
}

bool doubts_raise(struct doubts *d, int ifindex, int64_t since_ms, int64_t now_ms)
{
	if (!ifindex || doubts_silent(d, ifindex, now_ms))
		return false;
	place(d, ifindex)->silent_ms = since_ms;
	doubts_rest(d, ifindex, now_ms);
	return true;
}

bool doubts_settle(struct doubts *d, int ifindex, int64_t now_ms)
{
	if (!doubts_silent(d, ifindex, now_ms))
		return false;
	place(d, ifindex)->silent_ms = 0;
	return true;
}

void doubts_rest(struct doubts *d, int ifindex, int64_t now_ms)
{
	if (!ifindex)
		return;
	struct doubt *p = place(d, ifindex);

	if (p->times && now_ms - p->doubted_ms < SAME_MS)
		return;
	if (p->times && now_ms - p->doubted_ms > FORGIVEN_MS)
		p->times = 0;
	p->until_ms = now_ms + ((int64_t)REST_MS << (p->times < DOUBLINGS ? p->times : DOUBLINGS));
	p->times++;
	p->doubted_ms = now_ms;
}

void doubts_forget(struct doubts *d, int ifindex)
{
	if (known(d, ifindex))
		*place(d, ifindex) = (struct doubt){0};
}

int64_t doubts_silent(const struct doubts *d, int ifindex, int64_t now_ms)
{
	const struct doubt *p = known(d, ifindex);

	if (!p || !p->silent_ms)
		return 0;
	return now_ms > p->silent_ms ? now_ms - p->silent_ms : 1;
}

int64_t doubts_resting(const struct doubts *d, int ifindex, int64_t now_ms)
{
	const struct doubt *p = known(d, ifindex);

	return p && p->until_ms > now_ms ? p->until_ms - now_ms : 0;
}
