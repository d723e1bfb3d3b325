/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a session: read into the rings, written from them, never waiting.
 *
 * An urgent byte is in the stream like any other (SO_OOBINLINE), and the kernel stops reading
 * before it. Whether it has stopped there is asked where that may be: a read that follows a wake-up
 * finds ordinary bytes first unless the wake-up spoke of urgent ones (EPOLLPRI).
 */
#include <errno.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "relay/relay.h"

#define ASK_AGAIN_MS 5
#define ASK_AGAIN_MAX_MS 250
#define LOOK_AGAIN_MS 20
#define PIECE (256u << 10) /* per wake-up and direction: the others have their turn, too */

/* Is the next byte the urgent one? */
static bool at_mark(int fd)
{
	int at = 0;

	return ioctl(fd, SIOCATMARK, &at) == 0 && at;
}

/* Once, and again over a new control connection; first before the client's kernel knows of it. */
void data_say_urgent(struct session *s)
{
	struct ses_frame f = {.type = SES_F_URGENT, .sid = s->sid};

	serve_urgent(&s->s);
	if (!s->urgent_said)
		assoc_send(s->assoc, &f);
	s->urgent_said = true;
}

/* Client to ring. False: the connection is gone. */
static bool from_client(struct session *s, struct conn *c, bool look)
{
	size_t left = PIECE;
	void *p;

	while (left && !c->fin_received) {
		size_t room = serve_from_client(&s->s, c->index, &p);

		if (!room)
			return true;
		bool urgent = look && at_mark(c->source.fd);
		size_t want = urgent ? 1 : min_size(room, left);
		ssize_t n = recv(c->source.fd, p, want, 0);

		if (n < 0 && errno == EAGAIN)
			return true;
		/* A failed send took the error away; what looks like a FIN after it is none. */
		if (n < 0 || (n == 0 && c->broken)) {
			session_conn_gone(c, false);
			return false;
		}
		if (n == 0) {
			c->fin_received = true;
			return true;
		}
		if (urgent) {
			serve_client_urgent(&s->s);
			data_say_urgent(s);
		}
		serve_client_added(&s->s, (size_t)n);
		left -= (size_t)n;
		/* Emptied, or before a mark: what there is still is told of anew. */
		if ((size_t)n < want)
			return true;
		look = true;
	}
	return true;
}

/*
 * It takes nothing more. What the client sent before may still lie here unread, and a process that
 * ended cannot send it again. False: nothing can come, the connection is gone.
 */
static bool broken(struct session *s, struct conn *c)
{
	if (c->fin_received || c->tentative) {
		session_conn_gone(c, c->fin_received);
		return false;
	}
	c->broken = true;
	if (!s->detached_ms)
		s->detached_ms = loop_now();
	return true;
}

/* Ring to client. False: the connection is gone. */
static bool to_client(struct session *s, struct conn *c)
{
	const void *p;
	size_t left = PIECE, have;
	bool urgent;

	/* What was promised before the stream (OPENED, RESUMED) goes first. */
	while (c->pending && !c->broken) {
		ssize_t n = send(c->source.fd, c->out, c->pending, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)
			return broken(s, c);
		c->pending -= (size_t)n;
		memmove(c->out, c->out + n, c->pending);
	}
	while (left && !c->broken && (have = serve_to_client(&s->s, c->index, &p, &urgent))) {
		if (urgent)
			data_say_urgent(s);
		ssize_t n = send(c->source.fd, p, min_size(have, left),
		                 MSG_DONTWAIT | MSG_NOSIGNAL | (urgent ? MSG_OOB : 0));

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)
			return broken(s, c);
		serve_client_sent(&s->s, c->index, (size_t)n);
		left -= (size_t)n;
	}
	return true;
}

/* The target's stream has ended, or was reset with this errno. */
static void target_over(struct session *s, int err)
{
	struct ses_frame f = {.type = err ? SES_F_RESET : SES_F_EOF,
	                      .sid = s->sid,
	                      .end = s->s.s2c.tail,
	                      .err = (uint32_t)err};

	s->s.target_reset = err != 0;
	s->reset_said = err != 0;
	s->orderly = err == 0;
	s->target_over = true;
	serve_target_end(&s->s);
	/*
	 * Before the FIN on the data connection: without it the client takes the FIN for a lost
	 * path.
	 */
	assoc_send(s->assoc, &f);
}

static void from_target(struct session *s, bool look)
{
	size_t left = PIECE;
	void *p;

	while (left && !s->target_over) {
		size_t room = serve_from_target(&s->s, &p);

		if (!room)
			return;
		bool urgent = look && at_mark(s->target.fd);
		size_t want = urgent ? 1 : min_size(room, left);
		ssize_t n = recv(s->target.fd, p, want, 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			target_over(s, errno);
		} else if (n == 0) {
			/* As above: after a failed send this is the reset. */
			target_over(s, s->s.target_reset ? ECONNRESET : 0);
		} else {
			if (urgent)
				serve_target_urgent(&s->s);
			serve_target_added(&s->s, (size_t)n);
			left -= (size_t)n;
			if ((size_t)n < want)
				return;
			look = true;
		}
	}
}

static void to_target(struct session *s)
{
	const void *p;
	size_t left = PIECE, have;
	bool urgent;

	while (left && !s->s.target_reset && (have = serve_to_target(&s->s, &p, &urgent))) {
		ssize_t n = send(s->target.fd, p, min_size(have, left),
		                 MSG_DONTWAIT | MSG_NOSIGNAL | (urgent ? MSG_OOB : 0));

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

static void ask(struct session *s)
{
	struct ses_frame f = {.type = SES_F_ASK, .sid = s->sid};
	bool again = s->ask_ms && loop_now() >= s->ask_ms;

	if (again)
		s->ask_ms = 0;
	if (!s->assoc->control || s->s.committed < 0 || (!again && !serve_wants_ack(&s->s)))
		return;
	s->s.asked = s->s.conn[s->s.committed].sent;
	if (!s->asked_ms)
		s->asked_ms = loop_now();
	assoc_send(s->assoc, &f);
}

/*
 * Full: the target waits for a confirmation, and the last answer may have come before the program
 * read. Ask again soon, then less and less often: a program that does not read must not keep a
 * radio awake.
 */
static void plan_asking(struct session *s)
{
	if (!serve_full(&s->s) || s->s.committed < 0 || s->s.detached_for_good) {
		s->ask_ms = 0;
		s->ask_wait_ms = ASK_AGAIN_MS;
	} else if (!s->ask_ms) {
		s->ask_ms = loop_now() + s->ask_wait_ms;
		loop_soon(s->ask_ms);
		if (s->ask_wait_ms < ASK_AGAIN_MAX_MS)
			s->ask_wait_ms *= 2;
	}
}

/*
 * Everything is written, and the target was reset: so is the client, once it has the bytes. It must
 * have been told before, or it takes the RST for a lost path.
 */
static bool pass_reset_on(struct session *s, struct conn *c)
{
	struct ses_frame f = {.type = SES_F_RESET, .sid = s->sid, .err = EPIPE};
	int unacked = 0;

	if (!s->reset_said)
		assoc_send(s->assoc, &f);
	s->reset_said = true;
	if (!c->broken && ioctl(c->source.fd, SIOCOUTQ, &unacked) == 0 && unacked) {
		s->again_ms = loop_now() + LOOK_AGAIN_MS;
		loop_soon(s->again_ms);
		return false;
	}
	session_reset_target(s, "the target reset it");
	return true;
}

/* Ends that are due: FIN to the target, FIN to the client, the session itself. True: it is over. */
static bool ends(struct session *s)
{
	struct conn *c = s->s.committed >= 0 ? s->conn[s->s.committed] : NULL;

	/* FIN with everything in: the end if it was announced, or nobody will announce anything. */
	if (c && c->fin_received && !serve_paused(&s->s, c->index)) {
		if (s->s.c2s_end == SES_NO_END && session_silent(s)) {
			if (serve_client_short(&s->s)) {
				session_reset_target(s, "the client ended before it had replayed");
				return true;
			}
			s->s.c2s_end = s->s.c2s.tail;
		}
		if (serve_client_complete(&s->s))
			s->fin_ms = 0;
		else if (!s->fin_ms)
			s->fin_ms = loop_now();
	}
	if (serve_client_complete(&s->s) && !s->complete_said) {
		struct ses_frame ack = serve_ack(&s->s, s->sid);

		s->complete_said = true;
		assoc_send(s->assoc, &ack);
	}
	if (serve_target_done(&s->s) && !s->target_shut) {
		shutdown(s->target.fd, SHUT_WR);
		s->target_shut = true;
	}
	if (c && serve_client_done(&s->s, c->index) && !c->fin_sent) {
		if (s->s.target_reset && !s->orderly)
			return pass_reset_on(s, c);
		/* What ended before it was reset is read to its end, and then no error. */
		shutdown(c->source.fd, SHUT_WR);
		c->fin_sent = true;
	}
	/*
	 * The target has ended its stream and then met bytes that nobody reads any more: without
	 * this a client that only writes would write for ever.
	 */
	if (c && c->fin_sent && s->s.target_reset && !s->s.client_closed)
		return pass_reset_on(s, c);
	/*
	 * The client is done when it says so, or cannot speak any more. FINs both ways, even all
	 * bytes confirmed, are not enough: the end itself may be lost on the way and asked for
	 * again.
	 */
	bool client_done = s->s.client_closed ||
	                   (session_silent(s) && c && c->fin_sent && c->fin_received) ||
	                   (!c && (s->assoc->ended || s->s.detached_for_good));

	if (client_done && (s->target_shut || s->s.target_reset) &&
	    (s->target_over || s->s.client_closed)) {
		session_end(s,
		            s->s.target_reset ? "the target reset it" : "both directions are done");
		return true;
	}
	return false;
}

static uint32_t wanted_of_client(struct session *s, struct conn *c)
{
	const void *out;
	void *in;
	uint32_t want = 0;
	bool urgent;

	if (c->tentative || (!c->fin_received && serve_from_client(&s->s, c->index, &in)))
		want |= EPOLLIN | EPOLLPRI;
	if (!c->broken && (c->pending || serve_to_client(&s->s, c->index, &out, &urgent)))
		want |= EPOLLOUT;
	if (want)
		c->hushed = false;
	/*
	 * Nothing to do now still means to hear of a reset: EPOLLERR and EPOLLHUP come with any
	 * mask.
	 */
	return want ? want : c->fin_received || c->broken || c->hushed ? 0 : EPOLLERR;
}

static uint32_t wanted_of_target(struct session *s)
{
	const void *out;
	void *in;
	uint32_t want = 0;
	bool urgent;

	if (!s->target_over && serve_from_target(&s->s, &in))
		want |= EPOLLIN | EPOLLPRI;
	if (!s->s.target_reset && serve_to_target(&s->s, &out, &urgent))
		want |= EPOLLOUT;
	if (want)
		s->target_hushed = false;
	return want ? want : s->target_over || s->target_hushed ? 0 : EPOLLERR;
}

/* What each descriptor is to be watched for, from what there is to do. */
void data_update(struct session *s)
{
	memory_account(s);
	if (ends(s))
		return;
	ask(s);
	plan_asking(s);
	for (int i = 0; i < SERVE_CONNS; i++)
		if (s->conn[i] && s->conn[i]->role == ROLE_DATA)
			loop_watch(&s->conn[i]->source, wanted_of_client(s, s->conn[i]));
	loop_watch(&s->target, wanted_of_target(s));
}

void data_client_event(struct conn *c, uint32_t events)
{
	struct session *s = c->session;
	void *p;

	if (!s)
		return;
	if (!c->tentative && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		/*
		 * With reading off it would be told again and again; what has arrived is read when
		 * there is room.
		 */
		if (!c->fin_received && !serve_from_client(&s->s, c->index, &p)) {
			c->hushed = true;
			if (events & EPOLLERR && !broken(s, c))
				return;
		} else if (!from_client(s, c, events & EPOLLPRI)) {
			return;
		}
	}
	if (!to_client(s, c))
		return;
	/* Straight on to the target: one wake-up less for each exchange. */
	to_target(s);
	data_update(s);
}

void data_target_ready(struct session *s, uint32_t events)
{
	struct conn *c;
	void *p;

	/* After its end nothing is read from it: this is how a reset shows then. */
	if (events & EPOLLERR && s->target_over)
		s->s.target_reset = true;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		if (!s->target_over && !serve_from_target(&s->s, &p))
			s->target_hushed = true;
		else
			from_target(s, events & EPOLLPRI);
	}
	to_target(s);
	c = s->s.committed >= 0 ? s->conn[s->s.committed] : NULL;
	if (c && c->role == ROLE_DATA && !to_client(s, c))
		return;
	data_update(s);
}
