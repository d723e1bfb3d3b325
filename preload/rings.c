/* SPDX-License-Identifier: MIT */
#include "preload/rings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "preload/flow.h"
#include "preload/lately.h"
#include "preload/process.h"
#include "preload/procfs.h"
#include "preload/pump.h"
#include "preload/raw.h"

#define LOOKED_AT 1024

static _Atomic bool told;
static struct lately look = {.share = 50, .most_ms = 1000}; /* that found none */

bool rings_told(void)
{
	return atomic_load_explicit(&told, memory_order_relaxed);
}

void rings_coming(void)
{
	int saved = errno;

	atomic_store(&told, true);
	/* All are asked for before the first is waited for. */
	for (int pass = 0; pass < 2 && process_ours(); pass++)
		for (unsigned i = 0; i < flow_count(); i++) {
			struct flow *f = flow_at(i);
			uint32_t s = atomic_load(&f->state);

			if (s != FLOW_STABLE && s != FLOW_MOVING && s != FLOW_WAITING)
				continue;
			if (f->kind == FLOW_SESSION)
				pump_ask(f, pass ? PUMP_MS : 0);
			else
				atomic_store(&f->foreign, true);
		}
	errno = saved;
}

bool rings_here(void)
{
	static const char name[] = "anon_inode:[io_uring]";
	char path[32], link[sizeof(name) + 1];
	struct proc_dir d;
	bool found = rings_told();

	/*
	 * A program that opens many connections without blocking is not to pay for a look with
	 * each. A ring that is missed so moves its bytes past the hooks, which the kernel's counts
	 * tell: the flow ends uncovered, not wrong.
	 */
	if (found || lately_was(&look) || proc_dir_open(&d, "/proc/self/fd") < 0)
		return found;
	lately_begin(&look);
	for (int i = 0, fd; i < LOOKED_AT && !found && (fd = proc_dir_next(&d)) >= 0; i++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		found = raw_readlinkat(AT_FDCWD, path, link, sizeof(link)) == sizeof(name) - 1 &&
		        memcmp(link, name, sizeof(name) - 1) == 0;
	}
	proc_dir_close(&d);
	lately_end(&look);
	if (found)
		atomic_store(&told, true);
	return found;
}
