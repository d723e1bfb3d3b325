/* SPDX-License-Identifier: MIT */
#include "preload/doubles.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "preload/own.h"
#include "preload/procfs.h"
#include "preload/raw.h"

/* As many descriptors as a kernel allows by default. No page of it is there before it is needed. */
#define NUMBERS (1 << 20)

/* A bit for each number. */
static _Atomic uint8_t made[NUMBERS / 8], doubled[NUMBERS / 8];
static _Atomic int highest; /* of those that were made */

static bool get(const _Atomic uint8_t *bits, int fd)
{
	return fd >= 0 && fd < NUMBERS &&
	       atomic_load_explicit(&bits[fd / 8], memory_order_relaxed) & 1u << fd % 8;
}

static void set(_Atomic uint8_t *bits, int fd)
{
	if (fd >= 0 && fd < NUMBERS)
		atomic_fetch_or_explicit(&bits[fd / 8], (uint8_t)(1u << fd % 8),
		                         memory_order_relaxed);
}

static void clear(_Atomic uint8_t *bits, int fd)
{
	if (get(bits, fd))
		atomic_fetch_and_explicit(&bits[fd / 8], (uint8_t) ~(1u << fd % 8),
		                          memory_order_relaxed);
}

/* A socket of the internet's that has no peer. */
static bool unconnected(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(int), peer_len = sizeof(peer);
	int domain = AF_UNSPEC;

	return raw_getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	       (domain == AF_INET || domain == AF_INET6) &&
	       raw_getpeername(fd, (struct sockaddr *)&peer, &peer_len) == -ENOTCONN;
}

void doubles_note(int from, int to)
{
	if (!unconnected(to))
		return;
	set(doubled, from);
	set(doubled, to);
	/* As its parent's it stays known under any number. */
	if (!get(made, from))
		clear(made, to);
}

void doubles_forked(void)
{
	memset((void *)made, 0, (size_t)atomic_load(&highest) / 8 + 1);
}

void doubles_made(int fd)
{
	if (fd < 0 || fd >= NUMBERS)
		return;
	set(made, fd);
	clear(doubled, fd);
	for (int was = atomic_load_explicit(&highest, memory_order_relaxed);
	     fd > was && !atomic_compare_exchange_weak(&highest, &was, fd);)
		;
}

bool doubles_any(int fd)
{
	return get(doubled, fd) || (fd < NUMBERS && !get(made, fd));
}

int doubles_of(uint64_t inode, int *fds, int max)
{
	struct proc_dir d;
	int n = 0;

	if (proc_dir_open(&d, "/proc/thread-self/fd") < 0) {
		for (int fd = 0; fd < 256 && n < max; fd++)
			if (raw_inode(fd) == inode)
				fds[n++] = fd;
		return n;
	}
	for (int fd; n < max && (fd = proc_dir_next(&d)) >= 0;)
		if (raw_inode(fd) == inode)
			fds[n++] = fd;
	proc_dir_close(&d);
	return n;
}

bool doubles_shared(int fd, uint64_t inode)
{
	char path[32], name[32], link[32];
	struct proc_dir d;
	bool there = false;

	if (fd >= NUMBERS || get(made, fd))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)getppid());
	if (proc_dir_open(&d, path) < 0)
		return false;
	snprintf(name, sizeof(name), "socket:[%llu]", (unsigned long long)inode);
	for (int n; !there && (n = proc_dir_next(&d)) >= 0;) {
		char number[12];

		snprintf(number, sizeof(number), "%d", n);
		long len = raw_readlinkat(d.fd, number, link, sizeof(link) - 1);

		link[len > 0 ? len : 0] = 0;
		there = strcmp(link, name) == 0;
	}
	proc_dir_close(&d);
	return there;
}
