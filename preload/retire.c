/* SPDX-License-Identifier: MIT */
#include "preload/retire.h"

#include <time.h>

#include "preload/agent.h"
#include "preload/flow.h"
#include "preload/flowtalk.h"
#include "preload/link.h"
#include "preload/move.h"
#include "preload/process.h"
#include "preload/raw.h"
#include "preload/splice.h"
#include "preload/status.h"

#define SETTLE_MS 2000
#define STEP_MS 5

static bool between(const struct flow *f)
{
	uint32_t s = atomic_load(&f->state);

	return s == FLOW_CONNECTING || s == FLOW_MOVING || splice_parked(f);
}

static void settle(void)
{
	struct timespec step = {0, STEP_MS * 1000000};
	bool any = true;

	for (int ms = 0; ms < SETTLE_MS && any && agent_running(); ms += STEP_MS) {
		any = false;
		for (unsigned i = 0; i < flow_count(); i++)
			any |= between(flow_at(i));
		if (any)
			raw_call3(SYS_nanosleep, (long)&step, 0, 0);
	}
}

static void let_go(struct flow *f)
{
	const struct ses_frame bye = {.type = SES_F_DETACH, .sid = f->ses.sid};
	uint32_t s = atomic_load(&f->state);

	if (s == FLOW_FREE || s == FLOW_ENDED || s == FLOW_INHERITED)
		return;
	move_abandon(f, "the process goes into a sandbox");
	/* Committed to a connection that did not come: its stream cannot go on. */
	if (splice_parked(f))
		splice_reset(f);
	if (f->kind == FLOW_SESSION && f->link && atomic_load(&f->through_relay))
		link_send(f->link, &bye);
	flowtalk_end(f);
}

void retire(void)
{
	settle();
	agent_park();
	status_close();
	for (unsigned i = 0; i < flow_count(); i++)
		let_go(flow_at(i));
	process_enabled = false;
	flows_gone();
}
