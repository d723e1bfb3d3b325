/* SPDX-License-Identifier: MIT */
/*
 * Closing and duplicating. These take the flow's table lock around the system call, so that a
 * number is never exchanged by the agent after it has come to mean something else.
 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "preload/agent.h"
#include "preload/counts.h"
#include "preload/hook.h"
#include "preload/kin.h"
#include "preload/own.h"
#include "preload/process.h"
#include "preload/raw.h"
#include "preload/real.h"

/* Takes the lock unless this thread has it already (a signal handler that interrupted a hook). */
static bool enter(struct flow *f)
{
	return lock_owner(&f->table) != thread_id() && lock_take(&f->table, thread_id(), -1);
}

/* Before the descriptor goes away; the lock is held. */
static bool leave_table(struct flow *f, int fd, bool kin)
{
	struct counts k;

	/* The far end of the pair is told when the last holder has closed it, in whatever process.
	 * What is inherited is the owner's to end. */
	if (atomic_load(&f->carried) || atomic_load(&f->state) == FLOW_INHERITED) {
		flow_drop_fd(f, fd);
		return false;
	}
	if (f->fds == 1 && f->kind == FLOW_SESSION && atomic_load(&f->through_relay) &&
	    f->old_fd < 0 && flow_owns(f, fd) && counts_read(fd, &k) == 0) {
		f->closed_read = flow_read_count(f, &k);
		f->closed_known = true;
	}
	int unacked = 0;

	if (f->fds == 1 && f->kind == FLOW_SESSION)
		f->owed_at_close = f->move || atomic_load(&f->state) != FLOW_STABLE ||
		                   (raw_ioctl(fd, SIOCOUTQ, &unacked) == 0 && unacked > 0);
	bool last = flow_drop_fd(f, fd);

	if (last) {
		f->progress_ms = 0;
		/* Relatives may have it: that is known after it was closed here. */
		f->closed = !kin;
	}
	return last;
}

EXPORT int close(int fd)
{
	struct flow *f = flow_of(fd);
	int r;

	if (!f) {
		if (own_is(fd) && process_ours()) {
			/* For the program this number is not open. */
			errno = EBADF;
			return -1;
		}
		return real.close(fd);
	}
	if (!process_ours())
		return real.close(fd);
	bool locked = enter(f);
	bool kin = f->kind == FLOW_SESSION && f->fds == 1 && atomic_load(&f->shared) &&
	           !atomic_load(&f->carried) && atomic_load(&f->state) != FLOW_INHERITED;
	int teller = kin ? kin_before_close(fd) : -1;
	bool last = leave_table(f, fd, kin);

	r = real.close(fd);
	if (kin && last && !kin_after_close(f, teller))
		f->closed = true;
	if (locked)
		lock_release(&f->table);
	if (last) {
		int saved = errno;

		agent_kick();
		errno = saved;
	}
	return r;
}

EXPORT int fclose(FILE *file)
{
	int saved = errno, fd = fileno(file);
	struct flow *f = fd >= 0 ? flow_of(fd) : NULL;

	errno = saved;
	if (!real.fclose)
		real_bind();
	if (!f || !process_ours())
		return real.fclose(file);
	/* What stdio still holds is written now, while the flow is known. */
	fflush(file);
	bool locked = enter(f), last = leave_table(f, fd, false);
	int r = real.fclose(file);

	if (locked)
		lock_release(&f->table);
	saved = errno;
	if (last)
		agent_kick();
	errno = saved;
	return r;
}

/* Drops every flow with a descriptor in the range; the program is about to close them all. */
static void leave_range(unsigned first, unsigned last)
{
	for (unsigned i = 0; i < flow_count(); i++) {
		struct flow *f = flow_at(i);

		if (atomic_load(&f->state) == FLOW_FREE || !f->fds)
			continue;
		bool locked = enter(f);

		for (unsigned k = f->fds; k-- > 0;)
			if ((unsigned)f->fd[k] >= first && (unsigned)f->fd[k] <= last)
				leave_table(f, f->fd[k], false);
		if (locked)
			lock_release(&f->table);
	}
	agent_kick();
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
	if (!process_enabled || flags & (int)CLOSE_RANGE_CLOEXEC || !process_ours())
		return real.close_range(first, last, flags);
	if (flow_count())
		leave_range(first, last);
	/* Around our own. */
	for (;;) {
		int own = own_next(first);

		if (own < 0 || (unsigned)own > last)
			break;
		if ((unsigned)own > first) {
			int r = real.close_range(first, (unsigned)own - 1, flags);

			if (r < 0)
				return r;
		}
		first = (unsigned)own + 1;
		if (first > last)
			return 0;
	}
	return real.close_range(first, last, flags);
}

EXPORT void closefrom(int first)
{
	if (!real.closefrom)
		real_bind();
	if (!process_enabled || own_next(0) < 0 || !process_ours()) {
		real.closefrom(first);
		return;
	}
	/* On a kernel without close_range there is only the real one, and our own go with the rest.
	 */
	if (close_range(first < 0 ? 0 : (unsigned)first, ~0u, 0) < 0)
		real.closefrom(first);
}

static void alias(struct flow *f, int fd)
{
	if (!flow_add_fd(f, fd))
		atomic_store(&f->foreign, true); /* more names than we can exchange */
}

EXPORT int dup(int fd)
{
	struct flow *f = flow_of(fd);

	if (!f || !process_ours())
		return real.dup(fd);
	bool locked = enter(f);
	int r = real.dup(fd);

	if (r >= 0)
		alias(f, r);
	if (locked)
		lock_release(&f->table);
	return r;
}

/* dup2 and dup3 onto `to`: what `to` was is closed, what `from` is gets a name more. */
static int replace(int from, int to, int flags, bool three)
{
	struct flow *gone = flow_of(to), *kept = flow_of(from);

	if ((!gone && !kept && !own_is(to)) || from == to || !process_ours())
		return three ? real.dup3(from, to, flags) : real.dup2(from, to);
	if (own_is(to)) {
		/* The one answer of dup2 that says "try another": it is documented for a number
		 * being opened. */
		errno = EBUSY;
		return -1;
	}
	bool locked_gone = gone && gone != kept && enter(gone);
	bool locked_kept = kept && enter(kept);
	int r = three ? real.dup3(from, to, flags) : real.dup2(from, to);

	if (r >= 0 && gone)
		leave_table(gone, to, false);
	if (r >= 0 && kept)
		alias(kept, to);
	if (locked_kept)
		lock_release(&kept->table);
	if (locked_gone)
		lock_release(&gone->table);
	if (gone && gone->closed) {
		int saved = errno;

		agent_kick();
		errno = saved;
	}
	return r;
}

EXPORT int dup2(int from, int to)
{
	return replace(from, to, 0, false);
}

EXPORT int dup3(int from, int to, int flags)
{
	return replace(from, to, flags, true);
}

static int control(int (*call)(int, int, ...), int fd, int op, void *arg)
{
	struct flow *f =
	    op == F_DUPFD || op == F_DUPFD_CLOEXEC || op == F_SETFL ? flow_of(fd) : NULL;

	if (!f || !process_ours())
		return call(fd, op, arg);
	bool locked = enter(f);
	int r = call(fd, op, arg);

	if (r >= 0 && op != F_SETFL)
		alias(f, r);
	if (locked)
		lock_release(&f->table);
	return r;
}

EXPORT int fcntl(int fd, int op, ...)
{
	va_list ap;

	va_start(ap, op);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	return control(real.fcntl, fd, op, arg);
}

EXPORT int fcntl64(int fd, int op, ...)
{
	va_list ap;

	va_start(ap, op);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	return control(real.fcntl64, fd, op, arg);
}
