/* SPDX-License-Identifier: MIT */
/*
 * syscall(): system calls by their number. Those that have a hook and concern a flow go to the
 * hook; all others go on exactly as they came, none is refused.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "preload/hook.h"
#include "preload/kin.h"
#include "preload/numbers.h"
#include "preload/own.h"
#include "preload/process.h"
#include "preload/raw.h"
#include "preload/real.h"
#include "preload/rings.h"

static bool flow_at_all(long fd)
{
	return fd == (int)fd && flow_of((int)fd);
}

long looked_at(long nr, long a, long b, long c, long d, long e, long f);

/* Has the hook anything to do for this call? */
static bool concerns_us(long nr, const long arg[6])
{
	switch (nr) {
	case SYS_read:
	case SYS_readv:
	case SYS_preadv2:
	case SYS_recvfrom:
	case SYS_recvmmsg:
	case SYS_write:
	case SYS_writev:
	case SYS_pwritev2:
	case SYS_sendmmsg:
	case SYS_sendfile:
	case SYS_shutdown:
	case SYS_getsockopt:
	case SYS_setsockopt:
	case SYS_dup:
	case SYS_fcntl:
	case SYS_ioctl:
		return flow_at_all((int)arg[0]);
	case SYS_sendto:
		return arg[4] || flow_at_all((int)arg[0]);
	case SYS_connect:
	case SYS_sendmsg:
	case SYS_getpeername:
	case SYS_getsockname:
	case SYS_close_range:
		return true;
	case SYS_close:
		return flow_at_all((int)arg[0]) || own_is((int)arg[0]);
#ifdef SYS_dup2
	case SYS_dup2:
#endif
	case SYS_dup3:
		return flow_at_all((int)arg[0]) || flow_at_all((int)arg[1]) || own_is((int)arg[1]);
	case SYS_splice:
		return flow_at_all((int)arg[0]) || flow_at_all((int)arg[2]);
	case SYS_socket:
	case SYS_socketpair:
	case SYS_accept:
	case SYS_accept4:
	case SYS_recvmsg:
#ifdef SYS_poll
	case SYS_poll:
#endif
	case SYS_ppoll:
#ifdef SYS_select
	case SYS_select:
#endif
	case SYS_pselect6:
#ifdef SYS_epoll_wait
	case SYS_epoll_wait:
#endif
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
	case SYS_epoll_ctl:
	case SYS_execve:
	case SYS_execveat:
	case SYS_exit_group:
		return flow_count() != 0;
	}
	return false;
}

/* Who changes what the thread may do: never the libc's function, which does it in all threads. */
static bool changes_thread(long nr)
{
	switch (nr) {
	case SYS_setuid:
	case SYS_setgid:
	case SYS_setreuid:
	case SYS_setregid:
	case SYS_setresuid:
	case SYS_setresgid:
	case SYS_setfsuid:
	case SYS_setfsgid:
	case SYS_setgroups:
	case SYS_unshare:
	case SYS_setns:
	case SYS_chroot:
	case SYS_capset:
	case SYS_prctl:
	case SYS_seccomp:
		return flow_count() != 0;
	}
	return false;
}

/* What is not for a hook, and makes a descriptor: it waits as the hook would. */
static bool makes_one(long nr, const long arg[6])
{
	switch (nr) {
#ifdef SYS_open
	case SYS_open:
	case SYS_creat:
	case SYS_pipe:
	case SYS_dup2:
	case SYS_eventfd:
	case SYS_signalfd:
	case SYS_inotify_init:
	case SYS_epoll_create:
#endif
	case SYS_openat:
	case SYS_pipe2:
	case SYS_dup:
	case SYS_dup3:
	case SYS_eventfd2:
	case SYS_signalfd4:
	case SYS_inotify_init1:
	case SYS_epoll_create1:
	case SYS_timerfd_create:
	case SYS_memfd_create:
	case SYS_socket:
	case SYS_socketpair:
		return true;
	case SYS_fcntl:
		return arg[1] == F_DUPFD || arg[1] == F_DUPFD_CLOEXEC;
	}
	return false;
}

/* The kernel writes back how much time is left; libc's functions do not. */
static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void write_back(struct timespec *t, const struct timespec *given, int64_t begun)
{
	int64_t left = (int64_t)given->tv_sec * 1000000000 + given->tv_nsec - (now_ns() - begun);

	left = left < 0 ? 0 : left;
	t->tv_sec = (time_t)(left / 1000000000);
	t->tv_nsec = (long)(left % 1000000000);
}

static long timed(long nr, const long arg[6])
{
	struct timespec *t = (struct timespec *)arg[nr == SYS_ppoll ? 2 : 4];
	struct timespec given = t ? *t : (struct timespec){0, 0};
	/* What pselect6 has as its last argument: a set and its size. */
	const unsigned long *both = (const unsigned long *)arg[5];
	int64_t begun = t ? now_ns() : 0;
	long r;

	if (nr == SYS_ppoll)
		r = ppoll((struct pollfd *)arg[0], (nfds_t)arg[1], t ? &given : NULL,
		          (const sigset_t *)arg[3]);
	else
		r = pselect((int)arg[0], (fd_set *)arg[1], (fd_set *)arg[2], (fd_set *)arg[3],
		            t ? &given : NULL, both ? (const sigset_t *)both[0] : NULL);
	if (t)
		write_back(t, &given, begun);
	return r;
}

static long waiting(long nr, const long arg[6])
{
	switch (nr) {
#ifdef SYS_poll
	case SYS_poll:
		return poll((struct pollfd *)arg[0], (nfds_t)arg[1], (int)arg[2]);
#endif
#ifdef SYS_select
	case SYS_select:
		return select((int)arg[0], (fd_set *)arg[1], (fd_set *)arg[2], (fd_set *)arg[3],
		              (struct timeval *)arg[4]);
#endif
	case SYS_ppoll:
	case SYS_pselect6:
		return timed(nr, arg);
#ifdef SYS_epoll_wait
	case SYS_epoll_wait:
		return epoll_wait((int)arg[0], (struct epoll_event *)arg[1], (int)arg[2],
		                  (int)arg[3]);
#endif
	case SYS_epoll_pwait:
		return epoll_pwait((int)arg[0], (struct epoll_event *)arg[1], (int)arg[2],
		                   (int)arg[3], (const sigset_t *)arg[4]);
	case SYS_epoll_pwait2:
		return epoll_pwait2((int)arg[0], (struct epoll_event *)arg[1], (int)arg[2],
		                    (const struct timespec *)arg[3], (const sigset_t *)arg[4]);
	case SYS_epoll_ctl:
		return epoll_ctl((int)arg[0], (int)arg[1], (int)arg[2],
		                 (struct epoll_event *)arg[3]);
	}
	return 0;
}

static long descriptors(long nr, const long arg[6])
{
	switch (nr) {
	case SYS_close:
		return close((int)arg[0]);
	case SYS_close_range:
		return close_range((unsigned)arg[0], (unsigned)arg[1], (int)arg[2]);
	case SYS_dup:
		return dup((int)arg[0]);
#ifdef SYS_dup2
	case SYS_dup2:
		return dup2((int)arg[0], (int)arg[1]);
#endif
	case SYS_dup3:
		return dup3((int)arg[0], (int)arg[1], (int)arg[2]);
	case SYS_fcntl:
		return fcntl((int)arg[0], (int)arg[1], arg[2]);
	case SYS_ioctl:
		return ioctl((int)arg[0], (unsigned long)arg[1], arg[2]);
	case SYS_socket:
		return socket((int)arg[0], (int)arg[1], (int)arg[2]);
	case SYS_socketpair:
		return socketpair((int)arg[0], (int)arg[1], (int)arg[2], (int *)arg[3]);
	case SYS_accept:
		return accept((int)arg[0], (struct sockaddr *)arg[1], (socklen_t *)arg[2]);
	case SYS_accept4:
		return accept4((int)arg[0], (struct sockaddr *)arg[1], (socklen_t *)arg[2],
		               (int)arg[3]);
	case SYS_connect:
		return connect((int)arg[0], (const struct sockaddr *)arg[1], (socklen_t)arg[2]);
	case SYS_getpeername:
		return getpeername((int)arg[0], (struct sockaddr *)arg[1], (socklen_t *)arg[2]);
	case SYS_getsockname:
		return getsockname((int)arg[0], (struct sockaddr *)arg[1], (socklen_t *)arg[2]);
	case SYS_getsockopt:
		return getsockopt((int)arg[0], (int)arg[1], (int)arg[2], (void *)arg[3],
		                  (socklen_t *)arg[4]);
	case SYS_setsockopt:
		return setsockopt((int)arg[0], (int)arg[1], (int)arg[2], (const void *)arg[3],
		                  (socklen_t)arg[4]);
	case SYS_shutdown:
		return shutdown((int)arg[0], (int)arg[1]);
	case SYS_execve:
		return execve((const char *)arg[0], (char *const *)arg[1], (char *const *)arg[2]);
	case SYS_execveat:
		return execveat((int)arg[0], (const char *)arg[1], (char *const *)arg[2],
		                (char *const *)arg[3], (int)arg[4]);
	case SYS_exit_group:
		_exit((int)arg[0]);
	}
	return waiting(nr, arg);
}

static long hooked(long nr, const long arg[6])
{
	int fd = (int)arg[0];
	const struct iovec *iov = (const struct iovec *)arg[1];

	switch (nr) {
	case SYS_read:
		return read(fd, (void *)arg[1], (size_t)arg[2]);
	case SYS_readv:
		return readv(fd, iov, (int)arg[2]);
	case SYS_preadv2:
		return preadv2(fd, iov, (int)arg[2], arg[3], (int)arg[5]);
	case SYS_recvfrom:
		return recvfrom(fd, (void *)arg[1], (size_t)arg[2], (int)arg[3],
		                (struct sockaddr *)arg[4], (socklen_t *)arg[5]);
	case SYS_recvmsg:
		return recvmsg(fd, (struct msghdr *)arg[1], (int)arg[2]);
	case SYS_recvmmsg:
		return recvmmsg(fd, (struct mmsghdr *)arg[1], (unsigned)arg[2], (int)arg[3],
		                (struct timespec *)arg[4]);
	case SYS_write:
		return write(fd, (const void *)arg[1], (size_t)arg[2]);
	case SYS_writev:
		return writev(fd, iov, (int)arg[2]);
	case SYS_pwritev2:
		return pwritev2(fd, iov, (int)arg[2], arg[3], (int)arg[5]);
	case SYS_sendto:
		return sendto(fd, (const void *)arg[1], (size_t)arg[2], (int)arg[3],
		              (const struct sockaddr *)arg[4], (socklen_t)arg[5]);
	case SYS_sendmsg:
		return sendmsg(fd, (const struct msghdr *)arg[1], (int)arg[2]);
	case SYS_sendmmsg:
		return sendmmsg(fd, (struct mmsghdr *)arg[1], (unsigned)arg[2], (int)arg[3]);
	case SYS_sendfile:
		return sendfile(fd, (int)arg[1], (off_t *)arg[2], (size_t)arg[3]);
	case SYS_splice:
		return splice(fd, (off64_t *)arg[1], (int)arg[2], (off64_t *)arg[3], (size_t)arg[4],
		              (unsigned)arg[5]);
	}
	return descriptors(nr, arg);
}

/* libc's functions are points where a thread may be cancelled; syscall() is none. */
static long uncancelled(long nr, const long arg[6])
{
	int before;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	long r = hooked(nr, arg);

	pthread_setcancelstate(before, NULL);
	return r;
}

/* The numbers that one of the above may say yes to come here. */
long looked_at(long nr, long a, long b, long c, long d, long e, long f)
{
	const long arg[6] = {a, b, c, d, e, f};

	if (nr == SYS_io_uring_setup && process_enabled)
		rings_coming();
	if (process_enabled && concerns_us(nr, arg))
		return uncancelled(nr, arg);
	if (process_enabled && changes_thread(nr))
		return process_changed(nr, arg);
	unsigned at = makes_one(nr, arg) ? numbers_enter() : 0;
	long r = real.syscall(nr, a, b, c, d, e, f);

	numbers_leave(at);
	return r;
}

/* Numbers at which one of the above says yes, sometimes. */
extern const bool call_numbers[512];
const bool call_numbers[512] = {
    [SYS_read] = true,           [SYS_readv] = true,         [SYS_preadv2] = true,
    [SYS_recvfrom] = true,       [SYS_recvmmsg] = true,      [SYS_write] = true,
    [SYS_writev] = true,         [SYS_pwritev2] = true,      [SYS_sendmmsg] = true,
    [SYS_sendfile] = true,       [SYS_shutdown] = true,      [SYS_getsockopt] = true,
    [SYS_setsockopt] = true,     [SYS_dup] = true,           [SYS_fcntl] = true,
    [SYS_ioctl] = true,          [SYS_sendto] = true,        [SYS_connect] = true,
    [SYS_sendmsg] = true,        [SYS_getpeername] = true,   [SYS_getsockname] = true,
    [SYS_close_range] = true,    [SYS_close] = true,         [SYS_dup3] = true,
    [SYS_splice] = true,         [SYS_socket] = true,        [SYS_socketpair] = true,
    [SYS_accept] = true,         [SYS_accept4] = true,       [SYS_recvmsg] = true,
    [SYS_ppoll] = true,          [SYS_pselect6] = true,      [SYS_epoll_pwait] = true,
    [SYS_epoll_pwait2] = true,   [SYS_epoll_ctl] = true,     [SYS_execve] = true,
    [SYS_execveat] = true,       [SYS_exit_group] = true,    [SYS_setuid] = true,
    [SYS_setgid] = true,         [SYS_setreuid] = true,      [SYS_setregid] = true,
    [SYS_setresuid] = true,      [SYS_setresgid] = true,     [SYS_setgroups] = true,
    [SYS_unshare] = true,        [SYS_setns] = true,         [SYS_chroot] = true,
    [SYS_setfsuid] = true,       [SYS_setfsgid] = true,      [SYS_capset] = true,
    [SYS_prctl] = true,          [SYS_seccomp] = true,       [SYS_io_uring_setup] = true,
#ifdef SYS_open
    [SYS_open] = true,           [SYS_creat] = true,         [SYS_pipe] = true,
    [SYS_dup2] = true,           [SYS_eventfd] = true,       [SYS_signalfd] = true,
    [SYS_inotify_init] = true,   [SYS_epoll_create] = true,
#endif
    [SYS_openat] = true,         [SYS_pipe2] = true,         [SYS_eventfd2] = true,
    [SYS_signalfd4] = true,      [SYS_inotify_init1] = true, [SYS_epoll_create1] = true,
    [SYS_timerfd_create] = true, [SYS_memfd_create] = true,
#ifdef SYS_poll
    [SYS_poll] = true,
#endif
#ifdef SYS_select
    [SYS_select] = true,
#endif
#ifdef SYS_epoll_wait
    [SYS_epoll_wait] = true,
#endif
};

#if defined(__x86_64__)
/*
 * By hand, because a caller with fewer arguments has its own variables where the seventh would be:
 * a compiler's jump reads and writes that word again, and a futex may live there.
 */
_Static_assert(offsetof(struct real, syscall) == 0, "the jump goes to the first entry");
__asm__(".text\n"
        ".globl syscall\n"
        ".type syscall, @function\n"
        "syscall:\n"
        "	endbr64\n"
        "	cmpq $511, %rdi\n"
        "	ja 1f\n"
        "	leaq call_numbers(%rip), %r11\n"
        "	cmpb $0, (%r11,%rdi)\n"
        "	jne 2f\n"
        "1:	jmpq *real(%rip)\n"
        "2:	jmp looked_at\n"
        ".size syscall, . - syscall\n");
#else
/* unistd.h declares it with dots. */
EXPORT long call_by_number(long nr, long a, long b, long c, long d, long e,
                           long f) __asm__("syscall");

long call_by_number(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr < 0 || nr >= 512 || !call_numbers[nr])
		return real.syscall(nr, a, b, c, d, e, f);
	return looked_at(nr, a, b, c, d, e, f);
}
#endif
