/* SPDX-License-Identifier: MIT */
/*
 * Sending. On a flow whose bytes are kept, the call and the copy into the ring are one step under
 * the flow's write lock, so that the ring has the order of the stream.
 */
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>

#include "preload/agent.h"
#include "preload/hook.h"
#include "preload/kin.h"
#include "preload/process.h"
#include "preload/pump.h"
#include "preload/raw.h"
#include "preload/real.h"

/* One write, whatever it was called: up to IOV bytes pieces, and what only sendmsg can say. */
struct out {
	const struct iovec *iov;
	size_t count, total;
	const struct msghdr *msg; /* NULL, or the original */
	int flags;
};

#define CARRY_MS                                                                                   \
	1500 /* a passed descriptor waits for its flow to be carried; a millisecond as a rule */
#define PIECES 64 /* of a long vector go at a time; a stream has no message boundaries */

/* The write lock. 0, or -EAGAIN. A writer that interrupted itself (signal handler) gets -EDEADLK.
 */
static int writer_enter(struct flow *f, int fd, int flags)
{
	uint32_t tid = thread_id();

	if (lock_try(&f->writing, tid))
		return 0;
	if (lock_owner(&f->writing) == tid)
		return -EDEADLK;
	if (lock_take(&f->writing, tid, nonblocking(fd, flags) ? 10 : -1))
		return 0;
	return -EAGAIN;
}

/* While the agent replays, writers wait. 0: go on. -EAGAIN, -EINTR: tell the program. */
static int wait_for_replay(struct flow *f, int fd, int flags)
{
	if (nonblocking(fd, flags)) {
		atomic_store(&f->starved, true);
		/* It may just have ended: then the program must not wait for an edge that was given
		 * before. */
		if (!atomic_load(&f->hold))
			return 0;
		return -EAGAIN;
	}
	int r = futex_wait(&f->hold, 1, -1);

	return r == -EINTR ? r : 0;
}

static ssize_t send_once(int fd, const struct out *o, size_t done)
{
	struct iovec part[PIECES];
	size_t n = 0, skip = done;

	if (o->count == 1 && !o->msg)
		return real.sendto(fd, (const char *)o->iov->iov_base + done, o->total - done,
		                   o->flags | MSG_NOSIGNAL, NULL, 0);
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
	return real.sendmsg(fd, &m, o->flags | MSG_NOSIGNAL);
}

static void keep(struct flow *f, const struct out *o, size_t done, size_t len)
{
	size_t skip = done;

	ring_confirm(&f->ring, atomic_load(&f->confirmed));
	for (size_t i = 0; i < o->count && len; i++) {
		if (skip >= o->iov[i].iov_len) {
			skip -= o->iov[i].iov_len;
			continue;
		}
		size_t n = o->iov[i].iov_len - skip;

		n = n < len ? n : len;
		ring_put(&f->ring, (const char *)o->iov[i].iov_base + skip, n);
		len -= n;
		skip = 0;
	}
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

static ssize_t send_kept(struct flow *f, int fd, const struct out *o)
{
	size_t done = 0;
	struct call c;

	for (;;) {
		uint32_t nudges = this_thread.nudges;
		int r = writer_enter(f, fd, o->flags);

		if (r == -EDEADLK) {
			/* In the middle of this thread's own write: order in the ring is lost. */
			atomic_store(&f->foreign, true);
			return send_once(fd, o, done);
		}
		if (r < 0) {
			errno = -r;
			return done ? (ssize_t)done : -1;
		}
		if (!call_enter(&c, f, fd)) {
			lock_release(&f->writing);
			return send_once(fd, o, done);
		}
		if (atomic_load(&f->hold)) {
			call_leave(&c);
			lock_release(&f->writing);
			r = wait_for_replay(f, fd, o->flags);
			if (r < 0) {
				errno = -r;
				return done ? (ssize_t)done : -1;
			}
			continue;
		}
		ssize_t n = send_once(fd, o, done);
		int err = errno;
		bool stale = n < 0 && path_error(err) && c.gen != atomic_load(&f->gen);

		if (n > 0 && atomic_load(&f->keeps))
			keep(f, o, done, (size_t)n);
		else if (n > 0)
			atomic_store(&f->begun, true);
		call_leave(&c);
		lock_release(&f->writing);
		if (n > 0)
			done += (size_t)n;
		if (done == o->total && n >= 0) {
			errno = err;
			return (ssize_t)done;
		}
		if (n >= 0) {
			/* Short: by a handover (go on), by the size of the vector (go on), or for
			 * the program's reasons. */
			if (this_thread.nudges != nudges || o->count > PIECES) {
				if (!nonblocking(fd, o->flags) || o->count > PIECES)
					continue;
			}
			errno = err;
			return (ssize_t)done;
		}
		/* An error of a file that is no longer the flow's. */
		if (stale && !nonblocking(fd, o->flags))
			continue;
		if (path_error(err) && !(err == EPIPE && atomic_load(&f->half_closed)) &&
		    hold_flow(f, fd, c.gen)) {
			if (!nonblocking(fd, o->flags))
				continue;
			atomic_store(&f->starved, true);
			err = EAGAIN;
		}
		if (done) {
			errno = err;
			return (ssize_t)done;
		}
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
