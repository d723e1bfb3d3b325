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
#include "preload/doubles.h"
#include "preload/heirs.h"
#include "preload/hook.h"
#include "preload/kin.h"
#include "preload/numbers.h"
#include "preload/own.h"
#include "preload/process.h"
#include "preload/pump.h"
#include "preload/raw.h"
#include "preload/real.h"
#include "preload/registrations.h"

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
	struct linger linger = {0, 0};
	socklen_t len = sizeof(linger);

	if (f->fds == 1 && f->kind == FLOW_SESSION) {
		f->aborted = !kin && flow_owns(f, fd) &&
		             raw_getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) == 0 &&
		             linger.l_onoff && !linger.l_linger;
		f->owed_at_close = f->move || atomic_load(&f->state) != FLOW_STABLE ||
		                   (raw_ioctl(fd, SIOCOUTQ, &unacked) == 0 && unacked > 0);
	}
	bool last = flow_drop_fd(f, fd);

	if (last) {
		f->progress_ms = 0;
		/* Relatives may have it: that is known after it was closed here. */
		f->closed = !kin;
	}
	return last;
}

/*
 * A descriptor on its way out, from before the system call that closes it to after. Of the last one
 * of a flow that other processes may have, too, the kernel tells afterwards whether one does.
 */
struct leaving {
	struct flow *flow;
	bool locked, last, kin, stands_in;
	int teller;
};

static struct leaving leave_begin(struct flow *f, int fd)
{
	struct leaving l = {.flow = f, .teller = -1};

	l.locked = enter(f);
	l.stands_in = l.locked && heirs_stand_in(f, fd);
	if (l.stands_in)
		return l;
	uint32_t s = atomic_load(&f->state);

	l.kin = f->kind == FLOW_SESSION && f->fds == 1 && atomic_load(&f->shared) &&
	        !atomic_load(&f->carried) && s != FLOW_INHERITED && s != FLOW_CONNECTING;
	if (l.kin)
		l.teller = kin_before_close(fd);
	l.last = leave_table(f, fd, l.kin);
	return l;
}

static void leave_end(struct leaving *l)
{
	int saved = errno;

	if (l->kin && l->last && !kin_after_close(l->flow, l->teller))
		l->flow->closed = true;
	if (l->locked)
		lock_release(&l->flow->table);
	if (l->last || l->stands_in)
		agent_kick();
	errno = saved;
}

void stand_in_leaves(struct flow *f)
{
	int fd = f->fd[0];

	atomic_store(&f->shared, 0);
	struct leaving l = leave_begin(f, fd);

	own_close(fd);
	f->stands_in = false;
	leave_end(&l);
}

EXPORT int close(int fd)
{
	struct flow *f = flow_of(fd);

	reg_closed(fd);
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
	struct leaving l = leave_begin(f, fd);
	int r = real.close(fd);

	leave_end(&l);
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
	struct leaving l = leave_begin(f, fd);
	int r = real.fclose(file);

	leave_end(&l);
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
			if ((unsigned)f->fd[k] >= first && (unsigned)f->fd[k] <= last &&
			    !f->stands_in && !(locked && heirs_stand_in(f, f->fd[k])))
				leave_table(f, f->fd[k], false);
		if (locked)
			lock_release(&f->table);
	}
	agent_kick();
}

/* All but our own. */
static int close_around(unsigned first, unsigned last, int flags)
{
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

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
	if (!process_enabled || flags & (int)CLOSE_RANGE_CLOEXEC || !process_ours())
		return real.close_range(first, last, flags);
	if (flow_count())
		leave_range(first, last);
	/* Not one that is about to be ours. */
	unsigned at = numbers_enter();
	int r = close_around(first, last, flags);

	numbers_leave(at);
	return r;
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

void flow_alias(struct flow *f, int fd)
{
	if (!flow_add_fd(f, fd))
		atomic_store(&f->foreign, true);
}

/* These wait while the library has the number that they are to have (numbers.h). */
static int duplicate(int fd)
{
	unsigned at = numbers_enter();
	int r = real.dup(fd);

	numbers_leave(at);
	if (r >= 0)
		doubles_note(fd, r);
	return r;
}

static int duplicate_onto(int from, int to, int flags, bool three)
{
	unsigned at = numbers_enter();
	int r = three ? real.dup3(from, to, flags) : real.dup2(from, to);

	numbers_leave(at);
	if (r >= 0 && from != to)
		doubles_note(from, to);
	return r;
}

/* The standard streams are used by libc itself, past every hook: whose connection they are is asked
 * for now. */
static void standard(int fd)
{
	if (fd >= 0 && fd <= 2)
		kin_used(fd);
}

EXPORT int dup(int fd)
{
	struct flow *f = flow_of(fd);

	if (!f || !process_ours())
		return fresh(duplicate(fd));
	bool locked = enter(f);
	int r = duplicate(fd);

	if (r >= 0)
		flow_alias(f, r);
	if (locked)
		lock_release(&f->table);
	standard(r);
	return r;
}

/* dup2 and dup3 onto `to`: what `to` was is closed, what `from` is gets a name more. */
static int replace(int from, int to, int flags, bool three)
{
	struct flow *gone = flow_of(to), *kept = flow_of(from);

	if ((!gone && !kept && !own_is(to)) || from == to || !process_ours())
		return duplicate_onto(from, to, flags, three);
	if (own_is(to)) {
		/* The one answer of dup2 that says "try another": it is documented for a number
		 * being opened. */
		errno = EBUSY;
		return -1;
	}
	/* What cannot succeed must not take anything out of the table. */
	if (raw_fcntl(from, F_GETFD, 0) < 0 || flags & ~O_CLOEXEC)
		return duplicate_onto(from, to, flags, three);
	struct leaving l = {.flow = NULL};

	if (gone && gone != kept)
		l = leave_begin(gone, to);
	bool locked_kept = kept && enter(kept);
	int r = duplicate_onto(from, to, flags, three);

	if (r >= 0 && kept && gone != kept)
		flow_alias(kept, to);
	if (locked_kept)
		lock_release(&kept->table);
	if (l.flow)
		leave_end(&l);
	standard(r);
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

/* These change what an exchange copies from the old file to the new: not in the middle of it. */
static bool copied(int op)
{
	return op == F_SETFL || op == F_SETOWN || op == F_SETOWN_EX || op == F_SETSIG;
}

/* F_DUPFD, or what is copied. */
static int control_now(int (*call)(int, int, ...), int fd, int op, void *arg, bool doubles)
{
	unsigned at = doubles ? numbers_enter() : 0;
	int r = call(fd, op, arg);

	numbers_leave(at);
	if (doubles && r >= 0)
		doubles_note(fd, r);
	return r;
}

static int control(int (*call)(int, int, ...), int fd, int op, void *arg)
{
	bool doubles = op == F_DUPFD || op == F_DUPFD_CLOEXEC;

	if (!doubles && !copied(op))
		return call(fd, op, arg);
	struct flow *f = flow_of(fd);

	if (!f || !process_ours()) {
		int plain = control_now(call, fd, op, arg, doubles);

		return doubles ? fresh(plain) : plain;
	}
	bool locked = enter(f);
	int r = control_now(call, fd, op, arg, doubles);

	if (r >= 0 && doubles)
		flow_alias(f, r);
	if (locked)
		lock_release(&f->table);
	if (doubles)
		standard(r);
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

EXPORT int ioctl(int fd, unsigned long op, ...)
{
	va_list ap;
	struct flow *f = NULL;

	va_start(ap, op);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	if (op == FIONBIO || op == FIOASYNC || op == FIOSETOWN || op == SIOCSPGRP)
		f = flow_of(fd);
	else if (op == FIONREAD || op == SIOCOUTQ || op == SIOCATMARK)
		kin_used(fd);
	if (!f || !process_ours())
		return real.ioctl(fd, op, arg);
	bool locked = enter(f);
	int r = real.ioctl(fd, op, arg);

	if (locked)
		lock_release(&f->table);
	return r;
}
