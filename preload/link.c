/* SPDX-License-Identifier: MIT */
#include "preload/link_private.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/choose.h"
#include "preload/lookup.h"
#include "preload/own.h"
#include "preload/pulse.h"
#include "preload/raw.h"
#include "preload/silence.h"

#define STAGGER_MS 250   /* RFC 8305: before the next path is tried beside the first */
#define ANSWER_MS 3000   /* a relay that took the connection answers within this time */
#define CONNECT_MS 10000 /* a connect that hears nothing is given up */
#define RETRY_MS 500
#define OWED_MS 600000 /* for this long a control connection is made for no other reason */
#define OWED_LOOK_MS 250
#define SHUN_MS 30000
#define GREETINGS 4 /* so often another relay behind the same address is tried */

struct link links[LINKS];
int links_beyond;
static link_frame_fn *on_frame;
static link_up_fn *on_up;

void links_set_handlers(link_frame_fn *frame, link_up_fn *up)
{
	on_frame = frame;
	on_up = up;
}

struct ses_assoc *link_assoc(struct link *l)
{
	return l->have_assoc ? &l->assoc : NULL;
}

bool link_shunned(const struct link *l)
{
	return l->shunned_ms && clock_ms() < l->shunned_ms;
}

bool link_failed(const struct link *l)
{
	return l->failed;
}

void link_shun(struct link *l)
{
	l->shunned_ms = clock_ms() + SHUN_MS;
	/* Its name may stand for another address by then. */
	if (l->rule->relay_host && !l->have_assoc && !l->dialling)
		link_locate(l, &l->relay[0]);
}

void link_stop_dialling(struct link *l)
{
	dial_close(&l->dial[0]);
	dial_close(&l->dial[1]);
	l->dialling = l->asked = false;
}

void link_drop_control(struct link *l)
{
	struct linger now = {1, 0};

	/* Never with a FIN: that is how the relay learns that the process has ended. */
	if (l->control >= 0)
		raw_setsockopt(l->control, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	own_close(l->control);
	l->control = -1;
	l->got = l->pending = 0;
	l->ping_ms = 0;
}

static void begin(struct link *l, const struct mif_path *path)
{
	union flow_address to = *link_relay(l);

	link_stop_dialling(l);
	l->begun_ms = clock_ms();
	l->failed = false;
	/* A path of the other family leads to another of the relay's addresses. */
	if (path) {
		struct places places;

		link_all_places(l, &places);
		places_pick(&places, path, 0, &to);
	}
	int r = dial_start(&l->dial[0], &to, path);

	l->dialling = true;
	l->first_ifindex = dial_interface(&l->dial[0]);
	if (r < 0)
		log_debug("relay: no control connection: %s", strerrordesc_np(-r));
}

void link_begin(struct link *l)
{
	/* The very first dial is the host's to route: a VPN that came up later must not be gone
	 * around. */
	if (!l->have_assoc && !l->dialling)
		begin(l, NULL);
}

static void fail(struct link *l, const char *why)
{
	/* It took the connection, and then it was gone: it may be there again. */
	if (!l->have_assoc && l->asked && !l->key_changed && ++l->greetings < GREETINGS) {
		begin(l, NULL);
		return;
	}
	log_info("relay: control connection failed: %s", why);
	link_stop_dialling(l);
	l->failed = true;
	l->retry_ms = clock_ms() + RETRY_MS;
	l->at.failed = true;
}

/*
 * Does any flow need this relay, or is it to hear of one that was thrown away? Otherwise a lost
 * control connection is left alone.
 */
bool link_needed(const struct link *l)
{
	if (l->owed_until_ms > clock_ms())
		return true;
	for (unsigned i = 0; i < flow_count(); i++) {
		const struct flow *f = flow_at(i);
		uint32_t s = atomic_load(&f->state);

		if (f->link == l && s != FLOW_FREE && s != FLOW_ENDED)
			return true;
	}
	return false;
}

static void review(struct link *l)
{
	struct pol_decision d;
	struct mif_path paths[PATHS_MAX];
	struct places places;

	if (!l->used || !l->have_assoc || l->dialling || clock_ms() < l->retry_ms ||
	    !link_needed(l))
		return;
	l->at.failed = l->control < 0;
	link_all_places(l, &places);
	l->at.also = &places;
	choose(link_relay(l), &l->at, &d, paths);
	l->at.also = NULL;
	l->again_ms = d.again_ms >= 0 ? clock_ms() + d.again_ms : 0;
	if (d.verb == POL_MOVE || d.verb == POL_RESCUE) {
		log_debug("control connection: %s", d.reason);
		begin(l, &paths[0]);
	}
}

void links_review(void)
{
	for (int i = 0; i < LINKS; i++) {
		review(&links[i]);
		if (links[i].used)
			standby_review(&links[i]);
	}
}

void links_slept(void)
{
	for (int i = 0; i < LINKS; i++)
		if (links[i].used && links[i].control >= 0) {
			link_drop_control(&links[i]);
			links[i].retry_ms = 0;
		}
	links_review();
}

void links_path_new(int ifindex)
{
	for (int i = 0; i < LINKS; i++)
		if (links[i].used)
			fastopen_note(&links[i].fast, ifindex, FASTOPEN_UNKNOWN, clock_ms());
}

static void flush(struct link *l)
{
	while (l->pending) {
		long n = raw_sendto(l->control, l->out, l->pending, MSG_DONTWAIT | MSG_NOSIGNAL,
		                    NULL, 0);

		if (n <= 0) {
			if (n != -EAGAIN)
				link_drop_control(l);
			return;
		}
		l->pending -= (size_t)n;
		memmove(l->out, l->out + n, l->pending);
	}
}

void link_send(struct link *l, const struct ses_frame *f)
{
	if (l->control < 0)
		return;
	if (sizeof(l->out) - l->pending < SES_RECORD_MAX) {
		/* The path takes nothing: it is dead, or worse than none. */
		link_drop_control(l);
		return;
	}
	int n = ses_record_seal(&l->assoc.tx, f, l->out + l->pending);

	if (n > 0)
		l->pending += (size_t)n;
	flush(l);
}

static void tell_given_up(struct link *l, uint64_t sid)
{
	struct ses_frame f = {.type = SES_F_RESET, .sid = sid, .err = ECONNABORTED};

	if (sid)
		link_send(l, &f);
}

void link_give_up(struct link *l, uint64_t sid)
{
	if (!l->have_assoc || !sid)
		return;
	l->given_up[l->given_up_next++ % GIVEN_UP] = sid;
	l->owed_until_ms = clock_ms() + OWED_MS;
	tell_given_up(l, sid);
}

/* What was sent is with the relay when its host's kernel has acknowledged it. */
static void look_at_owed(struct link *l)
{
	int unacked = 0;

	if (l->owed_until_ms && l->control >= 0 && !l->pending &&
	    raw_ioctl(l->control, SIOCOUTQ, &unacked) == 0 && !unacked)
		l->owed_until_ms = 0;
}

void link_ask(struct link *l, int ifindex, int patience_ms)
{
	struct ses_frame ping = {.type = SES_F_PING};

	if (l->control < 0 || l->ping_ms || l->dialling || l->at.ifindex != ifindex)
		return;
	ping.sid = ++l->pings;
	l->ping_ms = clock_ms();
	l->ping_patience = patience_ms;
	l->ping_ifindex = ifindex;
	link_send(l, &ping);
}

void links_ask(int ifindex)
{
	for (int i = 0; i < LINKS; i++) {
		struct tcp_info t = {0};
		socklen_t len = sizeof(t);

		if (links[i].used && links[i].control >= 0 &&
		    raw_getsockopt(links[i].control, IPPROTO_TCP, TCP_INFO, &t, &len) == 0)
			link_ask(&links[i], ifindex,
			         silence_patience((int)t.tcpi_rtt, (int)t.tcpi_rttvar, true));
	}
}

/* Whatever is authentic and came by it shows that the path works. */
static void heard(struct link *l)
{
	if (!l->ping_ms)
		return;
	l->ping_ms = 0;
	pulse_trust(l->ping_ifindex);
}

static void look_at_ping(struct link *l)
{
	if (!l->ping_ms || !l->ping_patience || clock_ms() - l->ping_ms < l->ping_patience)
		return;
	l->ping_patience = 0; /* said once; a late answer takes it back */
	pulse_doubt(l->ping_ifindex, l->ping_ms);
}

static void receive(struct link *l)
{
	for (;;) {
		long n = raw_recvfrom(l->control, l->in + l->got, sizeof(l->in) - l->got,
		                      MSG_DONTWAIT, NULL, NULL);

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			log_info("relay: control connection lost");
			link_drop_control(l);
			l->retry_ms = clock_ms() + 50;
			return;
		}
		l->got += (size_t)n;
		size_t used = 0;

		while (l->control >= 0) {
			struct ses_frame f;
			int size = ses_record_size(l->in + used, l->got - used);
			int r = size;

			if (size > 0 && (size_t)size <= l->got - used) {
				r = ses_record_open(&l->assoc.rx, l->in + used, (size_t)size, &f);
				used += (size_t)size;
				if (r == 0)
					heard(l);
				if (r == 0 && f.type == SES_F_GOAWAY) {
					log_info("relay %s is leaving: new sessions go elsewhere",
					         l->name);
					l->leaving = true;
				} else if (r == 0) {
					on_frame(l, &f);
				}
			} else if (size >= 0) {
				break;
			}
			if (r < 0) {
				log_warn("relay: control connection not authentic, dropped");
				link_drop_control(l);
				return;
			}
		}
		if (l->control < 0)
			return;
		l->got -= used;
		memmove(l->in, l->in + used, l->got);
	}
}

static void note_path(struct link *l, const struct dial *d)
{
	socklen_t len = sizeof(l->at.source);

	raw_getsockname(d->fd, &l->at.source.sa, &len);
	l->at.ifindex =
	    d->path.ifindex ? d->path.ifindex : choose_interface_to(&l->at.source, link_relay(l));
	l->at.failed = false;
}

static void answered(struct link *l, struct dial *d, int len)
{
	int r = l->have_assoc
	            ? ses_attached(&l->assoc, d->in, (size_t)len)
	            : ses_welcome((struct ses_hello *)l->hello, d->in, (size_t)len, &l->assoc);

	if (r < 0) {
		int why = ses_refused(d->in, (size_t)len);

		/* Behind a balancer there may be others. */
		if (why == SES_LEAVING && !l->have_assoc && ++l->greetings < GREETINGS) {
			begin(l, NULL);
			return;
		}

		/* The relay was restarted: its sessions are gone, a new association serves new
		 * ones. */
		if (why == SES_UNKNOWN && l->have_assoc) {
			standby_drop(l);
			ses_assoc_wipe(&l->assoc);
			memset(l->given_up, 0, sizeof(l->given_up));
			l->owed_until_ms = 0;
			l->have_assoc = false;
		}
		fail(l, why ? "refused by the relay" : "not a relay's answer");
		return;
	}
	if (!l->have_assoc && !link_trusted(l)) {
		ses_assoc_wipe(&l->assoc);
		fail(l, "not trusted");
		return;
	}
	note_path(l, d);
	link_drop_control(l);
	l->greetings = 0;
	l->control = dial_take(d);
	link_stop_dialling(l);
	l->have_assoc = true;
	l->failed = false;
	standby_stir(l);
	pulse_trust(l->at.ifindex);
	/* Where it is now is a path it was rescued to, perhaps, and flows go back from there. It
	 * must be where they are: only over its own path the relay can be asked (link_ask). */
	l->again_ms = clock_ms();
	log_debug("relay: control connection up");
	for (int i = 0; i < GIVEN_UP; i++)
		tell_given_up(l, l->given_up[i]);
	on_up(l);
}

static int ask(struct link *l, struct dial *d)
{
	uint8_t msg[SES_MSG_MAX];
	int n = l->have_assoc ? ses_attach(&l->assoc, msg)
	                      : ses_hello((struct ses_hello *)l->hello, msg);

	if (l->have_assoc)
		link_drop_control(l); /* its keys have just been replaced */
	return n < 0 ? n : dial_send(d, msg, n);
}

static void progress(struct link *l, const struct waits *w)
{
	int64_t now = clock_ms();
	int r = -ECONNREFUSED;

	if (l->asked) {
		struct dial *d = &l->dial[l->asker];

		r = dial_message(d);
		if (r > 0)
			answered(l, d, r);
		else if (r < 0 || now - l->asked_ms > ANSWER_MS)
			fail(l, r < 0 ? strerrordesc_np(-r) : "no answer");
		return;
	}
	for (int i = 0; i < 2; i++) {
		struct dial *d = &l->dial[i];

		if (d->fd < 0)
			continue;
		r = dial_progress(d, w);
		if (r == 0) {
			dial_close(&l->dial[!i]);
			l->asker = i;
			l->asked = true;
			l->asked_ms = now;
			r = ask(l, d);
			if (r < 0)
				fail(l, strerrordesc_np(-r));
			return;
		}
		if (r != -EINPROGRESS)
			dial_close(d);
	}
	bool none = l->dial[0].fd < 0 && l->dial[1].fd < 0;

	if (l->dial[1].fd < 0 && (none || now - l->begun_ms >= STAGGER_MS) &&
	    now - l->begun_ms < CONNECT_MS) {
		struct mif_path paths[PATHS_MAX];
		struct places places;
		union flow_address to;

		link_all_places(l, &places);
		int n = choose_paths_any(&places, paths);

		/* The next path, if there is one that is not being tried. */
		for (int i = 0; i < n; i++) {
			if (paths[i].ifindex != l->first_ifindex &&
			    places_pick(&places, &paths[i], 0, &to)) {
				dial_start(&l->dial[1], &to, &paths[i]);
				break;
			}
		}
		none = l->dial[0].fd < 0 && l->dial[1].fd < 0;
	}
	if (none)
		fail(l, strerrordesc_np(r == -EINPROGRESS ? EHOSTUNREACH : -r));
	else if (now - l->begun_ms > CONNECT_MS)
		fail(l, "no answer");
}

void links_wait(struct waits *w)
{
	lookup_wait(w);
	for (int i = 0; i < LINKS; i++) {
		struct link *l = &links[i];

		if (!l->used)
			continue;
		standby_wait(l, w);
		l->slot = waits_add(w, l->control, l->pending ? POLLIN | POLLOUT : POLLIN);
		if (l->owed_until_ms > clock_ms())
			waits_until(w, clock_ms() + OWED_LOOK_MS);
		if (l->ping_ms && l->ping_patience)
			waits_until(w, l->ping_ms + l->ping_patience);
		if (l->dialling) {
			dial_wait(&l->dial[0], w);
			dial_wait(&l->dial[1], w);
			waits_until(w, l->asked ? l->asked_ms + ANSWER_MS
			               : clock_ms() - l->begun_ms < STAGGER_MS
			                   ? l->begun_ms + STAGGER_MS
			                   : clock_ms() + STAGGER_MS);
		} else if (l->again_ms) {
			waits_until(w, l->again_ms);
		} else if (l->control < 0 && l->have_assoc && link_needed(l)) {
			waits_until(w,
			            l->retry_ms > clock_ms() ? l->retry_ms : clock_ms() + RETRY_MS);
		}
	}
}

void links_step(const struct waits *w)
{
	lookup_step(w);
	for (int i = 0; i < LINKS; i++) {
		struct link *l = &links[i];

		if (!l->used)
			continue;
		standby_step(l, w);
		if (l->control >= 0 && waits_got(w, l->slot) & POLLOUT)
			flush(l);
		if (l->control >= 0 && waits_got(w, l->slot) & ~POLLOUT)
			receive(l);
		look_at_owed(l);
		look_at_ping(l);
		if (l->dialling)
			progress(l, w);
		else if (l->control < 0 || (l->again_ms && clock_ms() >= l->again_ms))
			review(l);
	}
}

void links_farewell(void)
{
	const struct ses_frame bye = {.type = SES_F_GOAWAY};

	for (int i = 0; i < links_beyond; i++) {
		struct link *l = &links[i];

		if (!l->used || l->control < 0 || !own_intact(l->control))
			continue;
		link_send(l, &bye);
		/* With unread frames in its buffer the kernel would close it with a RST. */
		if (l->control >= 0)
			raw_shutdown(l->control, SHUT_WR);
	}
}

void links_forget(void)
{
	/* No more than there was: each child of a program without a link would get pages of its own
	 * for them all. */
	for (int i = 0; i < links_beyond; i++)
		if (links[i].used) {
			ses_assoc_wipe(&links[i].assoc);
			wipe(&links[i].identity, sizeof(links[i].identity));
		}
	memset(links, 0, (size_t)links_beyond * sizeof(links[0]));
	links_beyond = 0;
}
