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

#include "preload/raw.h"

/* Numbers from here up where the limit allows it: above what select() can name is best of all. */
#define HIGH 2048
#define SPAN 8192

/* inode + 1 of each number, 0 for those that are not ours; index is the number minus `floor`. */
static _Atomic uint64_t owned[SPAN];
static _Atomic int lowest; /* number of owned[0]; 0 before the first use */
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
 * above 2048, so that the kernel's descriptor table stays small.
 */
static int base(void)
{
	int l = atomic_load(&lowest);

	if (l)
		return l;
	int n = limit();
	l = n >= 2 * HIGH ? HIGH : n - n / 4;
	if (l < 3)
		l = 3;
	int none = 0;
	return atomic_compare_exchange_strong(&lowest, &none, l) ? l : none;
}

static uint64_t identity(int fd)
{
	struct stat st;
	int saved = errno;
	uint64_t id = fstat(fd, &st) == 0 ? st.st_ino + 1 : 0;

	errno = saved;
	return id;
}

int own_fd(int fd)
{
	int low = base();
	int n = (int)raw_fcntl(fd, F_DUPFD_CLOEXEC, low);

	if (n == -EINVAL || n == -EMFILE || n >= low + SPAN) {
		/* The top is full, or the limit was lowered: any number must do. */
		if (n >= 0)
			raw_close(n);
		raw_close(fd);
		return -EMFILE;
	}
	raw_close(fd);
	if (n < 0)
		return n;
	atomic_store(&owned[n - low], identity(n));
	atomic_fetch_add(&count, 1);
	return n;
}

static _Atomic uint64_t *entry(int fd)
{
	int l = atomic_load_explicit(&lowest, memory_order_relaxed);

	return l && fd >= l && fd < l + SPAN ? &owned[fd - l] : NULL;
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

	return id && identity(fd) == id;
}

void own_release(int fd)
{
	_Atomic uint64_t *e = entry(fd);

	if (e && atomic_exchange(e, 0))
		atomic_fetch_sub(&count, 1);
}

void own_close(int fd)
{
	if (fd < 0)
		return;
	bool intact = own_intact(fd);

	own_release(fd);
	if (intact)
		raw_close(fd);
}

void own_close_all(int keep)
{
	int l = atomic_load(&lowest);

	for (int i = 0; l && i < SPAN && atomic_load(&count); i++)
		if (l + i != keep && atomic_load(&owned[i]))
			own_close(l + i);
}

int own_next(unsigned from)
{
	int l = atomic_load(&lowest);

	if (!l || !atomic_load(&count) || from >= (unsigned)(l + SPAN))
		return -1;
	for (int i = from <= (unsigned)l ? 0 : (int)from - l; i < SPAN; i++)
		if (atomic_load(&owned[i]))
			return l + i;
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
