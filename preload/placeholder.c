/* SPDX-License-Identifier: MIT */
#include "preload/placeholder.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "preload/raw.h"

static void close_all(int *fd, int n)
{
	for (int i = 0; i < n; i++) {
		if (fd[i] >= 0)
			raw_close(fd[i]);
		fd[i] = -1;
	}
}

static socklen_t loopback(sa_family_t family, struct sockaddr_storage *a)
{
	memset(a, 0, sizeof(*a));
	a->ss_family = family;
	if (family == AF_INET6) {
		((struct sockaddr_in6 *)a)->sin6_addr = in6addr_loopback;
		return sizeof(struct sockaddr_in6);
	}
	((struct sockaddr_in *)a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sizeof(struct sockaddr_in);
}

static int stream(sa_family_t family, int flags)
{
	return raw_socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
}

/* A listener on a port of the kernel's choice; `a` is where it listens. */
static int listen_on(sa_family_t family, int backlog, struct sockaddr_storage *a, socklen_t *len)
{
	int one = 1, fd = stream(family, 0), r;

	if (fd < 0)
		return fd;
	*len = loopback(family, a);
	/* The smallest window the kernel has, inherited by what is accepted. */
	raw_setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &one, sizeof(one));
	r = raw_bind(fd, (struct sockaddr *)a, *len);
	if (r == 0)
		r = raw_listen(fd, backlog);
	if (r == 0)
		r = raw_getsockname(fd, (struct sockaddr *)a, len);
	if (r < 0) {
		raw_close(fd);
		return r;
	}
	return fd;
}

static in_port_t port_of(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)a)->sin6_port
					: ((const struct sockaddr_in *)a)->sin_port;
}

/* Accepts our own connection; others that found the port meanwhile are turned away. */
static int accept_own(int listener, int app)
{
	struct sockaddr_storage own, peer;
	socklen_t len = sizeof(own);

	if (raw_getsockname(app, (struct sockaddr *)&own, &len) < 0)
		return -ENOTCONN;
	for (int tries = 0; tries < 16; tries++) {
		len = sizeof(peer);
		int fd = raw_accept4(listener, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);

		if (fd < 0 && fd != -EINTR && fd != -ECONNABORTED)
			return fd;
		if (fd >= 0 && port_of(&peer) == port_of(&own))
			return fd;
		if (fd >= 0)
			raw_close(fd);
	}
	return -ECONNABORTED;
}

static void fill(int fd)
{
	static const char zeros[4096];
	size_t piece = sizeof(zeros);

	/* Loopback delivers at once; what the far end's window still takes comes with the smaller pieces. */
	while (piece) {
		long n = raw_sendto(fd, zeros, piece, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);

		if (n <= 0)
			piece /= 4;
	}
}

int placeholder_open(sa_family_t family, int *app, int *far)
{
	struct sockaddr_storage a;
	socklen_t len;
	int fd[2] = {-1, -1}, one = 1, r = 0;
	int listener = listen_on(family, 4, &a, &len);

	if (listener < 0 && family == AF_INET6) {
		/* No IPv6 on the loopback: the right family matters less than being quiet. */
		family = AF_INET;
		listener = listen_on(family, 4, &a, &len);
	}
	if (listener < 0)
		return listener;
	fd[0] = stream(family, 0);
	r = fd[0];
	if (r >= 0) {
		raw_setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &one, sizeof(one));
		r = raw_connect(fd[0], (struct sockaddr *)&a, len);
	}
	if (r >= 0)
		r = fd[1] = accept_own(listener, fd[0]);
	raw_close(listener);
	if (r < 0) {
		close_all(fd, 2);
		return r;
	}
	fill(fd[0]);
	*app = fd[0];
	*far = fd[1];
	return 0;
}

void placeholder_reset(int far)
{
	struct linger now = {1, 0};

	raw_setsockopt(far, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	raw_close(far);
}

int placeholder_connecting(sa_family_t family, int *app, int guard[2])
{
	struct sockaddr_storage a;
	socklen_t len;
	int fd, r;

	guard[0] = guard[1] = -1;
	guard[0] = listen_on(family, 0, &a, &len);
	if (guard[0] < 0)
		return guard[0];
	/* A backlog of 0 takes one connection; the queue is full with it, and further SYNs are dropped. */
	guard[1] = stream(family, 0);
	r = guard[1] < 0 ? guard[1] : raw_connect(guard[1], (struct sockaddr *)&a, len);
	fd = r < 0 ? r : stream(family, SOCK_NONBLOCK);
	if (fd >= 0) {
		r = raw_connect(fd, (struct sockaddr *)&a, len);
		if (r == -EINPROGRESS) {
			*app = fd;
			return 0;
		}
		raw_close(fd);
		fd = r < 0 ? r : -EISCONN;
	}
	close_all(guard, 2);
	return fd;
}
