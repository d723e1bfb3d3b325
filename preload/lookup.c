/* SPDX-License-Identifier: MIT */
#include "preload/lookup.h"

#include <ares.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/own.h"
#include "preload/raw.h"

#define TRY_MS 1000
#define TRIES 3

static ares_channel
    channel; /* while there are questions: the name servers change with the network */
static unsigned questions;
static ares_socket_t fds[ARES_GETSOCK_MAXNUM];
static int slot[ARES_GETSOCK_MAXNUM];

struct question {
	lookup_fn *done;
	void *arg;
	uint16_t port;
};

/* --- its sockets: not through the hooks, and out of the program's way --- */

static int errno_of(long r)
{
	if (r >= 0)
		return (int)r;
	errno = (int)-r;
	return -1;
}

static ares_socket_t on_socket(int family, int type, int protocol, void *arg)
{
	int fd = raw_socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	(void)arg;
	return errno_of(fd < 0 ? fd : own_fd(fd));
}

static int on_close(ares_socket_t fd, void *arg)
{
	(void)arg;
	own_close(fd);
	return 0;
}

static int on_connect(ares_socket_t fd, const struct sockaddr *a, ares_socklen_t len, void *arg)
{
	(void)arg;
	return errno_of(raw_connect(fd, a, len));
}

static ares_ssize_t on_receive(ares_socket_t fd, void *p, size_t n, int flags,
                               struct sockaddr *from, ares_socklen_t *len, void *arg)
{
	(void)arg;
	return errno_of(raw_recvfrom(fd, p, n, flags, from, len));
}

static ares_ssize_t on_send(ares_socket_t fd, const struct iovec *v, int n, void *arg)
{
	struct msghdr m = {.msg_iov = (struct iovec *)v, .msg_iovlen = (size_t)n};

	(void)arg;
	return errno_of(raw_sendmsg(fd, &m, MSG_NOSIGNAL));
}

static const struct ares_socket_functions functions = {on_socket, on_close, on_connect, on_receive,
                                                       on_send};

/* --- questions --- */

static void answered(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct question *q = arg;
	union flow_address addr[LOOKUP_ADDRESSES];
	unsigned n = 0;

	(void)timeouts;
	memset(addr, 0, sizeof(addr));
	for (struct ares_addrinfo_node *i = info ? info->nodes : NULL; i && n < LOOKUP_ADDRESSES;
	     i = i->ai_next) {
		if (i->ai_addrlen > sizeof(*addr))
			continue;
		memcpy(&addr[n], i->ai_addr, i->ai_addrlen);
		if (i->ai_family == AF_INET)
			addr[n].in.sin_port = htons(q->port);
		else if (i->ai_family == AF_INET6)
			addr[n].in6.sin6_port = htons(q->port);
		else
			continue;
		n++;
	}
	if (!n)
		log_info("relay: its name is not resolved: %s", ares_strerror(status));
	if (info)
		ares_freeaddrinfo(info);
	questions--;
	q->done(q->arg, addr, n);
	free(q);
}

static bool open_channel(void)
{
	struct ares_options o = {.timeout = TRY_MS, .tries = TRIES};

	if (channel)
		return true;
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
	    ares_init_options(&channel, &o, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) != ARES_SUCCESS) {
		channel = NULL;
		return false;
	}
	ares_set_socket_functions(channel, &functions, NULL);
	return true;
}

bool lookup_begin(const char *host, uint16_t port, lookup_fn *done, void *arg)
{
	struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct question *q = open_channel() ? malloc(sizeof(*q)) : NULL;

	if (!q)
		return false;
	*q = (struct question){done, arg, port};
	questions++;
	ares_getaddrinfo(channel, host, NULL, &hints, answered, q);
	return true;
}

void lookup_wait(struct waits *w)
{
	struct timeval most = {1, 0}, t;

	for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++)
		slot[i] = -1;
	if (!channel)
		return;
	int bits = ares_getsock(channel, fds, ARES_GETSOCK_MAXNUM);

	for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		short events = (short)((ARES_GETSOCK_READABLE(bits, i) ? POLLIN : 0) |
		                       (ARES_GETSOCK_WRITABLE(bits, i) ? POLLOUT : 0));

		if (events)
			slot[i] = waits_add(w, fds[i], events);
	}
	ares_timeout(channel, &most, &t);
	waits_until(w, clock_ms() + t.tv_sec * 1000 + t.tv_usec / 1000 + 1);
}

void lookup_step(const struct waits *w)
{
	if (!channel)
		return;
	for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		short got = waits_got(w, slot[i]);

		if (got)
			ares_process_fd(channel, got & ~POLLOUT ? fds[i] : ARES_SOCKET_BAD,
			                got & POLLOUT ? fds[i] : ARES_SOCKET_BAD);
	}
	/* For what has waited too long. */
	ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	if (!questions) {
		ares_destroy(channel);
		channel = NULL;
	}
}

void lookup_forget(void)
{
	channel = NULL;
	questions = 0;
}
