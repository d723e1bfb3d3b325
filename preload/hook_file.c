/* SPDX-License-Identifier: MIT */
/* Calls that move bytes between two descriptors, past the program's memory. */
#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "preload/hook.h"
#include "preload/real.h"

#define PIECE 16384

/*
 * sendfile on a kept flow: the same bytes through user memory, in pieces, with the file's position
 * kept as the kernel would. -ESPIPE: nothing was done, what is read from has no position.
 */
static ssize_t send_file(struct flow *f, int fd, int in, off64_t *at, size_t len)
{
	char piece[PIECE];
	ssize_t done = 0;
	off64_t from;

	if (at && !raw_readable(at, sizeof(*at)))
		return -ESPIPE;
	from = at ? *at : lseek64(in, 0, SEEK_CUR);

	while ((size_t)done < len) {
		size_t want = len - (size_t)done < PIECE ? len - (size_t)done : PIECE;
		ssize_t got = from < 0 ? -1 : pread64(in, piece, want, from);

		if (got < 0 && !done)
			return -ESPIPE;
		if (got <= 0)
			break;
		ssize_t n = send_one(f, fd, piece, (size_t)got, 0);

		if (n < 0)
			done = done ? done : -1;
		if (n <= 0)
			break;
		done += n;
		from += n;
		/* Cut short; or there is no need any more to see what is sent. */
		if (n < got || flow_kept(fd) != f)
			break;
	}
	int saved = errno;

	if (done > 0 && at && !raw_writable(at)) {
		/* It was sent all the same, as by the kernel. */
		saved = EFAULT;
		done = -1;
	} else if (done > 0 && at) {
		*at = from;
	} else if (done > 0) {
		lseek64(in, from, SEEK_SET);
	}
	errno = saved;
	return done;
}

EXPORT ssize_t sendfile64(int fd, int in, off64_t *at, size_t len)
{
	struct flow *f = flow_kept(fd);
	int saved = errno;
	ssize_t n = f && len ? send_file(f, fd, in, at, len) : -ESPIPE;

	/* What cannot be read so the kernel refuses, and says why. */
	if (n == -ESPIPE || no_socket(fd, n, saved)) {
		errno = saved;
		return real.sendfile64(fd, in, at, len);
	}
	if (n < 0)
		return n;
	/* Only the first bytes had to be seen: the kernel sends the rest. */
	if (f && n && (size_t)n < len && !flow_kept(fd)) {
		ssize_t rest = real.sendfile64(fd, in, at, len - (size_t)n);

		n += rest > 0 ? rest : 0;
	}
	errno = saved;
	return n;
}

/* The same on 64 bits; what the program points to is for the kernel to look at. */
EXPORT ssize_t sendfile(int fd, int in, off_t *at, size_t len)
{
	_Static_assert(sizeof(off_t) == sizeof(off64_t), "file offsets of 64 bits");
	return sendfile64(fd, in, (off64_t *)at, len);
}

/*
 * Into a flow: what a pipe has given cannot be put back, so the bytes go as the program wants them,
 * onto a pair that the agent carries. Out of one: a receive.
 */
EXPORT ssize_t splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t len, unsigned flags)
{
	struct flow *to = flow_kept(out), *from = flow_of(in);
	struct call c = {0};
	bool nudged;
	ssize_t n;

	if (to)
		written_by_kernel(to);
	if (!from)
		return real.splice(in, in_at, out, out_at, len, flags);
	do {
		if (!call_enter(&c, from, in, atomic_load(&from->timed_in)))
			return real.splice(in, in_at, out, out_at, len, flags);
		n = real.splice(in, in_at, out, out_at, len, flags);
		nudged = call_leave(&c);
	} while (receive_again(&c, in, flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0, len > 0,
	                       nudged, &n));
	return n;
}
