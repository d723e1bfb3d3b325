/* SPDX-License-Identifier: MIT */
/* The connection to a session's target: one address after the other, until one answers. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/log.h"
#include "policy/pattern.h"
#include "relay/proxy.h"
#include "relay/relay.h"

#define ONE_MS 4000 /* for one of several addresses */

/* Where a session's target may be; lives as long as it is being connected. */
struct targets {
	struct ses_addr addr[SES_RELAY_ADDRS], named;
	unsigned n, next;
};

static int dial(const struct ses_addr *to, uint32_t scope)
{
	union address a;
	socklen_t len = address_write(to, scope, &a);
	int one = 1;
	struct linger reset = {1, 0};
	int fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	/* Urgent data comes in its place in the stream, see data.c. */
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	/* If this process dies, the service must not take that for the end of a stream. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(fd, &a.sa, len) < 0 && errno != EINPROGRESS) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

static void drop(struct session *s)
{
	loop_watch(&s->target, 0);
	if (s->target.fd >= 0)
		close(s->target.fd);
	s->target.fd = -1;
}

static void answer(struct session *s, uint32_t err)
{
	struct conn *c = s->conn[0];
	struct ses_addr addr[SES_RELAY_ADDRS];
	uint8_t out[SES_MSG_MAX];
	unsigned n = err ? 0 : addresses_to_resume(c->source.fd, addr);

	conn_send(c, out,
	          server_opened(&s->assoc->a, s->sid, err, (uint32_t)s->s.s2c.cap, addr, n, out));
}

/* The next address that can be dialled at all; `err` is what the one before it came to. */
static void next(struct session *s, int err)
{
	struct targets *t = s->targets;
	struct ses_addr here;
	uint32_t scope = s->conn[0] ? address_local(s->conn[0]->source.fd, &here) : 0;

	drop(s);
	while (t->next < t->n) {
		int fd = dial(&t->addr[t->next++], scope);

		if (fd < 0) {
			err = -fd;
			continue;
		}
		s->target.fd = fd;
		s->dial_ms = t->next < t->n ? loop_now() + ONE_MS : 0;
		loop_watch(&s->target, EPOLLOUT);
		return;
	}
	if (s->conn[0])
		answer(s, (uint32_t)err);
	session_end(s, strerror(err));
}

void target_dial(struct session *s, const struct ses_addr *to, unsigned n,
                 const struct ses_addr *named)
{
	s->targets = calloc(1, sizeof(*s->targets));
	if (!s->targets) {
		answer(s, ENOBUFS);
		session_end(s, "no memory");
		return;
	}
	s->targets->n = n;
	memcpy(s->targets->addr, to, n * sizeof(*to));
	s->targets->named = *named;
	next(s, EHOSTUNREACH);
}

void target_sweep(struct session *s, int64_t now)
{
	if (s->connecting && s->dial_ms && now >= s->dial_ms)
		next(s, ETIMEDOUT);
}

/* Some services want to know who it is; they say so in the relay's options. */
static bool announce(struct session *s)
{
	const struct ses_addr *to = &s->targets->named;
	struct pol_peer peer = {.family = to->family == 6 ? AF_INET6 : AF_INET,
	                        .port = to->port,
	                        .protocol = IPPROTO_TCP};
	uint8_t header[PROXY_MAX];
	bool wanted = false;

	memcpy(peer.ip, to->ip, sizeof(peer.ip));
	for (int i = 0; i < config.proxies && !wanted; i++)
		wanted = pattern_match(&config.proxy[i], &peer);
	if (!wanted)
		return true;
	size_t n = proxy_header(&s->conn[0]->from, to, header);

	/* Into the empty buffer of a fresh connection: all or nothing. */
	return send(s->target.fd, header, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n;
}

void target_connected(struct session *s)
{
	struct conn *c = s->conn[0];
	int err = 0;
	socklen_t len = sizeof(err);

	union address peer;
	socklen_t peer_len = sizeof(peer);

	getsockopt(s->target.fd, SOL_SOCKET, SO_ERROR, &err, &len);
	/* Of an earlier descriptor with this number: nothing is decided yet. */
	if (!err && getpeername(s->target.fd, &peer.sa, &peer_len) < 0)
		return;
	if (!c) {
		session_end(s, "client gone before the target answered");
		return;
	}
	if (!err && !announce(s))
		err = ECONNRESET;
	if (err) {
		next(s, err);
		return;
	}
	free(s->targets);
	s->targets = NULL;
	s->connecting = false;
	c->role = ROLE_DATA;
	c->deadline_ms = 0;
	answer(s, 0);
	if (c->role == ROLE_DEAD)
		return;
	log_debug("session %llu open", (unsigned long long)s->sid);
	data_update(s);
}
