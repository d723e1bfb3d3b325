/* SPDX-License-Identifier: MIT */
#include "preload/move_private.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/flowtalk.h"
#include "preload/link.h"
#include "preload/names.h"
#include "preload/nudge.h"
#include "preload/own.h"
#include "preload/pump.h"
#include "preload/raw.h"
#include "preload/rings.h"
#include "preload/splice.h"

#define OPEN_MS 5000 /* for a new session while paths come and go */

static void dial_done(struct flow *f, int result)
{
	f->dial_result = result;
	/* A thread that waits here is not to find a number in use for a moment by the look for
	 * threads. */
	if (!f->nonblocking_dial)
		nudge_now();
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
void open_failed(struct move *m, const char *why)
{
	struct flow *f = m->flow;

	give_up(m);
	if (link_refusal(f->link))
		why = link_refusal(f->link);
	log_info("flow %u: no session (%s), going straight to the peer", f->id, why);
	move_free(m);
	flowtalk_straight(f, why);
}

/* Dials so that the socket can stand for the program's. */
static int start(const struct flow *f, struct dial *d, const union flow_address *relay,
                 const struct mif_path *path)
{
	union flow_address to = *relay;

	places_dress(&to, f->peer.sa.sa_family);
	return dial_start(d, &to, path);
}

/* Dials the relay over the best path that is not being tried. */
static void open_another(struct move *m, struct dial *d, const struct dial *other)
{
	struct mif_path paths[PATHS_MAX];
	struct places places;
	union flow_address to;

	link_all_places(m->flow->link, &places);
	int n = choose_paths_any(&places, paths), used = dial_interface(other);

	for (int i = 0; i < n; i++)
		if (paths[i].ifindex != used && places_pick(&places, &paths[i], 0, &to)) {
			start(m->flow, d, &to, &paths[i]);
			return;
		}
}

bool move_open(struct flow *f)
{
	struct move *m = move_new(f, MOVE_OPEN);

	if (!m)
		return false;
	link_begin(f->link);
	if (start(f, &m->run[0].dial, link_relay(f->link), NULL) < 0)
		open_another(m, &m->run[0].dial, &m->run[1].dial);
	if (m->run[0].dial.fd < 0)
		open_failed(m, "cannot dial the relay");
	return true;
}

int open_ask(struct move *m, struct runner *r, uint8_t *msg)
{
	struct flow *f = m->flow;

	/*
	 * The answer to OPEN was lost with its path. If the session is there it is resumed: a
	 * second OPEN would be a second connection to the service.
	 */
	r->again = m->sid != 0;
	if (r->again)
		return ses_resume(&f->ses, &r->attempt, 0, SES_NO_END, 0, msg);

	struct ses_request what = {.target = address_to_session(&f->peer),
	                           .ring = RELAY_RING,
	                           .who = link_identity(f->link)};
	char name[NAME_MAX_LEN + 1];
	sa_family_t family;
	const void *ip = address_ip(&f->peer, &family);

	if (link_gateway(f->link) && names_find(family, ip, name))
		what.name = name;
	int n = ses_open(link_assoc(f->link), &f->ses, &what, msg);

	m->sid = n > 0 ? f->ses.sid : 0;
	return n;
}

bool open_connected(struct move *m, struct runner *r)
{
	m->met = true;
	dial_close(&m->run[r == &m->run[0]].dial);
	/* OPEN can leave as soon as there is an association. */
	if (!link_assoc(m->flow->link))
		return false;
	/* Only now it is known where the relay wants it. */
	if (link_at_home(m->flow->link, r->dial.fd))
		return true;
	dial_close(&r->dial);
	start(m->flow, &r->dial, link_relay(m->flow->link), NULL);
	return false;
}

static void new_answered(struct move *m, struct runner *r, int len)
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
	move_won(m, (int)(r - m->run));
}

/* The session whose OPENED was lost: is it there? */
static void again_answered(struct move *m, struct runner *r, int len)
{
	struct flow *f = m->flow;
	uint8_t msg[SES_MSG_MAX];

	if (ses_resumed(&f->ses, &r->attempt, r->dial.in, (size_t)len) == 0) {
		int n = ses_commit(&f->ses, &r->attempt, 0, 0, msg);

		if (r->attempt.peer_count == 0 && n > 0 && dial_send(&r->dial, msg, n) == 0) {
			flowtalk_peer_state(f, r->attempt.peer_end, r->attempt.peer_flags);
			move_won(m, (int)(r - m->run));
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

void open_answered(struct move *m, struct runner *r, int len)
{
	if (r->again)
		again_answered(m, r, len);
	else
		new_answered(m, r, len);
}

void open_race(struct move *m)
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
		if (start(f, first, link_relay(f->link), NULL) == 0)
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

/*
 * What goes onto the program's descriptor: the connection, or, where a ring may use it as soon as
 * it is there, the end of a pair that is carried from the first byte. Negative errno: no pair.
 */
static int carried_end(struct move *m)
{
	int copy = own_copy(m->fd);
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
	own_close(app);
	return r;
}

void open_put(struct move *m)
{
	struct flow *f = m->flow;
	int r;

	move_finish(m);
	f->local = places_shown(&f->source, &f->peer);
	link_learn(f->link, &f->ses);
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
	/* Who writes before connect() has said that it may, and is willing to wait for that, waits
	 * in the kernel, on what was there before. */
	splice_release_writers(f);
	link_stir(f->link);
	own_close(f->far_fd);
	f->far_fd = -1;
	move_free(m);
	dial_done(f, 0);
}
