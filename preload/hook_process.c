/* SPDX-License-Identifier: MIT */
/*
 * Calls that change what a thread may do, or that a process with threads may not make: the agent
 * steps aside. glibc makes set*id calls in all threads and aborts when the results differ;
 * unshare(CLONE_NEWUSER) and setns() fail with EINVAL while there is a second thread; after chroot,
 * unshare and capset the agent would be left in the old world. It starts again from the calling
 * thread and so inherits the new one.
 */
#include <grp.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/prctl.h>

#include "preload/agent.h"
#include "preload/hook.h"
#include "preload/process.h"
#include "preload/raw.h"
#include "preload/real.h"

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

EXPORT int prctl(int op, ...)
{
	va_list ap;
	unsigned long a[4];

	va_start(ap, op);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
	/* Of all it can do, only what ties a thread down concerns the agent. */
	bool p = (op == PR_SET_SECCOMP || op == PR_SET_KEEPCAPS || op == PR_CAPBSET_DROP ||
	          op == PR_SET_NO_NEW_PRIVS) &&
	         aside();

	if (!real.prctl)
		real_bind();
	return back(p, real.prctl(op, a[0], a[1], a[2], a[3]));
}
