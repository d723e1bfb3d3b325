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

/* Tokens of the next ATTACH messages. */
struct attach_token {
	uint8_t token[SES_TOKEN];
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

static void add_token(struct association *a, uint32_t n)
{
	struct attach_token *t = calloc(1, sizeof(*t));

	if (!t)
		return;
	t->assoc = a;
	server_attach_token(&a->a, n, t->token);
	HASH_ADD(hh, tokens, token, SES_TOKEN, t);
}

static void drop_tokens(struct association *a, uint32_t from, uint32_t to)
{
	for (uint32_t n = from; n <= to; n++) {
		struct attach_token *t;
		uint8_t token[SES_TOKEN];

		server_attach_token(&a->a, n, token);
		HASH_FIND(hh, tokens, token, SES_TOKEN, t);
		if (t) {
			HASH_DEL(tokens, t);
			free(t);
		}
	}
}

void assoc_adopt(struct association *a)
{
	HASH_ADD(hh, table, a.id, 16, a);
	count++;
	for (uint32_t i = 1; i <= SERVER_ATTACH_AHEAD; i++)
		add_token(a, a->a.attached + i);
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
	struct attach_token *t;
	uint8_t out[SES_MSG_MAX];

	HASH_FIND(hh, tokens, c->in + SES_HEADER, SES_TOKEN, t);
	if (!t) {
		conn_refuse(c, SES_UNKNOWN);
		return;
	}
	struct association *a = t->assoc;
	uint32_t before = a->a.attached;
	int n = server_attach(&a->a, c->in, (size_t)len, out);

	if (n < 0) {
		conn_refuse(c, SES_UNAUTHENTIC);
		return;
	}
	drop_tokens(a, before + 1, a->a.attached);
	for (uint32_t i = before + SERVER_ATTACH_AHEAD + 1;
	     i <= a->a.attached + SERVER_ATTACH_AHEAD; i++)
		add_token(a, i);
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
	session_control_new(a);
	conn_send(c, out, n);
	log_debug("association attached anew");
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
	drop_tokens(a, a->a.attached + 1, a->a.attached + SERVER_ATTACH_AHEAD);
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
		if (!a->control && !a->sessions && (a->ended || now - a->gone_ms > IDLE_MS))
			forget(a);
	}
}
