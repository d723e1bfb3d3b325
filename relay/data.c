/* SPDX-License-Identifier: MIT */
/* The bytes of a session: read into the rings, written from them, never waiting. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "common/log.h"
#include "relay/relay.h"

#define ASK_AGAIN_MS 5
#define PIECE (256u << 10) /* per wake-up and direction: the others have their turn, too */

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Client to ring. False: the connection is gone. */
static bool from_client(struct session *s, struct conn *c)
{
	size_t left = PIECE;
	void *p;

	while (left && !c->fin_received) {
		size_t room = serve_from_client(&s->s, c->index, &p);

		if (!room)
			return true;
		ssize_t n = recv(c->source.fd, p, min(room, left), 0);

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			session_conn_gone(c, false);
			return false;
		}
		if (n == 0) {
			c->fin_received = true;
			return true;
		}
		serve_client_added(&s->s, (size_t)n);
		left -= (size_t)n;
	}
	return true;
}

/* Ring to client. */
static bool to_client(struct session *s, struct conn *c)
{
	const void *p;
	size_t left = PIECE, have;

	/* What was promised before the stream (OPENED, RESUMED) goes first. */
	while (c->pending) {
		ssize_t n = send(c->source.fd, c->out, c->pending, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0) {
			session_conn_gone(c, false);
			return false;
		}
		c->pending -= (size_t)n;
		memmove(c->out, c->out + n, c->pending);
	}
	while (left && (have = serve_to_client(&s->s, c->index, &p))) {
		ssize_t n = send(c->source.fd, p, min(have, left), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0) {
			session_conn_gone(c, false);
			return false;
		}
		serve_client_sent(&s->s, c->index, (size_t)n);
		left -= (size_t)n;
	}
	return true;
}

static void from_target(struct session *s)
{
	size_t left = PIECE;
	void *p;

	while (left && !s->target_over) {
		size_t room = serve_from_target(&s->s, &p);

		if (!room)
			return;
		ssize_t n = recv(s->target.fd, p, min(room, left), 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			struct ses_frame f = {.type = n ? SES_F_RESET : SES_F_EOF,
			                      .sid = s->sid,
			                      .end = s->s.s2c.tail,
			                      .err = n ? (uint32_t)errno : 0};

			s->s.target_reset = n < 0;
			s->target_over = true;
			serve_target_end(&s->s);
			/* Before the FIN on the data connection: without it the client takes the
			 * FIN for a lost path. */
			assoc_send(s->assoc, &f);
			return;
		}
		serve_target_added(&s->s, (size_t)n);
		left -= (size_t)n;
	}
}

static void to_target(struct session *s)
{
	const void *p;
	size_t left = PIECE, have;

	while (left && !s->s.target_reset && (have = serve_to_target(&s->s, &p))) {
		ssize_t n = send(s->target.fd, p, min(have, left), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			s->s.target_reset = true;
			return;
		}
		serve_target_sent(&s->s, (size_t)n);
		left -= (size_t)n;
	}
}

/* A ring that emptied after having been large gives its pages back. */
static void trim(struct ring *r)
{
	if (ring_used(r) == 0 && r->tail && (r->tail & ((4u << 20) - 1)) < (64u << 10))
		madvise(r->mem, r->cap, MADV_DONTNEED);
}

static void ask(struct session *s)
{
	struct ses_frame f = {.type = SES_F_ASK, .sid = s->sid};

	bool again = s->ask_ms && loop_now() >= s->ask_ms;

	if (!s->assoc->control || (!again && !serve_wants_ack(&s->s)))
		return;
	s->ask_ms = 0;
	s->s.asked = s->s.conn[s->s.committed].sent;
	if (!s->asked_ms)
		s->asked_ms = loop_now();
	assoc_send(s->assoc, &f);
}

/* Ends that are due: FIN to the target, FIN to the client, the session itself. True: it is over. */
static bool ends(struct session *s)
{
	struct conn *c = s->s.committed >= 0 ? s->conn[s->s.committed] : NULL;

	if (serve_target_done(&s->s) && !s->target_shut) {
		struct ses_frame ack = serve_ack(&s->s, s->sid);

		shutdown(s->target.fd, SHUT_WR);
		s->target_shut = true;
		assoc_send(s->assoc, &ack);
	}
	if (c && serve_client_done(&s->s, c->index) && !c->fin_sent) {
		if (s->s.target_reset) {
			s->conn[c->index] = NULL;
			serve_lost(&s->s, c->index);
			c->session = NULL;
			conn_reset(c);
			session_reset_target(s, "the target reset it");
			return true;
		}
		shutdown(c->source.fd, SHUT_WR);
		c->fin_sent = true;
	}
	/* FIN with everything in: the end if it was announced, or nobody will announce anything. */
	if (c && c->fin_received && serve_from_client(&s->s, c->index, &(void *){NULL})) {
		if (s->s.c2s_end == SES_NO_END && (s->s.detached_for_good || s->assoc->ended))
			s->s.c2s_end = s->s.c2s.tail;
		if (s->s.c2s_end != s->s.c2s.tail && !s->fin_ms)
			s->fin_ms = loop_now();
		if (s->s.c2s_end == s->s.c2s.tail)
			s->fin_ms = 0;
	}
	/*
	 * The client is done when it says so, or cannot speak any more. FINs both ways, even all
	 * bytes confirmed, are not enough: the end itself may be lost on the way and asked for
	 * again.
	 */
	bool silent = s->assoc->ended || s->s.detached_for_good;
	bool client_done =
	    s->s.client_closed || (silent && (!c || (c->fin_sent && c->fin_received)));

	if (s->target_shut && client_done && (s->target_over || s->s.client_closed)) {
		session_end(s, "both directions are done");
		return true;
	}
	if (s->s.target_reset && (s->s.client_closed || !c)) {
		if (s->s.client_closed) {
			session_end(s, "the target reset it");
			return true;
		}
	}
	return false;
}

/* What each descriptor is to be watched for, from what there is to do. */
void data_update(struct session *s)
{
	const void *out;
	void *in;

	if (ends(s))
		return;
	/*
	 * Full: the target waits for a confirmation, and the last answer may have come before the
	 * program read. Ask again soon, for as long as it takes.
	 */
	if (ring_room(&s->s.s2c) || s->s.committed < 0 || s->s.detached_for_good) {
		s->ask_ms = 0;
	} else if (!s->ask_ms) {
		s->ask_ms = loop_now() + ASK_AGAIN_MS;
		loop_soon(s->ask_ms);
	}
	ask(s);
	for (int i = 0; i < SERVE_CONNS; i++) {
		struct conn *c = s->conn[i];
		uint32_t want = 0;

		if (!c || c->role != ROLE_DATA)
			continue;
		if (c->tentative || (!c->fin_received && serve_from_client(&s->s, i, &in)))
			want |= EPOLLIN;
		if (c->pending || serve_to_client(&s->s, i, &out))
			want |= EPOLLOUT;
		/*
		 * Nothing to do now still means to hear of a reset: EPOLLERR and EPOLLHUP come with
		 * any mask. After a FIN, HUP may stand there for ever, and there is nothing more to
		 * hear.
		 */
		loop_watch(&c->source, want ? want : c->fin_received ? 0 : EPOLLPRI);
	}
	uint32_t want = 0;

	if (!s->target_over && serve_from_target(&s->s, &in))
		want |= EPOLLIN;
	if (!s->s.target_reset && serve_to_target(&s->s, &out))
		want |= EPOLLOUT;
	loop_watch(&s->target, want ? want : s->target_over ? 0 : EPOLLPRI);
}

void data_client_event(struct conn *c, uint32_t events)
{
	struct session *s = c->session;

	if (!s)
		return;
	if (!c->tentative && events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !from_client(s, c))
		return;
	/* An error with reading off: it would be told again and again. */
	if (events & EPOLLERR && c->role == ROLE_DATA &&
	    !serve_from_client(&s->s, c->index, &(void *){NULL})) {
		session_conn_gone(c, false);
		return;
	}
	if (c->role == ROLE_DATA && !to_client(s, c))
		return;
	/* Straight on to the target: one wake-up less for each exchange. */
	to_target(s);
	data_update(s);
}

void data_target_ready(struct session *s, uint32_t events)
{
	struct conn *c;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		from_target(s);
	if (events & EPOLLERR && !s->target_over && !serve_from_target(&s->s, &(void *){NULL})) {
		/* Reset while we were not reading: what it had sent before is lost with it. */
		struct ses_frame f = {.type = SES_F_RESET, .sid = s->sid, .err = ECONNRESET};

		s->s.target_reset = s->target_over = true;
		serve_target_end(&s->s);
		assoc_send(s->assoc, &f);
	}
	to_target(s);
	c = s->s.committed >= 0 ? s->conn[s->s.committed] : NULL;
	if (c && !to_client(s, c))
		return;
	trim(&s->s.s2c);
	trim(&s->s.c2s);
	data_update(s);
}
