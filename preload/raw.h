/* SPDX-License-Identifier: MIT */
/*
 * System calls without libc in between: they pass no hook (ours or another library's), are no
 * cancellation points and leave errno alone. All return the kernel's result: >= 0 or -errno.
 */
#ifndef PRELOAD_RAW_H
#define PRELOAD_RAW_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#if defined(__x86_64__)
static inline long raw_call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
	                 : "=a"(ret)
	                 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long raw_call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
	                 : "+r"(x0)
	                 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
	                 : "memory");
	return x0;
}
#else
#include <errno.h>
#include <unistd.h>
static inline long raw_call6(long nr, long a, long b, long c, long d, long e, long f)
{
	int saved = errno;
	long ret = syscall(nr, a, b, c, d, e, f);

	if (ret < 0)
		ret = -errno;
	errno = saved;
	return ret;
}
#endif

static inline long raw_call3(long nr, long a, long b, long c)
{
	return raw_call6(nr, a, b, c, 0, 0, 0);
}

static inline int raw_close(int fd)
{
	return (int)raw_call3(SYS_close, fd, 0, 0);
}

static inline int raw_dup3(int from, int to, int flags)
{
	return (int)raw_call3(SYS_dup3, from, to, flags);
}

static inline int raw_fcntl(int fd, int op, long arg)
{
	return (int)raw_call3(SYS_fcntl, fd, op, arg);
}

static inline int raw_ioctl(int fd, unsigned long op, void *arg)
{
	return (int)raw_call3(SYS_ioctl, fd, (long)op, (long)arg);
}

static inline int raw_socket(int family, int type, int protocol)
{
	return (int)raw_call3(SYS_socket, family, type, protocol);
}

static inline int raw_connect(int fd, const struct sockaddr *a, socklen_t len)
{
	return (int)raw_call3(SYS_connect, fd, (long)a, (long)len);
}

static inline int raw_bind(int fd, const struct sockaddr *a, socklen_t len)
{
	return (int)raw_call3(SYS_bind, fd, (long)a, (long)len);
}

static inline int raw_listen(int fd, int backlog)
{
	return (int)raw_call3(SYS_listen, fd, backlog, 0);
}

static inline int raw_accept4(int fd, struct sockaddr *a, socklen_t *len, int flags)
{
	return (int)raw_call6(SYS_accept4, fd, (long)a, (long)len, flags, 0, 0);
}

static inline int raw_getsockname(int fd, struct sockaddr *a, socklen_t *len)
{
	return (int)raw_call3(SYS_getsockname, fd, (long)a, (long)len);
}

static inline int raw_getpeername(int fd, struct sockaddr *a, socklen_t *len)
{
	return (int)raw_call3(SYS_getpeername, fd, (long)a, (long)len);
}

static inline int raw_getsockopt(int fd, int level, int name, void *v, socklen_t *len)
{
	return (int)raw_call6(SYS_getsockopt, fd, level, name, (long)v, (long)len, 0);
}

static inline int raw_setsockopt(int fd, int level, int name, const void *v, socklen_t len)
{
	return (int)raw_call6(SYS_setsockopt, fd, level, name, (long)v, (long)len, 0);
}

static inline int raw_shutdown(int fd, int how)
{
	return (int)raw_call3(SYS_shutdown, fd, how, 0);
}

static inline long raw_sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *a,
                              socklen_t len)
{
	return raw_call6(SYS_sendto, fd, (long)p, (long)n, flags, (long)a, (long)len);
}

static inline long raw_recvfrom(int fd, void *p, size_t n, int flags, struct sockaddr *a,
                                socklen_t *len)
{
	return raw_call6(SYS_recvfrom, fd, (long)p, (long)n, flags, (long)a, (long)len);
}

static inline long raw_sendmsg(int fd, const struct msghdr *m, int flags)
{
	return raw_call3(SYS_sendmsg, fd, (long)m, flags);
}

static inline long raw_recvmsg(int fd, struct msghdr *m, int flags)
{
	return raw_call3(SYS_recvmsg, fd, (long)m, flags);
}

static inline long raw_read(int fd, void *p, size_t n)
{
	return raw_call3(SYS_read, fd, (long)p, (long)n);
}

static inline long raw_write(int fd, const void *p, size_t n)
{
	return raw_call3(SYS_write, fd, (long)p, (long)n);
}

static inline int raw_openat(int dir, const char *path, int flags, int mode)
{
	return (int)raw_call6(SYS_openat, dir, (long)path, flags, mode, 0, 0);
}

static inline long raw_getdents64(int fd, void *p, size_t n)
{
	return raw_call3(SYS_getdents64, fd, (long)p, (long)n);
}

static inline long raw_readlinkat(int dir, const char *path, char *to, size_t n)
{
	return raw_call6(SYS_readlinkat, dir, (long)path, (long)to, (long)n, 0, 0);
}

/* The inode behind a descriptor; 0: none. */
static inline uint64_t raw_inode(int fd)
{
	struct statx st;

	return raw_call6(SYS_statx, fd, (long)"", AT_EMPTY_PATH, STATX_INO, (long)&st, 0) == 0
	           ? st.stx_ino
	           : 0;
}

static inline int raw_epoll_ctl(int ep, int op, int fd, struct epoll_event *ev)
{
	return (int)raw_call6(SYS_epoll_ctl, ep, op, fd, (long)ev, 0, 0);
}

static inline int raw_ppoll(struct pollfd *p, nfds_t n, const struct timespec *t,
                            const sigset_t *mask)
{
	struct timespec copy = t ? *t : (struct timespec){0, 0};

	return (int)raw_call6(SYS_ppoll, (long)p, (long)n, t ? (long)&copy : 0, (long)mask, 8, 0);
}

static inline int raw_getpid(void)
{
	return (int)raw_call3(SYS_getpid, 0, 0, 0);
}

static inline int raw_gettid(void)
{
	return (int)raw_call3(SYS_gettid, 0, 0, 0);
}

static inline int raw_tgkill(int pid, int tid, int sig)
{
	return (int)raw_call3(SYS_tgkill, pid, tid, sig);
}

static inline int raw_tgsigqueueinfo(int pid, int tid, int sig, siginfo_t *si)
{
	return (int)raw_call6(SYS_rt_tgsigqueueinfo, pid, tid, sig, (long)si, 0, 0);
}

/*
 * Can these bytes be read? For what a program gives us to look at before the kernel does, and says
 * EFAULT: the kernel looks at a set of signals before it refuses what it is to be done with it.
 * Only the ends are looked at: within two pages.
 */
static inline bool raw_readable(const void *p, size_t len)
{
	const char *end = (const char *)p + len - 8;
	bool first = raw_call6(SYS_rt_sigprocmask, -1, (long)p, 0, 8, 0, 0) != -EFAULT;
	bool last = raw_call6(SYS_rt_sigprocmask, -1, (long)end, 0, 8, 0, 0) != -EFAULT;

	/* Of fewer than eight bytes both go beyond them: on one side there may be nothing. */
	return len >= 8 ? first && last : !len || first || last;
}

/* Eight bytes, which are changed: whoever asks has read them before and writes them after. */
static inline bool raw_writable(void *p)
{
	return raw_call6(SYS_rt_sigprocmask, 0, 0, (long)p, 8, 0, 0) != -EFAULT;
}

/* Copies memory of our own that may be unmapped meanwhile: -EFAULT or a short count, never a fault.
 */
static inline long raw_peek(const void *from, void *to, size_t len)
{
	struct iovec local = {to, len}, remote = {(void *)from, len};

	return raw_call6(SYS_process_vm_readv, raw_getpid(), (long)&local, 1, (long)&remote, 1, 0);
}

#endif
