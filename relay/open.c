/* SPDX-License-Identifier: MIT */
/* Opening a session: may it be, where to, and where it can be resumed. */
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/log.h"
#include "relay/relay.h"

#define OPEN_MS 20000 /* the target's connect */

/* The address the client came to. Returns its interface where it is of no use without. */
static uint32_t local_address(int fd, struct ses_addr *out)
{
	union address a;
	socklen_t len = sizeof(a);

	memset(out, 0, sizeof(*out));
	if (getsockname(fd, &a.sa, &len) < 0)
		return 0;
	if (a.sa.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&a.in6.sin6_addr)) {
		out->family = 6;
		memcpy(out->ip, &a.in6.sin6_addr, 16);
		out->port = ntohs(a.in6.sin6_port);
		return a.in6.sin6_scope_id;
	} else if (a.sa.sa_family == AF_INET6) {
		out->family = 4;
		memcpy(out->ip, &a.in6.sin6_addr.s6_addr[12], 4);
		out->port = ntohs(a.in6.sin6_port);
	} else {
		out->family = 4;
		memcpy(out->ip, &a.in.sin_addr, 4);
		out->port = ntohs(a.in.sin_port);
	}
	return 0;
}

/* Where this session may be resumed: the address the client used, then this host's other global
 * ones. */
static unsigned resume_addresses(int fd, struct ses_addr *out)
{
	struct ifaddrs *list, *i;
	unsigned n = 1;

	local_address(fd, &out[0]);
	if (getifaddrs(&list) < 0)
		return n;
	for (i = list; i && n < SES_RELAY_ADDRS; i = i->ifa_next) {
		struct ses_addr a = {.port = out[0].port};
		const union address *s = (const union address *)i->ifa_addr;

		if (!s)
			continue;
		if (s->sa.sa_family == AF_INET && ntohl(s->in.sin_addr.s_addr) >> 24 != 127) {
			a.family = 4;
			memcpy(a.ip, &s->in.sin_addr, 4);
		} else if (s->sa.sa_family == AF_INET6 &&
		           !IN6_IS_ADDR_LOOPBACK(&s->in6.sin6_addr) &&
		           !IN6_IS_ADDR_LINKLOCAL(&s->in6.sin6_addr)) {
			a.family = 6;
			memcpy(a.ip, &s->in6.sin6_addr, 16);
		} else {
			continue;
		}
		if (a.family == out[0].family && memcmp(a.ip, out[0].ip, 16) == 0)
			continue;
		out[n++] = a;
	}
	freeifaddrs(list);
	return n;
}

static void answer_open(struct session *s, uint32_t err)
{
	struct conn *c = s->conn[0];
	struct ses_addr addr[SES_RELAY_ADDRS];
	uint8_t out[SES_MSG_MAX];
	unsigned n = err ? 0 : resume_addresses(c->source.fd, addr);

	conn_send(c, out,
	          server_opened(&s->assoc->a, s->sid, err, (uint32_t)s->s.s2c.cap, addr, n, out));
}

static void refuse_open(struct conn *c, struct association *a, uint64_t sid, uint32_t err)
{
	uint8_t out[SES_MSG_MAX];
	int n = server_opened(&a->a, sid, err, 0, NULL, 0, out);

	send(c->source.fd, out, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	conn_close(c);
}

static int dial(const struct ses_addr *to, uint32_t scope)
{
	union address a;
	socklen_t len;
	int one = 1;
	struct linger reset = {1, 0};

	memset(&a, 0, sizeof(a));
	if (to->family == 6) {
		a.in6.sin6_family = AF_INET6;
		memcpy(&a.in6.sin6_addr, to->ip, 16);
		a.in6.sin6_port = htons(to->port);
		len = sizeof(a.in6);
	} else {
		a.in.sin_family = AF_INET;
		memcpy(&a.in.sin_addr, to->ip, 4);
		a.in.sin_port = htons(to->port);
		len = sizeof(a.in);
	}
	if (to->family == 6 && IN6_IS_ADDR_LINKLOCAL(&a.in6.sin6_addr))
		a.in6.sin6_scope_id = scope;
	int fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	/* If this process dies, the service must not take that for the end of a stream. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(fd, &a.sa, len) < 0 && errno != EINPROGRESS) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

/* As much as the client asks for, if we have it; the rings are addressed by masks. */
static size_t ring_size(uint32_t wanted)
{
	size_t n = RING_MIN;

	while (n < wanted && n < config.ring)
		n *= 2;
	return n;
}

static struct session *make(struct association *a, uint64_t sid, uint32_t ring, int target)
{
	struct session *s = calloc(1, sizeof(*s));
	/* The client may have to send its whole ring again while the target reads nothing. */
	size_t s2c = ring_size(ring), c2s = 2 * config.ring;

	if (!s || !memory_take(s, s2c, c2s)) {
		free(s);
		return NULL;
	}
	serve_init(&s->s, &a->a, sid, s->memory, s2c, (char *)s->memory + s2c, c2s);
	s->target = (struct source){.kind = SOURCE_TARGET, .fd = target};
	s->sid = sid;
	s->assoc = a;
	s->connecting = true;
	sessions_add(s);
	return s;
}

void session_open(struct conn *c, int len)
{
	struct association *a = assoc_find(c->in + SES_HEADER);
	struct ses_addr target, here;
	uint64_t sid;
	uint32_t ring, err = 0;

	if (!a) {
		conn_refuse(c, SES_UNKNOWN);
		return;
	}
	int r = server_open(&a->a, c->in, (size_t)len, &sid, &target, &ring);

	if (r < 0) {
		conn_refuse(c, r == -EALREADY ? SES_TOO_OLD : SES_UNAUTHENTIC);
		return;
	}
	uint32_t scope = local_address(c->source.fd, &here);

	/* Only services of this very host, at the address the client came to, and only listed. */
	if (target.family != here.family || memcmp(target.ip, here.ip, 16) != 0 ||
	    !config.allowed[target.port])
		err = EACCES;
	else if (sessions_count() >= config.max_sessions || memory_total() >= config.max_memory)
		err = ENOBUFS;
	if (err) {
		log_info("session to port %u refused: %s", target.port, strerror((int)err));
		refuse_open(c, a, sid, err);
		return;
	}
	int fd = dial(&target, scope);

	if (fd < 0) {
		refuse_open(c, a, sid, (uint32_t)-fd);
		return;
	}
	struct session *s = make(a, sid, ring, fd);

	if (!s) {
		close(fd);
		refuse_open(c, a, sid, ENOBUFS);
		return;
	}
	s->conn[0] = c;
	c->role = ROLE_OPENING;
	conn_settle(c);
	c->deadline_ms = loop_now() + OPEN_MS;
	c->session = s;
	c->assoc = a;
	c->index = 0;
	loop_watch(&c->source, EPOLLRDHUP);
	loop_watch(&s->target, EPOLLOUT);
}

/* The target's connect is decided. */
void session_opened(struct session *s)
{
	struct conn *c = s->conn[0];
	int err = 0;
	socklen_t len = sizeof(err);

	getsockopt(s->target.fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (!c) {
		session_end(s, "client gone before the target answered");
		return;
	}
	if (err) {
		answer_open(s, (uint32_t)err);
		session_end(s, strerror(err));
		return;
	}
	s->connecting = false;
	c->role = ROLE_DATA;
	c->deadline_ms = 0;
	answer_open(s, 0);
	if (c->role == ROLE_DEAD)
		return;
	log_debug("session %llu open", (unsigned long long)s->sid);
	data_update(s);
}
