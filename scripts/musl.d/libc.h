/* SPDX-License-Identifier: MIT */
/*
 * Where musl's headers differ from what the code is written for (glibc's): put before every file by
 * scripts/musl, so that the code itself knows one libc only.
 */
#ifndef MUSL_LIBC_H
#define MUSL_LIBC_H

/* The same calls, but the flags are unsigned there. */
#define recvmmsg recvmmsg_unsigned
#define sendmmsg sendmmsg_unsigned
#include <sys/socket.h>
#undef recvmmsg
#undef sendmmsg

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

int recvmmsg(int, struct mmsghdr *, unsigned, int, struct timespec *);
int sendmmsg(int, struct mmsghdr *, unsigned, int);

/* Macros for the plain names, in some versions: here they would define a hook twice. */
#undef sendfile64
#undef pread64
#undef lseek64
#undef off64_t
#define pread64 pread
#define lseek64 lseek
typedef off_t off64_t;

/* Not there (what is not in musl's library is not exported by ours, see scripts/musl), or only in
 * newer versions. */
ssize_t sendfile64(int, int, off64_t *, size_t);
int fcntl64(int, int, ...);
int close_range(unsigned, unsigned, int);
void closefrom(int);
int epoll_pwait2(int, struct epoll_event *, int, const struct timespec *, const sigset_t *);
int execveat(int, const char *, char *const[], char *const[], int);

#ifndef STATX_INO
#include <linux/stat.h>
#endif

/* musl's strerror() neither allocates nor locks. */
static inline const char *strerrordesc_np(int err)
{
	return strerror(err);
}

#endif
