/* SPDX-License-Identifier: MIT */
#include "service/info.h"

static bool hopeless(const struct info_network *n)
{
	return n->failures >= INFO_FAILURES;
}

/* The earliest time at which the network may see a fetch more. */
static int64_t room(const struct info_network *n)
{
	int64_t oldest = n->began[n->next];

	return oldest ? oldest + INFO_BURST_MS : 0;
}

bool info_advertised(struct info *i, const struct ra_pvd *pvd, int64_t now,
                     uint64_t (*chance)(uint64_t below))
{
	bool changed = !i->known || i->sequence != pvd->sequence, had = i->held;

	i->known = true;
	i->sequence = pvd->sequence;
	if (!pvd->http) {
		/* Nobody may ask, and of what is held nobody says that it is still so. */
		i->held = false;
		if (i->state != INFO_FAILED)
			i->state = INFO_NONE;
		return had;
	}
	if (i->state == INFO_FAILED || (!changed && i->state != INFO_NONE))
		return false;
	i->held = false;
	i->unreached = 0;
	/* A fetch under way may bring what was before: its end sees that it is not waited for. */
	i->state = INFO_WAITING;
	i->due = now + (int64_t)chance((uint64_t)1024 << pvd->delay);
	if (i->began && i->due < i->began + INFO_APART_MS)
		i->due = i->began + INFO_APART_MS;
	return had;
}

bool info_begin(struct info *i, struct info_network *n, int64_t now)
{
	if ((i->state != INFO_WAITING && i->state != INFO_HELD) || now < i->due || hopeless(n) ||
	    now < room(n))
		return false;
	i->state = INFO_FETCHING;
	i->began = now;
	n->began[n->next] = now;
	n->next = (n->next + 1) % INFO_BURST;
	return true;
}

void info_ended(struct info *i, struct info_network *n, enum info_result r, int64_t until,
                int64_t now, uint64_t (*chance)(uint64_t below))
{
	if (r == INFO_REFUSED)
		n->failures++;
	/* Meanwhile there was another sequence number, or nobody may ask any more. */
	if (i->state != INFO_FETCHING)
		return;
	switch (r) {
	case INFO_GOT:
		i->state = INFO_HELD;
		i->held = true;
		i->unreached = 0;
		i->until = until;
		/* In the second half of its life, so that not all hosts come at the end of it. */
		i->due = now + (until - now) / 2 + (int64_t)chance((uint64_t)(until - now) / 2);
		if (i->due < now + INFO_APART_MS)
			i->due = now + INFO_APART_MS;
		break;
	case INFO_UNREACHED:
		i->state = INFO_WAITING;
		i->due = now + ((int64_t)INFO_APART_MS << (i->unreached < 9 ? i->unreached : 9));
		if (i->due > now + INFO_AGAIN_MAX_MS)
			i->due = now + INFO_AGAIN_MAX_MS;
		i->unreached++;
		break;
	case INFO_REFUSED:
		i->state = INFO_FAILED;
		break;
	}
}

void info_refuse(struct info *i, struct info_network *n)
{
	n->failures++;
	i->state = INFO_FAILED;
	i->held = false;
}

bool info_expire(struct info *i, int64_t now)
{
	if (!i->held || now < i->until)
		return false;
	i->held = false;
	return true;
}

int64_t info_due(const struct info *i, const struct info_network *n)
{
	int64_t due = i->held ? i->until : -1, fetch = -1;

	if ((i->state == INFO_WAITING || i->state == INFO_HELD) && !hopeless(n))
		fetch = i->due > room(n) ? i->due : room(n);
	return due < 0 || (fetch >= 0 && fetch < due) ? fetch : due;
}
