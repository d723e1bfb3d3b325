/* SPDX-License-Identifier: MIT */
/*
 * Calls that change what a thread may do, or that a process with threads may not make: the agent
 * steps aside. glibc makes set*id calls in all threads and aborts when the results differ;
 * unshare(CLONE_NEWUSER) and setns() fail with EINVAL while there is a second thread; after chroot,
 * unshare and capset the agent would be left in the old world. It starts again from the calling
 * thread and so inherits the new one.
 */
#include <grp.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "preload/agent.h"
#include "preload/barrier.h"
#include "preload/filter.h"
#include "preload/hook.h"
#include "preload/process.h"
#include "preload/raw.h"
#include "preload/real.h"
#include "preload/retire.h"

static bool aside(void)
{
	if (!real.setuid)
		real_bind();
	if (!process_enabled || !agent_running())
		return false;
	agent_park();
	return true;
}

static int back(bool parked, int result)
{
	if (process_enabled && process_ours())
		process_identity();
	if (parked)
		agent_unpark();
	return result;
}

EXPORT void pthread_exit(void *value)
{
	if (!real.pthread_exit)
		real_bind();
	if (process_enabled && raw_gettid() == raw_getpid() && process_ours())
		agent_leader_ends();
	real.pthread_exit(value);
	__builtin_unreachable();
}

/* From now on calls are made by libc, which sees to it that their threads can end in them. */
EXPORT int pthread_cancel(pthread_t thread)
{
	if (!real.pthread_cancel)
		real_bind();
	atomic_store(&hot.indirect, true);
	return real.pthread_cancel(thread);
}

EXPORT int setuid(uid_t a)
{
	bool p = aside();

	return back(p, real.setuid(a));
}

EXPORT int setgid(gid_t a)
{
	bool p = aside();

	return back(p, real.setgid(a));
}

EXPORT int seteuid(uid_t a)
{
	bool p = aside();

	return back(p, real.seteuid(a));
}

EXPORT int setegid(gid_t a)
{
	bool p = aside();

	return back(p, real.setegid(a));
}

EXPORT int setreuid(uid_t a, uid_t b)
{
	bool p = aside();

	return back(p, real.setreuid(a, b));
}

EXPORT int setregid(gid_t a, gid_t b)
{
	bool p = aside();

	return back(p, real.setregid(a, b));
}

EXPORT int setresuid(uid_t a, uid_t b, uid_t c)
{
	bool p = aside();

	return back(p, real.setresuid(a, b, c));
}

EXPORT int setresgid(gid_t a, gid_t b, gid_t c)
{
	bool p = aside();

	return back(p, real.setresgid(a, b, c));
}

EXPORT int setgroups(size_t n, const gid_t *list)
{
	bool p = aside();

	return back(p, real.setgroups(n, list));
}

EXPORT int initgroups(const char *user, gid_t group)
{
	bool p = aside();

	return back(p, real.initgroups(user, group));
}

EXPORT int unshare(int flags)
{
	bool p = aside();

	return back(p, real.unshare(flags));
}

EXPORT int setns(int fd, int type)
{
	bool p = aside();

	return back(p, real.setns(fd, type));
}

EXPORT int chroot(const char *path)
{
	bool p = aside();

	return back(p, real.chroot(path));
}

int capset(void *header, const void *data);

EXPORT int capset(void *header, const void *data)
{
	bool p = aside();

	return back(p, real.capset(header, data));
}

/* --- seccomp --- */

/* Before a sandbox is closed. Is the agent aside, to come back when it is? */
static bool confined(const void *filter, bool strict)
{
	if (!real.setuid)
		real_bind();
	if (!process_enabled || !process_ours() || !flow_count())
		return false;
	if (strict || !filter_admits_us(filter)) {
		retire();
		return false;
	}
	barrier_stop();
	return aside();
}

/* Of all that prctl can do, what ties a thread down concerns the agent. */
static bool prctl_aside(int op, unsigned long mode, unsigned long filter)
{
	switch (op) {
	case PR_SET_SECCOMP:
		return confined((const void *)filter, mode == SECCOMP_MODE_STRICT);
	case PR_SET_KEEPCAPS:
	case PR_SET_SECUREBITS:
	case PR_SET_NO_NEW_PRIVS:
	case PR_CAPBSET_DROP:
	case PR_CAP_AMBIENT:
		return aside();
	}
	return false;
}

EXPORT int prctl(int op, ...)
{
	va_list ap;
	unsigned long a[4];

	va_start(ap, op);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
	bool p = prctl_aside(op, a[0], a[1]);

	if (!real.prctl)
		real_bind();
	int r = real.prctl(op, a[0], a[1], a[2], a[3]);

	/* Not back(): a sandbox may be closed now. */
	if (p)
		agent_unpark();
	return r;
}

/* --- the same by number --- */

long process_changed(long nr, const long arg[6])
{
	bool first = raw_gettid() == raw_getpid(), p = false;

	switch (nr) {
	case SYS_prctl:
		p = (first || arg[0] == PR_SET_SECCOMP) &&
		    prctl_aside((int)arg[0], (unsigned long)arg[1], (unsigned long)arg[2]);
		break;
	case SYS_seccomp:
		p = (arg[0] == SECCOMP_SET_MODE_FILTER || arg[0] == SECCOMP_SET_MODE_STRICT) &&
		    confined((const void *)arg[2], arg[0] == SECCOMP_SET_MODE_STRICT);
		break;
	/* These fail while there is a second thread, or would leave the agent in the old world. */
	case SYS_unshare:
	case SYS_setns:
	case SYS_chroot:
		p = aside();
		break;
	default:
		p = first && aside();
	}
	long r = real.syscall(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);

	if (nr != SYS_prctl && nr != SYS_seccomp && process_ours())
		process_identity();
	if (p)
		agent_unpark();
	return r;
}
