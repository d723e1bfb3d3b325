/* SPDX-License-Identifier: MIT */
#include "preload/doubles.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "preload/procfs.h"
#include "preload/raw.h"

/* As many descriptors as a kernel allows by default. No page of it is there before it is needed. */
#define NUMBERS (1 << 20)

/* A bit for each number: the only one that the socket() behind it has. */
static _Atomic uint8_t only[NUMBERS / 8];
static _Atomic int highest;

static bool known(int fd)
{
	return fd >= 0 && fd < NUMBERS;
}

static void forget(int fd)
{
	if (doubles_alone(fd) && known(fd))
		atomic_fetch_and_explicit(&only[fd / 8], (uint8_t) ~(1u << fd % 8),
		                          memory_order_relaxed);
}

void doubles_note(int from, int to)
{
	forget(from);
	forget(to);
}

void doubles_forked(void)
{
	memset((void *)only, 0, (size_t)atomic_load(&highest) / 8 + 1);
}

void doubles_made(int fd)
{
	if (!known(fd))
		return;
	atomic_fetch_or_explicit(&only[fd / 8], (uint8_t)(1u << fd % 8), memory_order_relaxed);
	for (int was = atomic_load_explicit(&highest, memory_order_relaxed);
	     fd > was && !atomic_compare_exchange_weak(&highest, &was, fd);)
		;
}

bool doubles_alone(int fd)
{
	return !known(fd) ||
	       atomic_load_explicit(&only[fd / 8], memory_order_relaxed) & 1u << fd % 8;
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

	if (doubles_alone(fd))
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
