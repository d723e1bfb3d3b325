/* SPDX-License-Identifier: MIT */
#include "preload/real.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "preload/raw.h"

/*
 * The early stand-ins. Only calls that a constructor of another library may plausibly make have
 * one; the others are bound by the first line of real_bind() and cannot be reached before it.
 */
static int early_connect(int a, const struct sockaddr *b, socklen_t c)
{
	return (int)syscall(SYS_connect, a, b, c);
}

static int early_socket(int a, int b, int c)
{
	return (int)syscall(SYS_socket, a, b, c);
}

static int early_getpeername(int a, struct sockaddr *b, socklen_t *c)
{
	return (int)syscall(SYS_getpeername, a, b, c);
}

static int early_getsockname(int a, struct sockaddr *b, socklen_t *c)
{
	return (int)syscall(SYS_getsockname, a, b, c);
}

static int early_shutdown(int a, int b)
{
	return (int)syscall(SYS_shutdown, a, b);
}

static int early_getsockopt(int a, int b, int c, void *d, socklen_t *e)
{
	return (int)syscall(SYS_getsockopt, a, b, c, d, e);
}

static int early_setsockopt(int a, int b, int c, const void *d, socklen_t e)
{
	return (int)syscall(SYS_setsockopt, a, b, c, d, e);
}

static ssize_t early_write(int a, const void *b, size_t c)
{
	return (ssize_t)syscall(SYS_write, a, b, c);
}

static ssize_t early_writev(int a, const struct iovec *b, int c)
{
	return (ssize_t)syscall(SYS_writev, a, b, c);
}

static ssize_t early_send(int a, const void *b, size_t c, int d)
{
	return (ssize_t)syscall(SYS_sendto, a, b, c, d, NULL, 0);
}

static ssize_t early_sendto(int a, const void *b, size_t c, int d, const struct sockaddr *e,
                            socklen_t f)
{
	return (ssize_t)syscall(SYS_sendto, a, b, c, d, e, f);
}

static ssize_t early_sendmsg(int a, const struct msghdr *b, int c)
{
	return (ssize_t)syscall(SYS_sendmsg, a, b, c);
}

static int early_sendmmsg(int a, struct mmsghdr *b, unsigned c, int d)
{
	return (int)syscall(SYS_sendmmsg, a, b, c, d);
}

static ssize_t early_sendfile(int a, int b, off_t *c, size_t d)
{
	return (ssize_t)syscall(SYS_sendfile, a, b, c, d);
}

static ssize_t early_sendfile64(int a, int b, off64_t *c, size_t d)
{
	return (ssize_t)syscall(SYS_sendfile, a, b, c, d);
}

static ssize_t early_read(int a, void *b, size_t c)
{
	return (ssize_t)syscall(SYS_read, a, b, c);
}

static ssize_t early_readv(int a, const struct iovec *b, int c)
{
	return (ssize_t)syscall(SYS_readv, a, b, c);
}

static ssize_t early_recv(int a, void *b, size_t c, int d)
{
	return (ssize_t)syscall(SYS_recvfrom, a, b, c, d, NULL, NULL);
}

static ssize_t early_recvfrom(int a, void *b, size_t c, int d, struct sockaddr *e, socklen_t *f)
{
	return (ssize_t)syscall(SYS_recvfrom, a, b, c, d, e, f);
}

static ssize_t early_recvmsg(int a, struct msghdr *b, int c)
{
	return (ssize_t)syscall(SYS_recvmsg, a, b, c);
}

static int early_recvmmsg(int a, struct mmsghdr *b, unsigned c, int d, struct timespec *e)
{
	return (int)syscall(SYS_recvmmsg, a, b, c, d, e);
}

static ssize_t early_read_chk(int a, void *b, size_t c, size_t room)
{
	(void)room; /* checked by the real one; nobody calls this early */
	return (ssize_t)syscall(SYS_read, a, b, c);
}

static ssize_t early_recv_chk(int a, void *b, size_t c, size_t room, int d)
{
	(void)room; /* checked by the real one; nobody calls this early */
	return (ssize_t)syscall(SYS_recvfrom, a, b, c, d, NULL, NULL);
}

static ssize_t early_recvfrom_chk(int a, void *b, size_t c, size_t room, int d, struct sockaddr *e,
                                  socklen_t *f)
{
	(void)room; /* checked by the real one; nobody calls this early */
	return (ssize_t)syscall(SYS_recvfrom, a, b, c, d, e, f);
}

static int early_close(int a)
{
	return (int)syscall(SYS_close, a);
}

static int early_close_range(unsigned a, unsigned b, int c)
{
	return (int)syscall(SYS_close_range, a, b, c);
}

static int early_dup(int a)
{
	return (int)syscall(SYS_dup, a);
}

static int early_dup3(int a, int b, int c)
{
	return (int)syscall(SYS_dup3, a, b, c);
}

static int early_epoll_ctl(int a, int b, int c, struct epoll_event *d)
{
	return (int)syscall(SYS_epoll_ctl, a, b, c, d);
}

static int early_unshare(int a)
{
	return (int)syscall(SYS_unshare, a);
}

static int early_setns(int a, int b)
{
	return (int)syscall(SYS_setns, a, b);
}

static int early_chroot(const char *a)
{
	return (int)syscall(SYS_chroot, a);
}

static int early_capset(void *a, const void *b)
{
	return (int)syscall(SYS_capset, a, b);
}

static int early_dup2(int a, int b)
{
	return a == b ? (int)syscall(SYS_fcntl, a, 1 /* F_GETFD */) < 0 ? -1 : b
	              : (int)syscall(SYS_dup3, a, b, 0);
}

static int early_poll(struct pollfd *a, nfds_t b, int c)
{
	struct timespec t = {c / 1000, (long)(c % 1000) * 1000000};

	return (int)syscall(SYS_ppoll, a, b, c < 0 ? NULL : &t, NULL, 0);
}

static int early_fcntl(int a, int b, ...)
{
	va_list ap;

	va_start(ap, b);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	return (int)syscall(SYS_fcntl, a, b, arg);
}

static long early_syscall(long nr, ...)
{
	va_list ap;
	long a[6];

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	long r = raw_call6(nr, a[0], a[1], a[2], a[3], a[4], a[5]);

	if (r >= 0 || r < -4095)
		return r;
	errno = (int)-r;
	return -1;
}

struct real real = {
    .syscall = early_syscall,
    .connect = early_connect,
    .socket = early_socket,
    .getpeername = early_getpeername,
    .getsockname = early_getsockname,
    .shutdown = early_shutdown,
    .getsockopt = early_getsockopt,
    .setsockopt = early_setsockopt,
    .write = early_write,
    .writev = early_writev,
    .send = early_send,
    .sendto = early_sendto,
    .sendmsg = early_sendmsg,
    .sendmmsg = early_sendmmsg,
    .sendfile = early_sendfile,
    .sendfile64 = early_sendfile64,
    .read = early_read,
    .readv = early_readv,
    .recv = early_recv,
    .recvfrom = early_recvfrom,
    .recvmsg = early_recvmsg,
    .recvmmsg = early_recvmmsg,
    .__read_chk = early_read_chk,
    .__recv_chk = early_recv_chk,
    .__recvfrom_chk = early_recvfrom_chk,
    .close = early_close,
    .close_range = early_close_range,
    .dup = early_dup,
    .dup3 = early_dup3,
    .epoll_ctl = early_epoll_ctl,
    .unshare = early_unshare,
    .setns = early_setns,
    .chroot = early_chroot,
    .capset = early_capset,
    .dup2 = early_dup2,
    .poll = early_poll,
    .fcntl = early_fcntl,
    .fcntl64 = early_fcntl,
};

struct binding {
	const char *name;
	size_t at;
};

static const struct binding bindings[] = {
    {"connect", offsetof(struct real, connect)},
    {"socket", offsetof(struct real, socket)},
    {"getpeername", offsetof(struct real, getpeername)},
    {"getsockname", offsetof(struct real, getsockname)},
    {"shutdown", offsetof(struct real, shutdown)},
    {"getsockopt", offsetof(struct real, getsockopt)},
    {"setsockopt", offsetof(struct real, setsockopt)},
    {"write", offsetof(struct real, write)},
    {"writev", offsetof(struct real, writev)},
    {"send", offsetof(struct real, send)},
    {"sendto", offsetof(struct real, sendto)},
    {"sendmsg", offsetof(struct real, sendmsg)},
    {"sendmmsg", offsetof(struct real, sendmmsg)},
    {"sendfile", offsetof(struct real, sendfile)},
    {"sendfile64", offsetof(struct real, sendfile64)},
    {"read", offsetof(struct real, read)},
    {"readv", offsetof(struct real, readv)},
    {"recv", offsetof(struct real, recv)},
    {"recvfrom", offsetof(struct real, recvfrom)},
    {"recvmsg", offsetof(struct real, recvmsg)},
    {"recvmmsg", offsetof(struct real, recvmmsg)},
    {"__read_chk", offsetof(struct real, __read_chk)},
    {"__recv_chk", offsetof(struct real, __recv_chk)},
    {"__recvfrom_chk", offsetof(struct real, __recvfrom_chk)},
    {"poll", offsetof(struct real, poll)},
    {"ppoll", offsetof(struct real, ppoll)},
    {"__poll_chk", offsetof(struct real, __poll_chk)},
    {"__ppoll_chk", offsetof(struct real, __ppoll_chk)},
    {"select", offsetof(struct real, select)},
    {"pselect", offsetof(struct real, pselect)},
    {"epoll_wait", offsetof(struct real, epoll_wait)},
    {"epoll_pwait", offsetof(struct real, epoll_pwait)},
    {"epoll_pwait2", offsetof(struct real, epoll_pwait2)},
    {"epoll_ctl", offsetof(struct real, epoll_ctl)},
    {"close", offsetof(struct real, close)},
    {"close_range", offsetof(struct real, close_range)},
    {"closefrom", offsetof(struct real, closefrom)},
    {"dup", offsetof(struct real, dup)},
    {"dup2", offsetof(struct real, dup2)},
    {"dup3", offsetof(struct real, dup3)},
    {"fcntl", offsetof(struct real, fcntl)},
    {"fcntl64", offsetof(struct real, fcntl64)},
    {"fclose", offsetof(struct real, fclose)},
    {"fdopen", offsetof(struct real, fdopen)},
    {"vdprintf", offsetof(struct real, vdprintf)},
    {"__vdprintf_chk", offsetof(struct real, __vdprintf_chk)},
    {"getaddrinfo", offsetof(struct real, getaddrinfo)},
    {"gethostbyname", offsetof(struct real, gethostbyname)},
    {"gethostbyname2", offsetof(struct real, gethostbyname2)},
    {"gethostbyname_r", offsetof(struct real, gethostbyname_r)},
    {"gethostbyname2_r", offsetof(struct real, gethostbyname2_r)},
    {"execve", offsetof(struct real, execve)},
    {"execvpe", offsetof(struct real, execvpe)},
    {"fexecve", offsetof(struct real, fexecve)},
    {"execveat", offsetof(struct real, execveat)},
    {"posix_spawn", offsetof(struct real, posix_spawn)},
    {"posix_spawnp", offsetof(struct real, posix_spawnp)},
    {"_exit", offsetof(struct real, _exit)},
    {"daemon", offsetof(struct real, daemon)},
    {"longjmp", offsetof(struct real, longjmp)},
    {"_longjmp", offsetof(struct real, _longjmp)},
    {"siglongjmp", offsetof(struct real, siglongjmp)},
    {"__longjmp_chk", offsetof(struct real, __longjmp_chk)},
    {"pthread_exit", offsetof(struct real, pthread_exit)},
    {"setuid", offsetof(struct real, setuid)},
    {"setgid", offsetof(struct real, setgid)},
    {"seteuid", offsetof(struct real, seteuid)},
    {"setegid", offsetof(struct real, setegid)},
    {"setreuid", offsetof(struct real, setreuid)},
    {"setregid", offsetof(struct real, setregid)},
    {"setresuid", offsetof(struct real, setresuid)},
    {"setresgid", offsetof(struct real, setresgid)},
    {"setgroups", offsetof(struct real, setgroups)},
    {"initgroups", offsetof(struct real, initgroups)},
    {"unshare", offsetof(struct real, unshare)},
    {"setns", offsetof(struct real, setns)},
    {"chroot", offsetof(struct real, chroot)},
    {"capset", offsetof(struct real, capset)},
    {"prctl", offsetof(struct real, prctl)},
    {"syscall", offsetof(struct real, syscall)},
};

void real_bind(void)
{
	for (size_t i = 0; i < sizeof(bindings) / sizeof(*bindings); i++) {
		/* An object pointer holds a function's address here: POSIX promises it for dlsym().
		 */
		void *f = dlsym(RTLD_NEXT, bindings[i].name);

		if (f)
			*(void **)((char *)&real + bindings[i].at) = f;
	}
}
