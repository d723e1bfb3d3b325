/* SPDX-License-Identifier: MIT */
/*
 * Where the headers of musl and of older glibc differ from what the code is written for, which is
 * glibc since 2.36: put before every file by the Makefile, so that the code itself knows one libc
 * only.
 */
#ifndef COMMON_LIBC_H
#define COMMON_LIBC_H

#include <limits.h>

#if !defined(__GLIBC__)
/* musl has the flags of these unsigned. */
#define recvmmsg recvmmsg_unsigned
#define sendmmsg sendmmsg_unsigned
#include <sys/socket.h>
#undef recvmmsg
#undef sendmmsg

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>

/* And the operation of ioctl() signed. */
#define ioctl ioctl_signed
#include <sys/ioctl.h>
#undef ioctl
int ioctl(int, unsigned long, ...);

/* And the elements of a list `restrict`; and the names with 64 are macros. */
#define lio_listio lio_listio_restrict
#include <aio.h>
#undef lio_listio
#undef aio_read64
#undef aio_write64
#undef lio_listio64
int lio_listio(int, struct aiocb *const[], int, struct sigevent *);

struct timespec;
int recvmmsg(int, struct mmsghdr *, unsigned, int, struct timespec *);
int sendmmsg(int, struct mmsghdr *, unsigned, int);

/* Macros for the plain names, in some versions: a hook would be defined twice. */
#undef sendfile64
#undef open64
#undef openat64
#undef creat64
#undef fopen64
#undef freopen64
#undef tmpfile64
#undef mkstemp64
#undef mkostemp64
#undef mkstemps64
#undef mkostemps64
#undef pread64
#undef lseek64
#undef off64_t
#define pread64 pread
#define lseek64 lseek
typedef off_t off64_t;

/* What musl's library has not got is not exported by ours either, see scripts/musl. */
ssize_t sendfile64(int, int, off64_t *, size_t);
struct iovec;
ssize_t preadv2(int, const struct iovec *, int, off_t, int);
ssize_t pwritev2(int, const struct iovec *, int, off_t, int);
ssize_t preadv64v2(int, const struct iovec *, int, off64_t, int);
ssize_t pwritev64v2(int, const struct iovec *, int, off64_t, int);
#ifndef RWF_NOWAIT /* the kernel's numbers */
#define RWF_HIPRI 1
#define RWF_DSYNC 2
#define RWF_SYNC 4
#define RWF_NOWAIT 8
#endif
int fcntl64(int, int, ...);
int open64(const char *, int, ...);
int openat64(int, const char *, int, ...);
int creat64(const char *, mode_t);
FILE *fopen64(const char *, const char *);
FILE *freopen64(const char *, const char *, FILE *);
FILE *tmpfile64(void);
int mkstemp64(char *);
int mkostemp64(char *, int);
int mkstemps64(char *, int);
int mkostemps64(char *, int, int);

#define NETDB_INTERNAL (-1)
#define NETDB_SUCCESS 0

#ifndef STATX_INO
#include <linux/stat.h>
#endif
#endif

#if !defined(__GLIBC__) || __GLIBC_MINOR__ < 36
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef SYS_close_range
#define SYS_close_range 436 /* on every architecture */
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

int close_range(unsigned, unsigned, int);
void closefrom(int);
int epoll_pwait2(int, struct epoll_event *, int, const struct timespec *, const sigset_t *);
int execveat(int, const char *, char *const[], char *const[], int);
#endif

#if !defined(__GLIBC__) || __GLIBC_MINOR__ < 32
/* Neither libc's allocates or locks for an error it knows, as long as the locale has no other
 * words for it. */
static inline const char *strerrordesc_np(int err)
{
	return strerror(err);
}
#endif

#endif
