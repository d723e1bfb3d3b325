/* SPDX-License-Identifier: MIT */
#include "preload/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/numbers.h"
#include "preload/raw.h"

/* Numbers from here up where the limit allows it: above what select() can name is best of all. */
#define HIGH 2048
#define NUMBERS 65536

/* inode + 1 of each number, 0 for those that are not ours. Pages are touched where numbers are
 * used. */
static _Atomic uint64_t owned[NUMBERS];
static _Atomic int lowest = NUMBERS, highest = -1; /* that were ever ours */
static _Atomic int count;

static int limit(void)
{
	struct rlimit r;
	int saved = errno, n = 1024;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0)
		n = r.rlim_cur > 65536 ? 65536 : (int)r.rlim_cur;
	errno = saved;
	return n;
}

/*
 * With the usual limit of 1024 the upper quarter is ours to start from; with a larger one numbers
 * above 2048, so that the kernel's descriptor table stays small. Asked each time: a program may
 * change its limit.
 */
static int base(void)
{
	int n = limit(), l = n >= 2 * HIGH ? HIGH : n - n / 4;

	return l < 3 ? 3 : l;
}

static void widen(int fd)
{
	int l = atomic_load(&lowest), h = atomic_load(&highest);

	while (fd < l && !atomic_compare_exchange_weak(&lowest, &l, fd))
		;
	while (fd > h && !atomic_compare_exchange_weak(&highest, &h, fd))
		;
}

static uint64_t identity(int fd)
{
	struct stat st;
	int saved = errno;
	uint64_t id = fstat(fd, &st) == 0 ? st.st_ino + 1 : 0;

	errno = saved;
	return id;
}

/* What is there for a moment only is not asked who it is. */
#define MOMENTARY UINT64_MAX

static int copy_from(int fd, int least, bool momentary)
{
	int n = (int)raw_fcntl(fd, F_DUPFD_CLOEXEC, least);

	if (n == -EINVAL || n >= NUMBERS) {
		if (n >= 0)
			raw_close(n);
		return -EMFILE;
	}
	if (n >= 0) {
		if (!atomic_exchange(&owned[n], momentary ? MOMENTARY : identity(n)))
			atomic_fetch_add(&count, 1);
		widen(n);
	}
	return n;
}

int own_copy(int fd)
{
	numbers_hold();
	int n = copy_from(fd, base(), false);

	numbers_free();
	return n;
}

int own_fd(int fd)
{
	int n = own_copy(fd);

	raw_close(fd);
	return n;
}

/* --- making them --- */

static int moved(long fd)
{
	return fd < 0 ? (int)fd : own_fd((int)fd);
}

int own_socket(int family, int type, int protocol)
{
	numbers_hold();
	int fd = moved(raw_socket(family, type | SOCK_CLOEXEC, protocol));

	numbers_free();
	return fd;
}

int own_accept(int listener, struct sockaddr *a, socklen_t *len, int flags)
{
	numbers_hold();
	int fd = moved(raw_accept4(listener, a, len, flags | SOCK_CLOEXEC));

	numbers_free();
	return fd;
}

int own_call(long nr, long a, long b, long c)
{
	numbers_hold();
	int fd = moved(raw_call3(nr, a, b, c));

	numbers_free();
	return fd;
}

/* `r`: what the call that has made both said. */
static int moved_both(long r, int fd[2])
{
	for (int i = 0; i < 2 && r >= 0; i++)
		fd[i] = own_fd(fd[i]);
	if (r >= 0 && (fd[0] < 0 || fd[1] < 0)) {
		own_close(fd[0]);
		own_close(fd[1]);
		r = -EMFILE;
	}
	return r < 0 ? (int)r : 0;
}

int own_pipe(int fd[2])
{
	numbers_hold();
	int r = moved_both(raw_call3(SYS_pipe2, (long)fd, O_CLOEXEC, 0), fd);

	numbers_free();
	return r;
}

int own_pair(int fd[2])
{
	numbers_hold();
	int r = moved_both(
	    raw_call6(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, (long)fd, 0, 0), fd);

	numbers_free();
	return r;
}

int own_open(int dir, const char *path, int flags, int mode)
{
	static _Atomic int least; /* as it was when it last was of use */

	numbers_hold();
	int fd = raw_openat(dir, path, flags | O_CLOEXEC, mode), n = fd;

	if (fd >= 0 && (!least || (n = copy_from(fd, least, true)) < 0)) {
		least = base();
		n = copy_from(fd, least, true);
	}
	if (fd >= 0 && n >= 0)
		raw_close(fd);
	numbers_free();
	return n < 0 ? fd : n;
}

void own_shut(int fd)
{
	if (own_is(fd))
		own_close(fd);
	else if (fd >= 0)
		raw_close(fd);
}

static _Atomic uint64_t *entry(int fd)
{
	return fd >= atomic_load_explicit(&lowest, memory_order_relaxed) &&
	               fd <= atomic_load_explicit(&highest, memory_order_relaxed)
	           ? &owned[fd]
	           : NULL;
}

bool own_is(int fd)
{
	_Atomic uint64_t *e = entry(fd);

	return e && atomic_load(e) != 0;
}

bool own_intact(int fd)
{
	_Atomic uint64_t *e = entry(fd);
	uint64_t id = e ? atomic_load(e) : 0;

	return id && (id == MOMENTARY || identity(fd) == id);
}

void own_renew(int fd)
{
	_Atomic uint64_t *e = entry(fd);

	if (e && atomic_load(e))
		atomic_store(e, identity(fd));
}

static void forget(int fd)
{
	_Atomic uint64_t *e = entry(fd);

	if (e && atomic_exchange(e, 0))
		atomic_fetch_sub(&count, 1);
}

void own_close(int fd)
{
	if (!own_is(fd))
		return;
	/* A child has the descriptors of one moment, and what is known of them of a later one. */
	numbers_hold();
	bool intact = own_intact(fd);

	forget(fd);
	if (intact)
		raw_close(fd);
	numbers_free();
}

void own_close_all(int keep)
{
	for (int i = atomic_load(&lowest); i <= atomic_load(&highest) && atomic_load(&count); i++)
		if (i != keep && atomic_load(&owned[i]))
			own_close(i);
}

int own_next(unsigned from)
{
	unsigned l = (unsigned)atomic_load(&lowest);

	if (!atomic_load(&count))
		return -1;
	for (int i = (int)(from > l ? from : l); from < NUMBERS && i <= atomic_load(&highest); i++)
		if (atomic_load(&owned[i]))
			return i;
	return -1;
}

#define ROOMY 256

bool own_roomy(void)
{
	return limit() >= ROOMY;
}

int own_headroom(void)
{
	return limit() - base() - atomic_load(&count);
}
