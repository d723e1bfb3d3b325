/* SPDX-License-Identifier: MIT */
#include "preload/splice.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/agent.h"
#include "preload/counts.h"
#include "preload/nudge.h"
#include "preload/numbers.h"
#include "preload/options.h"
#include "preload/own.h"
#include "preload/placeholder.h"
#include "preload/pump.h"
#include "preload/raw.h"
#include "preload/registrations.h"

/* When to look again for threads on the old file: one look can miss a thread between lookup and
 * sleep. */
static const int again_ms[] = {0, 1, 5, 50, 500};
#define EXCHANGE_MS 1000
#define AGAIN (int)(sizeof(again_ms) / sizeof(*again_ms))

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* Descriptors the program closed or replaced behind our back are no longer the flow's. */
static void verify(struct flow *f)
{
	for (unsigned i = f->fds; i-- > 0;)
		if (!flow_owns(f, f->fd[i]))
			flow_drop_fd(f, f->fd[i]);
}

/*
 * Signals for input name the descriptor by which they were asked for, and this file was asked by
 * another number. What came before is signalled now: setting the low-water mark makes the kernel
 * look.
 */
static void signal_anew(int fd)
{
	int flags = raw_fcntl(fd, F_GETFL, 0), least = 1;
	socklen_t len = sizeof(least);

	if (flags < 0 || !(flags & O_ASYNC))
		return;
	raw_fcntl(fd, F_SETFL, flags & ~O_ASYNC);
	raw_fcntl(fd, F_SETFL, flags);
	if (raw_getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, &len) == 0)
		raw_setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof(least));
}

/* What fills a placeholder is never read: its end must not be waited for, as SO_LINGER says. */
static void end_at_once(int placeholder)
{
	struct linger l = {0};
	socklen_t len = sizeof(l);

	if (raw_getsockopt(placeholder, SOL_SOCKET, SO_LINGER, &l, &len) == 0 && l.l_onoff) {
		l.l_onoff = 0;
		raw_setsockopt(placeholder, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	}
}

/* DEL, dup3, ADD. The caller holds f->table. */
static int exchange_alone(struct flow *f, int fd)
{
	static struct reg_set regs; /* large */
	int r;

	verify(f);
	if (!f->fds)
		return -EBADF;
	r = reg_take(&regs, f->fd, (int)f->fds);
	if (r < 0)
		return r;
	if (splice_parked(f))
		end_at_once(f->fd[0]);
	for (unsigned i = 0; i < f->fds; i++) {
		int flags = raw_fcntl(f->fd[i], F_GETFD, 0);
		bool ours = own_is(f->fd[i]);

		if (ours)
			numbers_hold();
		do
			r = raw_dup3(fd, f->fd[i], flags > 0 && flags & FD_CLOEXEC ? O_CLOEXEC : 0);
		while (r == -EBUSY || r == -EINTR);
		if (ours) {
			own_renew(f->fd[i]);
			numbers_free();
		}
	}
	reg_put(&regs);
	signal_anew(f->fd[0]);
	__atomic_store_n(&f->inode, inode_of(fd), __ATOMIC_RELAXED);
	atomic_fetch_add(&f->gen, 1);
	return 0;
}

/*
 * One at a time: a connect() that does not block exchanges its descriptor's file in its own thread,
 * beside the agent.
 */
static struct flock_word exchanging;

static int exchange(struct flow *f, int fd)
{
	if (lock_owner(&exchanging) == thread_id() ||
	    !lock_take(&exchanging, thread_id(), EXCHANGE_MS))
		return -EBUSY;
	int r = exchange_alone(f, fd);

	lock_release(&exchanging);
	return r;
}

void splice_forked(void)
{
	memset(&exchanging, 0, sizeof(exchanging));
}

int splice_install(struct flow *f, int fd)
{
	return exchange(f, fd);
}

static int nudge_all(const struct flow *f, int kinds)
{
	int fds[FLOW_ALIASES];

	return nudge(fds, flow_fds(f, fds), kinds);
}

/* With the others of this turn. */
static void nudge_all_soon(const struct flow *f, int kinds)
{
	int fds[FLOW_ALIASES];

	nudge_soon(fds, flow_fds(f, fds), kinds);
}

/* Nudges, and marks the flow to be looked at again: a thread may be on its way into a call just
 * now. */
static void call_over(struct flow *f, int kinds)
{
	if (agent_here())
		nudge_all_soon(f, kinds);
	else
		nudge_all(f, kinds);
	f->followup_kinds |= kinds;
	f->followups = AGAIN; /* the last one is no look */
	f->put_ms = clock_ms();
}

void splice_unguard(struct flow *f)
{
	for (int i = 0; i < 2; i++) {
		own_close(f->guard_fd[i]);
		f->guard_fd[i] = -1;
	}
}

void splice_follow_up(struct flow *f, struct waits *w)
{
	int64_t now = clock_ms();
	bool looked = false;

	while (f->followups > 1 && !splice_parked(f)) {
		int64_t due = f->put_ms + again_ms[AGAIN + 1 - f->followups];

		if (now < due) {
			waits_until(w, due);
			return;
		}
		f->followups--;
		nudge_all_soon(f, f->followup_kinds);
		looked = true;
	}
	if (f->followups > 1)
		return;
	/* Whoever is on the placeholder leaves it by the end of this turn. */
	if (looked) {
		waits_until(w, now);
		return;
	}
	f->followups = 0;
	f->followup_kinds = 0;
	own_close(f->old_far);
	f->old_far = -1;
	if (atomic_load(&f->state) != FLOW_CONNECTING)
		splice_unguard(f);
}

/* The one option a placeholder must not have: it would end it. */
static void keep_quiet(int app)
{
	int never = 0;

	raw_setsockopt(app, IPPROTO_TCP, TCP_USER_TIMEOUT, &never, sizeof(never));
}

static void copy_timeout(int from, int to)
{
	int ms = 0;
	socklen_t len = sizeof(ms);

	if (raw_getsockopt(from, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, &len) == 0 && ms)
		raw_setsockopt(to, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

int splice_park(struct flow *f)
{
	int app, far, r;

	if (splice_parked(f))
		return 0;
	if (f->closed)
		return -EBADF;
	r = placeholder_open(f->peer.sa.sa_family, &app, &far);
	if (r < 0)
		return r;
	if (!lock_take(&f->table, thread_id(), 20)) {
		own_close(app);
		own_close(far);
		return -EBUSY; /* a lingering close, perhaps; the caller comes again */
	}
	verify(f);
	int old = f->fds ? own_copy(f->fd[0]) : -EBADF;

	r = old;
	if (old >= 0) {
		options_copy(old, app);
		keep_quiet(app);
		atomic_store(&f->hold, 1);
		r = exchange(f, app);
		if (r == 0)
			f->old_fd = old;
	}
	lock_release(&f->table);
	own_close(app);
	if (r < 0) {
		own_close(old);
		own_close(far);
		splice_release_writers(f);
		return r;
	}
	f->far_fd = far;
	f->drained = false;
	f->looks = 0;
	f->parked_ms = clock_ms();
	return 0;
}

bool splice_drained(struct flow *f)
{
	int64_t now = clock_ms();

	if (f->drained)
		return true;
	if (f->looks < AGAIN && now >= f->parked_ms + again_ms[f->looks]) {
		f->looks++;
		f->nudged = nudge_all(f, NUDGE_ALL);
		/* The usual blocked thread is off the old file some microseconds later. */
		for (int i = 0; i < 10 && !(calls_drained(f) && nudge_settled()); i++) {
			struct timespec t = {0, 20000};

			raw_ppoll(NULL, 0, &t, NULL);
		}
	}
	bool settled = f->nudged <= 0 || nudge_settled();

	if (calls_drained(f) && settled) {
		f->drained = true;
		return true;
	}
	if (f->looks == AGAIN && now >= f->parked_ms + 1000) {
		/*
		 * A second of nudging and no such thread to be seen: the call that is still counted
		 * was left by a longjmp or a cancelled thread.
		 */
		if (f->nudged <= 0) {
			calls_forget(f);
			f->drained = true;
			return true;
		}
		f->looks = 1;
		f->parked_ms = now;
	}
	return false;
}

bool splice_writers_out(struct flow *f)
{
	int64_t now = clock_ms();

	if (!lock_owner(&f->writing) || atomic_load(&f->writer_waits)) {
		f->writers_ms = 0;
		return true;
	}
	if (!f->writers_ms)
		f->writers_ms = now;
	/* One that has just written needs a moment to note it. */
	if (now - f->writers_ms >= 2 && lock_take(&f->table, thread_id(), 5)) {
		if (f->fds && flow_owns(f, f->fd[0]))
			raw_shutdown(f->fd[0], SHUT_WR);
		lock_release(&f->table);
	}
	/* A second, and still: its thread was cancelled in the call, or left it by a longjmp. */
	return now - f->writers_ms > 1000;
}

int splice_put(struct flow *f, int fd)
{
	if (!lock_take(&f->table, thread_id(), 20))
		return -EBUSY;
	verify(f);
	int r = f->fds ? 0 : -EBADF;

	if (r == 0) {
		options_copy(f->fd[0], fd);
		/* The placeholder's own buffers are small on purpose. */
		options_copy_buffers(splice_parked(f) ? f->old_fd : f->fd[0], fd);
		if (splice_parked(f))
			copy_timeout(f->old_fd, fd);
		r = exchange(f, fd);
	}
	lock_release(&f->table);
	if (r == 0)
		call_over(f, NUDGE_READERS);
	return r;
}

void splice_release_writers(struct flow *f)
{
	atomic_store(&f->hold, 0);
	futex_wake(&f->hold);
	/* Writers asleep in the placeholder's full buffer are called to the new socket now, not
	 * before. */
	call_over(f, NUDGE_WRITERS);
	if (atomic_exchange(&f->starved, false) && lock_take(&f->table, thread_id(), 20)) {
		static struct reg_set regs;

		if (lock_take(&exchanging, thread_id(), EXCHANGE_MS)) {
			if (reg_take(&regs, f->fd, (int)f->fds) > 0)
				reg_put(&regs);
			lock_release(&exchanging);
		}
		lock_release(&f->table);
	}
}

static void close_far(struct flow *f)
{
	own_close(f->far_fd);
	f->far_fd = -1;
}

void splice_unpark(struct flow *f)
{
	if (!splice_parked(f))
		return;
	if (!lock_take(&f->table, thread_id(), 1000))
		return;
	int r = exchange(f, f->old_fd);

	lock_release(&f->table);
	if (r == -EBUSY)
		return;
	own_close(f->old_fd);
	f->old_fd = -1;
	call_over(f, NUDGE_READERS);
	close_far(f);
	splice_release_writers(f);
}

void splice_retire(struct flow *f)
{
	struct linger now = {1, 0};

	if (f->old_fd >= 0) {
		/* Relatives that wait on it are to look again. */
		if (atomic_load(&f->shared))
			raw_shutdown(f->old_fd, SHUT_RDWR);
		raw_setsockopt(f->old_fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		own_close(f->old_fd);
		f->old_fd = -1;
	}
	close_far(f);
}

void splice_reset(struct flow *f)
{
	if (f->pump && atomic_load(&f->carried)) {
		pump_reset(f);
		return;
	}
	if (splice_park(f) == 0) {
		/* The RST must not meet a far end whose number was given away. */
		if (own_intact(f->far_fd))
			placeholder_reset(f->far_fd);
		f->far_fd = -1;
	}
	atomic_store(&f->keeps, false);
	splice_release_writers(f);
	nudge_all(f, NUDGE_ALL);
	splice_retire(f);
}

int splice_counts(struct flow *f, struct stream_counts *c)
{
	struct counts k;
	int r, fd = f->old_fd;

	if (f->pump && atomic_load(&f->carried)) {
		pump_counts(f, c);
		return 0;
	}
	if (fd < 0) {
		/* The number may be another file's by now. */
		if (!lock_take(&f->table, thread_id(), 5))
			return -EBUSY;
		r = f->fds && flow_owns(f, f->fd[0]) ? counts_read(f->fd[0], &k) : -EBADF;
		lock_release(&f->table);
	} else {
		r = counts_read(fd, &k);
	}
	if (r < 0)
		return r;
	c->read = flow_read_count(f, &k);
	c->written = f->stream_written + (k.written - f->kernel_written);
	/* A closed socket counts our FIN as well, and does not tell. */
	if (k.state == TCP_CLOSE && atomic_load(&f->half_closed) && atomic_load(&f->keeps) &&
	    c->written == f->ring.tail + 1)
		c->written--;
	c->peer_fin = k.fin_received;
	c->unacked = k.unacked;
	c->unread = k.received - k.read;
	return 0;
}

uint64_t splice_closed_read(struct flow *f)
{
	struct stream_counts c;

	if (!f->closed_known && f->old_fd >= 0 && splice_counts(f, &c) == 0)
		f->closed_read = c.read;
	f->closed_known = true;
	return f->closed_read;
}

int splice_base(struct flow *f, int fd, uint64_t read, uint64_t written)
{
	struct counts k;
	int r = counts_read(fd, &k);

	if (r < 0)
		return r;
	f->kernel_read = k.read;
	f->kernel_written = k.written;
	f->stream_read = read;
	f->stream_written = written;
	return 0;
}

int splice_base_written(struct flow *f, int fd, uint64_t written)
{
	struct counts k;
	int r = counts_read(fd, &k);

	if (r < 0)
		return r;
	f->kernel_written = k.written;
	f->stream_written = written;
	return 0;
}
