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

/*
 * The mode is the last argument, if there is one: what is read in its place otherwise is looked at
 * by nobody.
 */
#define MODE(mode, last)                                                                           \
	va_list ap;                                                                                \
                                                                                                   \
	va_start(ap, last);                                                                        \
	mode_t mode = va_arg(ap, mode_t);                                                          \
	va_end(ap)

static int made(unsigned at, int fd)
{
	numbers_leave(at);
	return fresh(fd);
}

/* A stream's number, should it have been a flow's, is recognised where it is first used. */
static void *made_stream(unsigned at, void *stream)
{
	numbers_leave(at);
	return stream;
}

static int made_both(unsigned at, int r, const int fd[2])
{
	numbers_leave(at);
	if (r == 0) {
		fresh(fd[0]);
		fresh(fd[1]);
	}
	return r;
}

/*
 * A hook that does nothing but wait: the real call between numbers_enter() and what its result is
 * `made` of. Those that are no system call have no stand-in before the others are bound.
 */
#define HOOK(type, name, parameters, arguments, made)                                              \
	EXPORT type name parameters                                                                \
	{                                                                                          \
		if (!real.name)                                                                    \
			real_bind();                                                               \
                                                                                                   \
		unsigned at = numbers_enter();                                                     \
                                                                                                   \
		return made(at, real.name arguments);                                              \
	}

/* --- files by name --- */

EXPORT int open(const char *path, int flags, ...)
{
	MODE(mode, flags);
	unsigned at = numbers_enter();

	return made(at, real.open(path, flags, mode));
}

EXPORT int open64(const char *path, int flags, ...)
{
	MODE(mode, flags);
	unsigned at = numbers_enter();

	return made(at, real.open64(path, flags, mode));
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
	MODE(mode, flags);
	unsigned at = numbers_enter();

	return made(at, real.openat(dir, path, flags, mode));
}

EXPORT int openat64(int dir, const char *path, int flags, ...)
{
	MODE(mode, flags);
	unsigned at = numbers_enter();

	return made(at, real.openat64(dir, path, flags, mode));
}

EXPORT int __open(const char *path, int flags, ...)
{
	MODE(mode, flags);
	return open(path, flags, mode);
}

EXPORT int __open64(const char *path, int flags, ...)
{
	MODE(mode, flags);
	return open64(path, flags, mode);
}

HOOK(int, creat, (const char *path, mode_t mode), (path, mode), made)
HOOK(int, creat64, (const char *path, mode_t mode), (path, mode), made)
HOOK(int, __open_2, (const char *path, int flags), (path, flags), made)
HOOK(int, __open64_2, (const char *path, int flags), (path, flags), made)
HOOK(int, __openat_2, (int dir, const char *path, int flags), (dir, path, flags), made)
HOOK(int, __openat64_2, (int dir, const char *path, int flags), (dir, path, flags), made)
HOOK(FILE *, fopen, (const char *path, const char *mode), (path, mode), made_stream)
HOOK(FILE *, fopen64, (const char *path, const char *mode), (path, mode), made_stream)

/* It closes the number, and puts what it has opened onto it again. */
HOOK(FILE *, freopen, (const char *path, const char *mode, FILE *file), (path, mode, file),
     made_stream)
HOOK(FILE *, freopen64, (const char *path, const char *mode, FILE *file), (path, mode, file),
     made_stream)
HOOK(DIR *, opendir, (const char *path), (path), made_stream)

EXPORT FILE *_IO_fopen(const char *path, const char *mode)
{
	return fopen(path, mode);
}

/* --- files without one --- */

HOOK(int, mkstemp, (char *name), (name), made)
HOOK(int, mkstemp64, (char *name), (name), made)
HOOK(int, mkostemp, (char *name, int flags), (name, flags), made)
HOOK(int, mkostemp64, (char *name, int flags), (name, flags), made)
HOOK(int, mkstemps, (char *name, int suffix), (name, suffix), made)
HOOK(int, mkstemps64, (char *name, int suffix), (name, suffix), made)
HOOK(int, mkostemps, (char *name, int suffix, int flags), (name, suffix, flags), made)
HOOK(int, mkostemps64, (char *name, int suffix, int flags), (name, suffix, flags), made)
HOOK(FILE *, tmpfile, (void), (), made_stream)
HOOK(FILE *, tmpfile64, (void), (), made_stream)
HOOK(int, memfd_create, (const char *name, unsigned flags), (name, flags), made)

/* --- no files --- */

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

HOOK(int, eventfd, (unsigned value, int flags), (value, flags), made)
/* Only with -1 it makes one; then what it says is no flow's number. */
HOOK(int, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags), made)
HOOK(int, timerfd_create, (clockid_t clock, int flags), (clock, flags), made)
HOOK(int, inotify_init, (void), (), made)
HOOK(int, inotify_init1, (int flags), (flags), made)
HOOK(int, epoll_create, (int size), (size), made)
HOOK(int, epoll_create1, (int flags), (flags), made)
