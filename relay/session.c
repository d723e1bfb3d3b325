/* SPDX-License-Identifier: MIT */
/* Sessions: resuming, what is said about them, time, ending. Their bytes are data.c's business. */
#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utlist.h>

#include "common/bytes.h"
#include "common/log.h"
#include "relay/relay.h"

#define FIN_GRACE_MS 2000
#define UNANSWERED_MS 1000
#define COVER_MS                                                                                   \
	10000 /* a handover replaces control connections, too: so long for the next one            \
	       */

static struct session *sessions, *dead;
static unsigned nsessions;

unsigned sessions_count(void)
{
	return nsessions;
}

void sessions_add(struct session *s)
{
	struct association *a = s->assoc;

	HASH_ADD(hh, a->sessions, sid, sizeof(s->sid), s);
	DL_APPEND(sessions, s);
	nsessions++;
	tokens_refresh(s);
}

bool sessions_each(bool (*what)(struct session *s, void *arg), void *arg)
{
	struct session *s, *next;

	DL_FOREACH_SAFE(sessions, s, next)
	{
		if (!what(s, arg))
			return false;
	}
	return true;
}

static bool settled(struct session *s, void *arg)
{
	(void)arg;
	return !s->connecting;
}

bool sessions_connecting(void)
{
	return !sessions_each(settled, NULL);
}

static bool watch(struct session *s, void *arg)
{
	(void)arg;
	data_update(s);
	return true;
}

void sessions_watch(void)
{
	sessions_each(watch, NULL);
}

bool session_silent(const struct session *s)
{
	const struct association *a = s->assoc;

	return a->ended || s->s.detached_for_good ||
	       (!a->control && a->gone_ms && loop_now() - a->gone_ms > COVER_MS);
}

void session_target_event(struct session *s, uint32_t events)
{
	if (s->connecting)
		target_connected(s);
	else
		data_target_ready(s, events);
}

/* --- resuming --- */

void session_resume(struct conn *c, int len)
{
	struct token *t = token_find(c->in + SES_HEADER);
	uint8_t out[SES_MSG_MAX];
	int out_len, replaced;

	if (!t || !t->session) {
		conn_refuse(c, t ? SES_GONE : SES_UNKNOWN);
		return;
	}
	struct session *s = t->session;

	if (s->connecting) {
		conn_refuse(c, SES_UNKNOWN);
		return;
	}
	int slot = serve_resume(&s->s, c->in, (size_t)len, out, &out_len, &replaced);

	if (slot < 0) {
		log_info("resume of session %llu refused: reason %d (s2c %llu..%llu%s)",
		         (unsigned long long)s->sid, -slot, (unsigned long long)s->s.s2c.base,
		         (unsigned long long)s->s.s2c.tail, s->s.covered ? "" : ", uncovered");
		conn_refuse(c, (enum ses_refusal) - slot);
		return;
	}
	if (s->s.client_reset) {
		session_reset_target(s, "reset by the client");
		conn_refuse(c, SES_GONE);
		return;
	}
	if (replaced >= 0 && s->conn[replaced]) {
		s->conn[replaced]->session = NULL;
		conn_close(s->conn[replaced]);
	}
	tokens_refresh(s);
	c->role = ROLE_DATA;
	conn_settle(c);
	c->session = s;
	c->assoc = s->assoc;
	c->index = slot;
	c->tentative = true;
	c->half_open = conn_half_open(c);
	c->deadline_ms = loop_now() + (c->half_open ? HALF_OPEN_MS : TENTATIVE_MS);
	s->conn[slot] = c;
	conn_send(c, out, out_len);
	if (c->role != ROLE_DEAD)
		data_update(s);
}

void session_commit(struct conn *c, int len)
{
	struct session *s = c->session;
	unsigned losers;

	if (serve_commit(&s->s, c->index, c->in, (size_t)len, &losers) < 0) {
		log_warn("session %llu: COMMIT not valid", (unsigned long long)s->sid);
		session_conn_gone(c, false);
		return;
	}
	for (int i = 0; i < SERVE_CONNS; i++)
		if (losers >> i & 1 && s->conn[i]) {
			s->conn[i]->session = NULL;
			conn_reset(s->conn[i]);
			s->conn[i] = NULL;
		}
	c->tentative = c->half_open = false;
	c->deadline_ms = 0;
	s->detached_ms = s->fin_ms = s->asked_ms = 0;
	s->reset_seen = false;
	tokens_refresh(s);
	log_debug("session %llu resumed, epoch %u", (unsigned long long)s->sid,
	          s->s.epoch_committed);
	data_update(s);
}

/* --- ending --- */

static void end(struct session *s, bool reset, const char *why)
{
	struct linger linger = {reset, 0};

	log_debug("session %llu over: %s (s2c %llu, c2s %llu)", (unsigned long long)s->sid, why,
	          (unsigned long long)s->s.s2c.tail, (unsigned long long)s->s.c2s.tail);
	for (int i = 0; i < SERVE_CONNS; i++)
		if (s->conn[i]) {
			s->conn[i]->session = NULL;
			if (reset)
				conn_reset(s->conn[i]);
			else
				conn_close(s->conn[i]);
			s->conn[i] = NULL;
		}
	loop_watch(&s->target, 0);
	setsockopt(s->target.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(s->target.fd);
	s->target.fd = -1;
	memory_return(s);
	tokens_bury(s);
	free(s->targets);
	wipe(&s->s, sizeof(s->s));
	HASH_DEL(s->assoc->sessions, s);
	DL_DELETE(sessions, s);
	DL_APPEND(dead, s);
	nsessions--;
}

void session_end(struct session *s, const char *why)
{
	end(s, false, why);
}

void session_reset_target(struct session *s, const char *why)
{
	end(s, true, why);
}

/* The client's stream ends where it is: the process is over, and all it sent has been read. */
static void end_of_client(struct session *s)
{
	if (s->reset_seen || serve_client_short(&s->s)) {
		session_reset_target(s, "the client's process ended, and bytes of it are lost");
		return;
	}
	if (s->s.c2s_end == SES_NO_END)
		s->s.c2s_end = s->s.c2s.tail;
	s->s.client_closed = true;
	data_update(s);
}

void session_conn_gone(struct conn *c, bool orderly)
{
	struct session *s = c->session;

	if (!s) {
		conn_close(c);
		return;
	}
	bool was_committed = c->index == s->s.committed;

	s->conn[c->index] = NULL;
	serve_lost(&s->s, c->index);
	c->session = NULL;
	conn_close(c);
	if (s->connecting) {
		session_end(s, "client gone before the target answered");
		return;
	}
	if (!was_committed) {
		/* A tentative one: the old connection goes on where it stopped. */
		data_update(s);
		return;
	}
	if (!s->detached_ms)
		s->detached_ms = loop_now();
	s->reset_seen = !orderly;
	if (s->assoc->ended || s->s.detached_for_good) {
		end_of_client(s);
		return;
	}
	log_debug("session %llu detached", (unsigned long long)s->sid);
	data_update(s);
}

/* Questions asked over the earlier control connection, and what was said, may be lost with it: ask
 * and say again, and count from now. */
void session_control_new(struct association *a)
{
	struct session *s, *next;

	HASH_ITER(hh, a->sessions, s, next)
	{
		s->asked_ms = s->ask_ms = s->s.asked = 0;
		s->urgent_said = false;
		if (s->s.urgent)
			data_say_urgent(s);
	}
}

void session_process_over(struct association *a)
{
	struct session *s, *next;

	HASH_ITER(hh, a->sessions, s, next)
	{
		/* One whose connection lives may have been handed to another process: it decides by
		 * itself. */
		if (s->connecting)
			continue;
		if (s->s.committed < 0)
			end_of_client(s);
		else
			data_update(s);
	}
}

void session_frame(struct association *a, const struct ses_frame *f)
{
	struct session *s;

	if (f->type == SES_F_PING) {
		struct ses_frame pong = *f;

		pong.type = SES_F_PONG;
		assoc_send(a, &pong);
		return;
	}
	if (f->type == SES_F_GOAWAY) {
		assoc_over(a);
		return;
	}
	HASH_FIND(hh, a->sessions, &f->sid, sizeof(f->sid), s);
	if (s && f->type == SES_F_ASK) {
		struct ses_frame ack = serve_ack(&s->s, s->sid);

		assoc_send(a, &ack);
		return;
	}
	if (s) {
		if (f->type == SES_F_ACK)
			s->asked_ms = 0;
		serve_frame(&s->s, f);
		if (s->s.client_reset)
			session_reset_target(s, "reset by the client");
		else if (!s->connecting)
			data_update(s);
		return;
	}
	/* Given up before its OPEN has come. */
	if (f->type == SES_F_RESET || f->type == SES_F_CLOSE)
		server_void(&a->a, f->sid);
	/* A session that is over: say so, as far as it can be said. */
	if (f->type == SES_F_ASK || f->type == SES_F_CLOSE) {
		struct ses_frame ack = {.type = SES_F_ACK,
		                        .sid = f->sid,
		                        .count = f->type == SES_F_CLOSE ? f->end : UINT64_MAX,
		                        .end = SES_NO_END,
		                        .flags = SES_FLAG_HEARD};

		assoc_send(a, &ack);
	}
}

/* --- time --- */

/* Has the client's kernel acknowledged all that the ring holds? Only then silence is not the
 * path's. */
static bool all_taken(const struct session *s)
{
	int unacked = 1;

	if (s->s.committed < 0 || s->s.conn[s->s.committed].sent != s->s.s2c.tail)
		return false;
	return ioctl(s->conn[s->s.committed]->source.fd, SIOCOUTQ, &unacked) == 0 && unacked == 0;
}

static void sweep_one(struct session *s, int64_t now)
{
	struct association *a = s->assoc;

	if (s->connecting) {
		target_sweep(s, now);
		return;
	}

	if (s->detached_ms && now - s->detached_ms > config.linger_ms) {
		session_reset_target(s, "nobody came back");
		return;
	}
	/* FIN, but neither EOF nor the end of the process: the path was cut by somebody in between.
	 */
	if (s->fin_ms && now - s->fin_ms > (a->control ? FIN_GRACE_MS : PROCESS_MS) &&
	    s->s.committed >= 0) {
		s->fin_ms = 0;
		/*
		 * With the control connection reset at the same time it was the process all the
		 * same: one that ends with frames unread resets it. What cuts paths does not send
		 * FINs.
		 */
		if (!a->control) {
			end_of_client(s);
			return;
		}
		session_conn_gone(s->conn[s->s.committed], true);
		return;
	}
	/* A client that takes everything but confirms nothing: flow before cover. */
	if (s->s.covered && serve_full(&s->s) &&
	    ((s->asked_ms && now - s->asked_ms > UNANSWERED_MS) || session_silent(s)) &&
	    all_taken(s)) {
		s->asked_ms = 0;
		serve_uncover(&s->s);
		log_info("session %llu uncovered: no confirmations", (unsigned long long)s->sid);
		data_update(s);
		return;
	}
	if ((s->ask_ms && now >= s->ask_ms) || (s->again_ms && now >= s->again_ms)) {
		s->again_ms = 0;
		data_update(s);
	}
}

void sessions_sweep(int64_t now)
{
	struct session *s, *next;

	DL_FOREACH_SAFE(sessions, s, next)
	{
		sweep_one(s, now);
	}
}

void sessions_trim(void)
{
	struct session *s;

	DL_FOREACH(sessions, s)
	{
		memory_trim(s);
	}
}

void sessions_reap(void)
{
	struct session *s, *next;

	DL_FOREACH_SAFE(dead, s, next)
	{
		DL_DELETE(dead, s);
		free(s);
	}
}

void sessions_log(void)
{
	struct session *s;

	log_info("%u sessions, %zu bytes of memory, %u connections", nsessions, memory_total(),
	         conns_count());
	DL_FOREACH(sessions, s)
	log_info("session %llu: %s, s2c %llu..%llu, c2s %llu..%llu, epoch %u",
	         (unsigned long long)s->sid,
	         s->s.committed < 0 ? "detached"
	         : s->s.covered     ? "covered"
	                            : "uncovered",
	         (unsigned long long)s->s.s2c.base, (unsigned long long)s->s.s2c.tail,
	         (unsigned long long)s->s.c2s.base, (unsigned long long)s->s.c2s.tail,
	         s->s.epoch_committed);
}
