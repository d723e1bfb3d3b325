/* SPDX-License-Identifier: MIT */
#include "preload/move_private.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/fastopen.h"
#include "preload/link.h"
#include "preload/pulse.h"
#include "preload/splice.h"
#include "preload/web.h"

#define CONNECT_MS 5000
#define ANSWER_MS 3000
#define WEB_ANSWER_MS 10000 /* a server may have to look for it first */
#define ROUNDS 3            /* so many addresses of the far end are tried over a path */
#define LATE_MS 100         /* the answer to what was said in a SYN, where that has worked before */

/* The message with which the runner's connection begins; its length or negative errno. */
static int question(struct move *m, struct runner *r, uint8_t *msg)
{
	struct flow *f = m->flow;

	if (m->kind == MOVE_OPEN)
		return open_ask(m, r, msg);
	struct stream_counts c = {.read = f->closed ? splice_closed_read(f) : 0};

	if (!f->closed && splice_counts(f, &c) < 0)
		return -EAGAIN;
	return ses_resume(&f->ses, &r->attempt, c.read,
	                  atomic_load(&f->half_closed) || f->closed ? flow_tail(f) : SES_NO_END,
	                  f->closed ? SES_FLAG_CLOSED : 0, msg);
}

static void asked(struct runner *r)
{
	r->asked = true;
	r->asked_ms = clock_ms();
}

static int ask(struct move *m, struct runner *r)
{
	uint8_t msg[SES_MSG_MAX];
	int n = question(m, r, msg);

	if (n < 0)
		return n;
	asked(r);
	return dial_send(&r->dial, msg, n);
}

void move_won(struct move *m, int i)
{
	m->winner = i;
	m->path = m->run[i].dial.path;
	m->fd = dial_take(&m->run[i].dial);
	for (int k = 0; k < RUNNERS; k++)
		dial_close(&m->run[k].dial);
	m->phase = PARKING;
	m->since_ms = clock_ms();
}

static void resume_answered(struct move *m, struct runner *r, int len)
{
	struct flow *f = m->flow;
	int e = ses_resumed(&f->ses, &r->attempt, r->dial.in, (size_t)len);

	if (e == 0) {
		f->refusals = 0;
		pulse_trust(r->dial.path.ifindex);
		if (r->dial.fast) {
			bool heard = dial_heard(&r->dial);

			fastopen_note(link_fastopen(f->link), r->dial.path.ifindex,
			              heard ? FASTOPEN_WORKS : FASTOPEN_NOT, clock_ms());
			m->how = heard ? " by Fast Open" : "";
		} else if (r->quick) {
			m->how = " by the standby";
		}
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

/* The runner of a plain connection is connected, or has asked an HTTP server. May end the move. */
static void plain_step(struct move *m, struct runner *r)
{
	int e = m->flow->kind != FLOW_HTTP ? 1
	        : m->flow->closed          ? -ECANCELED
	        : r->asked                 ? web_answer(m, r)
	                                   : web_ask(m, r);

	if (e == 0 && clock_ms() - r->asked_ms > WEB_ANSWER_MS)
		e = -ETIMEDOUT;
	if (e == 1) {
		move_won(m, (int)(r - m->run));
	} else if (e == -EPROTO || e == -ECANCELED) {
		m->blameless = true;
		move_fail(m, e == -EPROTO ? "refused" : "nothing to be gone on with");
	} else if (e < 0 && e != -EAGAIN) {
		log_debug("flow %u: answer over %s: %s", m->flow->id, r->dial.path.name,
		          strerrordesc_np(-e));
		dial_close(&r->dial);
	}
}

static struct runner *quick_one(struct move *m)
{
	for (int i = 0; i < RUNNERS; i++)
		if (m->run[i].quick && m->run[i].dial.fd >= 0)
			return &m->run[i];
	return NULL;
}

/*
 * The plain connection is there: so what was said first over the same path has its answer, or a
 * moment from now, or it will have none. To ask here, too, would have the relay send the stream
 * twice.
 */
static bool is_held(struct move *m, struct runner *r)
{
	struct runner *quick = quick_one(m);
	int64_t now = clock_ms();

	if (!r->beside || !quick)
		return false;
	if (quick->dial.fast && dial_established(&quick->dial)) {
		/* What was not taken from the SYN the kernel has sent again. */
		dial_close(&r->dial);
		return true;
	}
	if (!r->hold_ms) {
		int64_t took = now - r->dial.since_ms;

		/* The kernel answers a SYN, and did not; the relay itself takes a little longer. */
		r->hold_ms = quick->dial.fast ? now : now + 2 + (took < 80 ? took / 8 : 10);
	}
	if (now < r->hold_ms)
		return true;
	log_debug("flow %u: no answer over %s to what was said %s", m->flow->id, r->dial.path.name,
	          quick->dial.fast ? "in the SYN" : "on the standby");
	if (quick->dial.fast)
		fastopen_note(link_fastopen(m->flow->link), quick->dial.path.ifindex, FASTOPEN_NOT,
		              now);
	r->beside = false;
	return false;
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
			if (e == -ECONNREFUSED && m->kind == MOVE_REDIAL && !m->flow->refused_ms)
				m->flow->refused_ms = clock_ms();
			dial_close(&r->dial);
			return;
		}
		if (m->kind == MOVE_REDIAL) {
			plain_step(m, r);
			return;
		}
		if (m->kind == MOVE_OPEN && !open_connected(m, r))
			return;
		if (is_held(m, r))
			return;
		e = ask(m, r);
		if (e < 0 && e != -EAGAIN)
			dial_close(&r->dial);
		return;
	}
	if (m->kind == MOVE_REDIAL) {
		plain_step(m, r);
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
static bool address_for(const struct flow *f, const struct mif_path *path, unsigned round,
                        union flow_address *to)
{
	struct places places;

	places_of(f, &places);
	if (!places_pick(&places, path, round, to))
		return false;
	places_dress(to, f->peer.sa.sa_family);
	return true;
}

static struct runner *idle_one(struct move *m)
{
	for (int i = 0; i < RUNNERS; i++)
		if (m->run[i].dial.fd < 0)
			return &m->run[i];
	return NULL;
}

static bool none_runs(const struct move *m)
{
	for (int i = 0; i < RUNNERS; i++)
		if (m->run[i].dial.fd >= 0)
			return false;
	return true;
}

/* RESUME in the SYN. False: the connection is a plain one, or there is none. */
static bool start_fast(struct move *m, struct runner *r, const union flow_address *to,
                       const struct mif_path *p)
{
	struct fastopen_table *known = link_fastopen(m->flow->link);
	uint8_t msg[SES_MSG_MAX];
	int64_t now = clock_ms();
	enum fastopen state = fastopen_state(known, p->ifindex, now);
	int n = -1;

	if (state == FASTOPEN_UNKNOWN || state == FASTOPEN_WORKS)
		n = question(m, r, msg);
	if (n < 0)
		return false;
	if (dial_start_saying(&r->dial, to, p, msg, n) < 0)
		return false;
	if (state == FASTOPEN_UNKNOWN)
		fastopen_note(known, p->ifindex, r->dial.fast ? FASTOPEN_TRYING : FASTOPEN_NOT,
		              now);
	if (!r->dial.fast)
		return false;
	asked(r);
	r->quick = true;
	return true;
}

/* A plain connection beside a quick one, which may get no answer. */
static void start_beside(struct move *m, struct runner *quick, const union flow_address *to,
                         const struct mif_path *p)
{
	struct runner *plain = idle_one(m);

	quick->seconded = true;
	if (!plain)
		return;
	memset(plain, 0, sizeof(*plain));
	plain->beside = dial_start(&plain->dial, to, p) == 0;
}

/* RESUME on the connection that is held ready. */
static bool start_ready(struct move *m, struct runner *r, const struct mif_path *p)
{
	if ((m->gentle && !m->urgent) || !link_standby(m->flow->link, p, &r->dial))
		return false;
	/* Should this fail, the connection is gone like one that nobody answers. */
	if (ask(m, r) < 0) {
		dial_close(&r->dial);
		return false;
	}
	r->quick = true;
	return true;
}

/*
 * The first connection over a path, the quickest there is. One that nothing says will be answered
 * has a plain one beside it from the start: then it costs no time if it is not. False: none could
 * be begun.
 */
static bool start_over(struct move *m, struct runner *r, const union flow_address *to,
                       const struct mif_path *p)
{
	memset(r, 0, sizeof(*r));
	r->dial.fd = -1;
	if (m->kind == MOVE_RESUME && start_ready(m, r, p)) {
		start_beside(m, r, to, p);
		return true;
	}
	if (m->kind == MOVE_RESUME && start_fast(m, r, to, p)) {
		if (fastopen_state(link_fastopen(m->flow->link), p->ifindex, clock_ms()) !=
		    FASTOPEN_WORKS)
			start_beside(m, r, to, p);
		return true;
	}
	if (r->dial.fd >= 0)
		return true;
	int e = dial_start(&r->dial, to, p);

	if (e < 0)
		log_debug("flow %u: dial over %s: %s", m->flow->id, p->name, strerrordesc_np(-e));
	return e == 0;
}

static void start_next(struct move *m, struct runner *r)
{
	union flow_address to;

	while (m->next < m->npaths) {
		const struct mif_path *p = &m->paths[m->next++];
		unsigned round = m->round;

		/* Every path first, then the far end's further addresses. */
		if (m->next == m->npaths && m->round + 1 < ROUNDS) {
			m->next = 0;
			m->round++;
		}
		if (!address_for(m->flow, p, round, &to))
			continue;
		m->next_ms = clock_ms() + STAGGER_MS;
		if (start_over(m, r, &to, p))
			return;
	}
}

void move_race(struct move *m, struct waits *w)
{
	for (int i = 0; i < RUNNERS && m->flow && m->phase == RACING; i++)
		runner_step(m, &m->run[i], w);
	if (!m->flow || m->phase != RACING)
		return;
	if (m->kind == MOVE_OPEN) {
		open_race(m);
		return;
	}
	int64_t now = clock_ms();
	struct runner *idle = idle_one(m), *quick = quick_one(m);

	if (quick && !quick->seconded && now >= quick->asked_ms + LATE_MS) {
		union flow_address to;

		quick->seconded = true;
		if (address_for(m->flow, &quick->dial.path, 0, &to))
			start_beside(m, quick, &to, &quick->dial.path);
		idle = idle_one(m);
	}
	if (idle && m->next < m->npaths && (none_runs(m) || now >= m->next_ms))
		start_next(m, idle);
	if (none_runs(m) && m->next >= m->npaths)
		move_fail(m, "every path tried");
	else if (now - m->begun_ms > CONNECT_MS && !(m->kind == MOVE_REDIAL && web_asked(m)))
		move_fail(m, "no answer");
}

int64_t move_race_due(const struct move *m)
{
	bool web = m->kind == MOVE_REDIAL && web_asked(m);
	int64_t now = clock_ms(), due = web ? now + 1000 : m->begun_ms + CONNECT_MS + 1;

	/* The age of a new session's dials is open_race()'s business. */
	if (none_runs(m))
		return now;
	if (m->kind == MOVE_OPEN)
		return now + 50;
	if (m->next < m->npaths && m->next_ms < due)
		due = m->next_ms;
	for (int i = 0; i < RUNNERS; i++) {
		const struct runner *r = &m->run[i];
		/* Connected, not held back and not asked: the program was in the middle of a call.
		 */
		int64_t own = r->asked            ? r->asked_ms + ANSWER_MS + 1
		              : r->hold_ms > now  ? r->hold_ms
		              : r->dial.connected ? now + 10
		                                  : due;

		if (r->dial.fd < 0)
			continue;
		if (r->quick && !r->seconded && r->asked_ms + LATE_MS < own)
			own = r->asked_ms + LATE_MS;
		if (own < due)
			due = own;
	}
	return due;
}
