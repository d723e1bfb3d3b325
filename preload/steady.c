/* SPDX-License-Identifier: MIT */
#include "preload/steady.h"

#include <stddef.h>

static const struct steady_interface *find(const struct steady *s, int ifindex)
{
	for (int i = 0; i < STEADY_MAX; i++)
		if (s->on[i].ifindex == ifindex)
			return &s->on[i];
	return NULL;
}

static struct steady_interface *touch(struct steady *s, int ifindex, int64_t now_ms)
{
	struct steady_interface *e = (struct steady_interface *)find(s, ifindex);

	if (!e) {
		e = &s->on[0];
		for (int i = 1; i < STEADY_MAX && e->ifindex; i++)
			if (!s->on[i].ifindex || s->on[i].touched_ms < e->touched_ms)
				e = &s->on[i];
		*e = (struct steady_interface){.ifindex = ifindex};
	}
	e->touched_ms = now_ms;
	return e;
}

void steady_here(struct steady *s, int ifindex, int64_t now_ms)
{
	struct steady_interface *e = touch(s, ifindex, now_ms);

	if (e->gone && now_ms - e->gone_ms >= STEADY_MS)
		e->flaps = 0;
	e->gone = false;
	e->known = true;
	e->since_ms = now_ms;
}

void steady_gone(struct steady *s, int ifindex, int64_t now_ms)
{
	struct steady_interface *e = touch(s, ifindex, now_ms);

	if (e->gone) /* an interface goes with its addresses, one event each */
		return;
	if (!e->known || now_ms - e->since_ms >= STEADY_MS)
		e->flaps = 0;
	else if (e->flaps < STEADY_FLAPS)
		e->flaps++;
	e->gone = true;
	e->gone_ms = now_ms;
}

int64_t steady_ms(const struct steady *s, int ifindex, int64_t now_ms)
{
	const struct steady_interface *e = find(s, ifindex);

	return e && e->known ? now_ms - e->since_ms : INT32_MAX;
}

unsigned steady_flaps(const struct steady *s, int ifindex, int64_t now_ms)
{
	const struct steady_interface *e = find(s, ifindex);

	return e && e->known && now_ms - e->since_ms < STEADY_MS ? e->flaps : 0;
}
