/* SPDX-License-Identifier: MIT */
#include "preload/lookup.h"

#include <ares.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/dial.h"
#include "preload/numbers.h"
#include "preload/own.h"
#include "preload/raw.h"

#define TRY_MS 1000
#define TRIES 3

/* While there are questions: the name servers change with the network. */
#define CHANNELS 8
static struct channel {
	ares_channel ares; /* NULL: free */
	char device[IFNAMSIZ];
	bool there; /* it asks the servers of one network, not the host's */
	unsigned questions;
	ares_socket_t fds[ARES_GETSOCK_MAXNUM];
	int slot[ARES_GETSOCK_MAXNUM];
} channels[CHANNELS];

struct question {
	struct channel *channel;
	lookup_fn *done;
	lookup_said_fn *said; /* instead */
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
	const struct channel *c = arg;
	int fd = own_socket(family, type | SOCK_NONBLOCK, protocol);
	int r = fd >= 0 && c->device[0] ? raw_setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, c->device,
	                                                 (socklen_t)strlen(c->device))
	                                : 0;

	if (r < 0) {
		own_close(fd);
		return errno_of(r);
	}
	return errno_of(fd);
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

static enum lookup_status meaning(int status)
{
	return status == ARES_ENOTFOUND || status == ARES_ENODATA ? LOOKUP_NO_NAME
	                                                          : LOOKUP_NO_ANSWER;
}

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
		log_info("a name is not resolved: %s", ares_strerror(status));
	if (info)
		ares_freeaddrinfo(info);
	q->channel->questions--;
	if (q->said)
		q->said(q->arg, n ? LOOKUP_FOUND : meaning(status), addr, n);
	else
		q->done(q->arg, addr, n);
	free(q);
}

static bool set_servers(struct channel *c, const struct lookup_where *where)
{
	struct ares_addr_port_node node[LOOKUP_SERVERS];

	memset(node, 0, sizeof(node));
	for (unsigned i = 0; i < where->servers; i++) {
		const union flow_address *a = &where->server[i];

		node[i].family = a->sa.sa_family;
		node[i].udp_port = node[i].tcp_port = address_port(a);
		if (a->sa.sa_family == AF_INET)
			node[i].addr.addr4 = a->in.sin_addr;
		else
			memcpy(&node[i].addr.addr6, &a->in6.sin6_addr, 16);
		if (i)
			node[i - 1].next = &node[i];
	}
	return ares_set_servers_ports(c->ares, node) == ARES_SUCCESS;
}

static bool init_channel(struct channel *c, const struct lookup_where *where)
{
	char *suffixes[LOOKUP_SUFFIXES];
	struct ares_options o = {
	    .timeout = TRY_MS, .tries = TRIES, .ndots = 1, .domains = suffixes};
	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;

	/* The host's files come first, as they do in libc. */
	if (where->servers)
		mask |= ARES_OPT_DOMAINS | ARES_OPT_NDOTS;
	for (unsigned i = 0; i < where->suffixes; i++)
		suffixes[i] = (char *)where->suffix[i];
	o.ndomains = (int)where->suffixes;
	/* It reads the host's files. */
	numbers_hold();
	bool made = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS &&
	            ares_init_options(&c->ares, &o, mask) == ARES_SUCCESS;

	numbers_free();
	if (!made) {
		c->ares = NULL;
		return false;
	}
	memcpy(c->device, where->device, sizeof(c->device));
	c->there = where->servers > 0;
	c->questions = 0;
	for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++)
		c->slot[i] = -1;
	ares_set_socket_functions(c->ares, &functions, c);
	if (!where->servers || set_servers(c, where))
		return true;
	ares_destroy(c->ares);
	c->ares = NULL;
	return false;
}

static struct channel *open_channel(const struct lookup_where *where)
{
	struct channel *c = NULL;

	for (int i = 0; i < CHANNELS; i++) {
		if (channels[i].ares && strcmp(channels[i].device, where->device) == 0 &&
		    channels[i].there == (where->servers > 0))
			return &channels[i];
		if (!channels[i].ares && !c)
			c = &channels[i];
	}
	return c && init_channel(c, where) ? c : NULL;
}

static bool ask(struct channel *c, const char *host, int family, const struct question *model)
{
	struct ares_addrinfo_hints hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
	struct question *q = c ? malloc(sizeof(*q)) : NULL;

	if (!q)
		return false;
	*q = *model;
	q->channel = c;
	c->questions++;
	ares_getaddrinfo(c->ares, host, NULL, &hints, answered, q);
	return true;
}

bool lookup_over(const char *device, const char *host, uint16_t port, lookup_fn *done, void *arg)
{
	struct lookup_where where = {.servers = 0};

	snprintf(where.device, sizeof(where.device), "%s", device);
	return ask(open_channel(&where), host, AF_UNSPEC,
	           &(struct question){.done = done, .arg = arg, .port = port});
}

bool lookup_begin(const char *host, uint16_t port, lookup_fn *done, void *arg)
{
	return lookup_over("", host, port, done, arg);
}

bool lookup_there(const struct lookup_where *where, const char *host, lookup_said_fn *done,
                  void *arg)
{
	return ask(open_channel(where), host, AF_UNSPEC,
	           &(struct question){.said = done, .arg = arg});
}

static void wait_for(struct channel *c, struct waits *w)
{
	struct timeval most = {1, 0}, t;
	int bits = ares_getsock(c->ares, c->fds, ARES_GETSOCK_MAXNUM);

	for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		short events = (short)((ARES_GETSOCK_READABLE(bits, i) ? POLLIN : 0) |
		                       (ARES_GETSOCK_WRITABLE(bits, i) ? POLLOUT : 0));

		c->slot[i] = events ? waits_add(w, c->fds[i], events) : -1;
	}
	ares_timeout(c->ares, &most, &t);
	waits_until(w, clock_ms() + t.tv_sec * 1000 + t.tv_usec / 1000 + 1);
}

static void step(struct channel *c, const struct waits *w)
{
	for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		short got = waits_got(w, c->slot[i]);

		if (got)
			ares_process_fd(c->ares, got & ~POLLOUT ? c->fds[i] : ARES_SOCKET_BAD,
			                got & POLLOUT ? c->fds[i] : ARES_SOCKET_BAD);
	}
	/* For what has waited too long. */
	ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void close_if_idle(struct channel *c)
{
	if (c->questions)
		return;
	ares_destroy(c->ares);
	c->ares = NULL;
}

void lookup_wait(struct waits *w)
{
	for (int i = 0; i < CHANNELS; i++)
		if (channels[i].ares)
			wait_for(&channels[i], w);
}

void lookup_step(const struct waits *w)
{
	for (int i = 0; i < CHANNELS; i++)
		if (channels[i].ares) {
			step(&channels[i], w);
			close_if_idle(&channels[i]);
		}
}

void lookup_forget(void)
{
	memset(channels, 0, sizeof(channels));
}

/* --- a thread's own --- */

struct waiting {
	bool over;
	enum lookup_status status;
	unsigned n;
	union flow_address addr[LOOKUP_ADDRESSES];
};

static void noted(void *arg, enum lookup_status status, const union flow_address *addr, unsigned n)
{
	struct waiting *a = arg;

	a->over = true;
	a->status = status;
	a->n = n;
	memcpy(a->addr, addr, n * sizeof(*addr));
}

unsigned lookup_now(const struct lookup_where *where, const char *host, int family,
                    int64_t until_ms, enum lookup_status *status,
                    union flow_address out[LOOKUP_ADDRESSES])
{
	struct waiting answer = {.status = LOOKUP_NO_ANSWER};
	struct channel *c = calloc(1, sizeof(*c));
	struct waits *w = malloc(sizeof(*w));

	if (c && w && init_channel(c, where)) {
		ask(c, host, family, &(struct question){.said = noted, .arg = &answer});
		while (!answer.over && c->questions && clock_ms() < until_ms) {
			int64_t left;

			w->n = 0;
			w->until_ms = until_ms;
			wait_for(c, w);
			left = w->until_ms - clock_ms();
			if (left < 0)
				left = 0;
			if (raw_ppoll(w->p, (nfds_t)w->n,
			              &(struct timespec){left / 1000, left % 1000 * 1000000},
			              NULL) < 0)
				for (int i = 0; i < w->n; i++)
					w->p[i].revents = 0;
			step(c, w);
		}
		ares_destroy(c->ares); /* with what it still asks */
	}
	free(w);
	free(c);
	memcpy(out, answer.addr, answer.n * sizeof(*out));
	*status = answer.status;
	return answer.n;
}
