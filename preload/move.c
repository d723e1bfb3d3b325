/* SPDX-License-Identifier: MIT */
#include "preload/move.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/agent.h"
#include "preload/choose.h"
#include "preload/dial.h"
#include "preload/flowtalk.h"
#include "preload/link.h"
#include "preload/names.h"
#include "preload/options.h"
#include "preload/own.h"
#include "preload/pump.h"
#include "preload/raw.h"
#include "preload/replay.h"
#include "preload/rings.h"
#include "preload/splice.h"

#define MOVES 128
#define STAGGER_MS 250 /* RFC 8305 */
#define CONNECT_MS 5000
#define ANSWER_MS 3000
#define OPEN_MS 5000  /* for a new session while paths come and go */
#define RETIRE_MS 300 /* make-before-break: the old socket outlives the COMMIT by this much */

enum kind { MOVE_OPEN, MOVE_RESUME, MOVE_REDIAL };
enum phase { RACING, PARKING, SKIPPING, REPLAYING };

struct runner {
	struct dial dial;
	struct ses_attempt attempt;
	bool asked;
	bool again; /* MOVE_OPEN: what was asked is a RESUME of the session opened before */
	int64_t asked_ms;
};

struct move {
	struct flow *flow; /* NULL: free */
	enum kind kind;
	enum phase phase;
	bool gentle;
	bool disturbed; /* the network changed since it began */
	uint64_t sid;   /* MOVE_OPEN: asked for, and not answered yet */
	bool met;       /* MOVE_OPEN: the relay, or a box before it, took a connection */
	int again;      /* MOVE_OPEN: dialled anew after such a one was reset */
	struct runner run[2];
	int winner;
	struct mif_path paths[PATHS_MAX], path;
	int npaths, next;
	int64_t begun_ms, next_ms, since_ms;

	int fd; /* the new connection, once a runner has won */
	int slot;
	uint64_t read;   /* what the program has read in the end */
	uint64_t skip;   /* bytes to throw away */
	uint64_t replay; /* next count to send again */
};

static struct move moves[MOVES];

static struct move *move_new(struct flow *f, enum kind kind)
{
	for (int i = 0; i < MOVES; i++) {
		struct move *m = &moves[i];

		if (m->flow)
			continue;
		memset(m, 0, sizeof(*m));
		m->flow = f;
		m->kind = kind;
		m->fd = m->run[0].dial.fd = m->run[1].dial.fd = -1;
		m->slot = -1;
		m->begun_ms = clock_ms();
		f->move = m;
		return m;
	}
	return NULL;
}

static void move_free(struct move *m)
{
	dial_close(&m->run[0].dial);
	dial_close(&m->run[1].dial);
	own_close(m->fd);
	m->flow->move = NULL;
	/* What happened in the meantime was not looked at. */
	m->flow->again_ms = clock_ms();
	m->flow = NULL;
}

static void dial_done(struct flow *f, int result)
{
	f->dial_result = result;
	atomic_store(&f->dialled, 1);
	futex_wake(&f->dialled);
}

static void give_up(struct move *m)
{
	if (m->sid)
		link_give_up(m->flow->link, m->sid);
	m->sid = 0;
}

/* The way through the relay is not to be had: the program's own connect() goes on, straight to the
 * peer. */
static void open_failed(struct move *m, const char *why)
{
	struct flow *f = m->flow;

	give_up(m);
	if (link_refusal(f->link))
		why = link_refusal(f->link);
	log_info("flow %u: no session (%s), going straight to the peer", f->id, why);
	move_free(m);
	flowtalk_straight(f, why);
}

bool move_open(struct flow *f)
{
	struct move *m = move_new(f, MOVE_OPEN);

	if (!m)
		return false;
	link_begin(f->link);
	if (dial_start(&m->run[0].dial, link_relay(f->link), NULL) < 0)
		open_failed(m, "cannot dial the relay");
	return true;
}

bool move_to(struct flow *f, const struct mif_path *paths, int n, bool gentle)
{
	struct move *m;

	/* Each move takes some descriptors of the program's allowance: leave it most. */
	if (own_headroom() < 16)
		return false;
	m = move_new(f, f->kind == FLOW_SESSION ? MOVE_RESUME : MOVE_REDIAL);
	if (!m)
		return false;
	m->gentle = gentle;
	m->npaths = n < PATHS_MAX ? n : PATHS_MAX;
	memcpy(m->paths, paths, (size_t)m->npaths * sizeof(*paths));
	/* Moving for the better means to this path or not at all. */
	if (gentle)
		m->npaths = 1;
	atomic_store(&f->state, f->closed ? FLOW_CLOSING : FLOW_MOVING);
	return true;
}

static void fail(struct move *m, const char *why)
{
	struct flow *f = m->flow;
	const struct mif_path *p = m->next ? &m->paths[m->next - 1] : &m->paths[0];

	if (m->kind == MOVE_OPEN) {
		open_failed(m, why);
		return;
	}
	log_info("flow %u: handover to %s failed: %s", f->id,
	         m->path.name[0] ? m->path.name : p->name, why);
	f->failed_ifindex = m->path.ifindex ? m->path.ifindex : p->ifindex;
	f->failed_ms = clock_ms();
	f->retry_ms = f->failed_ms + 200;
	bool gentle = m->gentle && m->phase <= PARKING;

	/* What was sent again through the new connection was ours, not the program's. */
	if (m->phase == REPLAYING && !f->closed)
		splice_base_written(f, m->fd, f->ring.tail);

	move_free(m);
	if (gentle)
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
		f->move->gentle = false;
}

uint64_t move_floor(const struct flow *f)
{
	const struct move *m = f->move;
	uint64_t least = UINT64_MAX;

	if (!m || m->kind != MOVE_RESUME)
		return least;
	for (int i = 0; i < 2; i++) {
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
		fail(f->move, why);
}

/* --- racing --- */

static int ask(struct move *m, struct runner *r)
{
	struct flow *f = m->flow;
	uint8_t msg[SES_MSG_MAX];
	int n;

	r->again = false;
	if (m->kind == MOVE_OPEN && m->sid) {
		/*
		 * The answer to OPEN was lost with its path. If the session is there it is resumed:
		 * a second OPEN would be a second connection to the service.
		 */
		r->again = true;
		n = ses_resume(&f->ses, &r->attempt, 0, SES_NO_END, 0, msg);
	} else if (m->kind == MOVE_OPEN) {
		struct ses_request what = {.target = address_to_session(&f->peer),
		                           .ring = RELAY_RING,
		                           .who = link_identity(f->link)};
		char name[NAME_MAX_LEN + 1];
		sa_family_t family;
		const void *ip = address_ip(&f->peer, &family);

		if (link_gateway(f->link) && names_find(family, ip, name))
			what.name = name;

		n = ses_open(link_assoc(f->link), &f->ses, &what, msg);
		m->sid = n > 0 ? f->ses.sid : 0;
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

static void won(struct move *m, int i)
{
	m->winner = i;
	m->path = m->run[i].dial.path;
	m->fd = dial_take(&m->run[i].dial);
	dial_close(&m->run[!i].dial);
	m->phase = PARKING;
	m->since_ms = clock_ms();
}

static void open_answered(struct move *m, struct runner *r, int len)
{
	struct flow *f = m->flow;
	int err = ses_opened(link_assoc(f->link), &f->ses, r->dial.in, (size_t)len);

	/* Refused for good: there is nothing to give up. */
	if (err > 0)
		m->sid = 0;

	if (err) {
		int why = ses_refused(r->dial.in, (size_t)len);

		/* A relay that does not serve this port answers at once each time; one that
		 * misbehaves is left alone. */
		if (err < 0)
			link_shun(f->link);
		open_failed(m, why       ? "refused by the relay"
		               : err < 0 ? "no valid answer"
		                         : strerrordesc_np(err));
		return;
	}
	won(m, (int)(r - m->run));
}

/* The session whose OPENED was lost: is it there? */
static void reopen_answered(struct move *m, struct runner *r, int len)
{
	struct flow *f = m->flow;
	uint8_t msg[SES_MSG_MAX];

	if (ses_resumed(&f->ses, &r->attempt, r->dial.in, (size_t)len) == 0) {
		int n = ses_commit(&f->ses, &r->attempt, 0, 0, msg);

		if (r->attempt.peer_count == 0 && n > 0 && dial_send(&r->dial, msg, n) == 0) {
			flowtalk_peer_state(f, r->attempt.peer_end, r->attempt.peer_flags);
			won(m, (int)(r - m->run));
			return;
		}
	} else {
		int why = ses_refused(r->dial.in, (size_t)len);

		/* The OPEN has not arrived, or its connect was not decided: whatever comes of it,
		 * we open anew. */
		if (why == SES_UNKNOWN || why == SES_GONE)
			give_up(m);
	}
	dial_close(&r->dial);
}

static void resume_answered(struct move *m, struct runner *r, int len)
{
	struct flow *f = m->flow;
	int e = ses_resumed(&f->ses, &r->attempt, r->dial.in, (size_t)len);

	if (e == 0) {
		f->refusals = 0;
		won(m, (int)(r - m->run));
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
			won(m, (int)(r - m->run));
			return;
		}
		if (m->kind == MOVE_OPEN) {
			m->met = true;
			dial_close(&m->run[r == &m->run[0]].dial);
			/* Connected; OPEN can leave as soon as there is an association. */
			if (!link_assoc(m->flow->link))
				return;
			/* Only now it is known where the relay wants it. */
			if (!link_at_home(m->flow->link, r->dial.fd)) {
				dial_close(&r->dial);
				dial_start(&r->dial, link_relay(m->flow->link), NULL);
				return;
			}
		}
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
	} else if (m->kind == MOVE_OPEN && r->again) {
		reopen_answered(m, r, n);
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

/* Dials the relay over the best path that is not being tried. */
static void open_another(struct move *m, struct dial *d, const struct dial *other)
{
	struct mif_path paths[PATHS_MAX];
	int n = choose_paths(link_relay(m->flow->link), paths), used = dial_interface(other);

	for (int i = 0; i < n; i++)
		if (paths[i].ifindex != used) {
			dial_start(d, link_relay(m->flow->link), &paths[i]);
			return;
		}
}

static void race_open(struct move *m)
{
	struct flow *f = m->flow;
	int64_t age = clock_ms() - m->begun_ms;
	struct dial *first = &m->run[0].dial, *second = &m->run[1].dial;
	bool connected = first->connected || second->connected;
	/* The network is changing under us: that says nothing about the relay. */
	/* A relay that has answered this process before is there; only a stranger has to prove
	 * itself soon. */
	bool known = link_assoc(f->link) != NULL;
	int64_t patience = m->disturbed || known ? OPEN_MS
	                   : second->fd >= 0     ? 4 * STAGGER_MS
	                                         : STAGGER_MS;

	if (m->disturbed && age < OPEN_MS) {
		for (int i = 0; i < 2; i++) {
			struct runner *r = &m->run[i];

			if (r->dial.fd >= 0 && !dial_usable(&r->dial)) {
				dial_close(&r->dial);
				r->asked = false;
			}
		}
		if (link_failed(f->link) && !link_assoc(f->link))
			link_begin(f->link);
		if (first->fd < 0 && second->fd < 0) {
			m->run[0].asked = false;
			open_another(m, first, second);
		}
		return;
	}
	if (link_failed(f->link) && !link_assoc(f->link)) {
		link_shun(f->link);
		open_failed(m, "relay not reached");
		return;
	}
	/* One that was there a moment ago: a box was replaced, or a relay started anew. */
	if (first->fd < 0 && second->fd < 0 && m->met && m->again < 3) {
		m->again++;
		m->run[0].asked = m->run[1].asked = false;
		if (dial_start(first, link_relay(f->link), NULL) == 0)
			return;
	}
	if (first->fd < 0 && second->fd < 0) {
		if (!known)
			link_shun(f->link);
		open_failed(m, "relay not reached");
		return;
	}
	if (!connected && age >= STAGGER_MS && m->next == 0) {
		m->next = 1;
		open_another(m, second, first);
		if (!known)
			patience = second->fd >= 0 ? 4 * STAGGER_MS : STAGGER_MS;
	}
	/* The relay's host is slow or drops our packets: a direct dial must not wait much longer.
	 */
	if (!connected && age >= patience) {
		if (!known)
			link_shun(f->link);
		open_failed(m, "relay does not answer");
	} else if (age >= OPEN_MS) {
		open_failed(m, "relay does not answer");
	}
}

static void race(struct move *m, struct waits *w)
{
	for (int i = 0; i < 2 && m->flow && m->phase == RACING; i++)
		runner_step(m, &m->run[i], w);
	if (!m->flow || m->phase != RACING)
		return;
	if (m->kind == MOVE_OPEN) {
		race_open(m);
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
		fail(m, "every path tried");
	else if (now - m->begun_ms > CONNECT_MS)
		fail(m, "no answer");
}

/* --- the answer is there --- */

static void finish(struct move *m)
{
	struct flow *f = m->flow;
	socklen_t len = sizeof(f->source);

	f->ifindex = m->path.ifindex;
	raw_getsockname(m->fd, &f->source.sa, &len);
	if (!f->ifindex)
		f->ifindex = choose_interface(&f->source);
	f->lost_ms = 0;
	atomic_store(&f->failed, false);
}

/*
 * What goes onto the program's descriptor: the connection, or, where a ring may use it as soon as
 * it is there, the end of a pair that is carried from the first byte. Negative errno: no pair.
 */
static int carried_end(struct move *m)
{
	int copy = raw_fcntl(m->fd, F_DUPFD_CLOEXEC, 3);
	int app = copy < 0 ? copy : pump_adopt(m->flow, copy);

	if (app < 0)
		log_info("flow %u: there is a ring, but no pair: %s", m->flow->id,
		         strerrordesc_np(-app));
	return app;
}

static int put_opened(struct move *m)
{
	struct flow *f = m->flow;
	int never = 0, app = rings_here() ? carried_end(m) : -1;
	int r = splice_put(f, app < 0 ? m->fd : app);

	if (app < 0)
		return r;
	/* What the program has set would end a pair whose other side waits for a path. */
	if (r == 0) {
		raw_setsockopt(app, IPPROTO_TCP, TCP_USER_TIMEOUT, &never, sizeof(never));
	} else {
		atomic_store(&f->carried, false);
		atomic_store(&f->share, SHARE_NO);
		pump_free(f);
	}
	raw_close(app);
	return r;
}

static void opened(struct move *m)
{
	struct flow *f = m->flow;
	int r;

	finish(m);
	f->local = f->source;
	/*
	 * All in place before the program can see the connection: it may write the very moment the
	 * descriptor becomes writable.
	 */
	flow_make_ring(f, CLIENT_RING);
	f->uncovered = !atomic_load(&f->keeps);
	atomic_store(&f->through_relay, true);
	atomic_store(&f->state, FLOW_STABLE);
	r = splice_base(f, m->fd, 0, 0);
	if (r == 0)
		r = put_opened(m);
	if (r == -EBUSY) {
		atomic_store(&f->state, FLOW_CONNECTING);
		return;
	}
	if (r < 0) {
		/* The program closed the descriptor meanwhile, or replaced it. */
		log_debug("flow %u: opened too late: %s", f->id, strerrordesc_np(-r));
		give_up(m);
		move_free(m);
		flowtalk_end(f);
		dial_done(f, -ECANCELED);
		return;
	}
	log_info("flow %u: session open", f->id);
	own_close(f->far_fd);
	f->far_fd = -1;
	move_free(m);
	dial_done(f, 0);
}

static void commit(struct move *m)
{
	struct flow *f = m->flow;
	struct ses_attempt *t = &m->run[m->winner].attempt;
	struct stream_counts c = {.read = f->closed ? splice_closed_read(f) : 0,
	                          .written = flow_tail(f)};
	struct linger reset = {1, 0};
	uint8_t msg[SES_MSG_MAX];
	int r, n;

	if (f->pump) {
		pump_pause(f);
		pump_counts(f, &c);
	} else if (!f->closed) {
		r = splice_park(f);
		if (r == -EBUSY)
			return;
		if (r < 0) {
			fail(m, strerrordesc_np(-r));
			return;
		}
		if (!splice_drained(f) || !splice_writers_out(f))
			return;
		r = splice_counts(f, &c);
		if (r < 0) {
			fail(m, strerrordesc_np(-r));
			return;
		}
	}
	ring_confirm(&f->ring, atomic_load(&f->confirmed));
	if (m->kind == MOVE_RESUME) {
		if (t->peer_count < atomic_load(&f->confirmed)) {
			/* Its answer is older than its last confirmation: the cover is whole. */
			fail(m, "the relay has gone on without this attempt");
			return;
		}
		if (c.written != f->ring.tail || c.read < t->count ||
		    !ring_holds(&f->ring, t->peer_count)) {
			/* Bytes went by that no hook saw, or more than the ring holds: a splice
			 * would corrupt the stream. */
			log_warn("flow %u: uncovered, not moved: written %llu, kept %llu..%llu, "
			         "relay has %llu",
			         f->id, (unsigned long long)c.written,
			         (unsigned long long)f->ring.base, (unsigned long long)f->ring.tail,
			         (unsigned long long)t->peer_count);
			flowtalk_uncover(f, "bytes that no hook saw");
			m->gentle = true;
			fail(m, "uncovered");
			return;
		}
		n = ses_commit(&f->ses, t, c.read, f->ring.tail, msg);
		if (n < 0 ||
		    raw_sendto(m->fd, msg, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0) != n) {
			fail(m, "COMMIT not sent");
			return;
		}
		/*
		 * There is no way back. Should the process end before this connection is left
		 * behind, its FIN must not be taken for the end of a stream that went on elsewhere.
		 */
		int old = f->pump ? pump_connection(f) : f->old_fd;

		if (old >= 0)
			raw_setsockopt(old, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		m->skip = c.read - t->count;
		m->replay = t->peer_count;
		flowtalk_peer_state(f, t->peer_end, t->peer_flags);
	} else if (!replay_start(f, &c, &m->replay)) {
		bool gentle = m->gentle;

		fail(m, "what was under way cannot be sent again");
		if (f->kind == FLOW_RESET) {
			splice_unpark(f);
			atomic_store(&f->state, FLOW_STABLE);
		} else if (!gentle) {
			splice_reset(f);
			flowtalk_end(f);
		}
		return;
	}
	m->read = c.read;
	m->phase = SKIPPING;
	m->since_ms = clock_ms();
}

static void replay(struct move *m)
{
	struct flow *f = m->flow;

	while (m->replay < f->ring.tail) {
		const void *p;
		size_t len = ring_peek(&f->ring, m->replay, &p);
		long n = raw_sendto(m->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			fail(m, "lost again while replaying");
			return;
		}
		m->replay += (uint64_t)n;
	}
	/* All is out: from here on the kernel counts what the program writes. */
	splice_base_written(f, m->fd, f->ring.tail);
	if (atomic_load(&f->half_closed) || f->closed)
		raw_shutdown(m->fd, SHUT_WR);
	if (f->pump) {
		pump_put(f, m->fd, m->read);
		m->fd = -1;
	} else if (!f->closed) {
		splice_release_writers(f);
	}
	f->handovers++;
	f->refusals = 0;
	f->failed_ms = 0;
	atomic_store(&f->state, f->closed ? FLOW_CLOSING : FLOW_STABLE);
	log_info("flow %u: on %s (session %llu, read %llu, written %llu)", f->id, m->path.name,
	         (unsigned long long)f->ses.sid, (unsigned long long)m->read,
	         (unsigned long long)flow_tail(f));
	flowtalk_moved(f);
	if (f->closed) {
		/* Nobody else holds the new connection. */
		own_close(f->old_fd);
		f->old_fd = m->fd;
		m->fd = -1;
	}
	f->retire_ms = clock_ms() + (m->gentle ? RETIRE_MS : 0);
	move_free(m);
}

/* The counts' base and the file change together, or not at all. */
static int change_over(struct move *m)
{
	struct flow *f = m->flow;
	uint64_t kernel_written = f->kernel_written, kernel_read = f->kernel_read;
	uint64_t stream_written = f->stream_written, stream_read = f->stream_read;
	int r = splice_base(f, m->fd, m->read, f->ring.tail);

	if (r == 0)
		r = splice_put(f, m->fd);
	if (r < 0) {
		f->kernel_written = kernel_written;
		f->kernel_read = kernel_read;
		f->stream_written = stream_written;
		f->stream_read = stream_read;
	}
	return r;
}

static void skip(struct move *m)
{
	struct flow *f = m->flow;
	static uint8_t bin[65536];

	/* Who has closed is sent nothing more: there is nothing to wait for. */
	if (f->closed)
		m->skip = 0;
	while (m->skip) {
		size_t want = m->skip < sizeof(bin) ? (size_t)m->skip : sizeof(bin);
		long n = raw_recvfrom(m->fd, bin, want, MSG_DONTWAIT | MSG_TRUNC, NULL, NULL);

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			fail(m, "lost again while skipping");
			return;
		}
		m->skip -= (uint64_t)n;
	}
	if (f->pump) {
		flowtalk_retire(f);
		f->old_retired = pump_take(f);
		f->retire_ms = INT64_MAX;
	} else if (!f->closed) {
		/* At least this much, should the program close it at this very moment. */
		f->closed_read = m->read;
		int r = change_over(m);

		if (r == -EBUSY)
			return;
		if (r < 0) {
			fail(m, strerrordesc_np(-r));
			return;
		}
		flowtalk_retire(f);
		f->old_retired = f->old_fd;
		f->retire_ms = INT64_MAX;
		f->old_fd = -1;
		/*
		 * Some thread may be in a call on the placeholder still; its far end stays open
		 * until they all have been called over, or they would see a false end.
		 */
		own_close(f->old_far);
		f->old_far = f->far_fd;
		f->far_fd = -1;
	}
	finish(m);
	m->phase = REPLAYING;
	replay(m);
}

void moves_review(void)
{
	for (int i = 0; i < MOVES; i++) {
		struct move *m = &moves[i];

		if (!m->flow)
			continue;
		m->disturbed = true;
		if (m->phase == RACING) {
			for (int k = 0; k < 2; k++) {
				struct dial *d = &m->run[k].dial;
				if (m->kind != MOVE_OPEN && d->fd >= 0 && !dial_usable(d))
					dial_close(d);
			}
		} else if (!mif_address_usable(agent_monitor(), m->path.source.family,
		                               m->path.source.ip)) {
			fail(m, "the new path is gone, too");
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
			dial_wait(&m->run[0].dial, w);
			dial_wait(&m->run[1].dial, w);
			/* Connected and only waiting for the link: not to be woken by silence. */
			waits_until(
			    w, now + (m->run[0].dial.fd < 0 && m->run[1].dial.fd < 0 ? 0 : 50));
			break;
		case PARKING:
			m->slot = -1;
			waits_until(w, now + 1);
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
			race(m, w);
		if (m->flow && m->phase == PARKING) {
			if (m->kind == MOVE_OPEN)
				opened(m);
			else
				commit(m);
		}
		if (m->flow && m->phase == SKIPPING)
			skip(m);
		else if (m->flow && m->phase == REPLAYING)
			replay(m);
	}
}

void moves_forget(void)
{
	memset(moves, 0, sizeof(moves));
}
