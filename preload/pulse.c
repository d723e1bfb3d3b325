/* SPDX-License-Identifier: MIT */
#include "preload/pulse.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/agent.h"
#include "preload/doubts.h"
#include "preload/feed.h"
#include "preload/link.h"
#include "preload/pump.h"
#include "preload/raw.h"
#include "preload/splice.h"
#include "preload/web.h"

#define TOGETHER_MS 8
#define RECENT_MS 1000
#define STALLED_MS 3000 /* a download: nobody but its server can be asked */

static struct doubts doubts;
static bool news;

static bool facts_of(int fd, struct silence_facts *s)
{
	struct tcp_info t;
	socklen_t len = sizeof(t);

	memset(&t, 0, sizeof(t));
	if (fd < 0 || raw_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &t, &len) < 0 ||
	    len < offsetof(struct tcp_info, tcpi_segs_out))
		return false;
	*s = (struct silence_facts){
	    .now_ms = clock_ms(),
	    .acked = t.tcpi_bytes_acked,
	    .received = t.tcpi_bytes_received,
	    .unacked = t.tcpi_unacked,
	    .ack_age_ms = (int)t.tcpi_last_ack_recv,
	    .data_age_ms = (int)t.tcpi_last_data_recv,
	    .sent_age_ms = (int)t.tcpi_last_data_sent,
	    .rtt_us = (int)t.tcpi_rtt,
	    .var_us = (int)t.tcpi_rttvar,
	};
	return true;
}

/* Its loss is announced up to a second late where the link had another event within the last one
 * (the kernel's linkwatch); an answer never is. */
static void ask_carrier(int ifindex)
{
	if (agent_monitor())
		mif_monitor_ask(agent_monitor(), ifindex);
}

/* Its connection over a path; not the placeholder. */
static int connection(struct flow *f)
{
	if (f->feed && !splice_parked(f))
		return feed_server(f);
	if (f->pump)
		return pump_connection(f);
	/* The program may duplicate or close it meanwhile. */
	return splice_parked(f) || !__atomic_load_n(&f->fds, __ATOMIC_RELAXED)
	           ? -1
	           : __atomic_load_n(&f->fd[0], __ATOMIC_RELAXED);
}

void pulse_begin(struct flow *f)
{
	memset(&f->silence, 0, sizeof(f->silence));
	f->silent_ms = 0;
	f->pulse_ms = 0;
	/* The next bytes tell. */
	if (f->pulse)
		atomic_store(&f->stirred, false);
}

void pulse_wanted(struct flow *f, bool wanted)
{
	if ((f->kind != FLOW_SESSION && f->kind != FLOW_HTTP) || wanted == f->pulse)
		return;
	struct silence_facts s;

	f->pulse = wanted;
	atomic_store(&f->stirred, !wanted);
	if (!wanted)
		return;
	pulse_begin(f);
	/* In the middle of something, while there was no other path, it told nobody. */
	if (facts_of(connection(f), &s) &&
	    (s.unacked || s.sent_age_ms < RECENT_MS || s.data_age_ms < RECENT_MS)) {
		atomic_store(&f->stirred, true);
		/* Nobody else will say so now, and this turn's look at it is over. */
		agent_kick();
	}
}

static void relieved(struct flow *f)
{
	if (f->silent_ms)
		log_debug("flow %u: no longer silent, after %lld ms", f->id,
		          (long long)(clock_ms() - f->silent_ms));
	f->silent_ms = 0;
	pulse_trust(f->ifindex);
}

static void at_rest(struct flow *f, const struct silence_facts *then)
{
	struct silence_facts now;

	f->pulse_ms = 0;
	atomic_store(&f->stirred, false);
	/* Bytes that moved before the flag was taken back had nobody to tell. */
	if (facts_of(connection(f), &now) &&
	    (now.acked != then->acked || now.received != then->received || now.unacked))
		atomic_store(&f->stirred, true);
}

/* A relay can be asked whether it is there; a web server only for what is wanted. */
static void ask_far_end(struct flow *f, const struct silence_facts *s)
{
	if (f->link)
		link_ask(f->link, f->ifindex, silence_patience(s->rtt_us, s->var_us, false));
}

/*
 * A download of which nothing comes any more, and its reader waits. True: it is to be looked at
 * still.
 */
static bool stalls(struct flow *f, const struct silence_facts *s)
{
	if (f->kind != FLOW_HTTP || !web_awaits(f))
		return false;
	if (s->data_age_ms < STALLED_MS) {
		f->pulse_ms = s->now_ms + STALLED_MS - s->data_age_ms;
	} else {
		f->pulse_ms = s->now_ms + STALLED_MS;
		if (!f->silent_ms) {
			f->silent_ms = s->now_ms;
			log_info("flow %u: silent: nothing of the answer has come for %d ms", f->id,
			         s->data_age_ms);
		}
	}
	return true;
}

bool pulse_look(struct flow *f, int64_t now, struct waits *w)
{
	struct silence_facts s;
	bool moved;

	if (!f->pulse || f->closed || atomic_load(&f->state) != FLOW_STABLE)
		return false;
	if (!atomic_load(&f->stirred))
		return doubts_silent(&doubts, f->ifindex, now) > 0;
	if (now < f->pulse_ms) {
		waits_until(w, f->pulse_ms);
		return f->silent_ms || pulse_silent(f->ifindex);
	}
	if (!facts_of(connection(f), &s))
		return false;
	enum silence_verdict v = silence_look(&f->silence, &s, &f->pulse_ms, &moved);

	/* Many flows are looked at in one waking. */
	f->pulse_ms += (TOGETHER_MS - f->pulse_ms % TOGETHER_MS) % TOGETHER_MS;
	if (moved)
		relieved(f);
	switch (v) {
	case SILENCE_NONE:
		break;
	case SILENCE_REST:
		if (!stalls(f, &s))
			at_rest(f, &s);
		break;
	case SILENCE_ASK:
		ask_carrier(f->ifindex);
		ask_far_end(f, &s);
		break;
	case SILENCE_DOUBT:
		if (f->silent_ms)
			break;
		f->silent_ms = s.now_ms;
		log_info("flow %u: silent: %u segments not acknowledged for %d ms", f->id,
		         s.unacked, s.ack_age_ms);
		/* Is it the path, or this connection? */
		ask_carrier(f->ifindex);
		ask_far_end(f, &s);
		break;
	}
	if (atomic_load(&f->stirred))
		waits_until(w, f->pulse_ms);
	return f->silent_ms || pulse_silent(f->ifindex);
}

bool pulse_beats(struct flow *f)
{
	struct silence_facts s;
	int64_t next;
	bool moved = false;

	if (f->silent_ms && facts_of(connection(f), &s)) {
		silence_look(&f->silence, &s, &next, &moved);
		if (moved)
			relieved(f);
		return moved;
	}
	return !f->silent_ms && !pulse_silent(f->ifindex);
}

void pulse_forget(int ifindex)
{
	doubts_forget(&doubts, ifindex);
}

int64_t pulse_silent(int ifindex)
{
	return doubts_silent(&doubts, ifindex, clock_ms());
}

int64_t pulse_resting(int ifindex)
{
	return doubts_resting(&doubts, ifindex, clock_ms());
}

void pulse_rests(int ifindex)
{
	doubts_rest(&doubts, ifindex, clock_ms());
}

void pulse_doubt(int ifindex, int64_t asked_ms)
{
	if (!doubts_raise(&doubts, ifindex, asked_ms, clock_ms()))
		return;
	log_info("interface %d: no answer from the relay for %lld ms", ifindex,
	         (long long)(clock_ms() - asked_ms));
	ask_carrier(ifindex);
	news = true;
}

void pulse_trust(int ifindex)
{
	if (doubts_settle(&doubts, ifindex, clock_ms()))
		log_debug("interface %d: no longer silent", ifindex);
}

bool pulse_news(void)
{
	bool is = news;

	news = false;
	return is;
}
