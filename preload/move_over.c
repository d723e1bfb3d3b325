/* SPDX-License-Identifier: MIT */
#include "preload/move_private.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/errand.h"
#include "preload/feed.h"
#include "preload/flowtalk.h"
#include "preload/own.h"
#include "preload/pulse.h"
#include "preload/pump.h"
#include "preload/raw.h"
#include "preload/replay.h"
#include "preload/splice.h"
#include "preload/web.h"

#define SKIPS 256     /* pieces thrown away at a time */
#define RETIRE_MS 300 /* make-before-break: the old socket outlives the COMMIT by this much */

void move_finish(struct move *m)
{
	struct flow *f = m->flow;
	socklen_t len = sizeof(f->source);

	f->ifindex = m->path.ifindex;
	raw_getsockname(m->fd, &f->source.sa, &len);
	if (!f->ifindex)
		f->ifindex = choose_interface_to(&f->source, &f->peer);
	f->lost_ms = 0;
	f->mobile = false;
	pulse_begin(f);
	atomic_store(&f->failed, false);
}

void over_commit(struct move *m)
{
	struct flow *f = m->flow;
	struct ses_attempt *t = &m->run[m->winner].attempt;
	struct stream_counts c = {.read = f->closed ? splice_closed_read(f) : 0,
	                          .written = flow_tail(f)};
	struct linger reset = {1, 0};
	uint8_t msg[SES_MSG_MAX];
	int r, n;

	/* Make-before-break for a flow that was only doubted: this is where it would break. */
	if (m->urgent && pulse_beats(f)) {
		move_fail(m, "what had fallen silent goes on");
		return;
	}
	if (f->pump) {
		pump_pause(f);
		pump_counts(f, &c);
	} else if (!f->closed) {
		r = splice_park(f);
		if (r == -EBUSY)
			return;
		if (r < 0) {
			move_fail(m, strerrordesc_np(-r));
			return;
		}
		if (!splice_drained(f) || !splice_writers_out(f))
			return;
		r = splice_counts(f, &c);
		if (r < 0) {
			move_fail(m, strerrordesc_np(-r));
			return;
		}
	}
	ring_confirm(&f->ring, atomic_load(&f->confirmed));
	if (m->kind == MOVE_RESUME) {
		if (atomic_load(&f->foreign)) {
			/* Only just now, with urgent data say: what is replayed is replayed as it
			 * is. */
			m->gentle = true;
			move_fail(m, "uncovered");
			return;
		}
		if (t->peer_count < atomic_load(&f->confirmed)) {
			/* Its answer is older than its last confirmation: the cover is whole. */
			move_fail(m, "the relay has gone on without this attempt");
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
			move_fail(m, "uncovered");
			return;
		}
		n = ses_commit(&f->ses, t, c.read, f->ring.tail, msg);
		if (n < 0 ||
		    raw_sendto(m->fd, msg, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0) != n) {
			move_fail(m, "COMMIT not sent");
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
	} else if (f->kind == FLOW_HTTP) {
		const char *why = web_commit(m, &c);

		if (why) {
			m->blameless = true;
			move_fail(m, why);
			return;
		}
	} else if (!replay_start(f, &c, &m->replay)) {
		bool gentle = m->gentle;

		move_fail(m, "what was under way cannot be sent again");
		if (f->kind == FLOW_RESET) {
			splice_unpark(f);
			atomic_store(&f->state, FLOW_STABLE);
		} else if (!gentle) {
			splice_reset(f);
			flowtalk_end(f);
		}
		return;
	} else if (m->gentle && m->replay != f->ring.tail) {
		/* Its beginning went the old way, and the rest can, too. */
		move_fail(m, "in the middle of a record");
		return;
	}
	m->read = c.read;
	m->phase = atomic_load(&f->opening) ? OPENING : SKIPPING;
	m->since_ms = clock_ms();
}

void over_replay(struct move *m)
{
	struct flow *f = m->flow;

	while (m->replay < f->ring.tail) {
		const void *p;
		size_t len = ring_peek(&f->ring, m->replay, &p);
		long n = raw_sendto(m->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			move_fail(m, "lost again while replaying");
			/* Its path may be there: that the connection is gone is known here alone.
			 */
			if (f->kind == FLOW_HTTP)
				atomic_store(&f->failed, true);
			return;
		}
		m->replay += (uint64_t)n;
	}
	/* All is out: from here on the kernel counts what the program writes. */
	if (!m->framed)
		splice_base_written(f, m->fd, f->ring.tail);
	if (atomic_load(&f->half_closed) || f->closed)
		raw_shutdown(m->fd, SHUT_WR);
	if (m->framed)
		web_feed(m);
	if (f->pump) {
		pump_put(f, m->fd, m->read);
		m->fd = -1;
	} else if (!f->closed) {
		splice_release_writers(f);
	}
	f->handovers++;
	f->refusals = 0;
	f->refused_ms = 0;
	f->failed_ms = 0;
	if (m->urgent && m->left != f->ifindex)
		pulse_rests(m->left);
	atomic_store(&f->state, f->closed ? FLOW_CLOSING : FLOW_STABLE);
	log_info("flow %u: on %s%s (session %llu, read %llu, written %llu)", f->id, m->path.name,
	         m->how, (unsigned long long)f->ses.sid, (unsigned long long)m->read,
	         (unsigned long long)flow_tail(f));
	flowtalk_moved(f);
	errand_tell(f);
	if (f->link)
		link_stir(f->link);
	if (f->closed) {
		/* Nobody else holds the new connection. */
		own_close(f->old_fd);
		f->old_fd = m->fd;
		m->fd = -1;
	}
	f->retire_ms = clock_ms() + (m->gentle ? RETIRE_MS : 0);
	if (f->kind == FLOW_HTTP)
		atomic_load(&f->web)->ask.by = -1;
	move_free(m);
}

/* The counts' base and the file change together, or not at all. */
static int change_over(struct move *m, int fd)
{
	struct flow *f = m->flow;
	uint64_t kernel_written = f->kernel_written, kernel_read = f->kernel_read;
	uint64_t stream_written = f->stream_written, stream_read = f->stream_read;
	int r = splice_base(f, fd, m->read, f->ring.tail);

	if (r == 0)
		r = splice_put(f, fd);
	if (r < 0) {
		f->kernel_written = kernel_written;
		f->kernel_read = kernel_read;
		f->stream_written = stream_written;
		f->stream_read = stream_read;
	}
	return r;
}

void over_skip(struct move *m)
{
	struct flow *f = m->flow;
	static uint8_t bin[65536];

	/* Who has closed is sent nothing more: there is nothing to wait for. */
	if (f->closed)
		m->skip = 0;
	for (int i = 0; m->skip; i++) {
		size_t want = m->skip < sizeof(bin) ? (size_t)m->skip : sizeof(bin);
		long n = raw_recvfrom(m->fd, bin, want, MSG_DONTWAIT | MSG_TRUNC, NULL, NULL);

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			move_fail(m, "lost again while skipping");
			return;
		}
		m->skip -= (uint64_t)n;
		/* Nobody else is to wait for long. */
		if (i == SKIPS)
			return;
	}
	if (f->pump) {
		flowtalk_retire(f);
		f->old_retired = pump_take(f);
		f->retire_ms = INT64_MAX;
	} else if (!f->closed) {
		/* At least this much, should the program close it at this very moment. */
		f->closed_read = m->read;
		int r = m->framed ? web_pair(m) : 0;

		if (r == 0)
			r = change_over(m, m->framed ? m->app : m->fd);
		if (r == -EBUSY)
			return;
		if (r < 0) {
			move_fail(m, strerrordesc_np(-r));
			return;
		}
		feed_end(f);
		if (f->kind == FLOW_HTTP)
			web_put(m);
		flowtalk_retire(f);
		f->soft_end = f->kind == FLOW_REDIAL && m->gentle;
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
	move_finish(m);
	m->phase = REPLAYING;
	over_replay(m);
}
