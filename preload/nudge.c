/* SPDX-License-Identifier: MIT */
#include "preload/nudge.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/uio.h>
#include <ucontext.h>

#include "preload/flow.h"
#include "preload/raw.h"

static int number; /* of the signal; 0: none yet */
static _Atomic uint32_t sent, ran;

/*
 * si_value carries the call: its number and the low bits of its first argument. The thread may have
 * left that call before the signal came; another call must not be made again under this one's
 * number.
 */
static uint64_t pack(long nr, unsigned long first)
{
	return (uint64_t)first << 16 | ((uint64_t)nr & 0xffff);
}

static void handler(int sig, siginfo_t *si, void *context)
{
	(void)sig;
#if defined(__x86_64__)
	ucontext_t *u = context;
	greg_t *reg = u->uc_mcontext.gregs;
	const unsigned char *ip = (const unsigned char *)reg[REG_RIP];

	/* Ended with EINTR, just behind a `syscall` instruction, and it is the call we saw: make it
	 * again. */
	uint64_t call = (uint64_t)si->si_value.sival_ptr;

	if (si->si_code == SI_QUEUE && si->si_pid == raw_getpid() && reg[REG_RAX] == -EINTR &&
	    ip[-2] == 0x0f && ip[-1] == 0x05 &&
	    pack((long)(call & 0xffff), (unsigned long)reg[REG_RDI]) == call) {
		reg[REG_RAX] = (greg_t)(call & 0xffff);
		reg[REG_RIP] -= 2;
	}
#elif defined(__aarch64__)
	ucontext_t *u = context;
	mcontext_t *m = &u->uc_mcontext;

	/* x8 still holds the number, but x0 was overwritten: only the kernel's own restart can be
	 * relied on. */
	(void)m;
	(void)si;
#endif
	call_retag();
	atomic_fetch_add(&ran, 1);
}

int nudge_init(void)
{
	struct sigaction now,
	    ours = {.sa_sigaction = handler, .sa_flags = SA_RESTART | SA_SIGINFO | SA_ONSTACK};
	int saved = errno;

	if (number && sigaction(number, NULL, &now) == 0 && now.sa_sigaction == handler)
		return 0;
	number = 0;
	sigfillset(&ours.sa_mask);
	for (int s = SIGRTMAX - 3; s > SIGRTMIN + 2 && !number; s--) {
		if (sigaction(s, NULL, &now) < 0 || now.sa_flags & SA_SIGINFO ||
		    now.sa_handler != SIG_DFL)
			continue;
		if (sigaction(s, &ours, NULL) == 0)
			number = s;
	}
	errno = saved;
	return number ? 0 : -EBUSY;
}

bool nudge_settled(void)
{
	return atomic_load(&ran) >= atomic_load(&sent);
}

/* The program's memory may be unmapped while we look at it: let the kernel read it. */
static bool peek(const void *from, void *to, size_t len)
{
	struct iovec local = {to, len}, remote = {(void *)from, len};

	return raw_call6(SYS_process_vm_readv, raw_getpid(), (long)&local, 1, (long)&remote, 1,
	                 0) == (long)len;
}

static bool among(const int *fds, int nfds, long fd)
{
	for (int i = 0; i < nfds; i++)
		if (fds[i] == fd)
			return true;
	return false;
}

static bool in_poll(const int *fds, int nfds, unsigned long p, unsigned long n)
{
	struct pollfd some[64];

	for (unsigned long at = 0; at < n && at < 65536; at += 64) {
		size_t count = n - at < 64 ? n - at : 64;

		if (!peek((const struct pollfd *)p + at, some, count * sizeof(*some)))
			return false;
		for (size_t i = 0; i < count; i++)
			if (among(fds, nfds, some[i].fd))
				return true;
	}
	return false;
}

static bool in_select(const int *fds, int nfds, long n, const unsigned long set[3])
{
	for (int i = 0; i < nfds; i++) {
		if (fds[i] >= n)
			continue;
		for (int k = 0; k < 3; k++) {
			unsigned char byte;

			if (set[k] && peek((const char *)set[k] + fds[i] / 8, &byte, 1) &&
			    byte >> (fds[i] % 8) & 1)
				return true;
		}
	}
	return false;
}

static int kind_of(long nr)
{
	switch (nr) {
	case SYS_read:
	case SYS_readv:
	case SYS_preadv2:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_connect:
		return NUDGE_READERS;
	case SYS_write:
	case SYS_writev:
	case SYS_pwritev2:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_sendfile:
		return NUDGE_WRITERS;
	}
	return 0;
}

/* Is this call, with these arguments, a wait for one of the descriptors? */
static bool concerns(long nr, const unsigned long *arg, const int *fds, int nfds, int kinds)
{
	int kind = kind_of(nr);

	if (kind)
		return kind & kinds && among(fds, nfds, (long)arg[0]);
	if (!(kinds & NUDGE_READERS))
		return false;
	switch (nr) {
	case SYS_ppoll:
#ifdef SYS_poll
	case SYS_poll:
#endif
		return in_poll(fds, nfds, arg[0], arg[1]);
	case SYS_pselect6:
#ifdef SYS_select
	case SYS_select:
#endif
		return in_select(fds, nfds, (long)arg[0], &arg[1]);
	case SYS_splice:
		return among(fds, nfds, (long)arg[0]) || among(fds, nfds, (long)arg[2]);
	}
	return false;
}

static bool blocked_in(int tid, long *nr, unsigned long arg[6])
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	int fd = raw_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return false;
	long n = raw_read(fd, text, sizeof(text) - 1);

	raw_close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	/* "running", or "-1 ..." for a thread stopped outside a call, or number and arguments. */
	return sscanf(text, "%ld %lx %lx %lx %lx %lx %lx", nr, &arg[0], &arg[1], &arg[2], &arg[3],
	              &arg[4], &arg[5]) == 7 &&
	       *nr >= 0;
}

static bool send_to(int tid, long nr, unsigned long first)
{
	siginfo_t si;

	memset(&si, 0, sizeof(si));
	si.si_signo = number;
	si.si_code = SI_QUEUE;
	si.si_pid = raw_getpid();
	si.si_uid = (uid_t)raw_call3(SYS_getuid, 0, 0, 0);
	si.si_value.sival_ptr = (void *)pack(nr, first);
	atomic_fetch_add(&sent, 1);
	if (raw_call6(SYS_rt_tgsigqueueinfo, raw_getpid(), tid, number, (long)&si, 0, 0) == 0)
		return true;
	atomic_fetch_sub(&sent, 1);
	return false;
}

struct dirent64_raw {
	uint64_t ino;
	int64_t off;
	unsigned short len;
	unsigned char type;
	char name[];
};

int nudge(const int *fds, int nfds, int kinds)
{
	_Alignas(8) char buf[4096];
	int nudged = 0, self = raw_gettid();

	if (!nfds)
		return 0;
	if (nudge_init() < 0)
		return -EBUSY;
	int dir = raw_openat(AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	if (dir < 0)
		return dir;
	for (long n; (n = raw_getdents64(dir, buf, sizeof(buf))) > 0;) {
		for (long at = 0; at < n;) {
			struct dirent64_raw *d = (struct dirent64_raw *)(buf + at);
			unsigned long arg[6];
			int tid = atoi(d->name);
			long nr;

			at += d->len;
			if (tid > 0 && tid != self && blocked_in(tid, &nr, arg) &&
			    concerns(nr, arg, fds, nfds, kinds) && send_to(tid, nr, arg[0]))
				nudged++;
		}
	}
	raw_close(dir);
	return nudged;
}
