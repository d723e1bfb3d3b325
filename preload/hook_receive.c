/* SPDX-License-Identifier: MIT */
/*
 * Receiving. The data path is the kernel's: a hook adds the entry and exit of the call, and looks
 * twice only at what ends a stream.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include "preload/calls.h"
#include "preload/doubles.h"
#include "preload/hook.h"
#include "preload/peers.h"
#include "preload/process.h"
#include "preload/raw.h"
#include "preload/real.h"
#include "preload/reopen.h"
#include "preload/web.h"

/*
 * A nudge has ended a call with a time limit. What is left of it is waited for here, since the
 * kernel would begin it anew. True: there is something.
 */
static bool wait_rest(const struct call *c, int fd, ssize_t *n)
{
	int64_t left = call_left_ns(c, fd, SO_RCVTIMEO);
	struct timespec t = {left / 1000000000, left % 1000000000};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int r = left ? real.ppoll(&p, 1, &t, NULL) : 0;

	if (r == 0)
		errno = EAGAIN;
	*n = -1;
	return r > 0;
}

bool receive_again(const struct call *c, int fd, int flags, bool wanted, bool nudged, ssize_t *n)
{
	struct flow *f = c->flow;
	int err = errno;

	if (*n > 0)
		flow_moves(f);
	if (nudged && *n < 0 && err == EINTR)
		return wait_rest(c, fd, n);
	if (*n > 0 || (*n == 0 && !wanted) || (*n < 0 && !path_error(err)))
		return false;
	if (f->kind != FLOW_SESSION && f->kind != FLOW_REDIAL && f->kind != FLOW_HTTP)
		return false;
	if (*n < 0 && peers_word(f, err) && c->gen == atomic_load(&f->gen)) {
		errno = err;
		return false;
	}
	/* The end of a file that is no longer the flow's, the placeholder's say, means nothing. */
	if (c->gen != atomic_load(&f->gen) && !nonblocking(fd, flags)) {
		errno = err;
		return true;
	}
	if (flags & MSG_ERRQUEUE || (*n == 0 && end_is_true(f, fd))) {
		errno = err;
		return false;
	}
	if (!hold_flow(f, fd, c->gen)) {
		/* Never a false end: who cannot be helped gets an error. */
		if (*n == 0 && f->kind == FLOW_SESSION && flow_owns(f, fd)) {
			*n = -1;
			err = ECONNRESET;
		}
		errno = err;
		return false;
	}
	if (nonblocking(fd, flags)) {
		errno = EAGAIN;
		*n = -1;
		return false;
	}
	errno = err;
	return true;
}

/*
 * A nudge makes the kernel return what there was of a receive that waits for more: for all of it
 * (MSG_WAITALL), or for as much as SO_RCVLOWAT says. What of `len` is still wanted after so many
 * bytes; 0: nothing, or it was not a nudge.
 */
static size_t still_wanted(int fd, uint32_t nudges, int flags, size_t got, size_t len)
{
	int least = 1;
	socklen_t size = sizeof(least);

	if (this_thread.nudges == nudges || got >= len)
		return 0;
	if (flags & MSG_WAITALL)
		return len - got;
	if (flags & MSG_DONTWAIT ||
	    raw_getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, &size) < 0 || least < 0)
		return 0;
	size_t end = (size_t)least < len ? (size_t)least : len;

	return end > got ? end - got : 0;
}

/* False: it is none, or no longer: the real call, as it is. */
static bool enter(struct call *c, struct flow *f, int fd)
{
	if (!f || !call_enter(c, f, fd, atomic_load_explicit(&f->timed_in, memory_order_relaxed)))
		return false;
	if (atomic_load_explicit(&f->web, memory_order_relaxed))
		web_receives(f);
	return true;
}

/* The call has ended and given n bytes: what call_leave() says. */
static bool leave(struct call *c, const struct iovec *iov, size_t count, ssize_t n, int flags)
{
	if (atomic_load_explicit(&c->flow->web, memory_order_relaxed)) {
		int saved = errno;

		web_received(c->flow, iov, count, n, flags);
		errno = saved;
	}
	if (atomic_load_explicit(&c->flow->opening, memory_order_relaxed))
		reopen_received(c->flow, iov, count, n, flags);
	return call_leave(c);
}

static bool leave_one(struct call *c, void *buf, size_t len, ssize_t n, int flags)
{
	struct iovec v = {buf, len};

	return leave(c, &v, 1, n, flags);
}

/*
 * Most calls are the usual ones: no time limit, no signal, and something is there. They are on
 * paths of their own (calls.h); false: this one is not.
 */
__attribute__((always_inline)) static inline bool
usual(struct thread *t, struct flow *f, _Atomic(struct flow *) *slot, int fd, int flags)
{
	return f && !(flags & MSG_WAITALL) && ways_are(f, 0, WAY(timed_in) | WAY(special)) &&
	       t->seated && !atomic_load_explicit(&t->depth, memory_order_relaxed) &&
	       call_begin(t, f, slot, fd);
}

static inline bool usual_end(struct thread *t, const struct flow *f)
{
	return call_end(t, f, HOW(seated));
}

/* One that ended otherwise: receive_again(). */
COLD static bool usual_again(const struct call_record *r, struct flow *f, bool left, int fd,
                             int flags, bool wanted, ssize_t *n)
{
	struct call c = {.flow = f, .gen = r->gen};
	bool nudged = !left && call_leave(&c);

	return receive_again(&c, fd, flags, wanted, nudged, n);
}

/* As what a receive was called, and where recvfrom() is to say who sent it. */
struct called {
	enum { READ, RECV, RECVFROM } as;
	struct sockaddr *from;
	socklen_t *from_len;
};

static ssize_t once(int fd, void *buf, size_t len, int flags, const struct called *called)
{
	switch (called->as) {
	case READ:
		return real.read(fd, buf, len);
	case RECV:
		return real.recv(fd, buf, len, flags);
	case RECVFROM:
		break;
	}
	return real.recvfrom(fd, buf, len, flags, called->from, called->from_len);
}

COLD static ssize_t receive_on(struct flow *f, int fd, void *buf, size_t len, int flags,
                               const struct called *called)
{
	struct call c = {0};
	ssize_t n, total = 0;
	size_t want = len;

	for (;;) {
		uint32_t nudges = this_thread.nudges;

		if (!enter(&c, f, fd)) {
			n = once(fd, (char *)buf + total, want, flags, called);
			break;
		}
		n = once(fd, (char *)buf + total, want, flags, called);
		bool nudged = leave_one(&c, (char *)buf + total, want, n, flags);

		size_t more = n > 0 ? still_wanted(fd, nudges, flags, (size_t)(total + n), len) : 0;

		/* What was only peeked at is peeked at anew. */
		if (more && !(flags & MSG_PEEK)) {
			total += n;
			want = more;
		} else if (!more && !receive_again(&c, fd, flags, want > 0, nudged, &n)) {
			break;
		}
	}
	return n > 0 ? total + n : total ? total : n;
}

/* read() or recv(), on. */
COLD static ssize_t recv_on(struct flow *f, int fd, void *buf, size_t len, int flags, bool read)
{
	return receive_on(f, fd, buf, len, flags, &(struct called){.as = read ? READ : RECV});
}

#define DRY 64

/* >= 0 or -errno; errno is kept. */
COLD static ssize_t receive_by_libc(int fd, void *buf, size_t len, int flags)
{
	struct seat *seat = this_thread.seat;
	int saved = errno;

	seat_note(seat, fd);
	ssize_t n = hot.recv(fd, buf, len, flags);

	seat_note(seat, SEAT_EMPTY);
	if (n < 0) {
		n = -errno;
		errno = saved;
	}
	return n;
}

/*
 * A read that finds something needs no libc to let its thread be cancelled. Whether it will is not
 * known; where the last one did not, the next are not tried. >= 0 or -errno; errno is kept.
 */
static inline ssize_t receive_usually(struct flow *f, int fd, void *buf, size_t len, int flags)
{
	uint8_t dry = atomic_load_explicit(&f->dry, memory_order_relaxed);

	if (likely(!dry) && likely(!atomic_load_explicit(&hot.indirect, memory_order_relaxed))) {
		ssize_t n = raw_recvfrom(fd, buf, len, flags | MSG_DONTWAIT, NULL, NULL);

		if (likely(n != -EAGAIN || flags & MSG_DONTWAIT))
			return n;
		dry = DRY + 1;
	}
	if (dry)
		atomic_store_explicit(&f->dry, dry - 1, memory_order_relaxed);
	return receive_by_libc(fd, buf, len, flags);
}

/* It ended otherwise than with some bytes. */
COLD static ssize_t receive_further(struct flow *f, int fd, void *buf, size_t len, int flags,
                                    bool left, ssize_t n, bool read)
{
	const struct call_record *r = &this_thread.call[0];
	int saved = errno;

	if (n < 0) {
		errno = (int)-n;
		n = -1;
	}
	if (usual_again(r, f, left, fd, flags, true, &n))
		return recv_on(f, fd, buf, len, flags, read);
	return read && no_socket(fd, n, saved) ? real.read(fd, buf, len) : n;
}

/*
 * read() is recv() without the kernel's way through its files, which takes longer than all that is
 * done here. Not of nothing: there recv() waits, and read() does not.
 */
HOT static ssize_t receive(int fd, void *buf, size_t len, int flags, _Atomic(struct flow *) *slot,
                           bool read)
{
	struct thread *t = own_thread();
	struct flow *f = atomic_load_explicit(slot, memory_order_acquire);

	if (!likely(len && usual(t, f, slot, fd, flags)))
		return recv_on(f, fd, buf, len, flags, read);

	ssize_t n = receive_usually(f, fd, buf, len, flags);
	bool left = usual_end(t, f);

	if (!likely(left) || !likely(n > 0))
		return receive_further(f, fd, buf, len, flags, left, n, read);
	flow_moves(f);
	return n;
}

EXPORT ssize_t read(int fd, void *buf, size_t len)
{
	_Atomic(struct flow *) *slot = flow_taken(fd);

	return slot ? receive(fd, buf, len, 0, slot, true) : real.read(fd, buf, len);
}

EXPORT ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	_Atomic(struct flow *) *slot = flow_taken(fd);

	return slot ? receive(fd, buf, len, flags, slot, false) : hot.recv(fd, buf, len, flags);
}

#define PIECES 64

static size_t room_of(const struct iovec *iov, size_t count)
{
	size_t room = 0;

	for (size_t i = 0; i < count; i++)
		room += iov[i].iov_len;
	return room;
}

/* The room of a vector after so many bytes, at most so much: in `part`, as far as it fits there. */
static size_t room_after(const struct iovec *iov, size_t count, size_t done, size_t most,
                         struct iovec part[PIECES], size_t *pieces)
{
	size_t room = 0;

	*pieces = 0;
	for (size_t i = 0; i < count && room < most && *pieces < PIECES; i++) {
		size_t skip = done < iov[i].iov_len ? done : iov[i].iov_len;
		size_t len = iov[i].iov_len - skip;

		done -= skip;
		len = len < most - room ? len : most - room;
		room += len;
		if (len)
			part[(*pieces)++] = (struct iovec){(char *)iov[i].iov_base + skip, len};
	}
	return room;
}

/* Of a receive into a vector that a nudge has cut: `want` bytes more, as still_wanted() says. What
 * else recvmsg() tells was told with its beginning. */
COLD static ssize_t receive_rest(int fd, const struct iovec *iov, size_t count, int flags,
                                 size_t done, size_t want)
{
	struct flow *f;
	struct call c = {0};

	while (want && (f = flow_of(fd))) {
		struct iovec part[PIECES];
		struct msghdr rest = {.msg_iov = part};
		uint32_t nudges = this_thread.nudges;
		size_t pieces, room = room_after(iov, count, done, want, part, &pieces);

		rest.msg_iovlen = pieces;
		if (!room || !enter(&c, f, fd))
			break;
		ssize_t n = real.recvmsg(fd, &rest, flags);
		bool nudged = leave(&c, part, pieces, n, flags);

		if (n > 0) {
			done += (size_t)n;
			want = (size_t)n == room ? want - room
			                         : still_wanted(fd, nudges, flags, (size_t)n, want);
		} else if (!receive_again(&c, fd, flags, true, nudged, &n)) {
			break;
		}
	}
	return (ssize_t)done;
}

/* `as` NULL: readv(), or preadv2() with these flags of its. */
COLD static ssize_t readv_on(struct flow *f, int fd, const struct iovec *iov, int count,
                             const int *as)
{
	struct call c = {0};
	int flags = as && *as & RWF_NOWAIT ? MSG_DONTWAIT : 0;

	for (;;) {
		uint32_t nudges = this_thread.nudges;
		bool flowing = enter(&c, f, fd);
		ssize_t n = as ? real.preadv2(fd, iov, count, -1, *as) : real.readv(fd, iov, count);

		if (!flowing)
			return n;
		bool nudged = leave(&c, iov, (size_t)count, n, flags);
		/* Where it failed, what it was given may not be there to be read. */
		size_t room = n >= 0 ? room_of(iov, (size_t)count) : 0;
		size_t more = n > 0 ? still_wanted(fd, nudges, flags, (size_t)n, room) : 0;

		if (more)
			return receive_rest(fd, iov, (size_t)count, flags, (size_t)n, more);
		if (!receive_again(&c, fd, flags, room > 0, nudged, &n))
			return n;
	}
}

HOT static ssize_t readv_flow(_Atomic(struct flow *) *slot, int fd, const struct iovec *iov,
                              int count)
{
	struct thread *t = own_thread();
	struct flow *f = atomic_load_explicit(slot, memory_order_acquire);

	if (!likely(usual(t, f, slot, fd, 0)))
		return readv_on(f, fd, iov, count, NULL);
	seat_note(t->seat, fd);
	ssize_t n = real.readv(fd, iov, count);

	seat_note(t->seat, SEAT_EMPTY);
	bool left = usual_end(t, f);

	if (likely(left && n > 0)) {
		flow_moves(f);
		return n;
	}
	return usual_again(&t->call[0], f, left, fd, 0, n >= 0 && room_of(iov, (size_t)count), &n)
	           ? readv_on(f, fd, iov, count, NULL)
	           : n;
}

EXPORT ssize_t readv(int fd, const struct iovec *iov, int count)
{
	_Atomic(struct flow *) *slot = flow_taken(fd);

	return slot ? readv_flow(slot, fd, iov, count) : real.readv(fd, iov, count);
}

EXPORT ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
	/* On a socket the only position there is, is -1. */
	struct flow *f = at == -1 ? flow_of(fd) : NULL;

	if (!real.preadv2)
		real_bind();
	return f ? readv_on(f, fd, iov, count, &flags) : real.preadv2(fd, iov, count, at, flags);
}

EXPORT ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off64_t at, int flags)
{
	return preadv2(fd, iov, count, at, flags);
}

COLD static ssize_t recvfrom_on(struct flow *f, int fd, void *buf, size_t len, int flags,
                                struct sockaddr *from, socklen_t *from_len)
{
	return receive_on(f, fd, buf, len, flags, &(struct called){RECVFROM, from, from_len});
}

HOT static ssize_t recvfrom_flow(_Atomic(struct flow *) *slot, int fd, void *buf, size_t len,
                                 int flags, struct sockaddr *from, socklen_t *from_len)
{
	struct thread *t = own_thread();
	struct flow *f = atomic_load_explicit(slot, memory_order_acquire);

	if (!likely(usual(t, f, slot, fd, flags)))
		return recvfrom_on(f, fd, buf, len, flags, from, from_len);
	seat_note(t->seat, fd);
	ssize_t n = real.recvfrom(fd, buf, len, flags, from, from_len);

	seat_note(t->seat, SEAT_EMPTY);
	bool left = usual_end(t, f);

	if (likely(left && n > 0)) {
		flow_moves(f);
		return n;
	}
	return usual_again(&t->call[0], f, left, fd, flags, len > 0, &n)
	           ? recvfrom_on(f, fd, buf, len, flags, from, from_len)
	           : n;
}

EXPORT ssize_t recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *from,
                        socklen_t *from_len)
{
	_Atomic(struct flow *) *slot = flow_taken(fd);

	return slot ? recvfrom_flow(slot, fd, buf, len, flags, from, from_len)
	            : real.recvfrom(fd, buf, len, flags, from, from_len);
}

/* One that this process has passed to itself is another number of the flow's. */
static void passed_to_itself(int fd)
{
	uint64_t inode = flow_count() ? raw_inode(fd) : 0;

	for (unsigned i = 0; inode && i < flow_count(); i++) {
		struct flow *f = flow_at(i);

		if (__atomic_load_n(&f->inode, __ATOMIC_RELAXED) != inode ||
		    lock_owner(&f->table) == thread_id() || !lock_take(&f->table, thread_id(), 100))
			continue;
		bool its = f->fds && !f->closed && flow_owns(f, fd) && flow_of(fd) != f;

		if (its)
			flow_alias(f, fd);
		lock_release(&f->table);
		if (its)
			return;
	}
}

/* Descriptors that have come: their numbers may have been a flow's, what is on them may be one. */
static void received(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		    c->cmsg_len < CMSG_LEN(0))
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			fresh(fd);
			passed_to_itself(fd);
			doubles_note(-1, fd);
			peers_given(fd);
		}
	}
}

COLD static ssize_t recvmsg_on(struct flow *f, int fd, struct msghdr *m, int flags)
{
	struct call c = {0};

	for (;;) {
		uint32_t nudges = this_thread.nudges;

		if (!enter(&c, f, fd))
			return real.recvmsg(fd, m, flags);
		ssize_t n = real.recvmsg(fd, m, flags);
		bool nudged = leave(&c, m->msg_iov, m->msg_iovlen, n, flags);
		size_t room = n >= 0 ? room_of(m->msg_iov, m->msg_iovlen) : 0;
		size_t more = n > 0 ? still_wanted(fd, nudges, flags, (size_t)n, room) : 0;

		/* What was only peeked at is peeked at anew. */
		if (more && !(flags & MSG_PEEK))
			return receive_rest(fd, m->msg_iov, m->msg_iovlen, flags, (size_t)n, more);
		if (!more && !receive_again(&c, fd, flags, room > 0, nudged, &n))
			return n;
	}
}

HOT static ssize_t recvmsg_flow(_Atomic(struct flow *) *slot, int fd, struct msghdr *m, int flags)
{
	struct thread *t = own_thread();
	struct flow *f = atomic_load_explicit(slot, memory_order_acquire);

	if (!likely(usual(t, f, slot, fd, flags)))
		return recvmsg_on(f, fd, m, flags);
	seat_note(t->seat, fd);
	ssize_t n = real.recvmsg(fd, m, flags);

	seat_note(t->seat, SEAT_EMPTY);
	bool left = usual_end(t, f);

	if (likely(left && n > 0)) {
		flow_moves(f);
		return n;
	}
	return usual_again(&t->call[0], f, left, fd, flags,
	                   n >= 0 && room_of(m->msg_iov, m->msg_iovlen), &n)
	           ? recvmsg_on(f, fd, m, flags)
	           : n;
}

static __attribute__((noinline)) ssize_t recvmsg_other(int fd, struct msghdr *m, int flags)
{
	ssize_t n = real.recvmsg(fd, m, flags);

	if (n >= 0 && m->msg_controllen && process_enabled)
		received(m);
	return n;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	_Atomic(struct flow *) *slot = flow_taken(fd);

	if (nowhere(m))
		return real.recvmsg(fd, m, flags);
	return slot ? recvmsg_flow(slot, fd, m, flags) : recvmsg_other(fd, m, flags);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/*
 * Of a stream, one by one: an empty message is its end, and has to be looked at as such. The
 * kernel, too, looks at the time only between two messages.
 */
static int receive_many(int fd, struct mmsghdr *m, unsigned count, int flags,
                        struct timespec *timeout)
{
	bool first_only = flags & MSG_WAITFORONE;
	int64_t until =
	    timeout ? now_ns() + (int64_t)timeout->tv_sec * 1000000000 + timeout->tv_nsec : 0;
	int saved = errno;
	unsigned i = 0;

	flags &= ~MSG_WAITFORONE;
	while (i < count) {
		ssize_t n = recvmsg(fd, &m[i].msg_hdr, flags);

		if (n < 0)
			break;
		m[i++].msg_len = (unsigned)n;
		if (first_only)
			flags |= MSG_DONTWAIT;
		if (timeout) {
			int64_t left = until - now_ns();

			left = left < 0 ? 0 : left;
			timeout->tv_sec = (time_t)(left / 1000000000);
			timeout->tv_nsec = (long)(left % 1000000000);
			if (!left)
				break;
		}
	}
	if (!i)
		return count ? -1 : 0;
	errno = saved;
	return (int)i;
}

EXPORT int recvmmsg(int fd, struct mmsghdr *m, unsigned count, int flags, struct timespec *timeout)
{
	struct flow *f = nowhere(m) ? NULL : flow_of(fd);
	struct call c = {0};
	unsigned total = 0;
	ssize_t n;

	if (!f) {
		n = real.recvmmsg(fd, m, count, flags, timeout);
		for (ssize_t i = 0; i < n && process_enabled; i++)
			if (m[i].msg_hdr.msg_controllen)
				received(&m[i].msg_hdr);
		return (int)n;
	}
	if (f->kind == FLOW_SESSION || f->kind == FLOW_REDIAL || f->kind == FLOW_HTTP)
		return receive_many(fd, m, count, flags, timeout);
	for (;;) {
		uint32_t nudges = this_thread.nudges;

		if (!enter(&c, f, fd)) {
			n = real.recvmmsg(fd, m + total, count - total, flags, timeout);
			break;
		}
		n = real.recvmmsg(fd, m + total, count - total, flags, timeout);
		bool nudged = call_leave(&c);

		/* Without MSG_WAITFORONE it waits for all of them. */
		if (n > 0 && (unsigned)n < count - total && this_thread.nudges != nudges &&
		    !timeout && !(flags & (MSG_WAITFORONE | MSG_DONTWAIT)))
			total += (unsigned)n;
		else if (!receive_again(&c, fd, flags, false, nudged, &n))
			break;
	}
	return n > 0 ? (int)total + (int)n : total ? (int)total : (int)n;
}

/*
 * What a fortified program calls instead. The check is the caller's protection and stays: with too
 * large a length the real one ends the program as it would without us.
 */
EXPORT ssize_t __read_chk(int fd, void *buf, size_t len, size_t room)
{
	return len > room ? real.__read_chk(fd, buf, len, room) : read(fd, buf, len);
}

EXPORT ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags)
{
	return len > room ? real.__recv_chk(fd, buf, len, room, flags) : recv(fd, buf, len, flags);
}

EXPORT ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags,
                              struct sockaddr *from, socklen_t *from_len)
{
	return len > room ? real.__recvfrom_chk(fd, buf, len, room, flags, from, from_len)
	                  : recvfrom(fd, buf, len, flags, from, from_len);
}
