/* SPDX-License-Identifier: MIT */
#include "preload/watch.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/agent.h"
#include "preload/alone.h"
#include "preload/choose.h"
#include "preload/counts.h"
#include "preload/errand.h"
#include "preload/feed.h"
#include "preload/flowtalk.h"
#include "preload/heirs.h"
#include "preload/hook.h"
#include "preload/kin.h"
#include "preload/move.h"
#include "preload/own.h"
#include "preload/patience.h"
#include "preload/process.h"
#include "preload/pulse.h"
#include "preload/pump.h"
#include "preload/raw.h"
#include "preload/reopen.h"
#include "preload/replay.h"
#include "preload/splice.h"
#include "preload/there.h"
#include "preload/udp.h"
#include "preload/web.h"

#define WORTH_IT (1u << 18) /* bytes to come: for fewer a download is not moved for the better */
#define UNANSWERED_MS 60000 /* no server is reached over the paths there are */
#define IDLE_MS 1000        /* a lost connection at rest: has the program written meanwhile? */
#define SILENT_MS 500   /* nothing came back for so long that a request is made again elsewhere */
#define QUIET_MS 37     /* no divisor of what programs wait: not always in the same moment */
#define REFUSED_MS 3000 /* "unknown session" from every path for this long ends it */
#define SPOILT_MS                                                                                  \
	2000     /* a re-dialled connection that lives no longer is the peer's own answer,         \
	          */
#define SPOILT 3 /* if there are so many, one after the other */
#define NO_SERVER_MS 10000 /* a peer that refuses to be dialled again may just be starting anew */
#define LOOK_ON_MS 2       /* others are looked for who have its socket */
#define HEIRS_MS 500       /* how often it is asked whether relatives still have a flow */
#define STALLED_MS 2000    /* a closed flow that is not confirmed: is its connection still there? */
#define GIVE_UP_MS 86400000LL /* the relay lingers no longer by default */
#define CLOSING_MS                                                                                 \
	120000 /* a closed flow's last bytes are looked after this long without any path */

static void learn_path(struct flow *f)
{
	socklen_t len = sizeof(f->source);

	int fd = pump_connection(f);

	if (f->ifindex || fd < 0 || atomic_load(&f->state) == FLOW_CONNECTING)
		return;
	if (f->unconnected && !f->source_bound) {
		f->ifindex = udp_route(&f->peer, &f->source);
		return;
	}
	if (raw_getsockname(fd, &f->source.sa, &len) == 0)
		f->ifindex = choose_interface_to(&f->source, &f->peer);
}

/* The program has closed or replaced every descriptor without a hook seeing it (fclose, raw calls).
 */
static void notice_gone(struct flow *f)
{
	if (atomic_load(&f->carried) || !lock_take(&f->table, thread_id(), 5))
		return;
	for (unsigned i = f->fds; i-- > 0;)
		if (!flow_owns(f, f->fd[i]))
			flow_drop_fd(f, f->fd[i]);
	bool gone = f->fds == 0 && !f->closed;

	lock_release(&f->table);
	if (gone && !f->move)
		flowtalk_end(f);
}

static bool says(const struct flow *f, enum first what)
{
	return atomic_load(&f->speaks) == what;
}

/* No continuity is possible: an ordinary error, but only where TCP itself would not have saved it.
 */
static void consider_reset(struct flow *f, const struct pol_decision *d, int64_t now,
                           struct waits *w)
{
	const struct pol_stability *calm = pol_stability(process_policy());
	struct stream_counts c;
	struct tcp_info t;
	socklen_t len = sizeof(t);

	if (!f->lost_ms || d->verb != POL_RESCUE)
		return;
	/* The counts only of what is the flow's still. */
	if (splice_counts(f, &c) < 0 ||
	    raw_getsockopt(f->fd[0], IPPROTO_TCP, TCP_INFO, &t, &len) < 0) {
		waits_until(w, now + 200);
		return;
	}
	struct patience p = {.told = f->rule && f->rule->continuity == POL_RESET,
	                     .recognised = says(f, FIRST_TLS) || says(f, FIRST_SSH),
	                     .outage_ms = calm->outage,
	                     .gone_ms = calm->gone,
	                     .lost_ms = now - f->lost_ms,
	                     .unacked = c.unacked != 0,
	                     .unread = c.unread != 0,
	                     .sent_ms = t.tcpi_last_data_sent,
	                     .came_ms = t.tcpi_last_data_recv};
	int64_t left = patience_left(&p);

	if (left) {
		waits_until(w, now + (left == PATIENCE_IDLE || left > IDLE_MS ? IDLE_MS : left));
		return;
	}
	log_info("flow %u: reset: path lost for %lld ms, another is ready", f->id,
	         (long long)p.lost_ms);
	splice_reset(f);
	flowtalk_end(f);
}

static bool nothing_exchanged(struct flow *f)
{
	struct stream_counts c;

	return !atomic_load(&f->begun) && splice_counts(f, &c) == 0 && c.read == 0 &&
	       c.unread == 0 && c.written == 0 && !c.peer_fin;
}

static bool movable(struct flow *f)
{
	if (atomic_load(&f->foreign))
		return false;
	switch (f->kind) {
	case FLOW_SESSION:
		return f->link != NULL;
	case FLOW_REDIAL:
		return true;
	case FLOW_RESET:
		return nothing_exchanged(f);
	case FLOW_UDP:
	case FLOW_HTTP: /* web_movable() has been asked */
		return true;
	}
	return false;
}

/* A plain connection that works is not worth a re-dial while anything is under way on it. */
static bool quiet(struct flow *f)
{
	struct stream_counts c;

	return splice_counts(f, &c) == 0 && c.unacked == 0 && c.unread == 0 && replay_between(f);
}

/* No handover can save what is under way: as soon as that is certain the program is told. */
static void tell_lost(struct flow *f, const char *why, const struct stream_counts *c, int64_t now,
                      struct waits *w)
{
	/* Its own error was met already, and hidden: it is this one's place. */
	if (!atomic_load(&f->failed)) {
		if (now - f->lost_ms < pol_stability(process_policy())->outage) {
			waits_until(w, f->lost_ms + pol_stability(process_policy())->outage);
			return;
		}
		/* What has arrived the program can read yet. */
		if (c->unread) {
			waits_until(w, now + 200);
			return;
		}
	}
	log_info("flow %u: reset: %s, and another path is ready", f->id, why);
	splice_reset(f);
	flowtalk_end(f);
}

/* How long an answer in chunks is, nobody knows: as long again as it was. */
static bool worth_it(const struct flow *f)
{
	uint64_t left = web_left(f);

	return (left == HTTP_UNKNOWN ? web_got(f) : left) >= WORTH_IT;
}

/* HTTP: is it to be moved now? Where not, what there is to do is done. */
static bool web_movable(struct flow *f, const struct pol_decision *d, int64_t now, struct waits *w)
{
	bool gentle = d->verb == POL_MOVE;
	struct stream_counts c = {0};
	struct http_plan p;

	/* A handover was given up, and the old connection could not be put back at once. */
	if (splice_parked(f) && !atomic_load(&f->failed)) {
		splice_unpark(f);
		atomic_store(&f->state, f->lost_ms ? FLOW_WAITING : FLOW_STABLE);
		waits_until(w, now + 10);
		return false;
	}
	if (!web_plan(f, &p, &c)) {
		waits_until(w, now + 10);
		return false;
	}
	/* The next look at what is worth no handover yet. */
	int64_t again = now + (gentle && p.way != HTTP_IDLE ? 1000 : 200);
	bool silent = gentle && d->urgent && f->silent_ms && now - f->silent_ms >= SILENT_MS;

	int64_t since = f->lost_ms ? f->lost_ms : splice_parked(f) ? f->parked_ms : now;

	/* There is a path, and nobody answers over it. */
	if (!gentle && p.way != HTTP_LEAVE && now - since > UNANSWERED_MS && f->failed_ms &&
	    now - f->failed_ms < pol_stability(process_policy())->outage &&
	    (p.way != HTTP_IDLE || atomic_load(&f->failed))) {
		p.way = HTTP_LOST;
		p.why = "no answer over any path";
	}

	switch (p.way) {
	case HTTP_IDLE:
		if (!gentle || (c.unacked == 0 && c.unread == 0))
			return true;
		break;
	case HTTP_REST:
		/* It is all here, and nothing is lost with the path. */
		if (feed_over(f))
			break;
		/* What comes soon is better awaited. */
		if (gentle ? silent || (worth_it(f) && !web_costly(f)) : web_left(f) > c.unread)
			return true;
		break;
	case HTTP_AGAIN:
	case HTTP_SAME:
		/* The answer may have come before the path went. */
		if (!gentle && (!c.unread || now - f->lost_ms > 100))
			return true;
		if (silent && c.unacked && !c.unread)
			return true;
		again = now + (gentle ? 1000 : 20);
		break;
	case HTTP_LOST:
		if (!gentle) {
			tell_lost(f, p.why, &c, now, w);
			return false;
		}
		break;
	case HTTP_LEAVE:
		if (atomic_load(&f->failed) && splice_parked(f))
			tell_lost(f, p.why, &c, now, w);
		else
			consider_reset(f, d, now, w);
		return false;
	}
	waits_until(w, again);
	f->again_ms = again;
	return false;
}

/* A dialogue that is dialled again: can it be now? Where not, what there is to do is done. */
static bool reopenable(struct flow *f, const struct pol_decision *d, int64_t now, struct waits *w)
{
	struct stream_counts c = {0};
	const char *why;

	if (f->kind != FLOW_REDIAL || !atomic_load(&f->opening))
		return true;
	why = splice_counts(f, &c) < 0 ? "not to be counted now" : reopen_stands(f, &c);
	/* What has come is read in a moment. */
	bool soon = !atomic_load(&f->failed) && now - f->lost_ms < 100 && (why || c.unread);

	if (!why && !soon)
		return true;
	if (d->verb == POL_MOVE || soon) {
		f->again_ms = now + QUIET_MS;
		waits_until(w, f->again_ms);
	} else {
		tell_lost(f, why, &c, now, w);
	}
	return false;
}

static bool bound(const struct flow *f)
{
	return f->rule && f->rule->address_bound;
}

/* Does the path begin where the flow's connection does? */
static bool same_source(const struct flow *f, const struct mif_path *path)
{
	sa_family_t family;
	const void *ip = address_ip(&f->source, &family);

	return path->ifindex == f->ifindex && path->source.family == family &&
	       memcmp(path->source.ip, ip, family == AF_INET6 ? 16 : 4) == 0;
}

/*
 * What the peer has let it do holds for the address it came from: from another one the program has
 * to ask anew, so it is told. The path that is left to it, if it needs one; NULL: nothing is to be
 * done, or it was.
 */
static const struct mif_path *keep_to_address(struct flow *f, const struct pol_decision *d,
                                              const struct mif_path *paths, int n, struct waits *w)
{
	if (f->kind == FLOW_UDP || d->verb != POL_RESCUE)
		return NULL;
	for (int i = 0; i < n; i++)
		if (same_source(f, &paths[i]))
			return &paths[i];
	if (!errand_over(f, &paths[0], w))
		return NULL;
	log_info("flow %u: reset: bound to its address (%s)", f->id, d->reason);
	if (f->kind == FLOW_SESSION && f->link)
		link_give_up(f->link, f->ses.sid);
	if (!f->closed)
		splice_reset(f);
	flowtalk_end(f);
	return NULL;
}

static void act(struct flow *f, const struct pol_decision *d, const struct mif_path *paths, int n,
                int64_t now, struct waits *w)
{
	bool gentle = d->verb == POL_MOVE;

	/* A plain connection that another process may have, too, is left to both of them as it is.
	 */
	if (atomic_load(&f->shared) && (f->kind == FLOW_RESET || f->kind == FLOW_REDIAL))
		return;
	if (bound(f)) {
		paths = keep_to_address(f, d, paths, n, w);
		n = 1;
	}
	if (!paths)
		return;
	if (f->kind == FLOW_HTTP && !alone(f)) {
		/* What it has asked goes nowhere as long as another process has the pair, too. */
		if (feed_over(f) && atomic_load(&f->failed) && splice_parked(f) &&
		    now - f->parked_ms > pol_stability(process_policy())->outage) {
			log_info("flow %u: reset: another process has it, too", f->id);
			splice_reset(f);
			flowtalk_end(f);
			return;
		}
		/* As a rule a child that is about to execute another program. */
		f->again_ms =
		    now + (alone_looking() ? LOOK_ON_MS
		           : !gentle && now - f->lost_ms < pol_stability(process_policy())->outage
		               ? 120
		               : 2000);
		waits_until(w, f->again_ms);
		return;
	}
	if (f->kind == FLOW_HTTP && !web_movable(f, d, now, w))
		return;
	if (!reopenable(f, d, now, w))
		return;
	if (!movable(f)) {
		consider_reset(f, d, now, w);
		return;
	}
	/* A flow the program has closed has no use for a better path. */
	if (f->closed && gentle)
		return;
	if (now < f->retry_ms) {
		waits_until(w, f->retry_ms);
		return;
	}
	if (f->kind == FLOW_UDP) {
		/* Only for the better if the policy asked for re-dials in so many words, or if the
		 * interface is on its way out. */
		if (!gentle || choose_drained(f->ifindex) ||
		    (f->rule && f->rule->continuity == POL_REDIAL && !f->source_bound))
			udp_move(f, &paths[0]);
		return;
	}
	if (gentle && f->kind != FLOW_SESSION && f->kind != FLOW_HTTP) {
		if (f->kind == FLOW_RESET)
			return;
		if (!quiet(f)) {
			f->again_ms = now + QUIET_MS;
			waits_until(w, f->again_ms);
			return;
		}
	}
	if (there_wait(f, &paths[0], w)) {
		f->retry_ms = now; /* with the answer */
		return;
	}
	log_info("flow %u: %s", f->id, d->reason);
	if (!move_to(f, paths, n, gentle, d->urgent)) {
		f->retry_ms = now + 50;
		waits_until(w, f->retry_ms);
	}
}

static void decide(struct flow *f, struct waits *w)
{
	struct pol_decision d;
	struct mif_path paths[PATHS_MAX];
	int64_t now = clock_ms();
	union flow_address to = f->kind == FLOW_SESSION ? *link_relay(f->link) : f->peer;

	/* Who still wants to come again says so anew. */
	if (now >= f->retry_ms)
		f->retry_ms = 0;
	learn_path(f);
	if (!f->ifindex && !f->closed)
		return;
	/* Remembered, for its address may be gone just when that matters. */
	f->mobile = f->mobile || choose_mobile(&f->source);
	if (f->mobile && !atomic_load(&f->failed) && !splice_parked(f))
		return;
	bool usable = choose_usable(&f->source, f->ifindex);
	struct places places;

	places_of(f, &places);
	if (!usable && !f->lost_ms)
		f->lost_ms = now;
	struct whereabouts at = {
	    .ifindex = f->ifindex,
	    .source = f->source,
	    /*
	     * A path that was away and is back: both ends may be deep in their retransmission
	     * timers, so it counts as failed and a session is resumed over it at once.
	     */
	    .failed = splice_parked(f) || atomic_load(&f->failed) ||
	              (f->kind == FLOW_SESSION && f->lost_ms),
	    .failed_ifindex = f->failed_ifindex,
	    .failed_ms = f->failed_ms,
	    .chosen = f->chosen_ifindex,
	    .unproven = f->kind != FLOW_SESSION,
	    .sticky = bound(f) || (f->rule && f->rule->sticky),
	    .share = ((uint32_t)raw_getpid() + f->id) * 2654435761u >> 16,
	    .silent_ms = f->silent_ms ? now - f->silent_ms + 1 : 0,
	    .also = &places,
	};
	int n = choose(&to, &at, &d, paths);

	pulse_wanted(f, n > 1 && !bound(f) && pol_stability(process_policy())->silence);
	if (usable && f->lost_ms && f->kind != FLOW_SESSION && !splice_parked(f)) {
		f->lost_ms = 0; /* it healed: TCP goes on by itself */
		atomic_store(&f->state, FLOW_STABLE);
	}
	f->again_ms = d.again_ms >= 0 ? now + d.again_ms : 0;
	if (f->again_ms)
		waits_until(w, f->again_ms);
	switch (d.verb) {
	case POL_STAY:
		break;
	case POL_WAIT:
		if (atomic_load(&f->state) == FLOW_STABLE) {
			log_info("flow %u: waiting: %s", f->id, d.reason);
			atomic_store(&f->state, FLOW_WAITING);
		}
		break;
	case POL_MOVE:
	case POL_RESCUE:
		act(f, &d, paths, n, now, w);
		break;
	}
}

/* Both hands of the clock: a session that no relay knows any more, a wait that has lasted too long.
 */
static bool hopeless(struct flow *f, int64_t now)
{
	if (f->kind != FLOW_SESSION || f->move)
		return false;
	bool parked = splice_parked(f);

	/* The peer has reset it, and no relay has anything more for it, or none can be asked. */
	if (atomic_load(&f->peer_reset) && parked && (f->refusals || (f->failed_ms && !f->lost_ms)))
		return true;
	/* All it had to do was to bring the last bytes; a relay that has forgotten it has them. */
	if (f->refusals && f->closed)
		return true;
	if (f->refusals && now - f->refused_ms >= REFUSED_MS && (f->lost_ms || parked))
		return true;
	return (f->lost_ms && now - f->lost_ms > GIVE_UP_MS) ||
	       (f->closed && f->lost_ms && now - f->lost_ms > CLOSING_MS);
}

/*
 * A re-dialled connection that the peer ends again and again, or a peer that is there and takes
 * none: it is no path that has failed, and the program is told.
 */
static bool unwelcome(struct flow *f, bool failed, int64_t now)
{
	if (f->kind != FLOW_REDIAL || f->move || f->closed)
		return false;
	if (failed && !splice_parked(f) && choose_usable(&f->source, f->ifindex))
		f->spoilt = now - f->put_ms < SPOILT_MS ? f->spoilt + 1 : 0;
	return f->spoilt >= SPOILT ||
	       (splice_parked(f) && f->refused_ms && now - f->refused_ms > NO_SERVER_MS);
}

/*
 * After close() no hook meets a reset of the connection, and there is no descriptor to ask. What
 * stays unconfirmed for long is brought by another connection: that is always safe.
 */
static void look_after_closed(struct flow *f, int64_t now, struct waits *w)
{
	if (f->move || f->lost_ms || atomic_load(&f->state) == FLOW_ENDED)
		return;
	if (!f->progress_ms)
		f->progress_ms = now;
	if (now - f->progress_ms < STALLED_MS) {
		waits_until(w, f->progress_ms + STALLED_MS);
		return;
	}
	f->progress_ms = now;
	/* Perhaps only the answer was lost: it is asked for each time, and CLOSE said again. */
	f->close_sent = false;
	atomic_store(&f->failed, true);
	waits_until(w, now + STALLED_MS);
}

/*
 * The relay's word that the target reset the stream and the reset itself come by two connections,
 * in any order. The relay resets this one only when everything before has arrived: what failed here
 * is no path, and nothing is left to resume. True: the flow is over.
 */
static bool ended_by_reset(struct flow *f)
{
	struct counts k;

	if (f->kind != FLOW_SESSION || !atomic_load(&f->peer_reset) || f->move || f->closed ||
	    f->pump)
		return false;
	if (!splice_parked(f)) {
		/* The hook that met it tells its program, which needs no placeholder, unless the
		 * path is lost, too, and with it what was on its way. */
		if (choose_usable(&f->source, f->ifindex))
			atomic_store(&f->failed, false);
		return false;
	}
	if (counts_read(f->old_fd, &k) < 0 || k.state != TCP_CLOSE)
		return false;
	if (k.received > k.read)
		splice_unpark(f); /* with what the program has not read yet */
	else
		splice_reset(f);
	if (splice_parked(f))
		return false;
	flowtalk_end(f);
	return true;
}

static void look(struct flow *f, bool network, int64_t now, struct waits *w)
{
	uint32_t state = atomic_load(&f->state);

	if (state == FLOW_INHERITED)
		return;
	if (f->left) {
		if (now < f->heirs_ms) {
			waits_until(w, f->heirs_ms);
			return;
		}
		f->heirs_ms = now + HEIRS_MS;
		waits_until(w, f->heirs_ms);
		if (!kin_gone(f))
			return;
		/* Nobody has it any more: it ends as with the last close(). */
		atomic_store(&f->shared, false);
		f->left = false;
		f->closed = true;
	}
	if (heirs_gone(f, now, w))
		stand_in_leaves(f);
	if (state == FLOW_CONNECTING) {
		if (f->kind == FLOW_SESSION && !f->move && f->asked_dial) {
			f->link = link_to(f->rule, &f->peer);
			bool there = f->link && !link_shunned(f->link);
			int at = there ? link_located(f->link) : 0;

			/* The name server's answer wakes us. */
			if (at == -EINPROGRESS)
				return;
			if (at < 0) {
				link_shun(f->link);
				there = false;
			}
			/* What does not leave the host is not lost with a path, but for us. */
			bool home = there && choose_interface(link_relay(f->link));

			if (home) {
				log_info("flow %u: the relay is on this host: straight to the peer",
				         f->id);
				flowtalk_straight(f, "the relay is on this host");
			} else if (!there) {
				flowtalk_straight(f, f->link && link_refusal(f->link)
				                         ? link_refusal(f->link)
				                         : "relay not available");
			}
			there = there && !home;
			f->asked_dial = there && !move_open(f);
			if (f->asked_dial)
				waits_until(w, now + 10);
		} else if (f->closed && !f->move) {
			flowtalk_end(f);
		}
		return;
	}
	if (f->kind == FLOW_SESSION && f->link)
		flowtalk_step(f);
	if (atomic_load(&f->state) == FLOW_ENDED)
		return;
	/* What does not leave the host is not lost with a path. */
	bool home = !atomic_load(&f->looked) && f->kind != FLOW_SESSION && !f->unconnected &&
	            choose_interface(&f->peer);

	if (home || (f->closed && f->kind != FLOW_SESSION)) {
		flowtalk_end(f);
		if (!atomic_exchange(&f->looked, 1))
			futex_wake(&f->looked);
		return;
	}
	if (hopeless(f, now)) {
		log_warn("flow %u: %s", f->id,
		         atomic_load(&f->peer_reset)
		             ? "reset by the peer"
		             : "the relay does not know the session any more");
		if (!f->closed)
			splice_reset(f);
		flowtalk_end(f);
		return;
	}
	if (f->closed)
		look_after_closed(f, now, w);
	if (ended_by_reset(f))
		return;
	bool failed = atomic_load(&f->failed);

	if (unwelcome(f, failed, now)) {
		log_info("flow %u: reset: the peer does not take it", f->id);
		splice_reset(f);
		flowtalk_end(f);
		return;
	}
	pump_begin(f, w);
	if (f->pump && !atomic_load(&f->carried))
		return; /* the threads are leaving the connection that the pump will have */
	if (failed && atomic_load(&f->carried))
		move_old_lost(f);

	/* A hook has met a path error: the program must see a quiet socket at once, whatever comes
	 * next. */
	if (failed && (!f->move || move_racing(f)) && !f->closed && !f->pump && !splice_parked(f) &&
	    (f->kind == FLOW_SESSION || f->kind == FLOW_REDIAL || f->kind == FLOW_HTTP)) {
		if (splice_park(f) == -EBUSY)
			waits_until(w, now + 2);
		else
			move_old_lost(f);
	}
	if (splice_parked(f) && !f->move && !f->drained)
		splice_drained(f);
	if (f->old_retired >= 0) {
		if (now >= f->retire_ms)
			flowtalk_retire(f);
		else
			waits_until(w, f->retire_ms);
	}
	if (f->followups)
		splice_follow_up(f, w);
	if (f->move)
		return;
	if (network)
		notice_gone(f);
	if (atomic_load(&f->state) == FLOW_ENDED)
		return;
	/* A new flow may have been born on a path that is lost already. */
	bool due = !atomic_load(&f->looked) || (f->again_ms && now >= f->again_ms) ||
	           (f->retry_ms && now >= f->retry_ms);
	bool silent = pulse_look(f, now, w) && (!f->again_ms || now >= f->again_ms);
	/* One of a crowd: it is its turn when another has arrived. */
	bool queues = f->kind == FLOW_SESSION && !network && moves_full();

	if ((silent || network || due || failed || f->lost_ms || splice_parked(f)) && !queues)
		decide(f, w);
	else if (f->again_ms && !queues)
		waits_until(w, f->again_ms);
	if (f->retry_ms > now)
		waits_until(w, f->retry_ms);
	if (!atomic_exchange(&f->looked, 1))
		futex_wake(&f->looked);
}

void flows_slept(void)
{
	for (unsigned i = 0; i < flow_count(); i++) {
		struct flow *f = flow_at(i);

		if (f->kind == FLOW_SESSION && f->link && atomic_load(&f->state) == FLOW_STABLE)
			atomic_store(&f->failed, true);
	}
}

void watch_flows(bool network, struct waits *w)
{
	int64_t now = 0;

	for (unsigned i = 0; i < flow_count(); i++) {
		struct flow *f = flow_at(i);
		uint32_t s = atomic_load(&f->state);

		/* To ask for each what the time is would take longer than most of them do. */
		if (i % 16 == 0)
			now = clock_ms();
		if (s == FLOW_ENDED) {
			/* Free again once no thread is in a call that began before. */
			if (calls_none(f))
				atomic_store(&f->state, FLOW_FREE);
		} else if (s != FLOW_FREE) {
			look(f, network, now, w);
		}
	}
}

bool watch_busy(void)
{
	for (unsigned i = 0; i < flow_count(); i++) {
		uint32_t s = atomic_load(&flow_at(i)->state);

		if (s != FLOW_FREE && s != FLOW_ENDED && s != FLOW_INHERITED)
			return true;
	}
	return false;
}
