/* SPDX-License-Identifier: MIT */
/*
 * Receiving. The data path is the kernel's: a hook adds the entry and exit of the call, and looks
 * twice only at what ends a stream.
 */
#include <stdlib.h>
#include <string.h>

#include "preload/hook.h"
#include "preload/real.h"

/* After a call that returned `n`: should it be made again? Else *n and errno are the program's. */
static bool again(const struct call *c, int fd, int flags, bool wanted, ssize_t *n)
{
	struct flow *f = c->flow;
	int err = errno;

	if (*n > 0 || (*n == 0 && !wanted) || (*n < 0 && !path_error(err)))
		return false;
	if (f->kind != FLOW_SESSION && f->kind != FLOW_REDIAL)
		return false;
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

/* MSG_WAITALL and a nudge: the kernel returns what there was; the rest is still wanted. */
static bool cut_short(uint32_t nudges, int flags, ssize_t n, size_t want)
{
	return flags & MSG_WAITALL && !(flags & MSG_PEEK) && n > 0 && (size_t)n < want &&
	       this_thread.nudges != nudges;
}

EXPORT ssize_t read(int fd, void *buf, size_t len)
{
	struct flow *f = flow_of(fd);
	struct call c;
	ssize_t n;

	if (!f)
		return real.read(fd, buf, len);
	do {
		if (!call_enter(&c, f, fd))
			return real.read(fd, buf, len);
		n = real.read(fd, buf, len);
		call_leave(&c);
	} while (again(&c, fd, 0, len > 0, &n));
	return n;
}

EXPORT ssize_t readv(int fd, const struct iovec *iov, int count)
{
	struct flow *f = flow_of(fd);
	struct call c;
	ssize_t n;

	if (!f)
		return real.readv(fd, iov, count);
	do {
		if (!call_enter(&c, f, fd))
			return real.readv(fd, iov, count);
		n = real.readv(fd, iov, count);
		call_leave(&c);
	} while (again(&c, fd, 0, count > 0, &n));
	return n;
}

EXPORT ssize_t recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *from,
                        socklen_t *from_len)
{
	struct flow *f = flow_of(fd);
	struct call c;
	ssize_t n, total = 0;

	if (!f)
		return real.recvfrom(fd, buf, len, flags, from, from_len);
	for (;;) {
		uint32_t nudges = this_thread.nudges;
		size_t want = len - (size_t)total;

		if (!call_enter(&c, f, fd))
			return real.recvfrom(fd, buf, len, flags, from, from_len);
		n = real.recvfrom(fd, (char *)buf + total, want, flags, from, from_len);
		call_leave(&c);
		if (cut_short(nudges, flags, n, want))
			total += n;
		else if (!again(&c, fd, flags, want > 0, &n))
			break;
	}
	return n > 0 ? total + n : total ? total : n;
}

EXPORT ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	struct flow *f = flow_of(fd);
	struct call c;
	ssize_t n, total = 0;

	if (!f)
		return real.recv(fd, buf, len, flags);
	for (;;) {
		uint32_t nudges = this_thread.nudges;
		size_t want = len - (size_t)total;

		if (!call_enter(&c, f, fd))
			return real.recv(fd, buf, len, flags);
		n = real.recv(fd, (char *)buf + total, want, flags);
		call_leave(&c);
		if (cut_short(nudges, flags, n, want))
			total += n;
		else if (!again(&c, fd, flags, want > 0, &n))
			break;
	}
	return n > 0 ? total + n : total ? total : n;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	struct flow *f = flow_of(fd);
	struct call c;
	ssize_t n;

	if (!f)
		return real.recvmsg(fd, m, flags);
	do {
		if (!call_enter(&c, f, fd))
			return real.recvmsg(fd, m, flags);
		n = real.recvmsg(fd, m, flags);
		call_leave(&c);
	} while (again(&c, fd, flags, m->msg_iovlen > 0, &n));
	return n;
}

EXPORT int recvmmsg(int fd, struct mmsghdr *m, unsigned count, int flags, struct timespec *timeout)
{
	struct flow *f = flow_of(fd);
	struct call c;
	ssize_t n;

	if (!f)
		return real.recvmmsg(fd, m, count, flags, timeout);
	do {
		if (!call_enter(&c, f, fd))
			return real.recvmmsg(fd, m, count, flags, timeout);
		n = real.recvmmsg(fd, m, count, flags, timeout);
		call_leave(&c);
	} while (again(&c, fd, flags, false, &n));
	return (int)n;
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
