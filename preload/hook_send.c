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
#include "preload/calls.h"
#include "preload/counts.h"
#include "preload/futex.h"
#include "preload/hook.h"
#include "preload/kin.h"
#include "preload/process.h"
#include "preload/pump.h"
#include "preload/raw.h"
#include "preload/real.h"
#include "preload/reopen.h"
#include "preload/replay.h"
#include "preload/web.h"

#define SPARE 16384 /* for a handler that writes while the call is putting it into the ring */
#define SMALL 4096  /* bytes that mostly go without waiting */
#define ASK_FROM (1u << 20) /* bytes without a confirmation that one is asked for */
#define PIECES 64           /* of a long vector go at a time; a stream has no message boundaries */

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
 * Replaces a word that only this thread writes, its signal handlers included: in one instruction,
 * which need not lock out others. False: a handler was quicker.
 */
static inline bool move_own(uint64_t *word, uint64_t from, uint64_t to)
{
#if defined(__x86_64__)
	bool moved;

	__asm__ volatile("cmpxchg %3, %1"
	                 : "=@ccz"(moved), "+m"(*word), "+a"(from)
	                 : "r"(to)
	                 : "memory");
	return moved;
#else
	return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_RELAXED,
	                                   __ATOMIC_RELAXED);
#endif
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
	if (!move_own(&f->ring.tail, tail, draft.tail))
		return;
	if (draft.tail - f->ring.base > f->ring.cap)
		f->ring.base = draft.tail - f->ring.cap;
	if (atomic_load_explicit(&f->web, memory_order_relaxed))
		web_wrote(f, o->iov, o->count, first, all);
	if (atomic_load_explicit(&f->opening, memory_order_relaxed))
		reopen_wrote(f, o->iov, o->count, first, all);
}

/*
 * Before the kernel has it, so that nothing has to be moved while a handler may catch up: room for
 * it, and for as much by a handler.
 */
static inline void make_room(struct flow *f, size_t len)
{
	if (atomic_load_explicit(&f->keeps, memory_order_relaxed)) {
		ring_confirm(&f->ring, atomic_load(&f->confirmed));
		flow_ring_room(f, 2 * (uint64_t)len + SPARE);
	}
}

/* Only a session has somebody to ask; a re-dialled flow is trimmed by what the peer's kernel has.
 */
COLD static void ask(struct flow *f, int fd, uint32_t gen)
{
	if (f->kind == FLOW_REDIAL)
		replay_trim(f, fd, gen);
	if (f->kind == FLOW_SESSION && ring_used(&f->ring) > ASK_FROM &&
	    f->ring.tail - f->asked_at > ASK_FROM && !atomic_exchange(&f->want_confirm, true))
		agent_kick();
}

/* The kernel has taken so many bytes of the call. */
COLD static void keep(struct flow *f, int fd, uint32_t gen, struct out *o, size_t taken)
{
	o->noting = true;
	atomic_signal_fence(memory_order_seq_cst);
	ring_confirm(&f->ring, atomic_load(&f->confirmed));

	uint64_t tail = f->ring.tail;

	atomic_signal_fence(memory_order_seq_cst);
	if (taken > o->caught)
		append(f, o, tail, o->done + o->caught, taken - o->caught);
	ask(f, fd, gen);
}

static ssize_t fail_like_the_kernel(const struct out *o, int err)
{
	/* We always ask for no signal, since the error may be ours to swallow. This one is not. */
	if (err == EPIPE && !(o->flags & MSG_NOSIGNAL))
		raw_tgkill(raw_getpid(), raw_gettid(), SIGPIPE);
	errno = err;
	return -1;
}

/* What it writes, while it is in the middle of that; NULL: it is not, or has been jumped out of. */
static struct out *writing(const struct call_record *r)
{
	struct out *o = call_out(r);

	return o && (r->usual || o->serial == this_thread.written[r - this_thread.call].serial)
	           ? o
	           : NULL;
}

/*
 * In a handler: room in the ring for so much. False: there is none, and what is there must not be
 * moved, for a call that was interrupted is just writing into it.
 */
static bool room_within(struct flow *f, uint64_t more)
{
	bool noting = atomic_load(&f->growing);

	for (uint32_t d = atomic_load(&this_thread.depth); d-- > 0;) {
		const struct call_record *r = &this_thread.call[d];
		const struct out *o = r->flow == f ? writing(r) : NULL;

		noting |= o && o->noting;
	}
	if (!noting)
		flow_ring_room(f, more);
	return f->ring.cap >= f->ring_size || ring_room(&f->ring) >= more;
}

/* The call this thread is in that writes to the flow. */
static struct call_record *interrupted_writer(struct flow *f)
{
	for (uint32_t d = atomic_load(&this_thread.depth); d-- > 0;)
		if (this_thread.call[d].flow == f && this_thread.call[d].writes)
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
	struct out *o = writing(r);
	struct counts k = {0};

	if (!o || !room_within(f, o->total - o->done + next) ||
	    lock_owner(&f->table) == thread_id() || !lock_take(&f->table, thread_id(), 1000))
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

		if (r->stack < stack && r->writes && atomic_load(&r->flow->keeps) &&
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

/* A write under way. */
struct sending {
	struct flow *flow;
	int fd;
	struct out *out;
	bool timed;
	struct call call;
	size_t done;
	int have;
	int extra;     /* a timed call that was nudged waits by itself */
	bool stale;    /* its error says nothing of what is there now */
	bool straight; /* it was tried without waiting, whatever the program wants */
	uint32_t nudges;
	ssize_t result;
};

/* It is over: with what was written so far, or the error. */
static bool over(struct sending *s, int err)
{
	unlock(s->flow, s->have);
	errno = err;
	s->result = s->done ? (ssize_t)s->done : -1;
	return false;
}

/* A connection that the policy says nothing of tells by its first bytes what it may be helped with.
 */
static void listen_to_first(struct flow *f, const struct out *o)
{
	uint8_t first[FIRST_BYTES];
	size_t n = 0;

	for (size_t i = 0; i < o->count && n < sizeof(first); i++) {
		size_t len = o->iov[i].iov_len, room = sizeof(first) - n;

		len = len < room ? len : room;
		/* The kernel's answer to a bad pointer is EFAULT, not a signal. */
		if (!raw_readable(o->iov[i].iov_base, len))
			return;
		memcpy(first + n, o->iov[i].iov_base, len);
		n += len;
	}
	enum first speaks = first_of(first, n);

	atomic_store(&f->speaks, speaks);
	if (speaks == FIRST_HTTP && f->rule && f->rule->continuity == POL_AUTO)
		web_begin(f);
}

static __thread uint64_t serials;

/* From here on the kernel has it, for a handler to see. */
static inline void hand_over(struct call_record *r, struct out *o, size_t done)
{
	o->done = done;
	o->caught = 0;
	o->noting = false;
	/* In its place among the writes, but it could not be sent again as what it is. */
	if (o->flags & MSG_OOB)
		atomic_store(&r->flow->foreign, true);
	o->serial = (uint64_t)(uintptr_t)o ^ ++serials;
	this_thread.written[r - this_thread.call].out = o;
	this_thread.written[r - this_thread.call].serial = o->serial;
	atomic_signal_fence(memory_order_seq_cst);
	r->writes = true;
	r->usual = false;
	if (this_thread.seat)
		atomic_store_explicit(&this_thread.seat->writes, 1, memory_order_relaxed);
}

/* Has the lock, is in the call, and nobody replays: true. Else it is over. */
static bool send_ready(struct sending *s)
{
	struct flow *f = s->flow;
	struct out *o = s->out;

	for (;;) {
		s->nudges = this_thread.nudges;
		int r = s->have == NOT_LOCKED ? writer_enter(f, s->fd, o->flags, &s->call) : 0;

		struct call_record *outer = r == -EDEADLK ? interrupted_writer(f) : NULL;

		if (r == -EDEADLK && atomic_load(&f->keeps) &&
		    (atomic_load(&f->growing) || (outer && !catch_up(outer, s->fd, o->total)))) {
			/* In the middle of this thread's own write: order in the ring is lost. */
			atomic_store(&f->foreign, true);
			s->result = send_once(s->fd, o, s->done, o->flags);
			return false;
		}
		if (r < 0 && r != -EDEADLK)
			return over(s, -r);
		if (s->have == NOT_LOCKED) {
			s->have = r == -EDEADLK ? WITHIN : LOCKED;
			if (s->have == LOCKED)
				writing_taken(f);
		}
		if (!call_enter(&s->call, f, s->fd, s->timed)) {
			unlock(f, s->have);
			s->result = send_once(s->fd, o, s->done, o->flags);
			return false;
		}
		if (atomic_load(&f->hold)) {
			call_leave(&s->call);
			/* One that has begun keeps its place: its bytes belong together. */
			if (!s->done)
				s->have = unlock(f, s->have);
			/* The agent must know that who has the lock is here, not in the kernel. */
			if (s->have != NOT_LOCKED)
				atomic_store(&f->writer_waits, true);
			calls_suspend();
			r = wait_for_replay(f, s->fd, o->flags, &s->call);
			calls_resume();
			if (s->have != NOT_LOCKED)
				atomic_store(&f->writer_waits, false);
			if (r < 0)
				return over(s, -r);
			continue;
		}
		if (atomic_load(&f->carried)) {
			/* Meanwhile: the agent puts into the ring what it takes from the pair. */
			call_leave(&s->call);
			ssize_t rest = send_once(s->fd, o, s->done, o->flags);
			int err = errno;

			s->done += rest > 0 ? (size_t)rest : 0;
			over(s, err);
			if (rest == 0 && !s->done)
				s->result = 0;
			return false;
		}
		if (f->kind == FLOW_RESET && atomic_load(&f->speaks) == FIRST_NOTHING)
			listen_to_first(f, o);
		/* Within another write its handler has seen to it (catch_up). */
		if (s->have == LOCKED)
			make_room(f, o->total - s->done);
		hand_over(call_current(), o, s->done);
		return true;
	}
}

/* The kernel has taken n bytes, or none: noted, and the call left. What call_leave() says. */
static bool send_noted(struct sending *s, ssize_t n, int err)
{
	struct flow *f = s->flow;

	/* An error of a file that is no longer the flow's, or of the placeholder. */
	s->stale = n < 0 && path_error(err) &&
	           (s->call.gen != atomic_load(&f->gen) || atomic_load(&f->hold));
	if (n > 0 && atomic_load(&f->keeps))
		keep(f, s->fd, s->call.gen, s->out, (size_t)n);
	else if (n > 0)
		atomic_store(&f->begun, true);
	if (n > 0) {
		flow_moves(f);
		s->done += (size_t)n;
	}
	return call_leave(&s->call);
}

/* What comes of what the kernel said: true if there is more to do. */
static bool send_judged(struct sending *s, ssize_t n, int err, bool nudged)
{
	struct flow *f = s->flow;
	struct out *o = s->out;

	if (s->done == o->total && n >= 0)
		return over(s, err);
	/* Whether it may wait is asked only now. */
	if (s->straight && !(o->flags & MSG_DONTWAIT) && (n >= 0 || err == EAGAIN)) {
		s->straight = false;
		return true;
	}
	/*
	 * Never by the kernel itself: onto the new connection, in the middle of what the agent
	 * sends there again.
	 */
	if (!s->timed && nudged && n < 0 && err == EINTR)
		return true;
	/* A nudge, or a nudged call's own waiting. */
	if (s->timed && (nudged || this_thread.nudges != s->nudges) &&
	    !nonblocking(s->fd, o->flags))
		s->extra = MSG_DONTWAIT;
	if (s->extra && n < 0 && (err == EAGAIN || (nudged && err == EINTR))) {
		atomic_store(&f->writer_waits, true);
		int r = wait_room(&s->call, s->fd);

		atomic_store(&f->writer_waits, false);
		if (r == 0)
			return true;
		err = -r;
	} else if (s->extra && n >= 0) {
		return true;
	}
	if (n >= 0) {
		/* Short: by a handover (go on), by the size of the vector (go on), or for the
		 * program's reasons. */
		if (this_thread.nudges != s->nudges || o->count > PIECES) {
			if (!nonblocking(s->fd, o->flags) || o->count > PIECES)
				return true;
		}
		return over(s, err);
	}
	if (!s->done)
		s->have = unlock(f, s->have);
	if (s->stale && !nonblocking(s->fd, o->flags))
		return true;
	if (s->stale && atomic_load(&f->hold)) {
		atomic_store(&f->starved, true);
		err = EAGAIN;
	} else if (path_error(err) && !(err == EPIPE && atomic_load(&f->half_closed)) &&
	           !peers_word(f, err) && hold_flow(f, s->fd, s->call.gen)) {
		if (!nonblocking(s->fd, o->flags))
			return true;
		atomic_store(&f->starved, true);
		err = EAGAIN;
	}
	if (s->done)
		return over(s, err);
	s->result = fail_like_the_kernel(o, err);
	return false;
}

static bool send_said(struct sending *s, ssize_t n)
{
	int err = errno;
	bool nudged = send_noted(s, n, err);

	return send_judged(s, n, err, nudged);
}

COLD static ssize_t send_on(struct sending *s)
{
	ssize_t n;

	do {
		if (!send_ready(s))
			break;
		n = send_once(s->fd, s->out, s->done, s->out->flags | s->extra);
	} while (send_said(s, n));
	return s->result;
}

COLD static ssize_t send_kept(struct flow *f, int fd, struct out *o)
{
	bool timed = atomic_load_explicit(&f->timed_out, memory_order_relaxed);
	struct sending s = {.flow = f, .fd = fd, .out = o, .timed = timed};

	s.call.began_ns = timed ? clock_ns() : 0;
	return send_on(&s);
}

ssize_t send_one(struct flow *f, int fd, const void *buf, size_t len, int flags)
{
	struct iovec v = {(void *)buf, len};
	struct out o = {.iov = &v, .count = 1, .total = len, .flags = flags};

	return send_kept(f, fd, &o);
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

static size_t total_of(const struct iovec *iov, size_t count)
{
	size_t total = 0;

	/* What the kernel refuses is nothing. */
	for (size_t i = 0; i < count && count <= IOV_MAX && !nowhere(iov); i++)
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
 * socket, so that socket has to stay.
 */
static bool by_the_kernel(struct flow *f, int flags)
{
	if (!f || !(flags & MSG_ZEROCOPY))
		return false;
	written_by_kernel(f);
	return true;
}

/* --- the usual call, see calls.h --- */

/* What a send is asked that writes as any other does. */
#define ANY_SEND (MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE | MSG_DONTROUTE | MSG_CONFIRM)

#define SENDS WAY(keeps)
#define SENDS_NOT (WAY(timed_out) | WAY(carried) | WAY(special))

/*
 * memcpy() of the little that most calls write, without the way through the C library: behind a
 * system call nothing of its code is in the cache. What does not fill the last piece overlaps.
 */
COLD static void put_few(uint8_t *to, const uint8_t *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = from[i];
}

static inline void put(uint8_t *to, const uint8_t *from, size_t len)
{
	if (!likely(len >= 32)) {
		put_few(to, from, len);
		return;
	}
	if (!likely(len <= 64)) {
		memcpy(to, from, len);
		return;
	}
	memcpy(to, from, 32);
	memcpy(to + len - 32, from + len - 32, 32);
}

/* A little goes without waiting, and then libc is not needed to let the thread be cancelled. */
static inline bool goes_straight(size_t len)
{
	return likely(len <= SMALL) &&
	       likely(!atomic_load_explicit(&hot.indirect, memory_order_relaxed));
}

/* >= 0 or -errno; errno is kept. */
COLD static ssize_t send_by_libc(int fd, const void *buf, size_t len, int flags)
{
	struct seat *seat = this_thread.seat;
	int saved = errno;

	seat_note(seat, fd);
	atomic_store_explicit(&seat->writes, 1, memory_order_relaxed);
	ssize_t n = real.sendto(fd, buf, len, flags | MSG_NOSIGNAL, NULL, 0);

	atomic_store_explicit(&seat->writes, 0, memory_order_relaxed);
	seat_note(seat, SEAT_EMPTY);
	if (n < 0) {
		n = -errno;
		errno = saved;
	}
	return n;
}

static inline ssize_t send_usually(int fd, const void *buf, size_t len, int flags)
{
	if (!likely(goes_straight(len)))
		return send_by_libc(fd, buf, len, flags);
	return raw_sendto(fd, buf, len, flags | MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
}

/* All of it was taken: into the ring, as keep() does it. */
static inline void keep_usual(struct thread *t, struct flow *f)
{
	struct ring *ring = &f->ring;
	const void *data = t->iov.iov_base;
	size_t len = t->out.total;

	t->out.noting = true;
	atomic_signal_fence(memory_order_seq_cst);

	uint64_t confirmed = atomic_load_explicit(&f->confirmed, memory_order_acquire);

	if (confirmed > ring->base)
		ring_confirm(ring, confirmed);

	uint64_t tail = ring->tail;
	size_t at = (size_t)tail & (ring->cap - 1);

	atomic_signal_fence(memory_order_seq_cst);
	if (!likely(!t->out.caught && len <= ring->cap - at)) {
		keep(f, t->call[0].fd, t->call[0].gen, &t->out, len);
		return;
	}
	put(ring->mem + at, data, len);
	if (move_own(&ring->tail, tail, tail + len) && tail + len - ring->base > ring->cap)
		ring->base = tail + len - ring->cap;
	if (!likely(flow_ways(f) & WAY(session) && tail + len - ring->base <= ASK_FROM))
		ask(f, t->call[0].fd, t->call[0].gen);
}

/* Leaves the call and gives back the lock. */
static inline void leave_usual(struct thread *t, struct flow *f)
{
	if (!call_end(t, f, HOW(seated) | HOW(writes) | HOW(usual))) {
		struct call c = {.flow = f};

		call_leave(&c);
	}
	if (likely(atomic_load_explicit(&t->locks, memory_order_relaxed) == 1 &&
	           t->lock[0].flow == f)) {
		atomic_store_explicit(&t->locks, 0, memory_order_relaxed);
		atomic_signal_fence(memory_order_seq_cst);
		if (likely(lock_drop(&f->writing, t->tid)))
			return;
	}
	writing_release(f);
}

/* What is no usual call. */
COLD static ssize_t send_unusual(int fd, const void *buf, size_t len, int flags, bool write)
{
	struct flow *f = flow_kept(fd);
	int saved = errno;

	if (f && len && !by_the_kernel(f, flags)) {
		ssize_t n = send_one(f, fd, buf, len, flags);

		if (!write || !no_socket(fd, n, saved))
			return n;
	}
	return write ? real.write(fd, buf, len) : real.send(fd, buf, len, flags);
}

/* It was begun, and may not be. */
COLD static ssize_t send_unbegun(bool begun, int fd, const void *buf, size_t len, int flags,
                                 bool write)
{
	struct flow *f = this_thread.lock[0].flow;
	struct call c = {.flow = f};

	if (begun)
		call_leave(&c);
	writing_release(f);
	return send_unusual(fd, buf, len, flags, write);
}

/* The kernel did not take it all. Goes on as any call does, with its `out` on the stack. */
COLD static ssize_t send_further(ssize_t n, uint32_t nudges, bool write)
{
	struct thread *t = &this_thread;
	struct call_record *r = &t->call[0];
	struct out *o = &t->out;
	struct sending s = {.flow = r->flow,
	                    .fd = r->fd,
	                    .out = o,
	                    .have = LOCKED,
	                    .nudges = nudges,
	                    /* Whether it was may have changed since. */
	                    .straight = o->total <= SMALL,
	                    .call = {.flow = r->flow, .gen = r->gen}};
	int saved = errno, err = n < 0 ? (int)-n : saved;
	size_t len = o->total;
	bool nudged = send_noted(&s, n, err);
	/* Nobody else has written to it yet: this thread has a lock. */
	struct iovec v = t->iov;
	struct out own = *o;

	own.iov = &v;
	s.out = &own;
	n = send_judged(&s, n, err, nudged) ? send_on(&s) : s.result;
	return write && no_socket(s.fd, n, saved) ? real.write(s.fd, v.iov_base, len) : n;
}

/* No usual call: of most of these nothing is kept, and they are what they were without us. */
HOT static ssize_t send_other(struct flow *f, int fd, const void *buf, size_t len, int flags,
                              bool write)
{
	const uint64_t ways = f ? flow_ways(f) : 0;

	if (!f || ways & (WAY(keeps) | WAY_INHERITED) ||
	    (f->kind == FLOW_RESET && !(ways & WAY(carried)) &&
	     !atomic_load_explicit(&f->begun, memory_order_relaxed)))
		return send_unusual(fd, buf, len, flags, write);
	return write ? real.write(fd, buf, len) : real.send(fd, buf, len, flags);
}

HOT static ssize_t send_flow(int fd, const void *buf, size_t len, int flags,
                             _Atomic(struct flow *) *slot, bool write)
{
	struct thread *t = own_thread();
	struct flow *f = atomic_load_explicit(slot, memory_order_acquire);

	if (!likely(f && ways_are(f, SENDS, SENDS_NOT) && t->seated &&
	            !atomic_load_explicit(&t->busy, memory_order_relaxed) && len &&
	            !(flags & ~ANY_SEND) && lock_try(&f->writing, t->tid)))
		return send_other(f, fd, buf, len, flags, write);
	t->lock[0].flow = f;
	t->lock[0].stack = stack_here();
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&t->locks, 1, memory_order_relaxed);

	bool begun = call_begin(t, f, slot, fd);

	if (!likely(begun && !atomic_load_explicit(&f->hold, memory_order_acquire) &&
	            ways_are(f, SENDS, SENDS_NOT) &&
	            (f->ring.cap >= f->ring_size || ring_room(&f->ring) >= 2 * len + SPARE)))
		return send_unbegun(begun, fd, buf, len, flags, write);

	struct call_record *r = &t->call[0];
	uint32_t nudges = t->nudges;

	/* Where it will end is in the cache then, when the kernel has it. */
	__builtin_prefetch(f->ring.mem + ((f->ring.tail + len) & (f->ring.cap - 1)), 1);
	t->iov = (struct iovec){(void *)buf, len};
	t->out.total = len;
	t->out.caught = 0;
	t->out.flags = flags;
	t->out.noting = false;
	r->usual = true;
	atomic_signal_fence(memory_order_seq_cst);
	r->writes = true;

	ssize_t n = send_usually(fd, buf, len, flags);

	if (!likely(n == (ssize_t)len))
		return send_further(n, nudges, write);
	keep_usual(t, f);
	flow_moves(f);
	leave_usual(t, f);
	return n;
}

EXPORT ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	_Atomic(struct flow *) *slot = flow_taken(fd);

	return slot ? send_flow(fd, buf, len, flags, slot, false) : real.send(fd, buf, len, flags);
}

EXPORT ssize_t write(int fd, const void *buf, size_t len)
{
	_Atomic(struct flow *) *slot = flow_taken(fd);

	return slot ? send_flow(fd, buf, len, 0, slot, true) : real.write(fd, buf, len);
}

/*
 * A first send that connects as well. Where the connection would be a flow that has to know every
 * byte it is two calls, and the peer is one round trip further away.
 */
static bool connects(int fd, int flags, const struct sockaddr *to, socklen_t len)
{
	return flags & MSG_FASTOPEN && connect_keeps(fd, to, len);
}

static __attribute__((noinline)) ssize_t sendto_any(int fd, const void *buf, size_t len, int flags,
                                                    const struct sockaddr *to, socklen_t to_len)
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

EXPORT ssize_t sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,
                      socklen_t to_len)
{
	_Atomic(struct flow *) *slot = flow_taken(fd);

	if (to || flags & MSG_FASTOPEN)
		return sendto_any(fd, buf, len, flags, to, to_len);
	return slot ? send_flow(fd, buf, len, flags, slot, false)
	            : real.sendto(fd, buf, len, flags, to, to_len);
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

static __attribute__((noinline)) ssize_t writev_flow(int fd, const struct iovec *iov, int count)
{
	struct flow *f = flow_kept(fd);
	struct out o;

	if (!f || !vector(iov, count, 0, &o))
		return real.writev(fd, iov, count);
	int saved = errno;
	ssize_t n = send_kept(f, fd, &o);

	return no_socket(fd, n, saved) ? real.writev(fd, iov, count) : n;
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int count)
{
	return flow_of(fd) ? writev_flow(fd, iov, count) : real.writev(fd, iov, count);
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
	int saved = errno;
	bool ours = streams(f, iov, count, at, flags, &o);

	if (ours)
		n = send_kept(f, fd, &o);
	if (ours && !no_socket(fd, n, saved))
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

	if (nowhere(m->msg_control) || !flow_count() || !process_ours())
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

			/* Who else has it may end it, and no count tells of that. */
			if (f && f->kind == FLOW_SESSION)
				pump_ask(f, PUMP_MS);
			else if (f && (f->kind == FLOW_REDIAL || f->kind == FLOW_HTTP))
				atomic_store(&f->foreign, true);
		}
	}
	errno = saved;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (nowhere(m))
		return real.sendmsg(fd, m, flags);
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
	if (nowhere(m))
		return real.sendmmsg(fd, m, count, flags);
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
