/* SPDX-License-Identifier: MIT */
#include "preload/alone.h"

#include <string.h>

#include "common/clock.h"
#include "preload/raw.h"
#include "preload/survey.h"

#define AGAIN_MS 100 /* from one look to the next */
#define PAUSE_MS 2   /* and from one turn to the next: the agent has others to see to */
#define OLD_MS 1000  /* a look that nobody went on with is begun anew */

static bool looking;
static struct survey survey;
static struct flow *asked[SURVEY_SOCKETS];

static uint64_t inode_of(const struct flow *f)
{
	return f->old_fd >= 0 ? raw_inode(f->old_fd) : f->inode;
}

static void gather(void)
{
	memset(&survey, 0, sizeof(survey));
	for (unsigned i = 0; i < flow_count() && survey.n < SURVEY_SOCKETS; i++) {
		struct flow *f = flow_at(i);
		uint32_t state = atomic_load(&f->state);
		uint8_t shared = FLOW_SHARED;

		if (f->kind != FLOW_HTTP || state == FLOW_FREE || state == FLOW_ENDED ||
		    state == FLOW_INHERITED)
			continue;
		/* Should the program fork in the middle of this, it is simply shared again. */
		if (!atomic_compare_exchange_strong(&f->shared, &shared, FLOW_SHARED_ASKED) &&
		    shared != FLOW_SHARED_ASKED)
			continue;
		survey.inode[survey.n] = inode_of(f);
		asked[survey.n++] = f;
	}
}

static void settle(void)
{
	for (int i = 0; i < survey.n; i++) {
		struct flow *f = asked[i];
		uint8_t shared = FLOW_SHARED_ASKED;
		bool found = survey.found[i] || survey.inode[i] != inode_of(f);

		atomic_compare_exchange_strong(&f->shared, &shared, found ? FLOW_SHARED : 0);
	}
}

bool alone_looking(void)
{
	return looking;
}

bool alone(struct flow *f)
{
	static int64_t next_ms;
	int64_t now = clock_ms();

	if (!atomic_load(&f->shared))
		return true;
	if (now < next_ms)
		return false;
	if (!looking || now - next_ms > OLD_MS)
		gather();
	looking = !survey_turn(&survey);
	if (looking) {
		next_ms = clock_ms() + PAUSE_MS;
		return false;
	}
	settle();
	next_ms = clock_ms() + AGAIN_MS;
	return !atomic_load(&f->shared);
}
