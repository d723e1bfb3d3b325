/* SPDX-License-Identifier: MIT */
#include "preload/fastopen.h"

#define TRYING_MS 3000  /* who was about to find out has given up */
#define NOT_MS 600000   /* the same interface may be in another network by then */
#define WORKS_MS 600000 /* and so */

static int64_t lasts(enum fastopen state)
{
	switch (state) {
	case FASTOPEN_TRYING:
		return TRYING_MS;
	case FASTOPEN_WORKS:
		return WORKS_MS;
	case FASTOPEN_NOT:
		return NOT_MS;
	case FASTOPEN_UNKNOWN:
		break;
	}
	return 0;
}

enum fastopen fastopen_state(const struct fastopen_table *t, int ifindex, int64_t now_ms)
{
	for (int i = 0; i < FASTOPEN_PATHS; i++)
		if (ifindex && t->path[i].ifindex == ifindex)
			return now_ms - t->path[i].ms < lasts(t->path[i].state) ? t->path[i].state
			                                                        : FASTOPEN_UNKNOWN;
	/* Without a path of its own, or the host's routing decides: nothing can be known. */
	return ifindex ? FASTOPEN_UNKNOWN : FASTOPEN_NOT;
}

void fastopen_note(struct fastopen_table *t, int ifindex, enum fastopen state, int64_t now_ms)
{
	int at = 0;

	if (!ifindex)
		return;
	/* The oldest makes room. */
	for (int i = 0; i < FASTOPEN_PATHS; i++) {
		if (t->path[i].ifindex == ifindex) {
			at = i;
			break;
		}
		if (t->path[i].ms < t->path[at].ms)
			at = i;
	}
	t->path[at].ifindex = ifindex;
	t->path[at].state = state;
	t->path[at].ms = now_ms;
}
