/* SPDX-License-Identifier: MIT */
/*
 * Other names that libc has for the same calls: programs and libraries can be linked with these as
 * well.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/select.h>
#include <unistd.h>

#include "preload/hook.h"

/* Declared nowhere, or not in every libc. */
ssize_t __read(int, void *, size_t);
ssize_t __write(int, const void *, size_t);
int __close(int);
int __dup2(int, int);
int __fcntl(int, int, ...);
int __connect(int, const struct sockaddr *, socklen_t);
ssize_t __send(int, const void *, size_t, int);
int __poll(struct pollfd *, nfds_t, int);
int __select(int, fd_set *, fd_set *, fd_set *, struct timeval *);
FILE *_IO_fdopen(int, const char *);
int _IO_fclose(FILE *);
int posix_close(int, int);

EXPORT ssize_t __read(int fd, void *buf, size_t len)
{
	return read(fd, buf, len);
}

EXPORT ssize_t __write(int fd, const void *buf, size_t len)
{
	return write(fd, buf, len);
}

EXPORT int __close(int fd)
{
	return close(fd);
}

EXPORT int posix_close(int fd, int flags)
{
	(void)flags; /* musl takes no notice of them either */
	return close(fd);
}

EXPORT int __dup2(int from, int to)
{
	return dup2(from, to);
}

EXPORT int __fcntl(int fd, int op, ...)
{
	va_list ap;

	va_start(ap, op);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	return fcntl(fd, op, arg);
}

EXPORT int __connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return connect(fd, addr, len);
}

EXPORT ssize_t __send(int fd, const void *buf, size_t len, int flags)
{
	return send(fd, buf, len, flags);
}

EXPORT int __poll(struct pollfd *p, nfds_t n, int timeout)
{
	return poll(p, n, timeout);
}

EXPORT int __select(int n, fd_set *in, fd_set *out, fd_set *bad, struct timeval *t)
{
	return select(n, in, out, bad, t);
}

EXPORT FILE *_IO_fdopen(int fd, const char *mode)
{
	return fdopen(fd, mode);
}

EXPORT int _IO_fclose(FILE *file)
{
	return fclose(file);
}
