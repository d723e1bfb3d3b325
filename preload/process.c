/* SPDX-License-Identifier: MIT */
#include "preload/process.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/log.h"
#include "preload/agent.h"
#include "preload/barrier.h"
#include "preload/doubles.h"
#include "preload/farewell.h"
#include "preload/flow.h"
#include "preload/heirs.h"
#include "preload/keeper.h"
#include "preload/keys.h"
#include "preload/kin.h"
#include "preload/link.h"
#include "preload/lookup.h"
#include "preload/names.h"
#include "preload/numbers.h"
#include "preload/own.h"
#include "preload/raw.h"
#include "preload/real.h"
#include "preload/splice.h"
#include "preload/status.h"

bool process_enabled;
static int owner; /* written by the constructor and in forked children */

static const struct pol *_Atomic policy;
static char file[4096];
/* Remembered, for a sandbox may allow connect() and not the question. */
static _Atomic uint32_t euid;
static struct timespec changed;
static off_t size;
static struct flock_word loading;

bool process_ours(void)
{
	return (int)raw_getpid() == owner;
}

const char *process_policy_file(void)
{
	return file;
}

static void load(void)
{
	char err[512];
	struct stat st;

	numbers_hold();
	const struct pol *p = pol_load(file, err, sizeof(err));

	numbers_free();

	if (stat(file, &st) == 0) {
		changed = st.st_mtim;
		size = st.st_size;
	}
	if (p) {
		/*
		 * The one before is not freed: flows point at its rules. A file changes rarely,
		 * and a policy is a few kilobytes.
		 */
		atomic_store(&policy, p);
		log_info("policy %s", file);
	} else {
		log_error("%s", err);
	}
}

const struct pol *process_policy(void)
{
	const struct pol *p = atomic_load(&policy);

	if (p)
		return p;
	int saved = errno;

	if (lock_take(&loading, thread_id(), 1000)) {
		if (!atomic_load(&policy)) {
			if (file[0] || pol_find(file, sizeof(file)))
				load();
			if (!atomic_load(&policy))
				atomic_store(&policy, pol_builtin());
		}
		lock_release(&loading);
	}
	errno = saved;
	p = atomic_load(&policy);
	return p ? p : pol_builtin();
}

int process_policy_watch(void)
{
	char dir[sizeof(file)];
	char *slash;

	if (!atomic_load(&policy) || !file[0])
		return -ENOENT;
	strcpy(dir, file);
	slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = 0;
	else
		strcpy(dir, ".");
	int fd = own_call(SYS_inotify_init1, IN_CLOEXEC | IN_NONBLOCK, 0, 0);

	if (fd < 0)
		return fd;
	/* The directory: editors write a new file and move it over the old one. */
	if (inotify_add_watch(fd, dir, IN_CLOSE_WRITE | IN_MOVED_TO) < 0) {
		int err = errno;

		own_close(fd);
		return -err;
	}
	return fd;
}

bool process_policy_refresh(void)
{
	struct stat st;
	const struct pol *before = atomic_load(&policy);

	if (!file[0] || !before || stat(file, &st) != 0)
		return false;
	if (st.st_mtim.tv_sec == changed.tv_sec && st.st_mtim.tv_nsec == changed.tv_nsec &&
	    st.st_size == size)
		return false;
	load();
	return atomic_load(&policy) != before;
}

static bool succeeding;

void process_succession(bool on)
{
	succeeding = on;
}

/* The agent was parked: what it knew is whole, and all of it is this process's now. */
static void in_successor(void)
{
	for (unsigned i = 0; i < flow_count(); i++)
		flow_succeeded(flow_at(i));
	agent_succeeded();
}

void process_renamed(void)
{
	for (unsigned i = 0; i < flow_count(); i++)
		if (atomic_load(&flow_at(i)->state) != FLOW_INHERITED)
			flow_at(i)->owner = owner;
	status_close();
}

static void in_child(void)
{
	/*
	 * The parent goes on owning its flows; here their descriptors are ordinary ones. What the
	 * agent had open is shared with the parent and must not stay open, or the relay would never
	 * see the parent end.
	 */
	this_thread.tid = 0;
	thread_unseated();
	seats_forked();
	barrier_forked();
	numbers_child();
	owner = (int)raw_getpid();
	atomic_store(&loading.word, 0);
	names_forked();
	if (succeeding) {
		in_successor();
		return;
	}
	lookup_forget();
	kin_forked();
	doubles_forked();
	flow_table_forked();
	splice_forked();
	agent_forget();
	own_close_all(log_fd());
}

static void before_fork(void)
{
	heirs_note_all();
	numbers_before_fork();
}

static void in_parent(void)
{
	numbers_parent();
	if (succeeding)
		return;
	heirs_note_all();
	for (unsigned i = 0; i < flow_count(); i++)
		atomic_store(&flow_at(i)->shared, FLOW_SHARED);
}

static void open_log(void)
{
	/* Not in a program that runs with more rights than its caller (/etc/ld.so.preload loads us
	 * there, too): it would write where the caller may not. */
	const char *spec = secure_getenv("MIFCONT_LOG");

	if (!spec || log_setup(spec) != 0)
		return;
	int fd = own_fd(log_fd());

	log_set_fd(fd < 0 ? -1 : fd);
}

void process_leave(bool orderly)
{
	static _Atomic bool left;
	int saved = errno;

	if (atomic_exchange(&left, true))
		return;
	if (keeper_needed() && keeper_leave())
		return;
	if (orderly)
		farewell_wait();
	agent_park();
	if (!agent_running())
		links_farewell();
	errno = saved;
}

void process_describe(struct pol_peer *p)
{
	p->program = (const char *)getauxval(AT_EXECFN);
	p->uid = atomic_load_explicit(&euid, memory_order_relaxed);
}

void process_identity(void)
{
	atomic_store_explicit(&euid, (uint32_t)raw_call3(SYS_geteuid, 0, 0, 0),
	                      memory_order_relaxed);
}

__attribute__((destructor)) static void end(void)
{
	if (process_enabled && process_ours())
		process_leave(true);
}

__attribute__((constructor)) static void start(void)
{
	int saved = errno;
	const char *off = secure_getenv("MIFCONT_DISABLE");

	real_bind();
	owner = (int)raw_getpid();
	process_identity();
	if (!(off && *off && strcmp(off, "0") != 0)) {
		pthread_atfork(before_fork, in_parent, in_child);
		open_log();
		keys_locate();
		/* Some programs clear their environment (nginx): what it says is looked up now. */
		if (!pol_find(file, sizeof(file)))
			file[0] = 0;
		process_enabled = true;
		kin_read();
	}
	errno = saved;
}
