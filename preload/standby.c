/* SPDX-License-Identifier: MIT */
#include "preload/standby.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/link_private.h"
#include "preload/own.h"
#include "preload/raw.h"

#define AFTER_MS 500   /* a short connection is not worth one */
#define AGAIN_MS 60000 /* one that is lost sooner than that is not made again by itself */
#define ANSWER_MS 5000 /* from its begin */
#define HEADROOM 32    /* descriptors that the program keeps */

void standby_init(struct standby *s)
{
	memset(s, 0, sizeof(*s));
	s->dial.fd = s->dial.slot = -1;
}

void standby_stir(struct link *l)
{
	if (!l->standby.due_ms)
		l->standby.due_ms = clock_ms() + AFTER_MS;
}

void standby_drop(struct link *l)
{
	struct standby *s = &l->standby;
	struct linger now = {1, 0};

	/* Nothing is lost with it, and a path that is gone would be sent a FIN again and again. */
	if (s->dial.fd >= 0 && own_intact(s->dial.fd))
		raw_setsockopt(s->dial.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	dial_close(&s->dial);
	s->state = STANDBY_NONE;
	s->name[0] = 0;
}

static bool there(const struct standby *s)
{
	union flow_address own;
	socklen_t len = sizeof(own);

	return s->state != STANDBY_NONE && own_intact(s->dial.fd) && dial_usable(&s->dial) &&
	       raw_getsockname(s->dial.fd, &own.sa, &len) == 0 &&
	       choose_usable(&own, s->dial.path.ifindex);
}

void standby_review(struct link *l)
{
	if (l->standby.state != STANDBY_NONE && !there(&l->standby)) {
		log_debug("relay: what was held ready over %s is gone with its path",
		          l->standby.name);
		standby_drop(l);
	}
	standby_stir(l);
}

/* What the flows want, and where the first of them is. */
static enum pol_standby wanted(const struct link *l, struct whereabouts *at)
{
	enum pol_standby most = POL_STANDBY_NO;

	for (unsigned i = 0; i < flow_count(); i++) {
		const struct flow *f = flow_at(i);

		if (f->link != l || f->closed || f->left || !f->ifindex || !f->rule ||
		    (atomic_load(&f->state) != FLOW_STABLE &&
		     atomic_load(&f->state) != FLOW_MOVING))
			continue;
		if (!at->ifindex)
			*at = (struct whereabouts){.ifindex = f->ifindex, .source = f->source};
		if (f->rule->standby > most)
			most = f->rule->standby;
	}
	return most;
}

static bool any_inet6(const struct link *l)
{
	for (unsigned i = 0; i < flow_count(); i++)
		if (flow_at(i)->link == l && flow_at(i)->peer.sa.sa_family == AF_INET6)
			return true;
	return false;
}

static void begin(struct link *l, const struct mif_path *path)
{
	struct standby *s = &l->standby;
	union flow_address to = *link_relay(l);
	enum fastopen fast = fastopen_state(&l->fast, path->ifindex, clock_ms());
	uint8_t msg[SES_MSG_MAX];
	struct places places;

	if (own_headroom() < HEADROOM)
		return;
	link_all_places(l, &places);
	places_pick(&places, path, 0, &to);
	/* It stands for any of the flows' sockets: an AF_INET6 one can do what either can. */
	if (any_inet6(l))
		places_dress(&to, AF_INET6);
	s->begun_ms = clock_ms();
	snprintf(s->name, sizeof(s->name), "%.15s", path->name);
	/* In the SYN, so that it is known what comes of that before it matters. */
	int n = fast == FASTOPEN_UNKNOWN ? ses_standby(&l->assoc, msg) : 0;
	int r = dial_start_saying(&s->dial, &to, path, n > 0 ? msg : NULL, n);

	if (r < 0) {
		log_debug("relay: nothing held ready over %s: %s", path->name, strerrordesc_np(-r));
		standby_drop(l);
		return;
	}
	s->state = s->dial.fast ? STANDBY_ASKED : STANDBY_DIALLING;
	if (n > 0)
		fastopen_note(&l->fast, path->ifindex,
		              s->dial.fast ? FASTOPEN_TRYING : FASTOPEN_NOT, s->begun_ms);
}

/* Is there what there should be, and nothing else? */
static void consider(struct link *l)
{
	struct standby *s = &l->standby;
	struct whereabouts at = {0};
	struct pol_decision d;
	struct mif_path path;
	struct places places;
	enum pol_standby want = wanted(l, &at);

	link_all_places(l, &places);
	at.also = &places;

	s->due_ms = 0;
	s->fast = false;
	if (want == POL_STANDBY_NO || !l->have_assoc || l->control < 0 ||
	    !choose_spare(link_relay(l), &at, want, &d, &path)) {
		standby_drop(l);
		if (want != POL_STANDBY_NO && l->have_assoc && l->control >= 0) {
			log_debug("relay: nothing is held ready: %s", d.reason);
			s->due_ms = d.again_ms >= 0 ? clock_ms() + d.again_ms : 0;
		}
		return;
	}
	if (fastopen_state(&l->fast, path.ifindex, clock_ms()) == FASTOPEN_WORKS) {
		standby_drop(l);
		snprintf(s->name, sizeof(s->name), "%.15s", path.name);
		s->fast = true;
		return;
	}
	if (s->state != STANDBY_NONE && s->dial.path.ifindex == path.ifindex && there(s))
		return;
	standby_drop(l);
	begin(l, &path);
}

static void lost(struct link *l, const char *why)
{
	struct standby *s = &l->standby;
	bool lasted = clock_ms() - s->begun_ms > AGAIN_MS;

	/* The next is asked for when it is there: numbers that nobody hears are few. */
	if (s->dial.fast)
		fastopen_note(&l->fast, s->dial.path.ifindex, FASTOPEN_NOT, clock_ms());
	log_debug("relay: nothing is held ready over %s: %s", s->name, why);
	standby_drop(l);
	if (lasted)
		standby_stir(l);
}

static void hear(struct link *l)
{
	struct standby *s = &l->standby;
	int n = dial_message(&s->dial);

	if (n == 0)
		return;
	if (n < 0 || ses_ready(&l->assoc, s->dial.in, (size_t)n) < 0) {
		lost(l, n < 0                                ? strerrordesc_np(-n)
		        : ses_refused(s->dial.in, (size_t)n) ? "refused by the relay"
		                                             : "not a relay's answer");
		return;
	}
	s->dial.got = 0;
	s->state = STANDBY_READY;
	bool heard = s->dial.fast && dial_heard(&s->dial);

	if (s->dial.fast)
		fastopen_note(&l->fast, s->dial.path.ifindex, heard ? FASTOPEN_WORKS : FASTOPEN_NOT,
		              clock_ms());
	s->dial.fast = false;
	if (heard) {
		log_debug("relay: Fast Open works over %s, nothing is held ready", s->name);
		consider(l);
		return;
	}
	log_debug("relay: a connection over %s is held ready", s->name);
}

void standby_wait(struct link *l, struct waits *w)
{
	struct standby *s = &l->standby;

	if (s->due_ms)
		waits_until(w, s->due_ms);
	if (s->state == STANDBY_NONE)
		return;
	dial_wait(&s->dial, w);
	if (s->state != STANDBY_READY)
		waits_until(w, s->begun_ms + ANSWER_MS + 1);
}

static void ask(struct link *l)
{
	struct standby *s = &l->standby;
	uint8_t msg[SES_MSG_MAX];
	int n = ses_standby(&l->assoc, msg);
	int r = n < 0 ? n : dial_send(&s->dial, msg, n);

	s->state = STANDBY_ASKED;
	if (r < 0)
		lost(l, strerrordesc_np(-r));
}

void standby_step(struct link *l, const struct waits *w)
{
	struct standby *s = &l->standby;
	int64_t now = clock_ms();

	if (s->due_ms && now >= s->due_ms)
		consider(l);
	switch (s->state) {
	case STANDBY_NONE:
		return;
	case STANDBY_DIALLING: {
		int r = dial_progress(&s->dial, w);

		if (r == 0)
			ask(l);
		else if (r != -EINPROGRESS)
			lost(l, strerrordesc_np(-r));
		break;
	}
	case STANDBY_ASKED:
		hear(l);
		break;
	case STANDBY_READY:
		/* It has nothing to say: it is over. */
		if (waits_got(w, s->dial.slot))
			lost(l, "closed by the relay, or by a box in between");
		return;
	}
	if ((s->state == STANDBY_DIALLING || s->state == STANDBY_ASKED) &&
	    now - s->begun_ms > ANSWER_MS)
		lost(l, "no answer");
}

bool standby_take(struct link *l, const struct mif_path *path, struct dial *d)
{
	struct standby *s = &l->standby;

	if (s->state != STANDBY_READY || s->dial.path.ifindex != path->ifindex ||
	    s->dial.path.source.family != path->source.family ||
	    memcmp(s->dial.path.source.ip, path->source.ip, sizeof(path->source.ip)) != 0 ||
	    !own_intact(s->dial.fd))
		return false;
	*d = s->dial;
	d->since_ms = clock_ms();
	standby_init(s);
	return true;
}

const char *standby_interface(const struct link *l, bool *fast)
{
	*fast = l->standby.fast;
	return l->standby.state == STANDBY_READY || l->standby.fast ? l->standby.name : "";
}
