/* SPDX-License-Identifier: MIT */
/* Opening a session: may it be, what does its name stand for, and its rings. The connect is
 * target.c's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "relay/relay.h"
#include "relay/resolve.h"

#define OPEN_MS 20000 /* the name, and the target's connect */

/* A name is being looked up for this connection. */
struct opening {
	struct conn *conn; /* NULL: gone */
	uint8_t assoc[16];
	struct server_request request;
};

static void refuse(struct conn *c, struct association *a, uint64_t sid, uint32_t err)
{
	uint8_t out[SES_MSG_MAX];
	int n = server_opened(&a->a, sid, err, 0, NULL, 0, out);

	send(c->source.fd, out, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	conn_close(c);
}

/* As much as the client asks for, if we have it; the rings are addressed by masks. */
static size_t ring_size(uint32_t wanted)
{
	size_t n = RING_MIN;

	while (n < wanted && n < config.ring)
		n *= 2;
	return n;
}

static struct session *make(struct association *a, const struct server_request *r)
{
	struct session *s = calloc(1, sizeof(*s));
	/* The client may have to send its whole ring again while the target reads nothing. */
	size_t s2c = ring_size(r->ring), c2s = 2 * config.ring;

	if (!s || !memory_take(s, s2c, c2s)) {
		free(s);
		return NULL;
	}
	serve_init(&s->s, &a->a, r->sid, s->memory, s2c, (char *)s->memory + s2c, c2s);
	s->target = (struct source){.kind = SOURCE_TARGET, .fd = -1};
	s->sid = r->sid;
	s->assoc = a;
	s->connecting = true;
	sessions_add(s);
	return s;
}

/* One of these addresses is to become the session's target. */
static void begin(struct conn *c, struct association *a, const struct server_request *r,
                  const struct ses_addr *to, unsigned n)
{
	struct session *s = make(a, r);

	if (!s) {
		refuse(c, a, r->sid, ENOBUFS);
		return;
	}
	s->conn[0] = c;
	c->session = s;
	c->assoc = a;
	c->index = 0;
	loop_watch(&c->source, EPOLLRDHUP);
	target_dial(s, to, n, &r->target);
}

static void resolved(void *arg, const struct ses_addr *addr, unsigned n)
{
	struct opening *o = arg;
	struct association *a = assoc_find(o->assoc);
	struct ses_addr good[SES_RELAY_ADDRS];
	unsigned k = 0;

	if (o->conn) {
		o->conn->opening = NULL;
		for (unsigned i = 0; i < n; i++)
			if (access_address(access_rules, &o->request, &addr[i]))
				good[k++] = addr[i];
		if (!a)
			conn_refuse(o->conn, SES_UNKNOWN);
		else if (k)
			begin(o->conn, a, &o->request, good, k);
		else
			refuse(o->conn, a, o->request.sid, n ? EACCES : EHOSTUNREACH);
		if (n && !k)
			log_info("session to %s refused: it stands for addresses that are nobody "
			         "else's business",
			         o->request.name);
	}
	free(o);
}

static void look_up(struct conn *c, struct association *a, const struct server_request *r)
{
	struct opening *o = malloc(sizeof(*o));

	if (o) {
		*o = (struct opening){.conn = c, .request = *r};
		memcpy(o->assoc, a->a.id, sizeof(o->assoc));
		c->opening = o;
		loop_watch(&c->source, EPOLLRDHUP);
		if (resolve(r->name, r->target.port, resolved, o))
			return;
		c->opening = NULL;
		free(o);
	}
	refuse(c, a, r->sid, ENOBUFS);
}

void opening_gone(struct opening *o)
{
	o->conn = NULL;
}

static bool too_many(const struct conn *c, const struct server_request *r)
{
	if (sessions_count() >= config.max_sessions || memory_total() >= config.max_memory)
		return true;
	return !source_may(&c->from) ||
	       (r->proven && !limits_take(client_limits, r->client, SES_KEY, loop_now()));
}

void session_open(struct conn *c, int len)
{
	struct association *a = assoc_find(c->in + SES_HEADER);
	struct server_request r;
	struct ses_addr here;
	char to[64];
	uint32_t err = 0;

	if (!a) {
		conn_refuse(c, SES_UNKNOWN);
		return;
	}
	int e = server_open(&a->a, &relay_key, c->in, (size_t)len, &r);

	if (e < 0) {
		conn_refuse(c, e == -EALREADY ? SES_TOO_OLD : SES_UNAUTHENTIC);
		return;
	}
	address_local(c->source.fd, &here);
	enum access_verdict verdict = access_judge(access_rules, &r, &here);

	if (verdict == ACCESS_STRANGER || verdict == ACCESS_DENIED)
		err = EACCES;
	else if (too_many(c, &r))
		err = ENOBUFS;
	if (err) {
		log_info("session to %s%s%s refused: %s", address_text(&r.target, to, sizeof(to)),
		         r.name[0] ? ", " : "", r.name,
		         verdict == ACCESS_STRANGER ? "the client is not listed"
		         : err == EACCES            ? "not allowed"
		                                    : "too many");
		refuse(c, a, r.sid, err);
		return;
	}
	c->role = ROLE_OPENING;
	conn_settle(c);
	c->deadline_ms = loop_now() + OPEN_MS;
	if (verdict == ACCESS_NAME)
		look_up(c, a, &r);
	else
		begin(c, a, &r, &r.target, 1);
}
