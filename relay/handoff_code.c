/* SPDX-License-Identifier: MIT */
/* What there is to say of each thing that is handed over, once for both sides. */
#include "relay/handoff_code.h"

static void code_address(struct codec *c, struct ses_addr *a)
{
	int port = a->port;

	code_bytes(c, &a->family, 1);
	code_bytes(c, a->ip, sizeof(a->ip));
	code_int(c, &port);
	a->port = (uint16_t)port;
}

static void code_cipher(struct codec *c, struct ses_cipher *s)
{
	code_bytes(c, s->key, sizeof(s->key));
	code_u64(c, &s->nonce);
}

void code_association(struct codec *c, struct association *a)
{
	code_bytes(c, a->a.id, sizeof(a->a.id));
	code_bytes(c, a->a.secret, sizeof(a->a.secret));
	code_cipher(c, &a->a.tx);
	code_cipher(c, &a->a.rx);
	code_u32(c, &a->a.attached);
	code_u32(c, &a->a.stood);
	code_u64(c, &a->a.sid_top);
	for (size_t i = 0; i < SERVER_SIDS / 64; i++)
		code_u64(c, &a->a.sid_seen[i]);
	code_i64(c, &a->gone_ms);
	code_bool(c, &a->fin);
	code_bool(c, &a->ended);
}

void code_conn(struct codec *c, struct conn *n)
{
	int role = n->role;

	code_int(c, &role);
	n->role = (enum conn_role)role;
	code_i64(c, &n->deadline_ms);
	code_address(c, &n->from);
	code_int(c, &n->index);
	code_bool(c, &n->tentative);
	code_bool(c, &n->fin_received);
	code_bool(c, &n->fin_sent);
	code_bool(c, &n->broken);
	code_bool(c, &n->hushed);
	code_size(c, &n->got);
	code_size(c, &n->pending);
	if (n->got > sizeof(n->in) || n->pending > sizeof(n->out)) {
		c->bad = true;
		return;
	}
	code_bytes(c, n->in, n->got);
	code_bytes(c, n->out, n->pending);
}

static void code_ring(struct codec *c, struct ring *r)
{
	code_size(c, &r->cap);
	code_u64(c, &r->base);
	code_u64(c, &r->tail);
	if (!r->cap || r->cap & (r->cap - 1) || r->cap > 1ull << 32 || r->tail - r->base > r->cap)
		c->bad = true;
}

static void code_serve(struct codec *c, struct serve *s)
{
	code_bytes(c, s->root, sizeof(s->root));
	code_ring(c, &s->s2c);
	code_ring(c, &s->c2s);
	code_u64(c, &s->s2c_end);
	code_u64(c, &s->c2s_end);
	code_bool(c, &s->target_reset);
	code_bool(c, &s->client_reset);
	code_bool(c, &s->client_closed);
	code_u64(c, &s->confirmed);
	code_u64(c, &s->given);
	code_bool(c, &s->covered);
	code_bool(c, &s->detached_for_good);
	code_u64(c, &s->swallow);
	for (int i = 0; i < SERVE_CONNS; i++) {
		code_bool(c, &s->conn[i].used);
		code_u32(c, &s->conn[i].epoch);
		code_u64(c, &s->conn[i].sent);
		code_bytes(c, s->conn[i].nonce, sizeof(s->conn[i].nonce));
	}
	code_int(c, &s->committed);
	code_u32(c, &s->epoch_seen);
	code_u32(c, &s->epoch_committed);
	code_u64(c, &s->asked);
	code_u64(c, &s->s2c_urgent);
	code_u64(c, &s->c2s_urgent);
	code_bool(c, &s->urgent);
	if (s->committed < -1 || s->committed >= SERVE_CONNS)
		c->bad = true;
}

void code_session(struct codec *c, struct session *s)
{
	code_u64(c, &s->sid);
	code_bool(c, &s->target_shut);
	code_bool(c, &s->target_over);
	code_bool(c, &s->target_hushed);
	code_bool(c, &s->orderly);
	code_bool(c, &s->reset_said);
	code_bool(c, &s->urgent_said);
	code_bool(c, &s->complete_said);
	code_i64(c, &s->detached_ms);
	code_i64(c, &s->asked_ms);
	code_i64(c, &s->ask_ms);
	code_i64(c, &s->ask_wait_ms);
	code_i64(c, &s->fin_ms);
	code_bool(c, &s->reset_seen);
	code_serve(c, &s->s);
}
