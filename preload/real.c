/* SPDX-License-Identifier: MIT */
#include "preload/real.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "preload/hot.h"
#include "preload/raw.h"

/* Not libc's syscall(): that has a hook, too. */
static long bare(long nr, long a, long b, long c, long d, long e, long f)
{
	long r = raw_call6(nr, a, b, c, d, e, f);

	if (r < 0 && r >= -4095) {
		errno = (int)-r;
		return -1;
	}
	return r;
}

/*
 * The early stand-ins. Only calls that a constructor of another library may plausibly make have
 * one; the others are bound by the first line of real_bind() and cannot be reached before it.
 */
static int early_connect(int a, const struct sockaddr *b, socklen_t c)
{
	return (int)bare(SYS_connect, (long)a, (long)b, (long)c, 0, 0, 0);
}

static int early_socket(int a, int b, int c)
{
	return (int)bare(SYS_socket, (long)a, (long)b, (long)c, 0, 0, 0);
}

static int early_getpeername(int a, struct sockaddr *b, socklen_t *c)
{
	return (int)bare(SYS_getpeername, (long)a, (long)b, (long)c, 0, 0, 0);
}

static int early_getsockname(int a, struct sockaddr *b, socklen_t *c)
{
	return (int)bare(SYS_getsockname, (long)a, (long)b, (long)c, 0, 0, 0);
}

static int early_socketpair(int a, int b, int c, int d[2])
{
	return (int)bare(SYS_socketpair, a, b, c, (long)d, 0, 0);
}

static int early_accept4(int a, struct sockaddr *b, socklen_t *c, int d)
{
	return (int)bare(SYS_accept4, a, (long)b, (long)c, d, 0, 0);
}

static int early_accept(int a, struct sockaddr *b, socklen_t *c)
{
	return early_accept4(a, b, c, 0);
}

static ssize_t early_splice(int a, off64_t *b, int c, off64_t *d, size_t e, unsigned f)
{
	return (ssize_t)bare(SYS_splice, a, (long)b, c, (long)d, (long)e, (long)f);
}

static int early_ioctl(int a, unsigned long b, ...)
{
	va_list ap;

	va_start(ap, b);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	return (int)bare(SYS_ioctl, a, (long)b, (long)arg, 0, 0, 0);
}

/* The offset is one argument in two registers; the upper one counts where a long has 32 bits. */
static ssize_t early_preadv2(int a, const struct iovec *b, int c, off_t d, int e)
{
	return (ssize_t)bare(SYS_preadv2, a, (long)b, c, (long)d, 0, e);
}

static ssize_t early_pwritev2(int a, const struct iovec *b, int c, off_t d, int e)
{
	return (ssize_t)bare(SYS_pwritev2, a, (long)b, c, (long)d, 0, e);
}

static int early_shutdown(int a, int b)
{
	return (int)bare(SYS_shutdown, (long)a, (long)b, 0, 0, 0, 0);
}

static int early_getsockopt(int a, int b, int c, void *d, socklen_t *e)
{
	return (int)bare(SYS_getsockopt, (long)a, (long)b, (long)c, (long)d, (long)e, 0);
}

static int early_setsockopt(int a, int b, int c, const void *d, socklen_t e)
{
	return (int)bare(SYS_setsockopt, (long)a, (long)b, (long)c, (long)d, (long)e, 0);
}

static ssize_t early_write(int a, const void *b, size_t c)
{
	return (ssize_t)bare(SYS_write, (long)a, (long)b, (long)c, 0, 0, 0);
}

static ssize_t early_writev(int a, const struct iovec *b, int c)
{
	return (ssize_t)bare(SYS_writev, (long)a, (long)b, (long)c, 0, 0, 0);
}

static ssize_t early_send(int a, const void *b, size_t c, int d)
{
	return (ssize_t)bare(SYS_sendto, (long)a, (long)b, (long)c, (long)d, 0, 0);
}

static ssize_t early_sendto(int a, const void *b, size_t c, int d, const struct sockaddr *e,
                            socklen_t f)
{
	return (ssize_t)bare(SYS_sendto, (long)a, (long)b, (long)c, (long)d, (long)e, (long)f);
}

static ssize_t early_sendmsg(int a, const struct msghdr *b, int c)
{
	return (ssize_t)bare(SYS_sendmsg, (long)a, (long)b, (long)c, 0, 0, 0);
}

static int early_sendmmsg(int a, struct mmsghdr *b, unsigned c, int d)
{
	return (int)bare(SYS_sendmmsg, (long)a, (long)b, (long)c, (long)d, 0, 0);
}

static ssize_t early_sendfile(int a, int b, off_t *c, size_t d)
{
	return (ssize_t)bare(SYS_sendfile, (long)a, (long)b, (long)c, (long)d, 0, 0);
}

static ssize_t early_sendfile64(int a, int b, off64_t *c, size_t d)
{
	return (ssize_t)bare(SYS_sendfile, (long)a, (long)b, (long)c, (long)d, 0, 0);
}

static ssize_t early_read(int a, void *b, size_t c)
{
	return (ssize_t)bare(SYS_read, (long)a, (long)b, (long)c, 0, 0, 0);
}

static ssize_t early_readv(int a, const struct iovec *b, int c)
{
	return (ssize_t)bare(SYS_readv, (long)a, (long)b, (long)c, 0, 0, 0);
}

static ssize_t early_recv(int a, void *b, size_t c, int d)
{
	return (ssize_t)bare(SYS_recvfrom, (long)a, (long)b, (long)c, (long)d, 0, 0);
}

static ssize_t early_recvfrom(int a, void *b, size_t c, int d, struct sockaddr *e, socklen_t *f)
{
	return (ssize_t)bare(SYS_recvfrom, (long)a, (long)b, (long)c, (long)d, (long)e, (long)f);
}

static ssize_t early_recvmsg(int a, struct msghdr *b, int c)
{
	return (ssize_t)bare(SYS_recvmsg, (long)a, (long)b, (long)c, 0, 0, 0);
}

static int early_recvmmsg(int a, struct mmsghdr *b, unsigned c, int d, struct timespec *e)
{
	return (int)bare(SYS_recvmmsg, (long)a, (long)b, (long)c, (long)d, (long)e, 0);
}

static ssize_t early_read_chk(int a, void *b, size_t c, size_t room)
{
	(void)room; /* checked by the real one; nobody calls this early */
	return (ssize_t)bare(SYS_read, (long)a, (long)b, (long)c, 0, 0, 0);
}

static ssize_t early_recv_chk(int a, void *b, size_t c, size_t room, int d)
{
	(void)room; /* checked by the real one; nobody calls this early */
	return (ssize_t)bare(SYS_recvfrom, (long)a, (long)b, (long)c, (long)d, 0, 0);
}

static ssize_t early_recvfrom_chk(int a, void *b, size_t c, size_t room, int d, struct sockaddr *e,
                                  socklen_t *f)
{
	(void)room; /* checked by the real one; nobody calls this early */
	return (ssize_t)bare(SYS_recvfrom, (long)a, (long)b, (long)c, (long)d, (long)e, (long)f);
}

static int early_close(int a)
{
	return (int)bare(SYS_close, (long)a, 0, 0, 0, 0, 0);
}

static int early_close_range(unsigned a, unsigned b, int c)
{
	return (int)bare(SYS_close_range, (long)a, (long)b, (long)c, 0, 0, 0);
}

static int early_dup(int a)
{
	return (int)bare(SYS_dup, (long)a, 0, 0, 0, 0, 0);
}

static int early_dup3(int a, int b, int c)
{
	return (int)bare(SYS_dup3, (long)a, (long)b, (long)c, 0, 0, 0);
}

static int early_epoll_ctl(int a, int b, int c, struct epoll_event *d)
{
	return (int)bare(SYS_epoll_ctl, (long)a, (long)b, (long)c, (long)d, 0, 0);
}

static int early_unshare(int a)
{
	return (int)bare(SYS_unshare, (long)a, 0, 0, 0, 0, 0);
}

static int early_setns(int a, int b)
{
	return (int)bare(SYS_setns, (long)a, (long)b, 0, 0, 0, 0);
}

static int early_chroot(const char *a)
{
	return (int)bare(SYS_chroot, (long)a, 0, 0, 0, 0, 0);
}

static int early_capset(void *a, const void *b)
{
	return (int)bare(SYS_capset, (long)a, (long)b, 0, 0, 0, 0);
}

static int early_dup2(int a, int b)
{
	return a == b ? (int)bare(SYS_fcntl, (long)a, 1 /* F_GETFD */, 0, 0, 0, 0) < 0 ? -1 : b
	              : (int)bare(SYS_dup3, (long)a, (long)b, 0, 0, 0, 0);
}

static int early_poll(struct pollfd *a, nfds_t b, int c)
{
	struct timespec t = {c / 1000, (long)(c % 1000) * 1000000};

	return (int)bare(SYS_ppoll, (long)a, (long)b, (long)(c < 0 ? NULL : &t), 0, 0, 0);
}

static int early_fcntl(int a, int b, ...)
{
	va_list ap;

	va_start(ap, b);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	return (int)bare(SYS_fcntl, (long)a, (long)b, (long)arg, 0, 0, 0);
}

static int early_openat(int a, const char *b, int c, ...)
{
	va_list ap;

	va_start(ap, c);
	mode_t mode = va_arg(ap, mode_t);
	va_end(ap);
	return (int)bare(SYS_openat, a, (long)b, c, (long)mode, 0, 0);
}

static int early_open(const char *a, int b, ...)
{
	va_list ap;

	va_start(ap, b);
	mode_t mode = va_arg(ap, mode_t);
	va_end(ap);
	return (int)bare(SYS_openat, AT_FDCWD, (long)a, b, (long)mode, 0, 0);
}

static int early_creat(const char *a, mode_t b)
{
	return early_open(a, O_CREAT | O_WRONLY | O_TRUNC, b);
}

static int early_memfd_create(const char *a, unsigned b)
{
	return (int)bare(SYS_memfd_create, (long)a, (long)b, 0, 0, 0, 0);
}

static int early_pipe2(int a[2], int b)
{
	return (int)bare(SYS_pipe2, (long)a, b, 0, 0, 0, 0);
}

static int early_pipe(int a[2])
{
	return early_pipe2(a, 0);
}

static int early_eventfd(unsigned a, int b)
{
	return (int)bare(SYS_eventfd2, (long)a, b, 0, 0, 0, 0);
}

static int early_signalfd(int a, const sigset_t *b, int c)
{
	return (int)bare(SYS_signalfd4, a, (long)b, _NSIG / 8, c, 0, 0);
}

static int early_timerfd_create(clockid_t a, int b)
{
	return (int)bare(SYS_timerfd_create, a, b, 0, 0, 0, 0);
}

static int early_inotify_init1(int a)
{
	return (int)bare(SYS_inotify_init1, a, 0, 0, 0, 0, 0);
}

static int early_inotify_init(void)
{
	return early_inotify_init1(0);
}

static int early_epoll_create1(int a)
{
	return (int)bare(SYS_epoll_create1, a, 0, 0, 0, 0, 0);
}

static int early_epoll_create(int a)
{
	if (a <= 0) {
		errno = EINVAL;
		return -1;
	}
	return early_epoll_create1(0);
}

struct real real = {
    .connect = early_connect,
    .socket = early_socket,
    .socketpair = early_socketpair,
    .accept = early_accept,
    .accept4 = early_accept4,
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
    .pwritev2 = early_pwritev2,
    .pwritev64v2 = early_pwritev2,
    .splice = early_splice,
    .read = early_read,
    .readv = early_readv,
    .preadv2 = early_preadv2,
    .preadv64v2 = early_preadv2,
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
    .ioctl = early_ioctl,
    .epoll_ctl = early_epoll_ctl,
    .unshare = early_unshare,
    .setns = early_setns,
    .chroot = early_chroot,
    .capset = early_capset,
    .dup2 = early_dup2,
    .poll = early_poll,
    .fcntl = early_fcntl,
    .fcntl64 = early_fcntl,
    .open = early_open,
    .open64 = early_open,
    .openat = early_openat,
    .openat64 = early_openat,
    .creat = early_creat,
    .creat64 = early_creat,
    .memfd_create = early_memfd_create,
    .pipe = early_pipe,
    .pipe2 = early_pipe2,
    .eventfd = early_eventfd,
    .signalfd = early_signalfd,
    .timerfd_create = early_timerfd_create,
    .inotify_init = early_inotify_init,
    .inotify_init1 = early_inotify_init1,
    .epoll_create = early_epoll_create,
    .epoll_create1 = early_epoll_create1,
    .syscall = bare,
};

struct hot hot = {
    .fenced = true,
    .indirect = true,
    .recv = early_recv,
};

const struct real_name real_names[] = {
    {"connect", offsetof(struct real, connect)},
    {"socket", offsetof(struct real, socket)},
    {"socketpair", offsetof(struct real, socketpair)},
    {"accept", offsetof(struct real, accept)},
    {"accept4", offsetof(struct real, accept4)},
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
    {"pwritev2", offsetof(struct real, pwritev2)},
    {"pwritev64v2", offsetof(struct real, pwritev64v2)},
    {"splice", offsetof(struct real, splice)},
    {"read", offsetof(struct real, read)},
    {"readv", offsetof(struct real, readv)},
    {"preadv2", offsetof(struct real, preadv2)},
    {"preadv64v2", offsetof(struct real, preadv64v2)},
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
    {"ioctl", offsetof(struct real, ioctl)},
    {"fcntl", offsetof(struct real, fcntl)},
    {"fcntl64", offsetof(struct real, fcntl64)},
    {"fclose", offsetof(struct real, fclose)},
    {"fdopen", offsetof(struct real, fdopen)},
    {"open", offsetof(struct real, open)},
    {"open64", offsetof(struct real, open64)},
    {"openat", offsetof(struct real, openat)},
    {"openat64", offsetof(struct real, openat64)},
    {"creat", offsetof(struct real, creat)},
    {"creat64", offsetof(struct real, creat64)},
    {"__open_2", offsetof(struct real, __open_2)},
    {"__open64_2", offsetof(struct real, __open64_2)},
    {"__openat_2", offsetof(struct real, __openat_2)},
    {"__openat64_2", offsetof(struct real, __openat64_2)},
    {"fopen", offsetof(struct real, fopen)},
    {"fopen64", offsetof(struct real, fopen64)},
    {"freopen", offsetof(struct real, freopen)},
    {"freopen64", offsetof(struct real, freopen64)},
    {"opendir", offsetof(struct real, opendir)},
    {"mkstemp", offsetof(struct real, mkstemp)},
    {"mkstemp64", offsetof(struct real, mkstemp64)},
    {"mkostemp", offsetof(struct real, mkostemp)},
    {"mkostemp64", offsetof(struct real, mkostemp64)},
    {"mkstemps", offsetof(struct real, mkstemps)},
    {"mkstemps64", offsetof(struct real, mkstemps64)},
    {"mkostemps", offsetof(struct real, mkostemps)},
    {"mkostemps64", offsetof(struct real, mkostemps64)},
    {"tmpfile", offsetof(struct real, tmpfile)},
    {"tmpfile64", offsetof(struct real, tmpfile64)},
    {"memfd_create", offsetof(struct real, memfd_create)},
    {"pipe", offsetof(struct real, pipe)},
    {"pipe2", offsetof(struct real, pipe2)},
    {"eventfd", offsetof(struct real, eventfd)},
    {"signalfd", offsetof(struct real, signalfd)},
    {"timerfd_create", offsetof(struct real, timerfd_create)},
    {"inotify_init", offsetof(struct real, inotify_init)},
    {"inotify_init1", offsetof(struct real, inotify_init1)},
    {"epoll_create", offsetof(struct real, epoll_create)},
    {"epoll_create1", offsetof(struct real, epoll_create1)},
    {"aio_read", offsetof(struct real, aio_read)},
    {"aio_write", offsetof(struct real, aio_write)},
    {"lio_listio", offsetof(struct real, lio_listio)},
    {"vdprintf", offsetof(struct real, vdprintf)},
    {"__vdprintf_chk", offsetof(struct real, __vdprintf_chk)},
    {"getaddrinfo", offsetof(struct real, getaddrinfo)},
    {"freeaddrinfo", offsetof(struct real, freeaddrinfo)},
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
    {"system", offsetof(struct real, system)},
    {"popen", offsetof(struct real, popen)},
    {"wordexp", offsetof(struct real, wordexp)},
    {"_exit", offsetof(struct real, _exit)},
    {"daemon", offsetof(struct real, daemon)},
    {"longjmp", offsetof(struct real, longjmp)},
    {"_longjmp", offsetof(struct real, _longjmp)},
    {"siglongjmp", offsetof(struct real, siglongjmp)},
    {"__longjmp_chk", offsetof(struct real, __longjmp_chk)},
    {"pthread_exit", offsetof(struct real, pthread_exit)},
    {"pthread_cancel", offsetof(struct real, pthread_cancel)},
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
    {NULL, 0},
};

/* Is it libc's own, not another library's that stands between? (Nobody takes getauxval()'s place.)
 */
static bool libcs(void *f)
{
	Dl_info its, other;

	return dladdr(f, &its) && dladdr((void *)getauxval, &other) &&
	       its.dli_fbase == other.dli_fbase;
}

void real_bind(void)
{
	static bool bound;

	for (const struct real_name *n = real_names; n->name; n++) {
		/* An object pointer holds a function's address here: POSIX promises it for dlsym().
		 */
		void *f = dlsym(RTLD_NEXT, n->name);

		if (f)
			*(void **)((char *)&real + n->at) = f;
	}
	hot.recv = real.recv;
	if (!bound)
		atomic_store(&hot.indirect,
		             !libcs((void *)real.sendto) || !libcs((void *)real.send) ||
		                 !libcs((void *)real.write) || !libcs((void *)real.recv) ||
		                 !libcs((void *)real.recvfrom) || !libcs((void *)real.read));
	bound = true;
}
