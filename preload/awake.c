/* SPDX-License-Identifier: MIT */
#include "preload/awake.h"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>

#include "common/log.h"
#include "preload/own.h"
#include "preload/procfs.h"
#include "preload/raw.h"
#include "preload/slept.h"

static struct slept slept;
static int clock_fd = -1, slot = -1;
static bool tried;

static void open_clock(void)
{
	/* Due in the year 2242. Once is enough: it is cancelled at each setting of the clock. */
	struct itimerspec never = {.it_value = {.tv_sec = 1LL << 33}};

	tried = true;
	/* Without it a sleep is noticed when something else wakes the agent: Wi-Fi that comes back,
	 * as a rule. A sandbox that programs without timers live in may know none; most know what
	 * else we do. */
	if (proc_sandboxed())
		return;
	clock_fd = own_call(SYS_timerfd_create, CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK, 0);
	if (clock_fd >= 0)
		raw_call6(SYS_timerfd_settime, clock_fd,
		          TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, (long)&never, 0, 0, 0);
}

/* Not by libc: a preload that bends time (libfaketime) has one clock go ahead of the other. */
static int64_t read_clock(clockid_t clock)
{
	struct timespec t = {0};

	raw_call3(SYS_clock_gettime, clock, (long)&t, 0);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void awake_wait(struct waits *w)
{
	if (!tried)
		open_clock();
	slot = waits_add(w, clock_fd, POLLIN);
}

bool awake_step(const struct waits *w)
{
	uint64_t count;

	if (waits_got(w, slot))
		raw_read(clock_fd, &count, sizeof(count)); /* ECANCELED */
	int64_t boot = read_clock(CLOCK_BOOTTIME), monotonic = read_clock(CLOCK_MONOTONIC);
	int64_t ms = slept_for(&slept, boot, monotonic);

	if (ms)
		log_info("the machine has slept for %lld ms: sessions are connected anew",
		         (long long)ms);
	return ms > 0;
}

void awake_forget(void)
{
	clock_fd = -1;
	tried = false;
}
