/* SPDX-License-Identifier: MIT */
#include "preload/doubles.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "preload/own.h"
#include "preload/procfs.h"
#include "preload/raw.h"

#define NUMBERS 4096 /* of higher ones it is asked */

static _Atomic bool noted;
static _Atomic uint8_t made[NUMBERS / 8];

void doubles_note(void)
{
	if (!atomic_load_explicit(&noted, memory_order_relaxed))
		atomic_store_explicit(&noted, true, memory_order_relaxed);
}

void doubles_forked(void)
{
	memset((void *)made, 0, sizeof(made));
}

void doubles_made(int fd)
{
	if (fd >= 0 && fd < NUMBERS)
		atomic_fetch_or_explicit(&made[fd / 8], (uint8_t)(1u << fd % 8),
		                         memory_order_relaxed);
}

static bool made_here(int fd)
{
	return fd >= 0 && fd < NUMBERS &&
	       atomic_load_explicit(&made[fd / 8], memory_order_relaxed) & 1u << fd % 8;
}

bool doubles_any(int fd)
{
	return atomic_load_explicit(&noted, memory_order_relaxed) || !made_here(fd);
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

	if (made_here(fd))
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
