/* SPDX-License-Identifier: MIT */
#include "preload/flowtalk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/choose.h"
#include "preload/feed.h"
#include "preload/move.h"
#include "preload/options.h"
#include "preload/own.h"
#include "preload/pump.h"
#include "preload/raw.h"
#include "preload/reopen.h"
#include "preload/splice.h"

/* Ask when this much is not confirmed: early enough that the ring need not fill, rarely enough to
 * cost nothing. */
#define ASK_EVERY (1u << 20)

void flowtalk_uncover(struct flow *f, const char *why)
{
	if (!f->uncovered)
		log_info("flow %u: uncovered: %s", f->id, why);
	atomic_store(&f->foreign, true);
	f->uncovered = true;
	snprintf(f->note, sizeof(f->note), "uncovered: %s", why);
}

void flowtalk_peer_state(struct flow *f, uint64_t end, uint8_t flags)
{
	if (flags & SES_FLAG_RESET) {
		atomic_store(&f->peer_reset, true);
	} else if (end != SES_NO_END) {
		atomic_store(&f->peer_end, end);
		atomic_store(&f->peer_ended, true);
	}
}

static void confirmed(struct flow *f, uint64_t count)
{
	if (count > atomic_load(&f->confirmed)) {
		atomic_store(&f->confirmed, count);
		f->progress_ms = clock_ms();
	}
	/*
	 * Everything has arrived: give the pages back. Only when no writer is at work; the next
	 * confirmation comes round again.
	 */
	if (count >= f->asked_at && f->ring.mem && lock_try(&f->writing, thread_id())) {
		ring_confirm(&f->ring, count);
		if (ring_used(&f->ring) == 0 && !f->ring_clean)
			flow_ring_clean(f);
		lock_release(&f->writing);
	}
}

static void answer(struct flow *f)
{
	struct stream_counts c = {.read = f->closed ? splice_closed_read(f) : 0};
	struct ses_frame a = {.type = SES_F_ACK, .sid = f->ses.sid, .end = SES_NO_END};

	if (!f->closed && splice_counts(f, &c) < 0)
		return;
	/*
	 * While an attempt to resume is under way the program may read on: no figure above the one
	 * in RESUME may be there before it. Silence would cost the cover if it lasted.
	 */
	uint64_t most = move_floor(f);

	a.count = c.read < most ? c.read : most;
	if (atomic_load(&f->half_closed) || f->closed)
		a.end = flow_tail(f);
	if (f->closed)
		a.flags |= SES_FLAG_CLOSED;
	link_send(f->link, &a);
}

static void frame_for(struct flow *f, const struct ses_frame *r)
{
	switch (r->type) {
	case SES_F_ACK:
		confirmed(f, r->count);
		flowtalk_peer_state(f, r->end, r->flags);
		/* The relay has all the program wrote before it closed. */
		if (f->closed && r->count >= flow_tail(f) && f->close_sent &&
		    r->flags & SES_FLAG_HEARD)
			flowtalk_end(f);
		break;
	case SES_F_ASK:
		answer(f);
		break;
	case SES_F_EOF:
		flowtalk_peer_state(f, r->end, 0);
		break;
	case SES_F_RESET:
		flowtalk_peer_state(f, SES_NO_END, SES_FLAG_RESET);
		break;
	case SES_F_CLOSE:
		flowtalk_peer_state(f, r->end, 0);
		break;
	case SES_F_URGENT:
		flowtalk_uncover(f, "urgent data");
		break;
	default:
		break;
	}
}

void flowtalk_frame(struct link *l, const struct ses_frame *r)
{
	if (r->type == SES_F_PING) {
		struct ses_frame pong = *r;

		pong.type = SES_F_PONG;
		link_send(l, &pong);
		return;
	}
	/* Of many flows the next one is mostly spoken of next. */
	static unsigned last;
	unsigned n = flow_count();

	for (unsigned k = 0; k < n; k++) {
		unsigned i = (last + k) % n;
		struct flow *f = flow_at(i);
		uint32_t s = atomic_load(&f->state);

		if (f->link != l || f->ses.sid != r->sid || s == FLOW_FREE || s == FLOW_ENDED)
			continue;
		last = i;
		/* A short answer may be over before OPENED has been looked at: its end is not told
		 * twice. */
		if (s != FLOW_CONNECTING)
			frame_for(f, r);
		else if (r->type == SES_F_EOF && f->move)
			flowtalk_peer_state(f, r->end, 0);
		else if (r->type == SES_F_URGENT)
			atomic_store(&f->foreign, true);
		return;
	}
}

void flowtalk_link_up(struct link *l)
{
	for (unsigned i = 0; i < flow_count(); i++) {
		struct flow *f = flow_at(i);

		if (f->link != l)
			continue;
		f->end_sent = f->close_sent = false;
		if (atomic_load(&f->keeps))
			atomic_store(&f->want_confirm, true);
	}
}

void flowtalk_step(struct flow *f)
{
	if (f->kind != FLOW_SESSION || !link_assoc(f->link) ||
	    atomic_load(&f->state) == FLOW_CONNECTING)
		return;
	/* A close() that throws away what is under way, and tells the peer so. */
	if (f->closed && f->aborted && !atomic_load(&f->shared)) {
		/* Said again over the next control connection: there may be none now. */
		if (!f->close_sent)
			link_give_up(f->link, f->ses.sid);
		f->close_sent = true;
		flowtalk_end(f);
		return;
	}
	/* EOF does not say CLOSE: without it the relay keeps the session as long as the process
	 * lives. */
	if (f->closed ? !f->close_sent : !f->end_sent && atomic_load(&f->half_closed)) {
		struct ses_frame e = {.type = f->closed ? SES_F_CLOSE : SES_F_EOF,
		                      .sid = f->ses.sid,
		                      .end = flow_tail(f)};

		/*
		 * Another process may have the socket, too (the program forked): its stream does
		 * not end with our close. Who then writes the last FIN ends it.
		 */
		if (atomic_load(&f->shared) && f->closed)
			e.type = SES_F_DETACH;
		link_send(f->link, &e);
		f->end_sent = true;
		f->close_sent = f->closed;
		f->asked_at = flow_tail(f);
		if (e.type == SES_F_DETACH) {
			flowtalk_end(f);
			return;
		}
		if (f->closed) {
			struct ses_frame ask = {.type = SES_F_ASK, .sid = f->ses.sid};

			link_send(f->link, &ask);
		}
	}
	/* Looked at first: it is asked of every flow, at every turn. */
	if (atomic_load(&f->want_confirm) && atomic_exchange(&f->want_confirm, false)) {
		struct ses_frame ask = {.type = SES_F_ASK, .sid = f->ses.sid};

		f->asked_at = flow_tail(f);
		f->ring_clean = false;
		link_send(f->link, &ask);
	}
}

void flowtalk_moved(struct flow *f)
{
	f->end_sent = f->close_sent = false;
	if (atomic_load(&f->keeps))
		atomic_store(&f->want_confirm, true);
	flowtalk_step(f);
}

void flowtalk_retire(struct flow *f)
{
	struct linger now = {1, 0};

	if (f->old_retired < 0)
		return;
	/* A server that has not read yet what it was sent would lose it by a reset. */
	if (f->soft_end)
		now.l_onoff = 0;
	/* Relatives that wait on it are to look again: they have it, so no RST is sent. */
	if (atomic_load(&f->shared))
		raw_shutdown(f->old_retired, SHUT_RDWR);
	raw_setsockopt(f->old_retired, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	own_close(f->old_retired);
	f->old_retired = -1;
}

void flowtalk_straight(struct flow *f, const char *why)
{
	flow_become(f, FLOW_RESET);
	f->link = NULL;
	f->uncovered = true;
	snprintf(f->note, sizeof(f->note), "no session: %s", why);
	int result = -EINPROGRESS;

	if (f->nonblocking_dial) {
		/* Their numbers may be the last there are. */
		splice_unguard(f);
		/*
		 * A socket on its way straight to the peer takes the placeholder's place at once:
		 * whatever becomes of it, the kernel tells the program itself.
		 */
		int fd = own_socket(f->peer.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

		if (fd >= 0) {
			if (f->fds)
				options_copy(f->fd[0], fd);
			result = raw_connect(fd, &f->peer.sa, f->address_len);
			if (result == -EINPROGRESS || result == 0)
				result = splice_put(f, fd);
			own_close(fd);
		} else {
			result = fd;
		}
	}
	atomic_store(&f->state, result < 0 && result != -EINPROGRESS ? FLOW_ENDED : FLOW_STABLE);
	f->dial_result = result;
	atomic_store(&f->dialled, 1);
	futex_wake(&f->dialled);
}

void flowtalk_end(struct flow *f)
{
	if (f->move)
		return; /* its own step ends first */
	log_debug("flow %u: ended", f->id);
	pump_free(f);
	feed_end(f);
	reopen_end(f);
	own_close(f->heirs_fd);
	f->heirs_fd = -1;
	flowtalk_retire(f);
	splice_unguard(f);
	own_close(f->old_fd);
	own_close(f->far_fd);
	own_close(f->old_far);
	f->old_fd = f->far_fd = f->old_far = -1;
	if (lock_take(&f->table, thread_id(), 1000)) {
		while (f->fds) {
			int fd = f->fd[0];

			flow_drop_fd(f, fd);
			if (f->stands_in)
				own_close(fd);
		}
		f->stands_in = false;
		lock_release(&f->table);
	}
	ses_client_wipe(&f->ses);
	atomic_store(&f->hold, 0);
	futex_wake(&f->hold);
	if (f->link)
		link_stir(f->link);
	f->link = NULL;
	atomic_store(&f->state, FLOW_ENDED);
}
