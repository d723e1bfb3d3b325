/* SPDX-License-Identifier: MIT */
#include "preload/barrier.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>

#include "preload/procfs.h"
#include "preload/raw.h"

static bool membarrier(int command)
{
	return raw_call3(SYS_membarrier, command, 0, 0) == 0;
}

bool barrier_heavy(void)
{
	bool fenced = atomic_load(&hot.fenced);

	if (!fenced && !membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) {
		/* Who has not seen it yet is in its call, or sees it, when next we look. */
		atomic_store(&hot.fenced, true);
		return false;
	}
	barrier_full();
	return true;
}

void barrier_start(void)
{
	/* In a sandbox it is not known whether it is a call to end the process for. */
	if (!proc_sandboxed() && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
		atomic_store(&hot.fenced, false);
}

void barrier_stop(void)
{
	if (atomic_exchange(&hot.fenced, true))
		return;
	/* What a thread has said before it saw this is seen by all from here on. */
	membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

void barrier_forked(void)
{
	atomic_store(&hot.fenced, true);
}
