/* SPDX-License-Identifier: MIT */
/*
 * After the process only the kernel's own connection is left for what it wrote last: if that path
 * is lost, nobody can send it again. So the process stays for the moment in which this matters:
 * while the kernel has unacknowledged bytes, or a flow is between two paths. A program that ends
 * otherwise than by exit() is not waited for.
 */
#include "preload/farewell.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/agent.h"
#include "preload/flow.h"
#include "preload/pump.h"
#include "preload/raw.h"

#define LIMIT_MS 3000
#define STEP_MS 2
#define STEP_MOST_MS 40

static bool owes(const struct flow *f)
{
	uint32_t s = atomic_load(&f->state);
	int unacked = 0;

	if (atomic_load(&f->carried))
		return pump_owes(f);
	if (f->kind != FLOW_SESSION || !atomic_load(&f->through_relay) || !atomic_load(&f->keeps) ||
	    atomic_load(&f->shared) || f->uncovered)
		return false;
	/* The agent ends it when the relay has everything. */
	if (s == FLOW_CLOSING || (f->closed && s != FLOW_ENDED && s != FLOW_FREE))
		return f->owed_at_close;
	if (s == FLOW_MOVING || s == FLOW_WAITING)
		return flow_tail(f) > atomic_load(&f->confirmed);
	return s == FLOW_STABLE && f->fds && raw_ioctl(f->fd[0], SIOCOUTQ, &unacked) == 0 &&
	       unacked > 0;
}

bool farewell_owes(void)
{
	for (unsigned i = 0; i < flow_count(); i++)
		if (owes(flow_at(i)))
			return true;
	return false;
}

void farewell_wait(void)
{
	/* As a rule it is a round trip. Where it is more, others may need the processor. */
	for (int ms = 0; ms < LIMIT_MS && agent_running() && farewell_owes();) {
		int more = STEP_MS + ms / 8 < STEP_MOST_MS ? STEP_MS + ms / 8 : STEP_MOST_MS;
		struct timespec step = {0, more * 1000000};

		raw_call3(SYS_nanosleep, (long)&step, 0, 0);
		ms += more;
	}
}
