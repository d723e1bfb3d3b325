/* SPDX-License-Identifier: MIT */
#include "preload/placeholder.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>

#include "preload/own.h"
#include "preload/raw.h"

/* The loopback answers in microseconds, if nobody filters it. */
#define PATIENCE_MS 200

static void close_both(int fd[2])
{
	for (int i = 0; i < 2; i++) {
		own_close(fd[i]);
		fd[i] = -1;
	}
}

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static socklen_t loopback(sa_family_t family, union address *a)
{
	memset(a, 0, sizeof(*a));
	a->sa.sa_family = family;
	if (family == AF_INET6) {
		a->in6.sin6_addr = in6addr_loopback;
		return sizeof(a->in6);
	}
	a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sizeof(a->in);
}

/* The same place, as a socket of the other family calls it. */
static socklen_t mapped(union address *a)
{
	in_port_t port = a->in.sin_port;

	memset(a, 0, sizeof(*a));
	a->in6.sin6_family = AF_INET6;
	a->in6.sin6_port = port;
	a->in6.sin6_addr.s6_addr[10] = a->in6.sin6_addr.s6_addr[11] = 0xff;
	a->in6.sin6_addr.s6_addr[12] = 127;
	a->in6.sin6_addr.s6_addr[15] = 1;
	return sizeof(a->in6);
}

static bool same(const union address *a, const union address *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET6)
		return a->in6.sin6_port == b->in6.sin6_port &&
		       memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0;
	return a->in.sin_port == b->in.sin_port && a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
}

static int stream(sa_family_t family)
{
	return own_socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
}

/* A listener on a port of the kernel's choice; `a` is where it listens. */
static int listen_on(sa_family_t family, int backlog, bool small, union address *a, socklen_t *len)
{
	int one = 1, fd = stream(family), r;

	if (fd < 0)
		return fd;
	*len = loopback(family, a);
	/* The smallest window the kernel has, inherited by what is accepted. */
	if (small)
		raw_setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &one, sizeof(one));
	r = raw_bind(fd, &a->sa, *len);
	if (r == 0)
		r = raw_listen(fd, backlog);
	if (r == 0)
		r = raw_getsockname(fd, &a->sa, len);
	if (r < 0) {
		own_close(fd);
		return r;
	}
	return fd;
}

static bool wait_for(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};
	struct timespec t = {0, PATIENCE_MS * 1000000};

	return raw_ppoll(&p, 1, &t, NULL) == 1;
}

/* Connects within PATIENCE_MS: with a filter on the loopback a blocking connect would take minutes.
 */
static int connect_soon(int fd, const union address *a, socklen_t len)
{
	int err = 0, r = raw_connect(fd, &a->sa, len);
	socklen_t size = sizeof(err);

	if (r != -EINPROGRESS)
		return r;
	if (!wait_for(fd, POLLOUT))
		return -ETIMEDOUT;
	r = raw_getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size);
	return r < 0 ? r : -err;
}

/* Accepts the connection of `app`; strangers that found the port meanwhile are turned away. */
static int accept_own(int listener, int app)
{
	union address own, peer;
	socklen_t len = sizeof(own);

	if (raw_getsockname(app, &own.sa, &len) < 0)
		return -ENOTCONN;
	if (own.sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&own.in6.sin6_addr)) {
		in_port_t port = own.in6.sin6_port;

		loopback(AF_INET, &own);
		own.in.sin_port = port;
	}
	for (int tries = 0; tries < 16; tries++) {
		len = sizeof(peer);
		int fd = own_accept(listener, &peer.sa, &len, 0);

		if (fd >= 0 && same(&peer, &own))
			return fd;
		if (fd >= 0)
			own_close(fd);
		else if (fd == -EAGAIN && !wait_for(listener, POLLIN))
			return -ETIMEDOUT;
		else if (fd != -EAGAIN && fd != -EINTR && fd != -ECONNABORTED)
			return fd;
	}
	return -ECONNABORTED;
}

/* Returns how much went in. */
static long fill(int fd)
{
	static const char zeros[4096];
	long sum = 0, n;

	/* The loopback delivers within the call. When nothing of a large piece goes in any more a
	 * smaller one does not, either. */
	while ((n = raw_sendto(fd, zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0)) > 0)
		sum += n;
	return sum;
}

/*
 * An ACK that the far end delays makes room 40 to 200 ms later: too little for POLLOUT, but enough
 * for a blocking write to go on, into nowhere. A byte from the far end carries the ACK at once;
 * then the room is filled again.
 */
static void fill_for_good(int app, int far)
{
	char c = 0;

	for (int rounds = 0; rounds < 8 && fill(app) > 0; rounds++) {
		if (raw_sendto(far, &c, 1, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0) != 1 ||
		    !wait_for(app, POLLIN) ||
		    raw_recvfrom(app, &c, 1, MSG_DONTWAIT, NULL, NULL) != 1)
			return;
	}
}

static void make_blocking(int fd)
{
	raw_fcntl(fd, F_SETFL, raw_fcntl(fd, F_GETFL, 0) & ~O_NONBLOCK);
}

/* A pair over the loopback of family `over`, the program's end being of family `family`. */
static int open_tcp(sa_family_t family, sa_family_t over, bool quiet, int fd[2])
{
	union address a;
	socklen_t len;
	int one = 1, r, listener = listen_on(over, 4, quiet, &a, &len);

	fd[0] = fd[1] = -1;
	if (listener < 0)
		return listener;
	if (over != family)
		len = mapped(&a);
	r = fd[0] = stream(family);
	if (r >= 0 && quiet)
		raw_setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &one, sizeof(one));
	if (r >= 0)
		r = connect_soon(fd[0], &a, len);
	if (r >= 0)
		r = fd[1] = accept_own(listener, fd[0]);
	own_close(listener);
	if (r < 0) {
		close_both(fd);
		return r;
	}
	/* The kernel's word that it is: else the program's next connect() would be told so, not
	 * EISCONN. */
	raw_connect(fd[0], &a.sa, len);
	if (quiet)
		fill_for_good(fd[0], fd[1]);
	make_blocking(fd[0]);
	return 0;
}

static int open_unix(int fd[2])
{
	int one = 1, r = own_pair(fd);

	if (r < 0)
		return r;
	raw_setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &one, sizeof(one));
	fill(fd[0]);
	return 0;
}

static bool out_of_descriptors(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS;
}

static int open_any_tcp(sa_family_t family, bool quiet, int fd[2])
{
	int r = open_tcp(family, family, quiet, fd);

	if (r < 0 && family == AF_INET6 && !out_of_descriptors(r))
		r = open_tcp(AF_INET6, AF_INET, quiet, fd);
	if (r < 0 && family == AF_INET6 && !out_of_descriptors(r))
		r = open_tcp(AF_INET, AF_INET, quiet, fd);
	return r;
}

int placeholder_pair(sa_family_t family, int *app, int *far)
{
	int fd[2], r = open_any_tcp(family, false, fd);

	if (r < 0)
		return r;
	*app = fd[0];
	*far = fd[1];
	return 0;
}

int placeholder_open(sa_family_t family, int *app, int *far)
{
	int fd[2], r = open_any_tcp(family, true, fd);

	if (r < 0 && !out_of_descriptors(r))
		r = open_unix(fd);
	if (r < 0)
		return r;
	*app = fd[0];
	*far = fd[1];
	return 0;
}

void placeholder_reset(int far)
{
	struct linger now = {1, 0};

	raw_setsockopt(far, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	own_close(far);
}

static int open_connecting(sa_family_t family, sa_family_t over, int *app, int guard[2])
{
	union address a;
	socklen_t len;
	int fd, r;

	guard[0] = guard[1] = -1;
	r = guard[0] = listen_on(over, 0, true, &a, &len);
	/* A backlog of 0 takes one connection; the queue is full with it, and further SYNs are
	 * dropped. */
	if (r >= 0)
		r = guard[1] = stream(over);
	if (r >= 0)
		r = connect_soon(guard[1], &a, len);
	/* In the queue once it is there to be accepted. A stranger's connection fills it as well as
	 * ours. */
	if (r >= 0 && !wait_for(guard[0], POLLIN))
		r = -ETIMEDOUT;
	if (r >= 0 && over != family)
		len = mapped(&a);
	fd = r < 0 ? r : stream(family);
	if (fd >= 0) {
		r = raw_connect(fd, &a.sa, len);
		if (r == -EINPROGRESS) {
			*app = fd;
			return 0;
		}
		own_close(fd);
		fd = r < 0 ? r : -EISCONN;
	}
	close_both(guard);
	return fd;
}

int placeholder_connecting(sa_family_t family, int *app, int guard[2])
{
	int r = open_connecting(family, family, app, guard);

	if (r < 0 && family == AF_INET6 && !out_of_descriptors(r))
		r = open_connecting(AF_INET6, AF_INET, app, guard);
	return r;
}

void placeholder_release(int guard[2])
{
	close_both(guard);
}
