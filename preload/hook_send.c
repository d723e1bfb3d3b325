/* SPDX-License-Identifier: MIT */
/*
 * Sending. On a flow whose bytes are kept, the call and the copy into the ring are one step under
 * the flow's write lock, so that the ring has the order of the stream.
 */
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>

#include "common/clock.h"
#include "preload/agent.h"
#include "preload/counts.h"
#include "preload/hook.h"
#include "preload/kin.h"
#include "preload/process.h"
#include "preload/pump.h"
#include "preload/raw.h"
#include "preload/real.h"
#include "preload/web.h"

/* One write, whatever it was called: up to IOV bytes pieces, and what only sendmsg can say. */
struct out {
	const struct iovec *iov;
	size_t count, total;
	const struct msghdr *msg; /* NULL, or the original */
	int flags;

	/* For a signal handler that interrupts the call and writes itself (catch_up). */
	size_t done;   /* what was written, and is in the ring, before the kernel has it now */
	size_t caught; /* of what the kernel has taken now, in the ring already */
	uint64_t serial;
};

#define CARRY_MS                                                                                   \
	1500 /* a passed descriptor waits for its flow to be carried; a millisecond as a rule */
#define PIECES 64 /* of a long vector go at a time; a stream has no message boundaries */

/* What a call may still take: milliseconds; -1: for ever. */
static int left_ms(const struct call *c, int fd)
{
	int64_t left = c->began_ns ? call_left_ns(c, fd, SO_SNDTIMEO) : INT64_MAX;

	return left / 1000000 >= INT32_MAX ? -1 : (int)((left + 999999) / 1000000);
}

/*
 * The write lock. 0; -EAGAIN; -EINTR, as of a thread that waits for room behind another. A writer
 * that interrupted itself (signal handler) gets -EDEADLK.
 */
static int writer_enter(struct flow *f, int fd, int flags, const struct call *c)
{
	uint32_t tid = thread_id(), w;

	if (lock_try(&f->writing, tid))
		return 0;
	if (lock_owner(&f->writing) == tid) {
		calls_tidy();
		if (lock_try(&f->writing, tid))
			return 0;
	}
	if (lock_owner(&f->writing) == tid)
		return -EDEADLK;
	if (lock_take(&f->writing, tid, nonblocking(fd, flags) ? 10 : 0))
		return 0;
	if (nonblocking(fd, flags))
		return -EAGAIN;
	while ((w = lock_ask(&f->writing, tid)) != 0) {
		int r = futex_wait_as_call(&f->writing.word, w, left_ms(c, fd));

		if (r == -EINTR)
			return r;
		if (r == -ETIMEDOUT)
			return -EAGAIN;
	}
	return 0;
}

/* While the agent replays, writers wait. 0: go on. -EAGAIN, -EINTR: tell the program. */
static int wait_for_replay(struct flow *f, int fd, int flags, const struct call *c)
{
	if (nonblocking(fd, flags)) {
		atomic_store(&f->starved, true);
		/* It may just have ended: then the program must not wait for an edge that was given
		 * before. */
		if (!atomic_load(&f->hold))
			return 0;
		return -EAGAIN;
	}
	int r = futex_wait_as_call(&f->hold, 1, left_ms(c, fd));

	return r == -EINTR ? r : r == -ETIMEDOUT ? -EAGAIN : 0;
}

/* A nudge has ended a call with a time limit: is there room before it is up? 0, or -errno. */
static int wait_room(const struct call *c, int fd)
{
	int64_t left = call_left_ns(c, fd, SO_SNDTIMEO);
	struct timespec t = {left / 1000000000, left % 1000000000};
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int r = left ? real.ppoll(&p, 1, &t, NULL) : 0;

	return r > 0 ? 0 : r < 0 ? -errno : -EAGAIN;
}

static ssize_t send_once(int fd, const struct out *o, size_t done, int flags)
{
	struct iovec part[PIECES];
	size_t n = 0, skip = done;

	if (o->count == 1 && !o->msg)
		return real.sendto(fd, (const char *)o->iov->iov_base + done, o->total - done,
		                   flags | MSG_NOSIGNAL, NULL, 0);
	for (size_t i = 0; i < o->count && n < PIECES; i++) {
		if (skip >= o->iov[i].iov_len) {
			skip -= o->iov[i].iov_len;
			continue;
		}
		part[n].iov_base = (char *)o->iov[i].iov_base + skip;
		part[n++].iov_len = o->iov[i].iov_len - skip;
		skip = 0;
	}
	struct msghdr m = {.msg_iov = part, .msg_iovlen = n};

	if (o->msg) {
		m.msg_control = o->msg->msg_control;
		m.msg_controllen = o->msg->msg_controllen;
	}
	return real.sendmsg(fd, &m, flags | MSG_NOSIGNAL);
}

/*
 * Into the ring, at `tail`, what is at `from` of the pieces. It is there when the tail has moved,
 * in one step; a signal handler that did it in the meantime (catch_up) has moved the tail, and then
 * it is not done twice.
 */
static void append(struct flow *f, const struct out *o, uint64_t tail, size_t from, size_t len)
{
	struct ring draft = f->ring;
	size_t first = from, all = len;

	draft.tail = tail;
	for (size_t i = 0; i < o->count && len; i++) {
		if (from >= o->iov[i].iov_len) {
			from -= o->iov[i].iov_len;
			continue;
		}
		size_t n = o->iov[i].iov_len - from;

		n = n < len ? n : len;
		ring_put(&draft, (const char *)o->iov[i].iov_base + from, n);
		len -= n;
		from = 0;
	}
	if (!__atomic_compare_exchange_n(&f->ring.tail, &tail, draft.tail, false, __ATOMIC_RELAXED,
	                                 __ATOMIC_RELAXED))
		return;
	if (draft.tail - f->ring.base > f->ring.cap)
		f->ring.base = draft.tail - f->ring.cap;
	if (atomic_load_explicit(&f->web, memory_order_relaxed))
		web_wrote(f, o->iov, o->count, first, all);
}

/* The kernel has taken so many bytes of the call. */
static void keep(struct flow *f, const struct out *o, size_t taken)
{
	ring_confirm(&f->ring, atomic_load(&f->confirmed));

	uint64_t tail = f->ring.tail;

	atomic_signal_fence(memory_order_seq_cst);
	if (taken > o->caught)
		append(f, o, tail, o->done + o->caught, taken - o->caught);
	/* Only a session has somebody to ask; a re-dialled flow is trimmed by what the peer's
	 * kernel has. */
	if (ring_used(&f->ring) > (1u << 20) && f->ring.tail - f->asked_at > (1u << 20) &&
	    !atomic_exchange(&f->want_confirm, true))
		agent_kick();
}

static ssize_t fail_like_the_kernel(const struct out *o, int err)
{
	/* We always ask for no signal, since the error may be ours to swallow. This one is not. */
	if (err == EPIPE && !(o->flags & MSG_NOSIGNAL))
		raw_tgkill(raw_getpid(), raw_gettid(), SIGPIPE);
	errno = err;
	return -1;
}

/* The call this thread is in that writes to the flow. */
static struct call_record *interrupted_writer(struct flow *f)
{
	for (uint32_t d = atomic_load(&this_thread.depth); d-- > 0;)
		if (this_thread.call[d].flow == f && this_thread.call[d].out)
			return &this_thread.call[d];
	return NULL;
}

/*
 * A signal handler has interrupted this write: what the kernel has taken of it so far goes into the
 * ring, as it has gone into the stream. The kernel knows how much it is. False: that cannot be
 * known, or done: if the call is just putting it there itself, it will go on with that, and must
 * not meet the `next` bytes, which come behind.
 */
static bool catch_up(struct call_record *r, int fd, size_t next)
{
	struct flow *f = r->flow;
	struct out *o = r->out;
	struct counts k = {0};

	if (!o || o->serial != r->serial || lock_owner(&f->table) == thread_id() ||
	    !lock_take(&f->table, thread_id(), 1000))
		return false;
	/*
	 * What the call found is on the descriptor still, or put aside until the call is over. On
	 * what is there meanwhile nothing is written.
	 */
	bool now = r->gen == atomic_load(&f->gen), parked = f->old_fd >= 0;
	bool nothing = parked && now, known = nothing;

	if (parked != now)
		known = counts_read(now ? fd : f->old_fd, &k) == 0;
	lock_release(&f->table);
	if (nothing) {
		call_suspend(r);
		return true;
	}
	uint64_t written = f->stream_written + (k.written - f->kernel_written);

	if (!known || written < f->ring.tail || written - f->ring.tail > o->total - o->done ||
	    written - f->ring.tail + next > f->ring.cap)
		return false;
	size_t more = (size_t)(written - f->ring.tail);

	append(f, o, f->ring.tail, o->done + o->caught, more);
	o->caught += more;
	/* It is not in the kernel now, and will look the descriptor up anew. */
	call_suspend(r);
	return true;
}

void writers_jump(uintptr_t stack)
{
	for (uint32_t d = atomic_load(&this_thread.depth); d-- > 0;) {
		struct call_record *r = &this_thread.call[d];

		if (r->stack < stack && r->out && atomic_load(&r->flow->keeps) &&
		    lock_owner(&r->flow->writing) == thread_id() && !catch_up(r, r->fd, 0))
			atomic_store(&r->flow->foreign, true);
	}
	calls_leave_below(stack);
}

enum { NOT_LOCKED, LOCKED, WITHIN };

static int unlock(struct flow *f, int have)
{
	if (have == LOCKED)
		writing_release(f);
	return have == WITHIN ? WITHIN : NOT_LOCKED;
}

static ssize_t partly(struct flow *f, int have, size_t done, int err)
{
	unlock(f, have);
	errno = err;
	return done ? (ssize_t)done : -1;
}

static __thread uint64_t serials;

static ssize_t send_kept(struct flow *f, int fd, struct out *o)
{
	bool timed = atomic_load_explicit(&f->timed_out, memory_order_relaxed);
	struct call c = {.began_ns = timed ? clock_ns() : 0};
	size_t done = 0;
	int have = NOT_LOCKED;
	int extra = 0; /* a timed call that was nudged waits by itself */

	for (;;) {
		uint32_t nudges = this_thread.nudges;
		int r = have == NOT_LOCKED ? writer_enter(f, fd, o->flags, &c) : 0;

		struct call_record *outer = r == -EDEADLK ? interrupted_writer(f) : NULL;

		if (outer && atomic_load(&f->keeps) && !catch_up(outer, fd, o->total)) {
			/* In the middle of this thread's own write: order in the ring is lost. */
			atomic_store(&f->foreign, true);
			return send_once(fd, o, done, o->flags);
		}
		if (r < 0 && r != -EDEADLK)
			return partly(f, have, done, -r);
		if (have == NOT_LOCKED) {
			have = r == -EDEADLK ? WITHIN : LOCKED;
			if (have == LOCKED)
				writing_taken(f);
		}
		if (!call_enter(&c, f, fd, timed)) {
			unlock(f, have);
			return send_once(fd, o, done, o->flags);
		}
		if (atomic_load(&f->hold)) {
			call_leave(&c);
			/* One that has begun keeps its place: its bytes belong together. */
			if (!done)
				have = unlock(f, have);
			/* The agent must know that who has the lock is here, not in the kernel. */
			if (have != NOT_LOCKED)
				atomic_store(&f->writer_waits, true);
			calls_suspend();
			r = wait_for_replay(f, fd, o->flags, &c);
			calls_resume();
			if (have != NOT_LOCKED)
				atomic_store(&f->writer_waits, false);
			if (r < 0)
				return partly(f, have, done, -r);
			continue;
		}
		if (atomic_load(&f->carried)) {
			/* Meanwhile: the agent puts into the ring what it takes from the pair. */
			call_leave(&c);
			ssize_t rest = send_once(fd, o, done, o->flags);

			return rest > 0 ? partly(f, have, done + (size_t)rest, errno)
			       : done   ? partly(f, have, done, errno)
			                : (unlock(f, have), rest);
		}
		struct call_record *record = call_current();

		o->done = done;
		o->caught = 0;
		o->serial = record->serial = (uint64_t)(uintptr_t)o ^ ++serials;
		atomic_signal_fence(memory_order_seq_cst);
		record->out = o;
		if (this_thread.seat)
			atomic_store_explicit(&this_thread.seat->writes, 1, memory_order_relaxed);
		ssize_t n = send_once(fd, o, done, o->flags | extra);
		int err = errno;
		/* An error of a file that is no longer the flow's, or of the placeholder. */
		bool stale = n < 0 && path_error(err) &&
		             (c.gen != atomic_load(&f->gen) || atomic_load(&f->hold));

		if (n > 0 && atomic_load(&f->keeps))
			keep(f, o, (size_t)n);
		else if (n > 0)
			atomic_store(&f->begun, true);
		if (n > 0)
			flow_moves(f);
		bool nudged = call_leave(&c);

		if (n > 0)
			done += (size_t)n;
		if (done == o->total && n >= 0)
			return partly(f, have, done, err);
		/*
		 * Never by the kernel itself: onto the new connection, in the middle of what the
		 * agent sends there again.
		 */
		if (!timed && nudged && n < 0 && err == EINTR)
			continue;
		/* A nudge, or a nudged call's own waiting. */
		if (timed && (nudged || this_thread.nudges != nudges) && !nonblocking(fd, o->flags))
			extra = MSG_DONTWAIT;
		if (extra && n < 0 && (err == EAGAIN || (nudged && err == EINTR))) {
			atomic_store(&f->writer_waits, true);
			r = wait_room(&c, fd);
			atomic_store(&f->writer_waits, false);
			if (r == 0)
				continue;
			err = -r;
		} else if (extra && n >= 0) {
			continue;
		}
		if (n >= 0) {
			/* Short: by a handover (go on), by the size of the vector (go on), or for
			 * the program's reasons. */
			if (this_thread.nudges != nudges || o->count > PIECES) {
				if (!nonblocking(fd, o->flags) || o->count > PIECES)
					continue;
			}
			return partly(f, have, done, err);
		}
		if (!done)
			have = unlock(f, have);
		if (stale && !nonblocking(fd, o->flags))
			continue;
		if (stale && atomic_load(&f->hold)) {
			atomic_store(&f->starved, true);
			err = EAGAIN;
		} else if (path_error(err) && !(err == EPIPE && atomic_load(&f->half_closed)) &&
		           !peers_word(f, err) && hold_flow(f, fd, c.gen)) {
			if (!nonblocking(fd, o->flags))
				continue;
			atomic_store(&f->starved, true);
			err = EAGAIN;
		}
		if (done)
			return partly(f, have, done, err);
		return fail_like_the_kernel(o, err);
	}
}

struct flow *flow_kept(int fd)
{
	struct flow *f = flow_of(fd);

	if (!f || atomic_load_explicit(&f->carried, memory_order_relaxed))
		return NULL;
	if (atomic_load_explicit(&f->state, memory_order_relaxed) == FLOW_INHERITED) {
		kin_claim(f);
		return NULL;
	}
	if (atomic_load_explicit(&f->keeps, memory_order_relaxed))
		return f;
	return f->kind == FLOW_RESET && !atomic_load_explicit(&f->begun, memory_order_relaxed) &&
	               atomic_load(&f->state) != FLOW_ENDED
	           ? f
	           : NULL;
}

ssize_t send_one(struct flow *f, int fd, const void *buf, size_t len, int flags)
{
	struct iovec v = {(void *)buf, len};
	struct out o = {.iov = &v, .count = 1, .total = len, .flags = flags};

	return send_kept(f, fd, &o);
}

static size_t total_of(const struct iovec *iov, size_t count)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += iov[i].iov_len;
	return total;
}

/*
 * A datagram to an address, from a socket without one: the first makes the socket a flow. Later
 * ones cost two loads.
 */
static void meet(int fd, const struct sockaddr *to, socklen_t len)
{
	if (to && len && !flow_of(fd) && process_enabled)
		datagram_flow(fd, to, len);
}

/*
 * Flags that say how the kernel is to send, not what. Completions of MSG_ZEROCOPY belong to one
 * socket, so that socket has to stay; urgent data leaves no trace in the counts.
 */
static bool by_the_kernel(struct flow *f, int flags)
{
	if (!f || !(flags & (MSG_OOB | MSG_ZEROCOPY)))
		return false;
	if (flags & MSG_OOB)
		atomic_store(&f->foreign, true);
	else
		written_by_kernel(f);
	return true;
}

/*
 * A first send that connects as well. Where the connection would be a flow that has to know every
 * byte it is two calls, and the peer is one round trip further away.
 */
static bool connects(int fd, int flags, const struct sockaddr *to, socklen_t len)
{
	return flags & MSG_FASTOPEN && connect_keeps(fd, to, len);
}

EXPORT ssize_t sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,
                      socklen_t to_len)
{
	if (connects(fd, flags, to, to_len)) {
		if (connect(fd, to, to_len) < 0)
			return -1;
		flags &= ~MSG_FASTOPEN;
	}
	struct flow *f = flow_kept(fd);

	if (f && len && !by_the_kernel(f, flags))
		return send_one(f, fd, buf, len, flags);
	ssize_t n = real.sendto(fd, buf, len, flags, to, to_len);

	if (n >= 0)
		meet(fd, to, to_len);
	return n;
}

EXPORT ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	struct flow *f = flow_kept(fd);

	return f && len && !by_the_kernel(f, flags) ? send_one(f, fd, buf, len, flags)
	                                            : real.send(fd, buf, len, flags);
}

/* Only a socket is sent to; a file or a pipe has taken the flow's number. */
static bool no_socket(int fd, ssize_t n)
{
	return n < 0 && errno == ENOTSOCK && flow_stale(fd);
}

EXPORT ssize_t write(int fd, const void *buf, size_t len)
{
	struct flow *f = flow_kept(fd);

	if (!f || !len)
		return real.write(fd, buf, len);
	ssize_t n = send_one(f, fd, buf, len, 0);

	return no_socket(fd, n) ? real.write(fd, buf, len) : n;
}

/* Nothing to send, or too much for one call: the kernel's to judge. */
static bool vector(const struct iovec *iov, int count, int flags, struct out *o)
{
	if (count <= 0 || count > IOV_MAX)
		return false;
	*o = (struct out){.iov = iov,
	                  .count = (size_t)count,
	                  .total = total_of(iov, (size_t)count),
	                  .flags = flags};
	return o->total != 0;
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int count)
{
	struct flow *f = flow_kept(fd);
	struct out o;

	if (!f || !vector(iov, count, 0, &o))
		return real.writev(fd, iov, count);
	ssize_t n = send_kept(f, fd, &o);

	return no_socket(fd, n) ? real.writev(fd, iov, count) : n;
}

/* On a socket the only position there is, is -1. The flags are for files, but for one. */
static bool streams(struct flow *f, const struct iovec *iov, int count, off64_t at, int flags,
                    struct out *o)
{
	return f && at == -1 && !(flags & ~(RWF_NOWAIT | RWF_HIPRI | RWF_DSYNC | RWF_SYNC)) &&
	       vector(iov, count, flags & RWF_NOWAIT ? MSG_DONTWAIT : 0, o);
}

EXPORT ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
	struct flow *f = flow_kept(fd);
	struct out o;
	ssize_t n = -1;
	bool ours = streams(f, iov, count, at, flags, &o);

	if (ours)
		n = send_kept(f, fd, &o);
	if (ours && !no_socket(fd, n))
		return n;
	if (!real.pwritev2)
		real_bind();
	return real.pwritev2(fd, iov, count, at, flags);
}

EXPORT ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off64_t at, int flags)
{
	return pwritev2(fd, iov, count, at, flags);
}

/*
 * Descriptors on their way to another process. Who receives one has an end of a pair, and needs
 * nothing of us.
 */
static void pass_on(const struct msghdr *m)
{
	int saved = errno;

	if (!m->msg_control || !flow_count() || !process_ours())
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR((struct msghdr *)m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		    c->cmsg_len < CMSG_LEN(0))
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			kin_used(fd);

			struct flow *f = flow_of(fd);

			if (f && f->kind == FLOW_SESSION)
				pump_ask(f, CARRY_MS);
		}
	}
	errno = saved;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (flow_count() && m->msg_control)
		pass_on(m);
	if (flags & MSG_FASTOPEN && connects(fd, flags, m->msg_name, m->msg_namelen)) {
		if (connect(fd, m->msg_name, m->msg_namelen) < 0)
			return -1;
		flags &= ~MSG_FASTOPEN;
	}
	struct flow *f = flow_kept(fd);

	if (!f || by_the_kernel(f, flags) || !total_of(m->msg_iov, m->msg_iovlen)) {
		ssize_t n = real.sendmsg(fd, m, flags);

		if (n >= 0 && m->msg_name)
			meet(fd, m->msg_name, m->msg_namelen);
		return n;
	}
	struct out o = {.iov = m->msg_iov,
	                .count = m->msg_iovlen,
	                .total = total_of(m->msg_iov, m->msg_iovlen),
	                .msg = m,
	                .flags = flags};

	return send_kept(f, fd, &o);
}

EXPORT int sendmmsg(int fd, struct mmsghdr *m, unsigned count, int flags)
{
	unsigned i = 0;
	int saved = errno;

	/* The kernel takes no more at a time either. */
	count = count < IOV_MAX ? count : IOV_MAX;
	if (!flow_kept(fd) && !(flags & MSG_FASTOPEN)) {
		for (; i < count && flow_count(); i++)
			pass_on(&m[i].msg_hdr);
		int n = real.sendmmsg(fd, m, count, flags);

		if (n > 0 && m->msg_hdr.msg_name)
			meet(fd, m->msg_hdr.msg_name, m->msg_hdr.msg_namelen);
		return n;
	}
	while (i < count) {
		const struct msghdr *h = &m[i].msg_hdr;
		ssize_t n = sendmsg(fd, h, flags);

		if (n < 0)
			break;
		m[i++].msg_len = (unsigned)n;
		/* With more behind what was cut short the stream would have a hole. */
		if ((size_t)n < total_of(h->msg_iov, h->msg_iovlen))
			break;
	}
	if (!i)
		return count ? -1 : 0;
	errno = saved;
	return (int)i;
}
