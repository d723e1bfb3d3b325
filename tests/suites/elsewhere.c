/* SPDX-License-Identifier: MIT */
/*
 * For test suites that know no other peer than 127.0.0.1: preloaded before the library, this turns
 * that address into another one of the host's (ELSEWHERE=ADDRESS) on the way to the calls, and back
 * in what they answer. The library then sees connections to an address that is not the loopback,
 * the suite its loopback.
 *
 * Only the first address of the loopback: what is bound to 127.0.0.2 stays there.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static in_addr_t elsewhere;

static struct {
	int (*connect)(int, const struct sockaddr *, socklen_t);
	int (*bind)(int, const struct sockaddr *, socklen_t);
	int (*accept)(int, struct sockaddr *, socklen_t *);
	int (*accept4)(int, struct sockaddr *, socklen_t *, int);
	int (*getsockname)(int, struct sockaddr *, socklen_t *);
	int (*getpeername)(int, struct sockaddr *, socklen_t *);
	ssize_t (*sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
	ssize_t (*sendmsg)(int, const struct msghdr *, int);
	int (*sendmmsg)(int, struct mmsghdr *, unsigned int, int);
	ssize_t (*recvfrom)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
	ssize_t (*recvmsg)(int, struct msghdr *, int);
	int (*recvmmsg)(int, struct mmsghdr *, unsigned int, int, struct timespec *);
} next;

static void load(void *to, const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	memcpy(to, &symbol, sizeof(symbol));
}

static void find(void)
{
	const char *address = getenv("ELSEWHERE");
	struct in_addr a;

	if (address && inet_pton(AF_INET, address, &a) == 1)
		elsewhere = a.s_addr;
	load(&next.connect, "connect");
	load(&next.bind, "bind");
	load(&next.accept, "accept");
	load(&next.accept4, "accept4");
	load(&next.getsockname, "getsockname");
	load(&next.getpeername, "getpeername");
	load(&next.sendto, "sendto");
	load(&next.sendmsg, "sendmsg");
	load(&next.sendmmsg, "sendmmsg");
	load(&next.recvfrom, "recvfrom");
	load(&next.recvmsg, "recvmsg");
	load(&next.recvmmsg, "recvmmsg");
}

/* Another library's constructor may connect before ours has run. */
static void ready(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, find);
}

__attribute__((constructor)) static void early(void)
{
	ready();
}

/* A suite may point nowhere, to hear from the kernel that it did; which looks at a set of signals
 * before it refuses what is to be done with it. */
static bool readable(const void *p)
{
	int saved = errno;
	bool is = syscall(SYS_rt_sigprocmask, -1, p, NULL, 8) == 0 || errno != EFAULT;

	errno = saved;
	return is;
}

/* IPv4, or IPv4 in IPv6: where the four bytes are, or NULL. */
static unsigned char *four(void *address, socklen_t len)
{
	struct sockaddr *a = address;

	if (a && len >= sizeof(struct sockaddr_in) && a->sa_family == AF_INET)
		return (unsigned char *)&((struct sockaddr_in *)address)->sin_addr;
	if (a && len >= sizeof(struct sockaddr_in6) && a->sa_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&((struct sockaddr_in6 *)address)->sin6_addr))
		return ((struct sockaddr_in6 *)address)->sin6_addr.s6_addr + 12;
	return NULL;
}

static void change(void *address, socklen_t len, in_addr_t from, in_addr_t to)
{
	unsigned char *ip = elsewhere ? four(address, len) : NULL;

	if (ip && memcmp(ip, &from, 4) == 0)
		memcpy(ip, &to, 4);
}

/* A copy that says elsewhere, or the caller's own where there is nothing to say. */
static const struct sockaddr *out(const struct sockaddr *a, socklen_t len,
                                  struct sockaddr_storage *copy)
{
	if (!a || len > sizeof(*copy) || !readable(a) || !four((void *)a, len))
		return a;
	memcpy(copy, a, len);
	change(copy, len, htonl(INADDR_LOOPBACK), elsewhere);
	return (const struct sockaddr *)copy;
}

static void back(struct sockaddr *a, const socklen_t *len)
{
	if (a && len)
		change(a, *len, elsewhere, htonl(INADDR_LOOPBACK));
}

EXPORT int connect(int fd, const struct sockaddr *a, socklen_t len)
{
	struct sockaddr_storage copy;

	ready();
	return next.connect(fd, out(a, len, &copy), len);
}

EXPORT int bind(int fd, const struct sockaddr *a, socklen_t len)
{
	struct sockaddr_storage copy;

	ready();
	return next.bind(fd, out(a, len, &copy), len);
}

EXPORT int accept(int fd, struct sockaddr *a, socklen_t *len)
{
	ready();
	int r = next.accept(fd, a, len);

	if (r >= 0)
		back(a, len);
	return r;
}

EXPORT int accept4(int fd, struct sockaddr *a, socklen_t *len, int flags)
{
	ready();
	int r = next.accept4(fd, a, len, flags);

	if (r >= 0)
		back(a, len);
	return r;
}

EXPORT int getsockname(int fd, struct sockaddr *a, socklen_t *len)
{
	ready();
	int r = next.getsockname(fd, a, len);

	if (r == 0)
		back(a, len);
	return r;
}

EXPORT int getpeername(int fd, struct sockaddr *a, socklen_t *len)
{
	ready();
	int r = next.getpeername(fd, a, len);

	if (r == 0)
		back(a, len);
	return r;
}

EXPORT ssize_t sendto(int fd, const void *data, size_t n, int flags, const struct sockaddr *a,
                      socklen_t len)
{
	struct sockaddr_storage copy;

	ready();
	return next.sendto(fd, data, n, flags, out(a, len, &copy), len);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct sockaddr_storage copy;

	ready();
	if (!m || !readable(m) || !m->msg_name)
		return next.sendmsg(fd, m, flags);
	struct msghdr changed = *m;

	changed.msg_name = (void *)out(m->msg_name, m->msg_namelen, &copy);
	return next.sendmsg(fd, &changed, flags);
}

/* The headers are the caller's, who gets their lengths: changed in place and changed back. */
EXPORT int sendmmsg(int fd, struct mmsghdr *m, unsigned int n, int flags)
{
	struct sockaddr_storage copy[64];
	void *names[64];

	ready();
	if (n > 64)
		n = 64;
	for (unsigned int i = 0; i < n; i++) {
		names[i] = m[i].msg_hdr.msg_name;
		m[i].msg_hdr.msg_name = (void *)out(names[i], m[i].msg_hdr.msg_namelen, &copy[i]);
	}
	int r = next.sendmmsg(fd, m, n, flags);

	for (unsigned int i = 0; i < n; i++)
		m[i].msg_hdr.msg_name = names[i];
	return r;
}

EXPORT ssize_t recvfrom(int fd, void *data, size_t n, int flags, struct sockaddr *a, socklen_t *len)
{
	ready();
	ssize_t r = next.recvfrom(fd, data, n, flags, a, len);

	if (r >= 0)
		back(a, len);
	return r;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	ready();
	ssize_t r = next.recvmsg(fd, m, flags);

	if (r >= 0)
		back(m->msg_name, &m->msg_namelen);
	return r;
}

EXPORT int recvmmsg(int fd, struct mmsghdr *m, unsigned int n, int flags, struct timespec *timeout)
{
	ready();
	int r = next.recvmmsg(fd, m, n, flags, timeout);

	for (int i = 0; i < r; i++)
		back(m[i].msg_hdr.msg_name, &m[i].msg_hdr.msg_namelen);
	return r;
}
