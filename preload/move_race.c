/* SPDX-License-Identifier: MIT */
#include "preload/move_private.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/link.h"
#include "preload/splice.h"

#define CONNECT_MS 5000
#define ANSWER_MS 3000

static int ask(struct move *m, struct runner *r)
{
	struct flow *f = m->flow;
	uint8_t msg[SES_MSG_MAX];
	int n;

	if (m->kind == MOVE_OPEN) {
		n = open_ask(m, r, msg);
	} else {
		struct stream_counts c = {.read = f->closed ? splice_closed_read(f) : 0};

		if (!f->closed && splice_counts(f, &c) < 0)
			return -EAGAIN;
		n = ses_resume(&f->ses, &r->attempt, c.read,
		               atomic_load(&f->half_closed) || f->closed ? flow_tail(f)
		                                                         : SES_NO_END,
		               f->closed ? SES_FLAG_CLOSED : 0, msg);
	}
	if (n < 0)
		return n;
	r->asked = true;
	r->asked_ms = clock_ms();
	return dial_send(&r->dial, msg, n);
}

void move_won(struct move *m, int i)
{
	m->winner = i;
	m->path = m->run[i].dial.path;
	m->fd = dial_take(&m->run[i].dial);
	dial_close(&m->run[!i].dial);
	m->phase = PARKING;
	m->since_ms = clock_ms();
}

static void resume_answered(struct move *m, struct runner *r, int len)
{
	struct flow *f = m->flow;
	int e = ses_resumed(&f->ses, &r->attempt, r->dial.in, (size_t)len);

	if (e == 0) {
		f->refusals = 0;
		move_won(m, (int)(r - m->run));
		return;
	}
	int why = ses_refused(r->dial.in, (size_t)len);

	if (why == SES_UNKNOWN || why == SES_GONE) {
		if (!f->refusals++)
			f->refused_ms = clock_ms();
	}
	log_info("flow %u: resume over %s refused (%d)", f->id, r->dial.path.name, why);
	dial_close(&r->dial);
}

static void runner_step(struct move *m, struct runner *r, struct waits *w)
{
	int n, e;

	if (r->dial.fd < 0)
		return;
	if (!r->asked) {
		e = dial_progress(&r->dial, w);
		if (e == -EINPROGRESS)
			return;
		if (e < 0) {
			log_debug("flow %u: connect over %s: %s", m->flow->id, r->dial.path.name,
			          strerrordesc_np(-e));
			dial_close(&r->dial);
			return;
		}
		if (m->kind == MOVE_REDIAL) {
			move_won(m, (int)(r - m->run));
			return;
		}
		if (m->kind == MOVE_OPEN && !open_connected(m, r))
			return;
		e = ask(m, r);
		if (e < 0 && e != -EAGAIN)
			dial_close(&r->dial);
		return;
	}
	n = dial_message(&r->dial);
	if (n == 0) {
		if (clock_ms() - r->asked_ms > ANSWER_MS)
			dial_close(&r->dial);
		return;
	}
	if (n < 0) {
		log_debug("flow %u: answer over %s: %s", m->flow->id, r->dial.path.name,
		          strerrordesc_np(-n));
		dial_close(&r->dial);
	} else if (m->kind == MOVE_OPEN) {
		open_answered(m, r, n);
	} else {
		resume_answered(m, r, n);
	}
}

/* The address to dial for this path: the relay's (or the peer's) in the path's family. */
static bool address_for(const struct flow *f, const struct mif_path *path, union flow_address *to)
{
	sa_family_t family;

	*to = f->peer;
	address_ip(to, &family);
	if (f->kind == FLOW_SESSION ? link_address(f->link, path->source.family, to)
	                            : family == path->source.family)
		return true;
	for (unsigned i = 0; f->kind == FLOW_SESSION && i < f->ses.relays; i++) {
		*to = address_of(&f->ses.relay[i]);
		if (to->sa.sa_family == path->source.family)
			return true;
	}
	return false;
}

static void start_next(struct move *m, struct runner *r)
{
	union flow_address to;

	while (m->next < m->npaths) {
		const struct mif_path *p = &m->paths[m->next++];

		if (!address_for(m->flow, p, &to))
			continue;
		memset(r, 0, sizeof(*r));
		int e = dial_start(&r->dial, &to, p);

		m->next_ms = clock_ms() + STAGGER_MS;
		if (e == 0)
			return;
		log_debug("flow %u: dial over %s: %s", m->flow->id, p->name, strerrordesc_np(-e));
	}
}

void move_race(struct move *m, struct waits *w)
{
	for (int i = 0; i < 2 && m->flow && m->phase == RACING; i++)
		runner_step(m, &m->run[i], w);
	if (!m->flow || m->phase != RACING)
		return;
	if (m->kind == MOVE_OPEN) {
		open_race(m);
		return;
	}
	int64_t now = clock_ms();
	struct runner *idle = m->run[0].dial.fd < 0   ? &m->run[0]
	                      : m->run[1].dial.fd < 0 ? &m->run[1]
	                                              : NULL;
	bool none = m->run[0].dial.fd < 0 && m->run[1].dial.fd < 0;

	if (idle && m->next < m->npaths && (none || now >= m->next_ms))
		start_next(m, idle);
	none = m->run[0].dial.fd < 0 && m->run[1].dial.fd < 0;
	if (none && m->next >= m->npaths)
		move_fail(m, "every path tried");
	else if (now - m->begun_ms > CONNECT_MS)
		move_fail(m, "no answer");
}
