/* SPDX-License-Identifier: MIT */
/*
 * Calls that make other descriptors than sockets. None is a flow; they wait while the library has
 * the lowest free number, which is theirs (numbers.h).
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "preload/hook.h"
#include "preload/numbers.h"
#include "preload/real.h"

/* Declared nowhere, or not in every libc. */
int __open(const char *, int, ...);
int __open64(const char *, int, ...);
int __open_2(const char *, int);
int __open64_2(const char *, int);
int __openat_2(int, const char *, int);
int __openat64_2(int, const char *, int);
int __pipe(int[2]);
FILE *_IO_fopen(const char *, const char *);

/* Those that are no system call have no stand-in before the others are bound. */
static void bind_early(const void *function)
{
	if (!function)
		real_bind();
}

static int made(unsigned at, int fd)
{
	numbers_leave(at);
	return fresh(fd);
}

/* --- files by name --- */

EXPORT int open(const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = va_arg(ap, mode_t);
	va_end(ap);
	unsigned at = numbers_enter();

	return made(at, real.open(path, flags, mode));
}

EXPORT int open64(const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = va_arg(ap, mode_t);
	va_end(ap);
	unsigned at = numbers_enter();

	return made(at, real.open64(path, flags, mode));
}

EXPORT int __open(const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = va_arg(ap, mode_t);
	va_end(ap);
	return open(path, flags, mode);
}

EXPORT int __open64(const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = va_arg(ap, mode_t);
	va_end(ap);
	return open64(path, flags, mode);
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = va_arg(ap, mode_t);
	va_end(ap);
	unsigned at = numbers_enter();

	return made(at, real.openat(dir, path, flags, mode));
}

EXPORT int openat64(int dir, const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = va_arg(ap, mode_t);
	va_end(ap);
	unsigned at = numbers_enter();

	return made(at, real.openat64(dir, path, flags, mode));
}

EXPORT int creat(const char *path, mode_t mode)
{
	unsigned at = numbers_enter();

	return made(at, real.creat(path, mode));
}

EXPORT int creat64(const char *path, mode_t mode)
{
	unsigned at = numbers_enter();

	return made(at, real.creat64(path, mode));
}

EXPORT int __open_2(const char *path, int flags)
{
	bind_early((const void *)real.__open_2);
	unsigned at = numbers_enter();

	return made(at, real.__open_2(path, flags));
}

EXPORT int __open64_2(const char *path, int flags)
{
	bind_early((const void *)real.__open64_2);
	unsigned at = numbers_enter();

	return made(at, real.__open64_2(path, flags));
}

EXPORT int __openat_2(int dir, const char *path, int flags)
{
	bind_early((const void *)real.__openat_2);
	unsigned at = numbers_enter();

	return made(at, real.__openat_2(dir, path, flags));
}

EXPORT int __openat64_2(int dir, const char *path, int flags)
{
	bind_early((const void *)real.__openat64_2);
	unsigned at = numbers_enter();

	return made(at, real.__openat64_2(dir, path, flags));
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
	bind_early((const void *)real.fopen);
	unsigned at = numbers_enter();
	FILE *f = real.fopen(path, mode);

	numbers_leave(at);
	return f;
}

EXPORT FILE *fopen64(const char *path, const char *mode)
{
	bind_early((const void *)real.fopen64);
	unsigned at = numbers_enter();
	FILE *f = real.fopen64(path, mode);

	numbers_leave(at);
	return f;
}

/* It closes the number, and puts what it has opened onto it again. */
EXPORT FILE *freopen(const char *path, const char *mode, FILE *file)
{
	bind_early((const void *)real.freopen);
	unsigned at = numbers_enter();
	FILE *f = real.freopen(path, mode, file);

	numbers_leave(at);
	return f;
}

EXPORT FILE *freopen64(const char *path, const char *mode, FILE *file)
{
	bind_early((const void *)real.freopen64);
	unsigned at = numbers_enter();
	FILE *f = real.freopen64(path, mode, file);

	numbers_leave(at);
	return f;
}

EXPORT FILE *_IO_fopen(const char *path, const char *mode)
{
	return fopen(path, mode);
}

EXPORT DIR *opendir(const char *path)
{
	bind_early((const void *)real.opendir);
	unsigned at = numbers_enter();
	DIR *d = real.opendir(path);

	numbers_leave(at);
	return d;
}

/* --- files without one --- */

EXPORT int mkstemp(char *name)
{
	bind_early((const void *)real.mkstemp);
	unsigned at = numbers_enter();

	return made(at, real.mkstemp(name));
}

EXPORT int mkstemp64(char *name)
{
	bind_early((const void *)real.mkstemp64);
	unsigned at = numbers_enter();

	return made(at, real.mkstemp64(name));
}

EXPORT int mkostemp(char *name, int flags)
{
	bind_early((const void *)real.mkostemp);
	unsigned at = numbers_enter();

	return made(at, real.mkostemp(name, flags));
}

EXPORT int mkostemp64(char *name, int flags)
{
	bind_early((const void *)real.mkostemp64);
	unsigned at = numbers_enter();

	return made(at, real.mkostemp64(name, flags));
}

EXPORT int mkstemps(char *name, int suffix)
{
	bind_early((const void *)real.mkstemps);
	unsigned at = numbers_enter();

	return made(at, real.mkstemps(name, suffix));
}

EXPORT int mkstemps64(char *name, int suffix)
{
	bind_early((const void *)real.mkstemps64);
	unsigned at = numbers_enter();

	return made(at, real.mkstemps64(name, suffix));
}

EXPORT int mkostemps(char *name, int suffix, int flags)
{
	bind_early((const void *)real.mkostemps);
	unsigned at = numbers_enter();

	return made(at, real.mkostemps(name, suffix, flags));
}

EXPORT int mkostemps64(char *name, int suffix, int flags)
{
	bind_early((const void *)real.mkostemps64);
	unsigned at = numbers_enter();

	return made(at, real.mkostemps64(name, suffix, flags));
}

EXPORT FILE *tmpfile(void)
{
	bind_early((const void *)real.tmpfile);
	unsigned at = numbers_enter();
	FILE *f = real.tmpfile();

	numbers_leave(at);
	return f;
}

EXPORT FILE *tmpfile64(void)
{
	bind_early((const void *)real.tmpfile64);
	unsigned at = numbers_enter();
	FILE *f = real.tmpfile64();

	numbers_leave(at);
	return f;
}

EXPORT int memfd_create(const char *name, unsigned flags)
{
	unsigned at = numbers_enter();

	return made(at, real.memfd_create(name, flags));
}

/* --- no files --- */

static int made_both(unsigned at, int r, const int fd[2])
{
	numbers_leave(at);
	if (r == 0) {
		fresh(fd[0]);
		fresh(fd[1]);
	}
	return r;
}

EXPORT int pipe(int fd[2])
{
	unsigned at = numbers_enter();

	return made_both(at, real.pipe(fd), fd);
}

EXPORT int __pipe(int fd[2])
{
	return pipe(fd);
}

EXPORT int pipe2(int fd[2], int flags)
{
	unsigned at = numbers_enter();

	return made_both(at, real.pipe2(fd, flags), fd);
}

EXPORT int eventfd(unsigned value, int flags)
{
	unsigned at = numbers_enter();

	return made(at, real.eventfd(value, flags));
}

/* Only with -1 it makes one; then what it says is no flow's number. */
EXPORT int signalfd(int fd, const sigset_t *mask, int flags)
{
	unsigned at = numbers_enter();

	return made(at, real.signalfd(fd, mask, flags));
}

EXPORT int timerfd_create(clockid_t clock, int flags)
{
	unsigned at = numbers_enter();

	return made(at, real.timerfd_create(clock, flags));
}

EXPORT int inotify_init(void)
{
	unsigned at = numbers_enter();

	return made(at, real.inotify_init());
}

EXPORT int inotify_init1(int flags)
{
	unsigned at = numbers_enter();

	return made(at, real.inotify_init1(flags));
}

EXPORT int epoll_create(int size)
{
	unsigned at = numbers_enter();

	return made(at, real.epoll_create(size));
}

EXPORT int epoll_create1(int flags)
{
	unsigned at = numbers_enter();

	return made(at, real.epoll_create1(flags));
}
