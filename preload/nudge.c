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
#include <time.h>
#include <ucontext.h>

#include "preload/flow.h"
#include "preload/own.h"
#include "preload/procfs.h"
#include "preload/raw.h"

static _Atomic uint32_t sent, ran;

/*
 * si_value carries the call: its number, and a digest of its first arguments. The thread may have
 * left that call before the signal came; another call must not be made again under this one's
 * number.
 */
static uint64_t pack(long nr, unsigned long a, unsigned long b, unsigned long c)
{
	uint64_t h = a;

	h = (h ^ h >> 29 ^ b) * 0x9e3779b97f4a7c15u;
	h = (h ^ h >> 29 ^ c) * 0x9e3779b97f4a7c15u;
	return (h ^ h >> 32) << 12 | ((uint64_t)nr & 0xfff);
}

/* Nothing is known of the call but that a hook is in it. */
#define BLIND 0xfff

static bool ours(const siginfo_t *si)
{
	return si->si_code == SI_QUEUE && si->si_pid == raw_getpid();
}

#if defined(__x86_64__)
/* A signal of the program's that is to come right after this one: the EINTR is its. */
static bool other_pending(const ucontext_t *u)
{
	uint64_t pending = 0, blocked;

	memcpy(&blocked, &u->uc_sigmask, sizeof(blocked));
	raw_call3(SYS_rt_sigpending, (long)&pending, sizeof(pending), 0);
	return pending & ~blocked;
}

/*
 * The kernel is about to make the call again. Not a write: that is to wait until the agent has
 * replayed, see its hook.
 */
static void restarted(ucontext_t *u)
{
	greg_t *reg = u->uc_mcontext.gregs;
	struct call_record *r = call_current();

	if (r && r->writes && r->fd == (int)reg[REG_RDI]) {
		r->nudged = true;
		reg[REG_RAX] = -EINTR;
		reg[REG_RIP] += 2;
	}
}

/*
 * The same for a call of which no more is known than what its hook has noted: the kernel makes it
 * again by itself, or the hook does.
 */
static bool restart_hooked(ucontext_t *u)
{
	greg_t *reg = u->uc_mcontext.gregs;
	const unsigned char *ip = (const unsigned char *)reg[REG_RIP];
	struct call_record *r = call_current();
	bool on_flow = r && r->fd == (int)reg[REG_RDI];

	if (on_flow && ip[0] == 0x0f && ip[1] == 0x05 && reg[REG_RAX] >= 0) {
		restarted(u);
		return true;
	}
	if (reg[REG_RAX] != -EINTR || ip[-2] != 0x0f || ip[-1] != 0x05 || other_pending(u))
		return false;
	if (on_flow && r->timed) {
		r->nudged = true;
		return true;
	}
	if (this_thread.polling && this_thread.polling == (const void *)reg[REG_RDI])
		this_thread.poll_nudged = true;
	return this_thread.poll_nudged;
}

/*
 * The thread has left the call it was seen in, and the nudge has ended another that has nothing to
 * do with flows, and that the kernel does not make again after a handler. Its number is no longer
 * in a register, but libc has it in the instruction before; where it has not, the program sees an
 * EINTR. What of its time is left the kernel tells only for some.
 */
static bool restart_bystander(ucontext_t *u)
{
	greg_t *reg = u->uc_mcontext.gregs;
	const unsigned char *ip = (const unsigned char *)reg[REG_RIP];
	uint32_t nr;

	if (call_current() || reg[REG_RAX] != -EINTR || ip[-2] != 0x0f || ip[-1] != 0x05 ||
	    other_pending(u))
		return false;
	/* mov $nr, %eax before it; nothing may be there where a page begins. */
	if (((uintptr_t)ip & 4095) < 7 || ip[-7] != 0xb8)
		return false;
	memcpy(&nr, ip - 6, sizeof(nr));
	switch (nr) {
	case SYS_nanosleep:
		if (reg[REG_RSI])
			reg[REG_RDI] = reg[REG_RSI];
		break;
	case SYS_clock_nanosleep:
		if (reg[REG_R10] && !(reg[REG_RSI] & TIMER_ABSTIME))
			reg[REG_RDX] = reg[REG_R10];
		break;
	case SYS_poll:
	case SYS_ppoll:
	case SYS_select:
	case SYS_pselect6:
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
		break;
	default:
		return false;
	}
	reg[REG_RAX] = nr;
	reg[REG_RIP] -= 2;
	return true;
}

/* Sees to it that the interrupted call goes on. True: it does, having done nothing so far. */
static bool restart(const siginfo_t *si, ucontext_t *u)
{
	greg_t *reg = u->uc_mcontext.gregs;
	const unsigned char *ip = (const unsigned char *)reg[REG_RIP];
	uint64_t call = (uint64_t)si->si_value.sival_ptr;
	long nr = (long)(call & 0xfff);

	if (nr == BLIND)
		return restart_hooked(u);
	if (pack(nr, (unsigned long)reg[REG_RDI], (unsigned long)reg[REG_RSI],
	         (unsigned long)reg[REG_RDX]) != call)
		return restart_hooked(u) || restart_bystander(u);
	struct call_record *r = call_current();

	/* The kernel's own restart. */
	if (reg[REG_RAX] == nr && ip[0] == 0x0f && ip[1] == 0x05) {
		restarted(u);
		return true;
	}
	/* Ended with EINTR, just behind a `syscall` instruction, and it is the call we saw. */
	if (reg[REG_RAX] != -EINTR || ip[-2] != 0x0f || ip[-1] != 0x05 || other_pending(u))
		return false;
	if (r && r->timed && r->fd == (int)reg[REG_RDI]) {
		r->nudged = true; /* made again by its hook, which knows how much time is left */
		return true;
	}
	if (nr == SYS_poll && this_thread.polling == (const void *)reg[REG_RDI] &&
	    (int)reg[REG_RDX] > 0) {
		this_thread.poll_nudged = true;
		return true;
	}
	reg[REG_RAX] = nr;
	reg[REG_RIP] -= 2;
	return true;
}
#else
/* x8 still holds the number, but x0 was overwritten: only the kernel's own restart can be relied
 * on. */
static bool restart(const siginfo_t *si, ucontext_t *u)
{
	(void)si;
	(void)u;
	return false;
}
#endif

#if defined(__GLIBC__) && defined(__x86_64__)
/*
 * The signal with which glibc makes set*id calls in all threads. No program can take it, block it
 * or ask about it, for glibc does not let it; so it reaches threads that block every signal, and is
 * missing to nobody. Its own use goes on to glibc's handler, known by the sender's code. glibc sets
 * its handler when the first thread is made; ours comes after that, past sigaction().
 */
#define NUMBER 33

struct kernel_action {
	void (*handler)(int, siginfo_t *, void *);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static void (*_Atomic theirs)(int, siginfo_t *, void *);

static void handler(int sig, siginfo_t *si, void *context)
{
	void (*next)(int, siginfo_t *, void *) = atomic_load(&theirs);

	if (ours(si)) {
		call_retag(restart(si, context));
		atomic_fetch_add(&ran, 1);
	} else if (next) {
		next(sig, si, context);
	}
}

int nudge_init(void)
{
	struct kernel_action now, mine = {.handler = handler, .mask = ~0ul};

	if (raw_call6(SYS_rt_sigaction, NUMBER, 0, (long)&now, sizeof(now.mask), 0, 0) < 0)
		return -EBUSY;
	if (now.handler == handler)
		return 0;
	/* No thread was made by glibc yet: then there is nobody to nudge either. */
	if (!now.restorer || !(now.flags & SA_SIGINFO))
		return -EAGAIN;
	atomic_store(&theirs, now.handler);
	mine.restorer = now.restorer;
	mine.flags = now.flags | SA_RESTART | SA_SIGINFO | SA_ONSTACK;
	return (int)raw_call6(SYS_rt_sigaction, NUMBER, (long)&mine, 0, sizeof(mine.mask), 0, 0);
}

static int number(void)
{
	return NUMBER;
}
#else
static int taken; /* the signal; 0: none yet */

static void handler(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	call_retag(ours(si) && restart(si, context));
	atomic_fetch_add(&ran, 1);
}

int nudge_init(void)
{
	struct sigaction now,
	    mine = {.sa_sigaction = handler, .sa_flags = SA_RESTART | SA_SIGINFO | SA_ONSTACK};
	int saved = errno;

	if (taken && sigaction(taken, NULL, &now) == 0 && now.sa_sigaction == handler)
		return 0;
	taken = 0;
	sigfillset(&mine.sa_mask);
	for (int s = SIGRTMAX - 3; s > SIGRTMIN + 2 && !taken; s--) {
		if (sigaction(s, NULL, &now) < 0 || now.sa_flags & SA_SIGINFO ||
		    now.sa_handler != SIG_DFL)
			continue;
		if (sigaction(s, &mine, NULL) == 0)
			taken = s;
	}
	errno = saved;
	return taken ? 0 : -EBUSY;
}

static int number(void)
{
	return taken;
}
#endif

bool nudge_settled(void)
{
	return atomic_load(&ran) >= atomic_load(&sent);
}

/* Numbers from here on are sought one by one. */
#define NUMBERS 65536

/* Whose threads are sought: one flow's, or those of many at once. */
struct sought {
	const int *fds;
	int nfds, kinds;
	const struct crowd *crowd; /* instead */
};

static struct crowd {
	uint64_t readers[NUMBERS / 64], writers[NUMBERS / 64];
	int begin, end, kinds; /* what of the maps is not empty */
} crowd;

static bool is_sought(const struct sought *s, int kind, long fd)
{
	if (s->crowd) {
		const uint64_t *map = kind == NUDGE_READERS ? s->crowd->readers : s->crowd->writers;

		return fd >= 0 && fd < NUMBERS && map[fd / 64] >> fd % 64 & 1;
	}
	for (int i = 0; i < s->nfds && s->kinds & kind; i++)
		if (s->fds[i] == fd)
			return true;
	return false;
}

/* The program's memory may be unmapped while we look at it: let the kernel read it. */
static bool peek(const void *from, void *to, size_t len)
{
	struct iovec local = {to, len}, remote = {(void *)from, len};

	return raw_call6(SYS_process_vm_readv, raw_getpid(), (long)&local, 1, (long)&remote, 1,
	                 0) == (long)len;
}

static bool in_poll(const struct sought *s, unsigned long p, unsigned long n)
{
	struct pollfd some[64];

	for (unsigned long at = 0; at < n && at < 65536; at += 64) {
		size_t count = n - at < 64 ? n - at : 64;

		if (!peek((const struct pollfd *)p + at, some, count * sizeof(*some)))
			return false;
		for (size_t i = 0; i < count; i++)
			if (is_sought(s, NUDGE_READERS, some[i].fd))
				return true;
	}
	return false;
}

static bool in_set(const struct sought *s, long n, unsigned long set)
{
	unsigned char some[128];

	for (long at = 0; at < n && at < NUMBERS; at += 8 * (long)sizeof(some)) {
		long count = n - at < 8 * (long)sizeof(some) ? n - at : 8 * (long)sizeof(some);

		if (!peek((const char *)set + at / 8, some, (size_t)(count + 7) / 8))
			return false;
		for (long i = 0; i < count; i++)
			if (some[i / 8] >> i % 8 & 1 && is_sought(s, NUDGE_READERS, at + i))
				return true;
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
static bool concerns(long nr, const unsigned long *arg, const struct sought *s)
{
	int kind = kind_of(nr);

	if (kind)
		return is_sought(s, kind, (long)arg[0]);
	if (!(s->kinds & NUDGE_READERS))
		return false;
	switch (nr) {
	case SYS_ppoll:
#ifdef SYS_poll
	case SYS_poll:
#endif
		return in_poll(s, arg[0], arg[1]);
	case SYS_pselect6:
#ifdef SYS_select
	case SYS_select:
#endif
		for (int k = 1; k <= 3; k++)
			if (arg[k] && in_set(s, (long)arg[0], arg[k]))
				return true;
		return false;
	case SYS_splice:
		return is_sought(s, NUDGE_READERS, (long)arg[0]) ||
		       is_sought(s, NUDGE_READERS, (long)arg[2]);
	}
	return false;
}

/* Negative errno: not to be known. */
static int blocked_in(int tid, long *nr, unsigned long arg[6])
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	int fd = proc_at(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fd;
	long n = raw_read(fd, text, sizeof(text) - 1);

	own_shut(fd);
	if (n <= 0)
		return n < 0 ? (int)n : 0;
	text[n] = 0;
	/* "running", or "-1 ..." for a thread stopped outside a call, or number and arguments. */
	return sscanf(text, "%ld %lx %lx %lx %lx %lx %lx", nr, &arg[0], &arg[1], &arg[2], &arg[3],
	              &arg[4], &arg[5]) == 7 &&
	       *nr >= 0;
}

static bool send_to(int tid, uint64_t call)
{
	siginfo_t si;

	memset(&si, 0, sizeof(si));
	si.si_signo = number();
	si.si_code = SI_QUEUE;
	si.si_pid = raw_getpid();
	si.si_uid = (uid_t)raw_call3(SYS_getuid, 0, 0, 0);
	si.si_value.sival_ptr = (void *)call;
	atomic_fetch_add(&sent, 1);
	if (raw_call6(SYS_rt_tgsigqueueinfo, raw_getpid(), tid, number(), (long)&si, 0, 0) == 0)
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

/* All threads that have noted such a call. */
static int nudge_seats(const struct sought *s, int self)
{
	int nudged = 0;

	for (int i = 0; i < SEATS; i++) {
		int tid = (int)atomic_load_explicit(&seats[i].tid, memory_order_relaxed);
		int fd = atomic_load_explicit(&seats[i].fd, memory_order_relaxed);
		bool writes = atomic_load_explicit(&seats[i].writes, memory_order_relaxed);

		if (!tid || tid == self || fd == SEAT_EMPTY)
			continue;
		if (fd == SEAT_WAITS ? s->kinds & NUDGE_READERS
		                     : is_sought(s, writes ? NUDGE_WRITERS : NUDGE_READERS, fd))
			/* One that waits for whatever is not known to be on these. */
			nudged += send_to(tid, BLIND) && fd != SEAT_WAITS;
	}
	return nudged;
}

static int look(const struct sought *s)
{
	_Alignas(8) char buf[4096];
	int nudged = 0, self = raw_gettid();

	if (nudge_init() < 0)
		return -EBUSY;
	int dir = proc_at("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	bool unknown = dir < 0;

	for (long n; dir >= 0 && (n = raw_getdents64(dir, buf, sizeof(buf))) > 0;) {
		for (long at = 0; at < n;) {
			struct dirent64_raw *d = (struct dirent64_raw *)(buf + at);
			unsigned long arg[6];
			int tid = atoi(d->name);
			long nr;

			at += d->len;
			if (tid <= 0 || tid == self)
				continue;
			int in = blocked_in(tid, &nr, arg);

			unknown |= in == -EACCES || in == -EPERM;
			if (in > 0 && concerns(nr, arg, s) &&
			    send_to(tid, pack(nr, arg[0], arg[1], arg[2])))
				nudged++;
		}
	}
	if (dir >= 0)
		own_shut(dir);
	return nudged + (unknown ? nudge_seats(s, self) : 0);
}

int nudge(const int *fds, int nfds, int kinds)
{
	struct sought s = {.fds = fds, .nfds = nfds, .kinds = kinds};

	return nfds ? look(&s) : 0;
}

void nudge_soon(const int *fds, int nfds, int kinds)
{
	for (int i = 0; i < nfds; i++) {
		if (fds[i] < 0 || fds[i] >= NUMBERS) {
			nudge(&fds[i], 1, kinds);
			continue;
		}
		int at = fds[i] / 64;
		uint64_t bit = 1ull << fds[i] % 64;

		if (kinds & NUDGE_READERS)
			crowd.readers[at] |= bit;
		if (kinds & NUDGE_WRITERS)
			crowd.writers[at] |= bit;
		crowd.kinds |= kinds;
		if (!crowd.end || at < crowd.begin)
			crowd.begin = at;
		if (at >= crowd.end)
			crowd.end = at + 1;
	}
}

void nudge_now(void)
{
	struct sought s = {.kinds = crowd.kinds, .crowd = &crowd};

	if (!crowd.end)
		return;
	look(&s);
	nudge_forget();
}

void nudge_forget(void)
{
	size_t size = (size_t)(crowd.end - crowd.begin) * sizeof(uint64_t);

	memset(&crowd.readers[crowd.begin], 0, size);
	memset(&crowd.writers[crowd.begin], 0, size);
	crowd.begin = crowd.end = crowd.kinds = 0;
}
