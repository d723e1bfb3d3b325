/* SPDX-License-Identifier: MIT */
#include "preload/agent.h"
#include "preload/awake.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "monitor/monitor.h"
#include "preload/barrier.h"
#include "preload/check.h"
#include "preload/choose.h"
#include "preload/desk.h"
#include "preload/errand.h"
#include "preload/farewell.h"
#include "preload/feed.h"
#include "preload/flow.h"
#include "preload/flowtalk.h"
#include "preload/heirs.h"
#include "preload/learned.h"
#include "preload/link.h"
#include "preload/move.h"
#include "preload/nudge.h"
#include "preload/numbers.h"
#include "preload/own.h"
#include "preload/process.h"
#include "preload/pulse.h"
#include "preload/procfs.h"
#include "preload/pump.h"
#include "preload/raw.h"
#include "preload/status.h"
#include "preload/there.h"
#include "preload/waits.h"
#include "preload/watch.h"

#define STACK (256 * 1024)
#define PARK_S 3

static struct flock_word starting;
static pthread_t thread;
static _Atomic uint32_t agent_tid; /* 0: not running */
static _Atomic bool stop;
static _Atomic int wake = -1;
static int parked;           /* depth; under `starting` */
static _Atomic bool restart; /* it ran when it was parked */
static struct mif_monitor *monitor;
static int policy_fd = -1; /* tells of changes to the policy file */
static bool hopeless;      /* could not be started: do not try at every connect */

struct mif_monitor *agent_monitor(void)
{
	return monitor;
}

bool agent_running(void)
{
	return atomic_load(&agent_tid) != 0;
}

bool agent_here(void)
{
	return atomic_load(&agent_tid) == thread_id();
}

bool agent_there(void)
{
	return agent_running() || atomic_load(&restart);
}

void agent_kick(void)
{
	uint64_t one = 1;
	int fd = atomic_load(&wake);

	if (fd >= 0 && own_intact(fd))
		raw_write(fd, &one, sizeof(one));
}

/* --- the thread --- */

static bool network_changed;

static void on_mif(void *ctx, const struct mif_event *ev)
{
	(void)ctx;
	choose_note(ev);
	if (ev->type == MIF_ADDRESS_ANNOUNCEMENT)
		links_path_new(ev->ifindex);
	if (ev->type == MIF_INTERFACE_GOING_UP || ev->type == MIF_INTERFACE_GOING_AWAY)
		there_forget(ev->ifindex);
	/* Nothing is lost yet; idle sessions have nobody else who would notice. */
	if (ev->type == MIF_ROUTER_NOT_REACHED)
		links_ask(ev->ifindex);
	else
		network_changed = true;
	log_debug("%s %s: %s", mif_event_name(ev->type), ev->name, ev->reason);
}

static void open_monitor(void)
{
	numbers_hold();
	int r = mif_monitor_open(&monitor, on_mif, NULL, true);

	if (r >= 0) {
		mif_monitor_move_fds(monitor, own_fd, own_close);
		mif_monitor_tell_fds(monitor, numbers_hold, numbers_free);
	}
	numbers_free();
	if (r < 0) {
		/* A sandbox without netlink: flows work, nothing is moved. */
		log_warn("no rtnetlink here (%s): flows stay where they are", strerrordesc_np(-r));
		monitor = NULL;
		return;
	}
	check_open(monitor);
	learned_listen(monitor);
}

static void sleep_on(struct waits *w)
{
	int64_t now = clock_ms(), left = w->until_ms == INT64_MAX ? -1 : w->until_ms - now;
	struct timespec t;

	if (left < 0 && w->until_ms != INT64_MAX)
		left = 0;
	if (left > 0)
		left = left > 3600000 ? 3600000 : left;
	t = (struct timespec){left / 1000, left % 1000 * 1000000};
	if (raw_ppoll(w->p, (nfds_t)w->n, left < 0 ? NULL : &t, NULL) < 0)
		for (int i = 0; i < w->n; i++)
			w->p[i].revents = 0;
}

static void turn(int most_ms)
{
	static struct waits w;
	int fds[MIF_MONITOR_FDS], slot, policy_slot;
	int64_t until = w.until_ms; /* what the last turn's work asked for */

	w.n = 0;
	w.until_ms = until;
	slot = waits_add(&w, atomic_load(&wake), POLLIN);
	policy_slot = waits_add(&w, policy_fd, POLLIN);
	int n = monitor ? mif_monitor_fds(monitor, fds) : 0;

	for (int i = 0; i < n; i++)
		waits_add(&w, fds[i], POLLIN);
	if (monitor && mif_monitor_timeout(monitor) >= 0)
		waits_until(&w, clock_ms() + mif_monitor_timeout(monitor));
	links_wait(&w);
	moves_wait(&w);
	pumps_wait(&w);
	feeds_wait(&w);
	status_wait(&w);
	desk_wait(&w);
	awake_wait(&w);
	check_wait(&w);
	errands_wait(&w);
	if (most_ms >= 0)
		waits_until(&w, clock_ms() + most_ms);
	sleep_on(&w);

	w.until_ms = INT64_MAX;
	if (waits_got(&w, slot)) {
		uint64_t count;

		raw_read(w.p[slot].fd, &count, sizeof(count));
	}
	if (monitor)
		mif_monitor_process(monitor);
	bool network = network_changed;

	network_changed = false;
	if (waits_got(&w, policy_slot)) {
		char events[4096];

		while (raw_read(policy_fd, events, sizeof(events)) > 0)
			;
		network |= process_policy_refresh();
	} else if (network) {
		process_policy_refresh();
	}
	if (network) {
		learned_listen(monitor);
		moves_review();
		links_review();
	}
	if (awake_step(&w)) {
		flows_slept();
		links_slept();
		network = true;
	}
	links_step(&w);
	check_step(&w);
	errands_step(&w);
	bool silent = pulse_news(), said = choose_news();

	if (silent || said) {
		links_review();
		network = true;
	}
	moves_step(&w);
	pumps_step();
	feeds_step();
	nudge_now();
	watch_flows(network, &w);
	nudge_now();
	status_step(&w);
	desk_step(&w);
}

static _Atomic bool leaderless;

void agent_leader_ends(void)
{
	atomic_store(&leaderless, true);
	agent_kick();
}

#define ALONE_MS 100     /* how often it is looked */
#define FAREWELL_MS 3000 /* what is owed is still done, as at exit() */

/* The program has no thread any more. */
static bool alone(void)
{
	struct proc_dir tasks;
	char stat[512];
	int n = 0;

	if (proc_dir_open(&tasks, "/proc/self/task") < 0)
		return false;
	while (proc_dir_next(&tasks) >= 0)
		n++;
	proc_dir_close(&tasks);
	/* Its main thread is there as long as the process, but not alive. */
	if (n != 2 || proc_read("/proc/self/task/", raw_getpid(), "/stat", stat, sizeof(stat)) < 0)
		return false;
	const char *name_end = strrchr(stat, ')');

	return name_end && strncmp(name_end, ") Z", 3) == 0;
}

/* libc ends the process when this thread, the last one, ends. */
static void end_alone(void)
{
	for (int64_t until = clock_ms() + FAREWELL_MS; farewell_owes() && clock_ms() < until;)
		turn(10);
}

/* Nobody waits for the agent just now. */
static bool idle(void)
{
	for (unsigned i = 0; i < flow_count(); i++) {
		uint32_t s = atomic_load(&flow_at(i)->state);

		if (s == FLOW_CONNECTING || s == FLOW_MOVING)
			return false;
	}
	return true;
}

static _Atomic int task; /* the kernel's number of the thread, also of one that has ended */

static void *run(void *arg)
{
	bool started = false;

	(void)arg;
	atomic_store(&agent_tid, thread_id());
	atomic_store(&task, raw_gettid());
	numbers_no_signals();
	if (!monitor)
		open_monitor();
	if (policy_fd < 0)
		policy_fd = process_policy_watch();
	network_changed = true;
	while (!atomic_load(&stop)) {
		turn(atomic_load(&leaderless) ? ALONE_MS : -1);
		/* It takes the kernel some milliseconds. */
		if (!started && idle()) {
			barrier_start();
			started = true;
		}
		if (atomic_load(&leaderless) && alone()) {
			end_alone();
			break;
		}
	}
	atomic_store(&agent_tid, 0);
	return NULL;
}

/* --- starting and stopping it --- */

static bool make_wake(void)
{
	int fd = atomic_load(&wake);

	if (fd >= 0 && own_intact(fd))
		return true;
	fd = own_call(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK, 0);
	atomic_store(&wake, fd < 0 ? -1 : fd);
	return fd >= 0;
}

/* What /proc tells is needed after a chroot(), too. */
static void keep_proc(void)
{
	static int proc = -1;

	if (proc >= 0 && own_intact(proc))
		return;
	proc = own_open(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY, 0);
	own_renew(proc);
	proc_root(proc < 0 ? -1 : proc);
}

static bool start(void)
{
	sigset_t all, before;
	pthread_attr_t attr;

	links_set_handlers(flowtalk_frame, flowtalk_link_up);
	calls_watch_threads();
	int nudging = nudge_init();

	/* Before the first thread was made it must wait: every nudge tries again. */
	if (!own_roomy() || (nudging < 0 && nudging != -EAGAIN) || !make_wake())
		return false;
	keep_proc();
	status_open();
	atomic_store(&stop, false);
	/* The program's signals are the program's: none is ever handled on the agent thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	int r = pthread_create(&thread, &attr, run, NULL);

	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	uint32_t none = 0;

	if (r == 0) /* until it says its own */
		atomic_compare_exchange_strong(&agent_tid, &none, UINT32_MAX);
	else
		status_close();
	return r == 0;
}

/*
 * A thread is joined a little before the kernel has done with it: until then it is counted among
 * the process's, with the rights it had, and unshare() fails for it.
 */
static void see_off(void)
{
	struct timespec step = {0, 50000};
	int gone = atomic_exchange(&task, 0);

	for (int i = 0; i < 2000 && gone && raw_tgkill(raw_getpid(), gone, 0) == 0; i++)
		raw_call3(SYS_nanosleep, (long)&step, 0, 0);
}

bool agent_ensure(void)
{
	int saved = errno;

	if (agent_running())
		return true;
	if (hopeless || !lock_take(&starting, thread_id(), 1000))
		return false;
	bool ok = agent_running();

	if (!ok && parked) {
		restart = true;
	} else if (!ok) {
		ok = start();
		hopeless = !ok;
		if (!ok)
			log_warn("the agent cannot start here: nothing is moved");
	}
	lock_release(&starting);
	errno = saved;
	return ok;
}

void agent_park(void)
{
	int saved = errno;

	/* exit() in a handler that interrupted our own start must not wait for itself. */
	if (!process_enabled || !process_ours() || thread_id() == atomic_load(&agent_tid) ||
	    lock_owner(&starting) == thread_id() || !lock_take(&starting, thread_id(), 5000))
		return;
	parked++;
	if (agent_running()) {
		struct timespec limit;

		clock_gettime(CLOCK_REALTIME, &limit);
		limit.tv_sec += PARK_S;
		atomic_store(&stop, true);
		agent_kick();
		/* Without its wake-up (closed by a raw system call) it may sleep for long: not the
		 * program, too. */
		if (pthread_timedjoin_np(thread, NULL, &limit) == 0) {
			see_off();
			restart = true;
			atomic_store(&agent_tid, 0);
		}
	}
	lock_release(&starting);
	errno = saved;
}

void agent_unpark(void)
{
	int saved = errno;

	if (!process_enabled || !process_ours() || !lock_take(&starting, thread_id(), 5000))
		return;
	if (parked && --parked == 0 && restart) {
		restart = false;
		if (watch_busy())
			start();
		else
			status_close();
	}
	lock_release(&starting);
	errno = saved;
}

void agent_succeeded(void)
{
	atomic_store(&agent_tid, 0);
	atomic_store(&starting.word, 0);
}

#define STANDSTILL_S 60

bool agent_keep(int ms)
{
	/* Should it ever stand still (memory whose lock a thread held that is not here) it ends. */
	alarm(STANDSTILL_S);
	atomic_store(&agent_tid, thread_id());
	turn(ms);
	if (watch_busy())
		return true;
	links_farewell();
	return false;
}

void agent_forget(void)
{
	atomic_store(&agent_tid, 0);
	atomic_store(&wake, -1);
	atomic_store(&starting.word, 0);
	parked = 0;
	restart = hopeless = false;
	atomic_store(&leaderless, false);
	/* Its memory stays: the parent's allocator may have been in any state. Its sockets are
	 * closed by number. */
	monitor = NULL;
	learned_forget();
	policy_fd = -1;
	links_forget();
	moves_forget();
	nudge_forget();
	pumps_forget();
	feeds_forget();
	heirs_forget();
	status_forget();
	desk_forget();
	awake_forget();
	check_forked();
	errands_forked();
}
