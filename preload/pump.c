/* SPDX-License-Identifier: MIT */
#include "preload/pump.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/agent.h"
#include "preload/counts.h"
#include "preload/flowtalk.h"
#include "preload/own.h"
#include "preload/peers.h"
#include "preload/placeholder.h"
#include "preload/raw.h"

#define PUMPS 200   /* two descriptors each in the agent's poll */
#define PIECE 65536 /* at a time, per direction */
#define ROUNDS 16   /* pieces per turn: nobody else waits for long */
#define END_MS 20   /* from a FIN to its announcement; later it is a lost path */
#define ASK_AGAIN_MS 250
#define FULL_MS 2000 /* the ring is full and nothing is confirmed: cover ends, the flow goes on */

struct pump {
	struct flow *flow;
	bool ready; /* every thread has left the old file */
	int far;    /* the agent's end of the pair */
	int inner;  /* the session's connection; -1 */
	int spare;  /* the program's end, for one turn: who asked for it shall have it; -1 */
	bool paused;
	bool broken;       /* the connection has failed: wait for another */
	bool far_end;      /* the program has ended its direction */
	bool far_end_told; /* and so has the connection been told */
	bool inner_end;    /* the peer has, and the program has been told */
	uint64_t read;     /* s2c count taken from connections */
	uint64_t sent;     /* c2s count given to this one */
	uint64_t mark;     /* where in c2s the last urgent byte is; SES_NO_END: none */
	int64_t fin_ms;    /* since when a FIN waits for its announcement; 0 */
	int64_t asked_ms;  /* when a confirmation was last asked for */
	int64_t full_ms;   /* since when the ring is full; 0 */
	short want_far, want_inner;
	size_t at, len; /* of buf: on its way to the program */
	bool urgent;    /* and that is one urgent byte */
	uint8_t buf[PIECE];
};

/* Made when they are first needed, and never unmapped: a thread of the program may look at one
 * (pump_owes) while the agent gives it up. */
static struct pump *pumps[PUMPS];

/* --- asking --- */

bool pump_ask(struct flow *f, int ms)
{
	uint32_t none = SHARE_NO;

	atomic_compare_exchange_strong(&f->share, &none, SHARE_ASKED);
	if (atomic_load(&f->share) == SHARE_ASKED && agent_running()) {
		agent_kick();
		for (int waited = 0; waited < ms && atomic_load(&f->share) == SHARE_ASKED;
		     waited += 20)
			futex_wait(&f->share, SHARE_ASKED, 20);
	}
	return atomic_load(&f->share) == SHARE_DONE;
}

void pumps_ask_inherited(void)
{
	for (int pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < flow_count(); i++) {
			struct flow *f = flow_at(i);

			if (f->kind == FLOW_SESSION && !atomic_load(&f->carried) &&
			    atomic_load(&f->state) != FLOW_INHERITED && flow_inheritable(f))
				pump_ask(f, pass ? PUMP_MS : 0);
		}
}

int pump_state(const struct flow *f)
{
	uint32_t s = atomic_load(&f->share);

	return s == SHARE_DONE ? 1 : s == SHARE_REFUSED ? -1 : 0;
}

int pump_spare(const struct flow *f)
{
	return f->pump && f->pump->spare >= 0 ? own_copy(f->pump->spare) : -1;
}

static void answer(struct flow *f, enum flow_share how)
{
	atomic_store(&f->share, how);
	futex_wake(&f->share);
}

/* --- making one --- */

static struct pump *pump_new(struct flow *f)
{
	for (int i = 0; i < PUMPS; i++) {
		struct pump *p = pumps[i];

		if (p && p->flow)
			continue;
		if (!p)
			p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE,
			         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return NULL;
		p->flow = f;
		p->far = p->inner = p->spare = -1;
		p->mark = SES_NO_END;
		pumps[i] = p;
		f->pump = p;
		return p;
	}
	return NULL;
}

static void close_all(struct pump *p)
{
	own_close(p->far);
	own_close(p->inner);
	own_close(p->spare);
	p->far = p->inner = p->spare = -1;
}

void pump_free(struct flow *f)
{
	struct pump *p = f->pump;

	if (!p)
		return;
	f->pump = NULL;
	close_all(p);
	/* The pages go back. */
	if (madvise(p, sizeof(*p), MADV_DONTNEED) < 0)
		memset(p, 0, sizeof(*p));
}

static void refuse(struct flow *f, int err)
{
	log_info("flow %u: cannot be carried: %s", f->id, strerrordesc_np(-err));
	pump_free(f);
	answer(f, SHARE_REFUSED);
}

/* Urgent data is to come in its place in the stream; how is told by at_mark(). */
static void in_line(int fd)
{
	int one = 1;

	raw_setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
}

/* Is the next byte the urgent one? */
static bool at_mark(int fd)
{
	int at = 0;

	return raw_ioctl(fd, SIOCATMARK, &at) == 0 && at;
}

/* A pair for the program: neither end keeps the other from learning of its end for long. */
int pump_pair(struct flow *f, int *app, int *far)
{
	struct linger hard = {1, 0};
	int soon = 2, one = 1, r = placeholder_pair(f->peer.sa.sa_family, app, far);

	if (r < 0)
		return r;
	/* An end that the program has closed altogether, not only for writing, is forgotten by the
	 * kernel after this many seconds: then the far end is told. */
	raw_setsockopt(*app, IPPROTO_TCP, TCP_LINGER2, &soon, sizeof(soon));
	raw_setsockopt(*far, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	/* Should this process be killed, those who have the other end are to see an error: a clean
	 * end would be a lie. */
	raw_setsockopt(*far, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	raw_fcntl(*far, F_SETFL, raw_fcntl(*far, F_GETFL, 0) | O_NONBLOCK);
	in_line(*far);
	peers_note(raw_inode(*app), &f->peer, &f->local);
	peers_label(*app, &f->peer, &f->local);
	return 0;
}

/*
 * Every thread has left the connection, and waits on the placeholder or for its lock: the pair goes
 * onto the descriptors, the connection is the pump's. What lies unread in it is read by the pump.
 * -EBUSY: come again.
 */
static int take_over(struct flow *f)
{
	struct pump *p = f->pump;
	struct stream_counts c;
	int app, far, never = 0, r;

	in_line(f->old_fd);
	r = splice_counts(f, &c);
	if (r == 0)
		r = pump_pair(f, &app, &far);
	if (r < 0)
		return r;
	/* From here on no write is put into the ring by its hook. */
	atomic_store(&f->carried, true);
	r = splice_put(f, app);
	if (r < 0) {
		atomic_store(&f->carried, false);
		own_close(app);
		own_close(far);
		return r;
	}
	/* It would end the pair where only the path is slow. */
	raw_setsockopt(app, IPPROTO_TCP, TCP_USER_TIMEOUT, &never, sizeof(never));
	/* Ended already: the pair says so, and its far end will, too. */
	if (atomic_load(&f->half_closed))
		raw_shutdown(app, SHUT_WR);
	p->spare = app;
	if (c.written != f->ring.tail)
		flowtalk_uncover(f, "bytes that no hook saw");
	p->inner = f->old_fd;
	p->far = far;
	p->read = c.read;
	p->sent = f->ring.tail;
	p->ready = true;
	f->old_fd = -1;
	/* Until all have been called over from the placeholder. */
	own_close(f->old_far);
	f->old_far = f->far_fd;
	f->far_fd = -1;
	splice_release_writers(f);
	log_info("flow %u: carried by the agent", f->id);
	answer(f, SHARE_DONE);
	return 0;
}

static void go_on(struct flow *f, struct waits *w)
{
	int r = splice_drained(f) && splice_writers_out(f) ? take_over(f) : -EBUSY;

	if (r == -EBUSY) {
		waits_until(w, clock_ms() + 1);
	} else if (r == 0) {
		/* The spare end is not to be kept for long. */
		waits_until(w, clock_ms());
	} else if (r < 0) {
		/* As with any flow that cannot be helped, its connection goes back. */
		splice_unpark(f);
		refuse(f, r);
	}
}

void pump_begin(struct flow *f, struct waits *w)
{
	int r;

	if (f->pump) {
		if (!f->pump->ready)
			go_on(f, w);
		return;
	}
	if (atomic_load(&f->share) != SHARE_ASKED)
		return;
	if (f->kind != FLOW_SESSION || f->closed || atomic_load(&f->foreign)) {
		answer(f, SHARE_REFUSED);
		return;
	}
	if (f->move || splice_parked(f) || f->lost_ms || atomic_load(&f->failed) ||
	    atomic_load(&f->state) != FLOW_STABLE) {
		waits_until(w, clock_ms() + 10);
		return;
	}
	if (!pump_new(f)) {
		refuse(f, -ENOBUFS);
		return;
	}
	r = splice_park(f);
	if (r < 0)
		pump_free(f);
	if (r == -EBUSY)
		waits_until(w, clock_ms() + 2);
	else if (r < 0)
		refuse(f, r);
	else
		go_on(f, w);
}

int pump_adopt(struct flow *f, int fd)
{
	struct counts k;
	struct pump *p = NULL;
	int app, far, r = counts_read(fd, &k);

	if (r >= 0) {
		p = pump_new(f);
		r = p ? pump_pair(f, &app, &far) : -ENOBUFS;
	}
	if (r < 0) {
		own_close(fd);
		pump_free(f);
		return r;
	}
	in_line(fd);
	p->inner = fd;
	p->far = far;
	p->read = flow_read_count(f, &k);
	p->sent = f->ring.tail;
	p->far_end_told = atomic_load(&f->half_closed);
	if (f->stream_written + (k.written - f->kernel_written) != f->ring.tail)
		flowtalk_uncover(f, "bytes that no hook saw");
	p->ready = true;
	f->left = false;
	own_close(f->heirs_fd);
	f->heirs_fd = -1;
	atomic_store(&f->carried, true);
	answer(f, SHARE_DONE);
	log_info("flow %u: carried by the agent for a relative", f->id);
	return app;
}

/* --- what the handover needs --- */

int pump_connection(const struct flow *f)
{
	if (f->pump && f->pump->ready)
		return f->pump->inner;
	/* A moment ago; the program may be closing it. */
	return __atomic_load_n(&f->fds, __ATOMIC_RELAXED)
	           ? __atomic_load_n(&f->fd[0], __ATOMIC_RELAXED)
	           : -1;
}

void pump_counts(struct flow *f, struct stream_counts *c)
{
	const struct pump *p = f->pump;
	struct counts k;

	*c = (struct stream_counts){
	    .read = p->read, .written = f->ring.tail, .peer_fin = p->fin_ms != 0};
	if (p->inner < 0 || counts_read(p->inner, &k) < 0)
		return;
	uint64_t went = f->stream_written + (k.written - f->kernel_written);

	/* A relative that has the connection itself can write to it, past the pump. */
	if (went != p->sent && !(k.state == TCP_CLOSE && p->far_end_told && went == p->sent + 1))
		c->written += went - p->sent;
	c->unacked = k.unacked;
}

bool pump_owes(const struct flow *f)
{
	const struct pump *p = f->pump;
	int waiting = 0, unacked = 0;

	if (!p || !p->ready || p->far < 0)
		return false;
	raw_ioctl(p->far, FIONREAD, &waiting);
	raw_ioctl(p->inner, SIOCOUTQ, &unacked);
	return waiting > 0 || unacked > 0 || p->sent < f->ring.tail;
}

void pump_pause(struct flow *f)
{
	f->pump->paused = true;
}

void pump_resume(struct flow *f)
{
	f->pump->paused = false;
}

int pump_take(struct flow *f)
{
	int fd = f->pump->inner;

	f->pump->inner = -1;
	return fd;
}

void pump_put(struct flow *f, int fd, uint64_t read)
{
	struct pump *p = f->pump;

	in_line(fd);
	p->inner = fd;
	p->read = read;
	p->sent = f->ring.tail;
	p->paused = p->broken = false;
	p->fin_ms = 0;
}

void pump_reset(struct flow *f)
{
	struct pump *p = f->pump;

	if (own_intact(p->far))
		placeholder_reset(p->far);
	p->far = -1;
}

/* --- carrying --- */

static void lost(struct pump *p)
{
	p->broken = true;
	atomic_store(&p->flow->failed, true);
}

/* The program, and everybody who had its descriptor, is gone: the session ends as after close(). */
static void program_gone(struct pump *p)
{
	struct linger soft = {0, 0};
	struct flow *f = p->flow;

	log_debug("flow %u: the program's end is closed", f->id);
	/* What it was given and has not read yet stays readable. */
	raw_setsockopt(p->far, SOL_SOCKET, SO_LINGER, &soft, sizeof(soft));
	f->closed_read = p->read;
	f->closed_known = true;
	atomic_store(&f->half_closed, true);
	f->progress_ms = 0;
	f->closed = true;
	if (p->inner >= 0 && !p->broken)
		raw_shutdown(p->inner, SHUT_WR);
	atomic_store(&f->state, FLOW_CLOSING);
	pump_free(f);
}

/* Room in the ring for what the program writes. Flow before cover: a ring that stays full without
 * any confirmation gives up its oldest bytes. */
static bool room(struct pump *p, int64_t now)
{
	struct ring *r = &p->flow->ring;

	/* Here it waits for room, so it has all there is. */
	flow_ring_room(p->flow, p->flow->ring_size);
	ring_confirm(r, atomic_load(&p->flow->confirmed));
	/* Once for each eighth, and again if the answer does not come. */
	bool due =
	    p->flow->ring.tail - p->flow->asked_at > r->cap / 8 || now - p->asked_ms > ASK_AGAIN_MS;

	if (ring_used(r) > r->cap / 4 && due) {
		atomic_store(&p->flow->want_confirm, true);
		p->asked_ms = now;
	}
	if (ring_room(r)) {
		p->full_ms = 0;
		return true;
	}
	if (!p->full_ms)
		p->full_ms = now;
	if (now - p->full_ms < FULL_MS || p->flow->lost_ms)
		return false;
	ring_confirm(r, r->base + PIECE);
	return true;
}

/* From the program to the connection. */
static void outward(struct pump *p, int64_t now)
{
	struct flow *f = p->flow;

	for (int i = 0; i < ROUNDS; i++) {
		const void *from;
		void *to;

		if (p->sent < f->ring.tail) {
			size_t n = ring_peek(&f->ring, p->sent, &from);
			int urgent = p->sent == p->mark ? MSG_OOB : 0;

			if (urgent)
				n = 1;
			else if (p->sent < p->mark && p->mark - p->sent < n)
				n = (size_t)(p->mark - p->sent);
			long r = raw_sendto(p->inner, from, n, MSG_DONTWAIT | MSG_NOSIGNAL | urgent,
			                    NULL, 0);

			if (r == -EAGAIN)
				p->want_inner |= POLLOUT;
			else if (r <= 0)
				lost(p);
			if (r <= 0)
				return;
			p->sent += (uint64_t)r;
			continue;
		}
		if (p->far_end) {
			if (!p->far_end_told) {
				raw_shutdown(p->inner, SHUT_WR);
				p->far_end_told = true;
			}
			return;
		}
		if (!room(p, now))
			return;
		size_t n = ring_space(&f->ring, &to);
		bool urgent = at_mark(p->far);

		if (urgent)
			n = 1;
		long r = raw_recvfrom(p->far, to, n < PIECE ? n : PIECE, MSG_DONTWAIT, NULL, NULL);

		if (r == -EAGAIN) {
			p->want_far |= POLLIN;
			return;
		}
		if (r > 0) {
			if (urgent) {
				p->mark = f->ring.tail;
				flowtalk_uncover(f, "urgent data");
			}
			ring_added(&f->ring, (size_t)r);
			f->ring_clean = false;
		} else if (r == 0) {
			int on = 1, seconds = 3, tries = 2;

			p->far_end = true;
			atomic_store(&f->half_closed, true);
			/* Half-closed, or closed? The kernel's own probes will tell. */
			raw_setsockopt(p->far, IPPROTO_TCP, TCP_KEEPIDLE, &seconds,
			               sizeof(seconds));
			raw_setsockopt(p->far, IPPROTO_TCP, TCP_KEEPINTVL, &seconds,
			               sizeof(seconds));
			raw_setsockopt(p->far, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof(tries));
			raw_setsockopt(p->far, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
		} else {
			program_gone(p);
			return;
		}
	}
	p->want_far |= POLLIN;
}

/* The connection has ended. Is that the stream's end? */
static void ended(struct pump *p, int64_t now)
{
	struct flow *f = p->flow;

	if (atomic_load(&f->peer_ended) && p->read >= atomic_load(&f->peer_end)) {
		raw_shutdown(p->far, SHUT_WR);
		p->inner_end = true;
		p->fin_ms = 0;
		return;
	}
	if (!p->fin_ms)
		p->fin_ms = now;
	if (now - p->fin_ms >= END_MS)
		lost(p);
}

/* From the connection to the program. */
static void inward(struct pump *p, int64_t now)
{
	struct flow *f = p->flow;

	for (int i = 0; i < ROUNDS && !p->inner_end; i++) {
		if (p->len) {
			long r = raw_sendto(p->far, p->buf + p->at, p->len,
			                    MSG_DONTWAIT | MSG_NOSIGNAL | (p->urgent ? MSG_OOB : 0),
			                    NULL, 0);

			if (r == -EAGAIN)
				p->want_far |= POLLOUT;
			else if (r <= 0)
				program_gone(p);
			if (r <= 0)
				return;
			p->at += (size_t)r;
			p->len -= (size_t)r;
			continue;
		}
		if (p->inner < 0 || p->paused || p->broken)
			return;
		bool urgent = at_mark(p->inner);
		long r =
		    raw_recvfrom(p->inner, p->buf, urgent ? 1 : PIECE, MSG_DONTWAIT, NULL, NULL);

		if (r > 0) {
			p->at = 0;
			p->urgent = urgent;
			if (urgent)
				flowtalk_uncover(f, "urgent data");
			p->len = (size_t)r;
			p->read += (uint64_t)r;
		} else if (r == -EAGAIN) {
			p->want_inner |= POLLIN;
			return;
		} else if (r == 0) {
			ended(p, now);
			return;
		} else if (atomic_load(&f->peer_reset)) {
			pump_reset(f);
			program_gone(p);
			return;
		} else {
			lost(p);
			return;
		}
	}
	if (!p->inner_end)
		p->want_inner |= POLLIN;
}

static void carry(struct pump *p, int64_t now)
{
	struct flow *f = p->flow;
	bool idle = p->inner < 0 || p->paused || p->broken;

	p->want_far = p->want_inner = 0;
	inward(p, now);
	if (f->pump != p)
		return;
	if (!idle)
		outward(p, now);
	if (f->pump != p)
		return;
	/* Both directions are over, and all of it is where it belongs. */
	if (p->far_end && p->inner_end && p->sent == f->ring.tail)
		program_gone(p);
}

void pumps_wait(struct waits *w)
{
	for (int i = 0; i < PUMPS; i++) {
		struct pump *p = pumps[i];

		if (!p || !p->flow || !p->ready)
			continue;
		/* With neither direction wanted even an error is not looked at here: it would be
		 * heard of again and again. */
		if (p->want_far)
			waits_add(w, p->far, p->want_far);
		if (p->want_inner)
			waits_add(w, p->inner, p->want_inner);
		if (p->fin_ms)
			waits_until(w, p->fin_ms + END_MS);
		if (p->full_ms)
			waits_until(w, clock_ms() + 10);
	}
}

void pumps_step(void)
{
	int64_t now = clock_ms();

	for (int i = 0; i < PUMPS; i++) {
		struct pump *p = pumps[i];

		if (!p || !p->flow || !p->ready)
			continue;
		own_close(p->spare);
		p->spare = -1;
		carry(p, now);
	}
}

void pumps_forget(void)
{
	for (int i = 0; i < PUMPS; i++) {
		if (!pumps[i] || !pumps[i]->flow)
			continue;
		pumps[i]->flow->pump = NULL;
		memset(pumps[i], 0, sizeof(*pumps[i]));
	}
}
