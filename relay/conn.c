/* SPDX-License-Identifier: MIT */
/* Connections from clients, until it is known what they are. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <utlist.h>

#include "common/log.h"
#include "relay/relay.h"

#define HANDSHAKE_MS 10000
#define CONNS_MAX 65536
#define SOURCES_MAX 16384
#define USER_TIMEOUT_MS 30000 /* a path that takes nothing for this long is lost */

static struct conn *shaking, *others, *dead;
static unsigned nshaking, nconns;

unsigned conns_count(void)
{
	return nconns;
}

/* An IPv6 client has a whole network of addresses to come from. */
static size_t source_len(const struct ses_addr *from)
{
	return from->family == 6 ? 8 : 4;
}

bool source_may(const struct ses_addr *from)
{
	static struct limits *limits;

	if (!limits)
		limits = limits_new(config.rate, 10 * config.rate, SOURCES_MAX);
	return !limits || limits_take(limits, from->ip, source_len(from), loop_now());
}

/*
 * Of those that have not said who they are the one that has been thinking longest makes room, and
 * no session. Where a quarter of them come from one place it is one from there: a flood displaces
 * itself.
 */
static struct conn *makes_room(const struct ses_addr *from)
{
	struct conn *c, *theirs = NULL;
	unsigned n = 0;

	DL_FOREACH(shaking, c)
	{
		if (c->from.family != from->family ||
		    memcmp(c->from.ip, from->ip, source_len(from)) != 0)
			continue;
		n++;
		if (!theirs)
			theirs = c;
	}
	return n > config.max_handshakes / 4 ? theirs : shaking;
}

/* A connection that nobody uses yet is worth less than one that somebody wants. */
static void standby_makes_room(void)
{
	struct conn *c;

	DL_FOREACH(others, c)
	{
		if (c->role == ROLE_STANDBY) {
			conn_close(c);
			return;
		}
	}
}

void conn_accept(struct source *listener)
{
	/* Not more than a few at a time: those who are being served come first. */
	for (int i = 0; i < 64; i++) {
		union address from = {.sa.sa_family = AF_UNSPEC};
		socklen_t len = sizeof(from);
		int fd = accept4(listener->fd, &from.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC),
		    one = 1, limit = USER_TIMEOUT_MS, idle = config.keepalive_s, interval = 10;
		struct linger reset = {1, 0};

		if (fd < 0) {
			/* Without a pause it would be told again and again. */
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM) {
				standby_makes_room();
				loop_no_accept(listener);
			}
			return;
		}
		if (nshaking >= config.max_handshakes || nconns >= CONNS_MAX) {
			struct ses_addr who;

			if (!shaking || !address_read(&from, &who)) {
				close(fd);
				continue;
			}
			conn_close(makes_room(&who));
		}
		struct conn *c = calloc(1, sizeof(*c));

		if (c)
			address_read(&from, &c->from);

		if (!c) {
			close(fd);
			return;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit));
		/* A quiet one whose client has vanished: its session would be kept for ever. */
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
		setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
		setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
		/* If this process dies, no client must take that for the end of a stream. */
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		c->source = (struct source){.kind = SOURCE_CONN, .fd = fd};
		c->deadline_ms = loop_now() + HANDSHAKE_MS;
		DL_APPEND(shaking, c);
		nshaking++;
		nconns++;
		loop_watch(&c->source, EPOLLIN);
	}
}

unsigned conns_unsettled(void)
{
	return nshaking;
}

struct conn *conn_adopt(int fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->source = (struct source){.kind = SOURCE_CONN, .fd = fd};
	DL_APPEND(others, c);
	nconns++;
	return c;
}

void conn_settle(struct conn *c)
{
	DL_DELETE(shaking, c);
	nshaking--;
	DL_APPEND(others, c);
	c->deadline_ms = 0;
}

void conn_anew(struct conn *c)
{
	DL_DELETE(others, c);
	DL_APPEND(shaking, c);
	nshaking++;
	c->role = ROLE_NEW;
	c->deadline_ms = loop_now() + HANDSHAKE_MS;
}

/* Out of every list but the one of those to be freed after this round. */
static void take_out(struct conn *c, bool reset)
{
	struct linger linger = {reset, 0};

	if (c->role == ROLE_DEAD)
		return;
	if (c->role == ROLE_NEW) {
		DL_DELETE(shaking, c);
		nshaking--;
	} else {
		DL_DELETE(others, c);
	}
	if (c->opening)
		opening_gone(c->opening);
	if (c->assoc && c->assoc->standby == c)
		c->assoc->standby = NULL;
	setsockopt(c->source.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(c->source.fd);
	c->source.fd = -1;
	c->role = ROLE_DEAD;
	DL_APPEND(dead, c);
	nconns--;
}

void conn_close(struct conn *c)
{
	take_out(c, false);
}

void conn_reset(struct conn *c)
{
	take_out(c, true);
}

void conns_reap(void)
{
	struct conn *c, *next;

	DL_FOREACH_SAFE(dead, c, next)
	{
		DL_DELETE(dead, c);
		wipe(c, sizeof(*c));
		free(c);
	}
}

void conn_refuse(struct conn *c, enum ses_refusal why)
{
	uint8_t msg[SES_MSG_MAX];
	int n = refused_write(why, msg);

	send(c->source.fd, msg, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	log_debug("connection refused: reason %d", why);
	conn_close(c);
}

void conn_send(struct conn *c, const void *data, int len)
{
	if (len <= 0 || c->role == ROLE_DEAD)
		return;
	if ((size_t)len > sizeof(c->out) - c->pending) {
		/* A control connection that takes nothing is of no use to anybody. */
		if (c->role == ROLE_CONTROL)
			assoc_control_gone(c, false);
		conn_close(c);
		return;
	}
	memcpy(c->out + c->pending, data, (size_t)len);
	c->pending += (size_t)len;
	ssize_t n = send(c->source.fd, c->out, c->pending, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0) {
		c->pending -= (size_t)n;
		memmove(c->out, c->out + n, c->pending);
	}
	if (c->role == ROLE_CONTROL || c->role == ROLE_NEW)
		loop_watch(&c->source, EPOLLIN | (c->pending ? EPOLLOUT : 0));
}

/* Reads exactly one message, so that the stream behind it stays in the kernel. */
static int read_message(struct conn *c)
{
	for (;;) {
		int size = ses_msg_size(c->in, c->got);

		if (size < 0 || (size && (size_t)size == c->got))
			return size;
		size_t want = size ? (size_t)size : SES_HEADER;
		ssize_t n = recv(c->source.fd, c->in + c->got, want - c->got, 0);

		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return -ECONNRESET;
		c->got += (size_t)n;
	}
}

/* It came in a SYN whose answer the client has not acknowledged: nobody may be there. */
bool conn_half_open(const struct conn *c)
{
	struct tcp_info t = {0};
	socklen_t len = sizeof(t);

	return getsockopt(c->source.fd, IPPROTO_TCP, TCP_INFO, &t, &len) == 0 &&
	       t.tcpi_state == TCP_SYN_RECV;
}

static void first_message(struct conn *c)
{
	int len = read_message(c);

	if (len == 0)
		return;
	if (len == -EBADMSG) {
		conn_refuse(c, SES_MALFORMED);
		return;
	}
	if (len < 0) {
		conn_close(c);
		return;
	}
	c->got = 0;
	/* Only what is authentic and changes nothing when it comes again; no work, and no answer,
	 * for an address that anybody may have put there. */
	if (c->in[0] != MSG_RESUME && c->in[0] != MSG_STANDBY && conn_half_open(c)) {
		conn_reset(c);
		return;
	}
	switch (c->in[0]) {
	case MSG_HELLO:
		assoc_hello(c, len);
		break;
	case MSG_ATTACH:
		assoc_attach(c, len);
		break;
	case MSG_OPEN:
		session_open(c, len);
		break;
	case MSG_RESUME:
		session_resume(c, len);
		break;
	case MSG_STANDBY:
		assoc_standby(c, len);
		break;
	default:
		conn_refuse(c, SES_MALFORMED);
	}
}

static void commit_message(struct conn *c)
{
	int len = read_message(c);

	if (len == 0)
		return;
	c->got = 0;
	if (len > 0 && c->in[0] == MSG_COMMIT)
		session_commit(c, len);
	else
		session_conn_gone(c, false);
}

static void control_event(struct conn *c, uint32_t events)
{
	if (events & EPOLLOUT && c->pending) {
		ssize_t n = send(c->source.fd, c->out, c->pending, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			c->pending -= (size_t)n;
			memmove(c->out, c->out + n, c->pending);
		}
		if (!c->pending)
			loop_watch(&c->source, EPOLLIN);
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		assoc_input(c);
}

/* What was held ready is used, or over. */
static void standby_speaks(struct conn *c)
{
	int one = 1;

	c->assoc->standby = NULL;
	c->assoc = NULL;
	setsockopt(c->source.fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	conn_anew(c);
	first_message(c);
}

void conn_event(struct conn *c, uint32_t events)
{
	switch (c->role) {
	case ROLE_NEW:
		first_message(c);
		break;
	case ROLE_CONTROL:
		control_event(c, events);
		break;
	case ROLE_OPENING:
		/* The client has nothing to say until it has our answer, except that it is gone. */
		if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP))
			session_conn_gone(c, false);
		break;
	case ROLE_DATA:
		if (c->tentative && events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
			commit_message(c);
			if (c->role == ROLE_DEAD)
				break;
			/* More may have come meanwhile than what woke us. */
			events |= EPOLLPRI;
		}
		data_client_event(c, events);
		break;
	case ROLE_STANDBY:
		standby_speaks(c);
		break;
	case ROLE_DEAD:
		break;
	}
}

void conns_sweep(int64_t now)
{
	struct conn *c, *next;

	/* In order of age, so the first young one ends the search. */
	DL_FOREACH_SAFE(shaking, c, next)
	{
		if (now < c->deadline_ms)
			break;
		conn_close(c);
	}
	DL_FOREACH_SAFE(others, c, next)
	{
		if (c->half_open && c->deadline_ms && now >= c->deadline_ms && !conn_half_open(c)) {
			c->half_open = false;
			c->deadline_ms += TENTATIVE_MS - HALF_OPEN_MS;
		}
		if (c->deadline_ms && now >= c->deadline_ms) {
			session_conn_gone(c, false);
			/* The next in line may have gone with it: the rest has its turn next time.
			 */
			break;
		}
	}
}
