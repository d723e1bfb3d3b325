/* SPDX-License-Identifier: MIT */
/* Associations and their control connections. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/bytes.h"
#include "common/log.h"
#include "relay/relay.h"

#define ASSOCS_MAX 16384
#define IDLE_MS 60000 /* an association without sessions and control connection */

static struct association *table;
static unsigned count;

/* Tokens of the next ATTACH and STANDBY messages. */
enum attach_kind { ATTACH, STANDBY };
struct attach_token {
	uint8_t token[SES_TOKEN];
	enum attach_kind kind;
	struct association *assoc;
	UT_hash_handle hh;
};
static struct attach_token *tokens;

struct association *assoc_find(const uint8_t id[16])
{
	struct association *a;

	HASH_FIND(hh, table, id, 16, a);
	return a;
}

static void name(const struct association *a, enum attach_kind kind, uint32_t n,
                 uint8_t token[SES_TOKEN])
{
	if (kind == ATTACH)
		server_attach_token(&a->a, n, token);
	else
		server_standby_token(&a->a, n, token);
}

static void add_tokens(struct association *a, enum attach_kind kind, uint32_t from, uint32_t to)
{
	for (uint32_t n = from; n <= to; n++) {
		struct attach_token *t = calloc(1, sizeof(*t));

		if (!t)
			return;
		t->assoc = a;
		t->kind = kind;
		name(a, kind, n, t->token);
		HASH_ADD(hh, tokens, token, SES_TOKEN, t);
	}
}

static void drop_tokens(struct association *a, enum attach_kind kind, uint32_t from, uint32_t to)
{
	for (uint32_t n = from; n <= to; n++) {
		struct attach_token *t;
		uint8_t token[SES_TOKEN];

		name(a, kind, n, token);
		HASH_FIND(hh, tokens, token, SES_TOKEN, t);
		if (t) {
			HASH_DEL(tokens, t);
			free(t);
		}
	}
}

/* Number `now` was taken, after `before`: the window moves on. */
static void move_window(struct association *a, enum attach_kind kind, uint32_t before, uint32_t now,
                        uint32_t ahead)
{
	drop_tokens(a, kind, before + 1, now);
	add_tokens(a, kind, before + ahead + 1, now + ahead);
}

static struct association *awaited(const uint8_t *msg, enum attach_kind kind)
{
	struct attach_token *t;

	HASH_FIND(hh, tokens, msg + SES_HEADER, SES_TOKEN, t);
	return t && t->kind == kind ? t->assoc : NULL;
}

void assoc_adopt(struct association *a)
{
	HASH_ADD(hh, table, a.id, 16, a);
	count++;
	add_tokens(a, ATTACH, a->a.attached + 1, a->a.attached + SERVER_ATTACH_AHEAD);
	add_tokens(a, STANDBY, a->a.stood + 1, a->a.stood + SERVER_STANDBY_AHEAD);
}

void assoc_hello(struct conn *c, int len)
{
	uint8_t out[SES_MSG_MAX];
	struct association *a;
	int n;

	if (relay_leaving) {
		conn_refuse(c, SES_LEAVING);
		return;
	}
	if (count >= ASSOCS_MAX || !source_may(&c->from) || !(a = calloc(1, sizeof(*a)))) {
		conn_refuse(c, SES_TOO_MANY);
		return;
	}
	n = server_hello(&relay_key, config.advertise, config.advertised, c->in, (size_t)len, &a->a,
	                 out);
	if (n < 0) {
		free(a);
		conn_refuse(c, SES_MALFORMED);
		return;
	}
	assoc_adopt(a);
	c->role = ROLE_CONTROL;
	conn_settle(c);
	c->assoc = a;
	a->control = c;
	conn_send(c, out, n);
	log_debug("new association");
}

void assoc_attach(struct conn *c, int len)
{
	struct association *a = awaited(c->in, ATTACH);
	uint8_t out[SES_MSG_MAX];

	if (!a) {
		conn_refuse(c, SES_UNKNOWN);
		return;
	}
	uint32_t before = a->a.attached;
	int n = server_attach(&a->a, c->in, (size_t)len, out);

	if (n < 0) {
		conn_refuse(c, SES_UNAUTHENTIC);
		return;
	}
	move_window(a, ATTACH, before, a->a.attached, SERVER_ATTACH_AHEAD);
	if (a->control) {
		a->control->assoc = NULL;
		conn_close(a->control);
	}
	c->role = ROLE_CONTROL;
	conn_settle(c);
	c->assoc = a;
	a->control = c;
	a->gone_ms = 0;
	a->fin = a->ended = false;
	conn_send(c, out, n);
	if (a->control)
		session_control_new(a);
	log_debug("association attached anew");
}

/*
 * A connection that waits for the loss of another: one for an association, and only as long as that
 * has sessions. It is not asked whether it lives: nothing depends on it, and silence is what it is
 * for.
 */
void assoc_standby(struct conn *c, int len)
{
	struct association *a = awaited(c->in, STANDBY);
	uint8_t out[SES_MSG_MAX];
	int off = 0;

	if (!a) {
		conn_refuse(c, SES_UNKNOWN);
		return;
	}
	uint32_t before = a->a.stood;
	int n = server_standby(&a->a, c->in, (size_t)len, out);

	if (n < 0) {
		conn_refuse(c, SES_UNAUTHENTIC);
		return;
	}
	move_window(a, STANDBY, before, a->a.stood, SERVER_STANDBY_AHEAD);
	if (!a->sessions) {
		conn_refuse(c, SES_NOT_ALLOWED);
		return;
	}
	if (!source_may(&c->from)) {
		conn_refuse(c, SES_TOO_MANY);
		return;
	}
	if (a->standby)
		conn_close(a->standby);
	conn_send(c, out, n);
	if (c->role == ROLE_DEAD)
		return;
	c->role = ROLE_STANDBY;
	conn_settle(c);
	setsockopt(c->source.fd, SOL_SOCKET, SO_KEEPALIVE, &off, sizeof(off));
	c->assoc = a;
	a->standby = c;
	log_debug("a connection is held ready");
}

void assoc_send(struct association *a, const struct ses_frame *f)
{
	uint8_t rec[SES_RECORD_MAX];

	if (a->control)
		conn_send(a->control, rec, ses_record_seal(&a->a.tx, f, rec));
}

void assoc_control_gone(struct conn *c, bool orderly)
{
	struct association *a = c->assoc;

	if (!a || a->control != c)
		return;
	a->control = NULL;
	a->gone_ms = loop_now();
	a->fin = orderly;
}

void assoc_input(struct conn *c)
{
	/* Some at a time; epoll brings us back. */
	for (int rounds = 0; rounds < 4; rounds++) {
		ssize_t n = recv(c->source.fd, c->in + c->got, sizeof(c->in) - c->got, 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			assoc_control_gone(c, n == 0);
			conn_close(c);
			return;
		}
		c->got += (size_t)n;
		size_t used = 0;

		for (;;) {
			struct ses_frame f;
			int size = ses_record_size(c->in + used, c->got - used), r = size;

			if (size > 0 && (size_t)size <= c->got - used) {
				r = ses_record_open(&c->assoc->a.rx, c->in + used, (size_t)size,
				                    &f);
				used += (size_t)size;
			} else if (size >= 0) {
				break;
			}
			if (r < 0) {
				log_warn("control connection not authentic, closed");
				assoc_control_gone(c, false);
				conn_close(c);
				return;
			}
			if (r == 0)
				session_frame(c->assoc, &f);
			if (c->role == ROLE_DEAD)
				return;
		}
		c->got -= used;
		memmove(c->in, c->in + used, c->got);
	}
}

bool assocs_each(bool (*what)(struct association *a, void *arg), void *arg)
{
	struct association *a, *next;

	HASH_ITER(hh, table, a, next)
	{
		if (!what(a, arg))
			return false;
	}
	return true;
}

static bool watch(struct association *a, void *arg)
{
	(void)arg;
	if (a->control)
		loop_watch(&a->control->source, EPOLLIN | (a->control->pending ? EPOLLOUT : 0));
	return true;
}

void assocs_watch(void)
{
	assocs_each(watch, NULL);
}

/* Existing sessions stay; for new ones the clients are to go elsewhere. */
void assocs_goaway(void)
{
	const struct ses_frame f = {.type = SES_F_GOAWAY};
	struct association *a, *next;

	HASH_ITER(hh, table, a, next)
	{
		assoc_send(a, &f);
	}
}

void assoc_over(struct association *a)
{
	if (a->ended)
		return;
	a->ended = true;
	session_process_over(a);
}

static void forget(struct association *a)
{
	drop_tokens(a, ATTACH, a->a.attached + 1, a->a.attached + SERVER_ATTACH_AHEAD);
	drop_tokens(a, STANDBY, a->a.stood + 1, a->a.stood + SERVER_STANDBY_AHEAD);
	HASH_DEL(table, a);
	count--;
	wipe(a, sizeof(*a));
	free(a);
}

void assocs_sweep(int64_t now)
{
	struct association *a, *next;

	HASH_ITER(hh, table, a, next)
	{
		/* A box that died has sent that FIN, and the client comes back; a process that was
		 * killed does not. */
		if (!a->control && a->fin && now - a->gone_ms > PROCESS_MS)
			assoc_over(a);
		/* Whose it is has vanished, or has nothing to lose any more. */
		if (a->standby && (!a->sessions || (!a->control && now - a->gone_ms > IDLE_MS)))
			conn_close(a->standby);
		if (!a->control && !a->sessions && (a->ended || now - a->gone_ms > IDLE_MS))
			forget(a);
	}
}
