/* SPDX-License-Identifier: MIT */
#include "preload/move_private.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/agent.h"
#include "preload/own.h"
#include "preload/pulse.h"
#include "preload/pump.h"
#include "preload/splice.h"
#include "preload/web.h"

#define MOVES 128

static struct move moves[MOVES];
static int under_way;
static int beyond; /* behind the last that was ever used: a forked child has no more to forget */

struct move *move_new(struct flow *f, enum kind kind)
{
	for (int i = 0; i < MOVES; i++) {
		struct move *m = &moves[i];

		if (m->flow)
			continue;
		memset(m, 0, sizeof(*m));
		if (i >= beyond)
			beyond = i + 1;
		m->flow = f;
		m->kind = kind;
		m->fd = m->app = m->far = -1;
		for (int k = 0; k < RUNNERS; k++)
			m->run[k].dial.fd = -1;
		m->slot = -1;
		m->how = "";
		m->begun_ms = clock_ms();
		f->move = m;
		under_way++;
		return m;
	}
	return NULL;
}

void move_free(struct move *m)
{
	for (int k = 0; k < RUNNERS; k++)
		dial_close(&m->run[k].dial);
	own_close(m->fd);
	own_close(m->app);
	own_close(m->far);
	m->flow->move = NULL;
	/* What happened in the meantime was not looked at. */
	m->flow->again_ms = clock_ms();
	m->flow = NULL;
	under_way--;
}

bool moves_full(void)
{
	return under_way == MOVES;
}

bool move_to(struct flow *f, const struct mif_path *paths, int n, bool gentle, bool urgent)
{
	struct move *m;

	/* Each move takes some descriptors of the program's allowance: leave it most. */
	if (own_headroom() < 16)
		return false;
	m = move_new(f, f->kind == FLOW_SESSION ? MOVE_RESUME : MOVE_REDIAL);
	if (!m)
		return false;
	m->gentle = gentle;
	m->urgent = urgent;
	m->left = f->ifindex;
	m->npaths = n < PATHS_MAX ? n : PATHS_MAX;
	memcpy(m->paths, paths, (size_t)m->npaths * sizeof(*paths));
	/* Moving for the better means to this path or not at all. */
	if (gentle && !urgent)
		m->npaths = 1;
	atomic_store(&f->state, f->closed ? FLOW_CLOSING : FLOW_MOVING);
	return true;
}

void move_fail(struct move *m, const char *why)
{
	struct flow *f = m->flow;
	const struct mif_path *p = m->next ? &m->paths[m->next - 1] : &m->paths[0];

	if (m->kind == MOVE_OPEN) {
		open_failed(m, why);
		return;
	}
	log_info("flow %u: handover to %s failed: %s", f->id,
	         m->path.name[0] ? m->path.name : p->name, why);
	f->retry_ms = clock_ms() + 200;
	if (!m->blameless) {
		f->failed_ifindex = m->path.ifindex ? m->path.ifindex : p->ifindex;
		f->failed_ms = clock_ms();
	}
	/* Up, and nothing came back: a preferred path is not tried again and again. */
	if (m->gentle && m->phase == RACING && !m->blameless)
		pulse_rests(f->failed_ifindex);
	/* Until the new connection is on the descriptor the old one is there as it was. */
	bool back = m->phase <= OPENING || (f->kind == FLOW_HTTP && m->phase == SKIPPING);
	bool gentle = m->gentle && back;
	bool whole = f->kind == FLOW_HTTP && back && !atomic_load(&f->failed);

	/* What was sent again through the new connection was ours, not the program's. */
	if (m->phase == REPLAYING && !f->closed)
		splice_base_written(f, m->fd, f->ring.tail);

	if (f->kind == FLOW_HTTP)
		atomic_load(&f->web)->ask.by = -1;
	move_free(m);
	if (gentle || whole)
		splice_unpark(f);
	if (gentle && f->pump)
		pump_resume(f);
	atomic_store(&f->state, f->closed ? FLOW_CLOSING : gentle ? FLOW_STABLE : FLOW_WAITING);
}

bool move_racing(const struct flow *f)
{
	return f->move && f->move->kind != MOVE_OPEN && f->move->phase == RACING;
}

void move_old_lost(struct flow *f)
{
	if (f->move)
		f->move->gentle = f->move->urgent = false;
}

uint64_t move_floor(const struct flow *f)
{
	const struct move *m = f->move;
	uint64_t least = UINT64_MAX;

	if (!m || m->kind != MOVE_RESUME)
		return least;
	for (int i = 0; i < RUNNERS; i++) {
		const struct runner *r = &m->run[i];

		/* The winner's dial has been taken out, but its attempt is the one that counts. */
		bool lives =
		    r->asked && (r->dial.fd >= 0 || (m->phase != RACING && m->winner == i));

		if (lives && r->attempt.count < least)
			least = r->attempt.count;
	}
	return least;
}

void move_abandon(struct flow *f, const char *why)
{
	if (f->move)
		move_fail(f->move, why);
}

void moves_review(void)
{
	for (int i = 0; i < MOVES; i++) {
		struct move *m = &moves[i];

		if (!m->flow)
			continue;
		m->disturbed = true;
		if (m->phase == RACING) {
			for (int k = 0; k < RUNNERS; k++) {
				struct dial *d = &m->run[k].dial;
				if (m->kind != MOVE_OPEN && d->fd >= 0 && !dial_usable(d))
					dial_close(d);
			}
		} else if (!mif_address_usable(agent_monitor(), m->path.source.family,
		                               m->path.source.ip, m->path.ifindex)) {
			move_fail(m, "the new path is gone, too");
		}
	}
}

void moves_wait(struct waits *w)
{
	int64_t now = clock_ms();

	for (int i = 0; i < MOVES; i++) {
		struct move *m = &moves[i];

		if (!m->flow)
			continue;
		switch (m->phase) {
		case RACING:
			for (int k = 0; k < RUNNERS; k++)
				dial_wait(&m->run[k].dial, w);
			waits_until(w, move_race_due(m));
			break;
		case PARKING:
			m->slot = -1;
			waits_until(w, now + 1);
			break;
		case OPENING:
			m->slot = waits_add(w, m->fd, over_says(m) ? POLLOUT : POLLIN);
			waits_until(w, now + 100);
			break;
		case SKIPPING:
			m->slot = waits_add(w, m->fd, m->skip ? POLLIN : POLLOUT);
			waits_until(w, now + 100);
			break;
		case REPLAYING:
			m->slot = waits_add(w, m->fd, POLLOUT);
			waits_until(w, now + 100);
			break;
		}
	}
}

void moves_step(struct waits *w)
{
	for (int i = 0; i < MOVES; i++) {
		struct move *m = &moves[i];

		if (m->flow && m->phase == RACING)
			move_race(m, w);
		if (m->flow && m->phase == PARKING) {
			if (m->kind == MOVE_OPEN)
				open_put(m);
			else
				over_commit(m);
		}
		if (m->flow && m->phase == OPENING)
			over_reopen(m);
		if (m->flow && m->phase == SKIPPING)
			over_skip(m);
		else if (m->flow && m->phase == REPLAYING)
			over_replay(m);
	}
}

void moves_forget(void)
{
	memset(moves, 0, (size_t)beyond * sizeof(moves[0]));
	under_way = beyond = 0;
}
