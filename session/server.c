/* SPDX-License-Identifier: MIT */
#include "session/server.h"

#include <errno.h>
#include <string.h>

void serve_init(struct serve *s, const struct server_assoc *a, uint64_t sid, void *s2c_mem,
                size_t s2c_cap, void *c2s_mem, size_t c2s_cap)
{
	memset(s, 0, sizeof(*s));
	kdf(a->secret, "session", sid, s->root, SES_KEY);
	ring_init(&s->s2c, s2c_mem, s2c_cap);
	ring_init(&s->c2s, c2s_mem, c2s_cap);
	s->s2c_limit = s2c_cap;
	s->s2c_end = s->c2s_end = SES_NO_END;
	s->s2c_urgent = s->c2s_urgent = SES_NO_END;
	s->covered = true;
	s->conn[0].used = true;
}

void serve_token(const struct serve *s, uint32_t epoch, uint8_t token[SES_TOKEN])
{
	kdf(s->root, "token", epoch, token, SES_TOKEN);
}

/*
 * Forgets what lies below `count`, but nothing that some connection has still to be given: a
 * tentative one begins where the program was when it asked, and the program reads on meanwhile.
 * That also bounds what a false count could do.
 */
static void release(struct serve *s, uint64_t count)
{
	for (int i = 0; i < SERVE_CONNS; i++)
		if (s->conn[i].used && s->conn[i].sent < count)
			count = s->conn[i].sent;
	ring_confirm(&s->s2c, count);
}

static void confirm(struct serve *s, uint64_t count)
{
	if (count > s->confirmed)
		s->confirmed = count;
	release(s, s->confirmed);
}

static void learn_end(struct serve *s, uint64_t end, bool closed, bool reset)
{
	/* An end is said once; a second, different one is a lie or a fault and changes nothing. */
	if (end != SES_NO_END && s->c2s_end == SES_NO_END && end >= s->c2s.tail)
		s->c2s_end = end;
	if (closed)
		s->client_closed = true;
	if (reset)
		s->client_reset = true;
}

int serve_resume(struct serve *s, const void *msg, size_t len, uint8_t *out, int *out_len,
                 int *replaced)
{
	struct msg_resume m;
	struct msg_resumed answer;
	uint8_t token[SES_TOKEN], k[SES_KEY];
	int slot = -1;

	*replaced = -1;
	if (msg_type(msg, len) != MSG_RESUME)
		return -SES_MALFORMED;
	resume_read(msg, &m);
	if (m.epoch <= s->epoch_committed)
		return -SES_TOO_OLD;
	serve_token(s, m.epoch, token);
	kdf(s->root, "resume", m.epoch, k, sizeof(k));
	bool good = kdf_same(token, m.token, SES_TOKEN) && msg_authentic(msg, len, NULL, k);

	if (!good) {
		wipe(k, sizeof(k));
		return -SES_UNAUTHENTIC;
	}
	/* Nor can a program have read what nobody gave it. And what a client has read cannot be
	 * told where urgent data stands in its way. */
	if (s->urgent || !ring_holds(&s->s2c, m.count) || m.count > s->given) {
		wipe(k, sizeof(k));
		return -SES_GONE;
	}
	for (int i = 0; i < SERVE_CONNS; i++)
		if (s->conn[i].used && i != s->committed && s->conn[i].epoch == m.epoch)
			*replaced = slot = i;
	for (int i = 0; i < SERVE_CONNS && slot < 0; i++)
		if (!s->conn[i].used)
			slot = i;
	/* None free: the oldest attempt makes room. */
	for (int i = 0; i < SERVE_CONNS && slot < 0; i++)
		if (i != s->committed &&
		    (*replaced < 0 || s->conn[i].epoch < s->conn[*replaced].epoch))
			*replaced = i;
	if (slot < 0)
		slot = *replaced;
	memset(&answer, 0, sizeof(answer));
	if (!random_fill(answer.nonce, sizeof(answer.nonce))) {
		wipe(k, sizeof(k));
		*replaced = -1;
		return -SES_TOO_MANY;
	}
	struct serve_conn *c = &s->conn[slot];

	*c = (struct serve_conn){.used = true, .epoch = m.epoch, .sent = m.count};
	memcpy(c->nonce, answer.nonce, sizeof(c->nonce));
	if (m.epoch > s->epoch_seen)
		s->epoch_seen = m.epoch;
	learn_end(s, m.end, m.flags & SES_FLAG_CLOSED, m.flags & SES_FLAG_RESET);
	answer.epoch = m.epoch;
	answer.count = s->c2s.tail;
	answer.end = s->s2c_end;
	answer.flags = s->target_reset ? SES_FLAG_RESET : 0;
	*out_len = resumed_write(&answer, k, out);
	wipe(k, sizeof(k));
	return slot;
}

int serve_commit(struct serve *s, int conn, const void *msg, size_t len, unsigned *losers)
{
	struct serve_conn *c = &s->conn[conn];
	struct msg_commit m;
	uint8_t k[SES_KEY];

	*losers = 0;
	if (msg_type(msg, len) != MSG_COMMIT || conn == s->committed || !c->used)
		return -EBADMSG;
	commit_read(msg, &m);
	kdf(s->root, "resume", c->epoch, k, sizeof(k));
	bool good = m.epoch == c->epoch && m.epoch > s->epoch_committed &&
	            msg_authentic(msg, len, c->nonce, k);

	wipe(k, sizeof(k));
	/* The program cannot have read what it was never given, nor written less than we have, nor
	 * more than it said. */
	if (!good || m.count > s->given || m.tail < s->c2s.tail || m.tail > s->c2s_end)
		return -EBADMSG;
	for (int i = 0; i < SERVE_CONNS; i++) {
		if (i == conn || !s->conn[i].used)
			continue;
		*losers |= 1u << i;
		s->conn[i].used = false;
	}
	s->committed = conn;
	s->epoch_committed = m.epoch;
	/* What was dropped since the RESUME is on its way in this connection and nowhere else. */
	if (m.count >= s->s2c.base)
		s->covered = true;
	confirm(s, m.count);
	s->asked = c->sent;
	/* Never more than memory: what does not fit waits in the kernel, as any TCP data would. */
	s->swallow = m.tail;
	return 0;
}

void serve_lost(struct serve *s, int conn)
{
	s->conn[conn].used = false;
	if (s->committed == conn)
		s->committed = -1;
}

static bool tentative(const struct serve *s)
{
	for (int i = 0; i < SERVE_CONNS; i++)
		if (s->conn[i].used && i != s->committed)
			return true;
	return false;
}

bool serve_paused(const struct serve *s, int conn)
{
	return conn == s->committed && tentative(s);
}

size_t serve_from_client(struct serve *s, int conn, void **p)
{
	if (conn != s->committed || serve_paused(s, conn))
		return 0;
	size_t n = ring_space(&s->c2s, p), used = ring_used(&s->c2s);

	if (s->c2s.tail >= s->swallow && used >= SERVE_BACKLOG)
		return 0;
	return n;
}

void serve_client_added(struct serve *s, size_t n)
{
	if (n > s->c2s_end - s->c2s.tail)
		n = (size_t)(s->c2s_end - s->c2s.tail);
	ring_added(&s->c2s, n);
}

void serve_urgent(struct serve *s)
{
	s->urgent = true;
}

void serve_client_urgent(struct serve *s)
{
	s->c2s_urgent = s->c2s.tail;
	serve_urgent(s);
}

/* What there is from `count` on, up to the urgent byte, or that alone. */
static size_t piece(const struct ring *r, uint64_t count, uint64_t mark, const void **p,
                    bool *urgent)
{
	size_t n = ring_peek(r, count, p);

	*urgent = n && count == mark;
	if (*urgent)
		return 1;
	return count < mark && mark - count < n ? (size_t)(mark - count) : n;
}

size_t serve_to_client(const struct serve *s, int conn, const void **p, bool *urgent)
{
	const struct serve_conn *c = &s->conn[conn];

	*urgent = false;

	/* Who has closed wants nothing more; sending would only earn a reset that takes its last
	 * bytes with it. */
	if (!c->used || serve_paused(s, conn) || s->client_closed)
		return 0;
	return piece(&s->s2c, c->sent, s->s2c_urgent, p, urgent);
}

void serve_client_sent(struct serve *s, int conn, size_t n)
{
	uint64_t sent = s->conn[conn].sent += n;

	if (sent > s->given)
		s->given = sent;
	/* Without confirmations to come there is nothing to keep. */
	confirm(s, s->detached_for_good && conn == s->committed ? sent : 0);
}

bool serve_client_done(const struct serve *s, int conn)
{
	return s->conn[conn].used && conn == s->committed && !serve_paused(s, conn) &&
	       s->s2c_end != SES_NO_END && s->conn[conn].sent == s->s2c_end;
}

size_t serve_from_target(struct serve *s, void **p)
{
	size_t used = ring_used(&s->s2c);

	if (s->s2c_end != SES_NO_END || s->client_closed)
		return 0;
	if (!s->covered && s->committed >= 0 && used >= s->s2c_limit) {
		/* Half of it at a time: what is youngest is what a confirmation may still reach. */
		release(s, s->s2c.tail - s->s2c_limit / 2);
		used = ring_used(&s->s2c);
	}
	if (used >= s->s2c_limit)
		return 0;
	size_t n = ring_space(&s->s2c, p);

	return n < s->s2c_limit - used ? n : s->s2c_limit - used;
}

void serve_target_added(struct serve *s, size_t n)
{
	ring_added(&s->s2c, n);
}

void serve_target_urgent(struct serve *s)
{
	s->s2c_urgent = s->s2c.tail;
}

void serve_target_end(struct serve *s)
{
	s->s2c_end = s->s2c.tail;
}

size_t serve_to_target(const struct serve *s, const void **p, bool *urgent)
{
	return piece(&s->c2s, s->c2s.base, s->c2s_urgent, p, urgent);
}

void serve_target_sent(struct serve *s, size_t n)
{
	ring_confirm(&s->c2s, s->c2s.base + n);
}

bool serve_client_complete(const struct serve *s)
{
	return s->c2s_end != SES_NO_END && s->c2s.tail == s->c2s_end;
}

bool serve_client_short(const struct serve *s)
{
	/* COMMIT says how much the program had written by then; who ends while it replays is short
	 * of that. */
	return s->c2s.tail < s->swallow || (s->c2s_end != SES_NO_END && s->c2s.tail < s->c2s_end);
}

bool serve_target_done(const struct serve *s)
{
	return s->c2s_end != SES_NO_END && s->c2s.base == s->c2s_end;
}

void serve_frame(struct serve *s, const struct ses_frame *f)
{
	switch (f->type) {
	case SES_F_ACK:
		/* More than any connection was given is not believed. */
		if (f->count <= s->given) {
			if (f->count >= s->s2c.base)
				s->covered = true;
			confirm(s, f->count);
		}
		learn_end(s, f->end, f->flags & SES_FLAG_CLOSED, f->flags & SES_FLAG_RESET);
		break;
	case SES_F_EOF:
		learn_end(s, f->end, false, false);
		break;
	case SES_F_CLOSE:
		learn_end(s, f->end, true, false);
		break;
	case SES_F_RESET:
		learn_end(s, SES_NO_END, false, true);
		break;
	case SES_F_DETACH:
		s->detached_for_good = true;
		confirm(s, s->committed >= 0 ? s->conn[s->committed].sent : 0);
		serve_uncover(s);
		break;
	default:
		break;
	}
}

struct ses_frame serve_ack(const struct serve *s, uint64_t sid)
{
	struct ses_frame f = {.type = SES_F_ACK,
	                      .sid = sid,
	                      .count = s->c2s.tail,
	                      .end = s->s2c_end,
	                      .flags = (s->target_reset ? SES_FLAG_RESET : 0) |
	                               (s->client_closed ? SES_FLAG_HEARD : 0)};

	return f;
}

bool serve_full(const struct serve *s)
{
	return ring_used(&s->s2c) >= s->s2c_limit;
}

bool serve_wants_ack(const struct serve *s)
{
	size_t step = s->s2c_limit / 16;

	return s->committed >= 0 && !s->detached_for_good &&
	       ring_used(&s->s2c) >= s->s2c_limit / 4 &&
	       s->conn[s->committed].sent - s->asked >= step;
}

void serve_uncover(struct serve *s)
{
	s->covered = false;
}
