/* SPDX-License-Identifier: MIT */
#include "preload/feed.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/flowtalk.h"
#include "preload/hook.h"
#include "preload/move.h"
#include "preload/own.h"
#include "preload/placeholder.h"
#include "preload/pump.h"
#include "preload/raw.h"
#include "preload/splice.h"
#include "preload/web.h"

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif

#define FEEDS 128
#define PIECE 65536
#define ROUNDS 16 /* pieces a turn: nobody else waits for long */
/* Of what the program asks next no more is taken than is kept to be sent elsewhere. */
#define ROOM_OUT 32768
#define ROOM_IN 131072 /* what comes waits with the server, not in our memory */
#define LOOK_MS 10
#define REST_MS 1000 /* so long after an answer the flow gets a connection of its own again */

struct feed {
	struct flow *flow; /* NULL: free */
	int server, far;
	struct http_source from;
	struct http_frame to;
	uint64_t skip;
	bool over;       /* all is in `out`, or was written */
	bool ended;      /* and the program has been told that the connection ends */
	bool asks;       /* the program has written something that goes nowhere */
	bool far_end;    /* it has ended its direction */
	int64_t over_ms; /* since when all is written; 0: it is not */
	bool broken;     /* no more comes from this connection */
	short want_server, want_far;
	size_t at, len; /* of `out`: on its way to the program */
	uint8_t in[PIECE];
	uint8_t out[PIECE + 2 * HTTP_FRAMED];
};

/* Made when they are first needed; the pages of free ones go back. */
static struct feed *feeds[FEEDS];

static struct feed *feed_new(void)
{
	for (int i = 0; i < FEEDS; i++) {
		if (feeds[i] && feeds[i]->flow)
			continue;
		if (!feeds[i]) {
			void *p = mmap(NULL, sizeof(**feeds), PROT_READ | PROT_WRITE,
			               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			if (p == MAP_FAILED)
				return NULL;
			feeds[i] = p;
		}
		return feeds[i];
	}
	return NULL;
}

bool feed_room(void)
{
	return feed_new() != NULL;
}

int feed_pair(struct flow *f, int *app, int *far)
{
	int out = ROOM_OUT, in = ROOM_IN, r = pump_pair(f, app, far);

	if (r < 0)
		return r;
	raw_setsockopt(*app, SOL_SOCKET, SO_SNDBUF, &out, sizeof(out));
	raw_setsockopt(*far, SOL_SOCKET, SO_RCVBUF, &out, sizeof(out));
	raw_setsockopt(*far, SOL_SOCKET, SO_SNDBUF, &in, sizeof(in));
	return 0;
}

bool feed_begin(struct flow *f, int server, int far, const struct http_source *from,
                const struct http_frame *to, uint64_t skip)
{
	struct feed *d = feed_new();

	if (!d)
		return false;
	d->server = server;
	d->far = far;
	d->from = *from;
	d->to = *to;
	d->skip = skip;
	d->flow = f;
	d->want_server = POLLIN;
	f->feed = d;
	return true;
}

void feed_end(struct flow *f)
{
	struct feed *d = f->feed;

	if (!d)
		return;
	f->feed = NULL;
	own_close(d->server);
	own_close(d->far);
	if (madvise(d, sizeof(*d), MADV_DONTNEED) < 0)
		memset(d, 0, sizeof(*d));
}

int feed_server(const struct flow *f)
{
	return f->feed ? f->feed->server : -1;
}

bool feed_over(const struct flow *f)
{
	return f->feed && f->feed->over && !f->feed->len;
}

/* The size of its buffer is the program's own choice only if it is another one. */
void feed_leave(struct flow *f, int app)
{
	int size = 0, locked = 0;
	socklen_t len = sizeof(size);

	if (!f->feed || raw_getsockopt(app, SOL_SOCKET, SO_SNDBUF, &size, &len) < 0 ||
	    size != 2 * ROOM_OUT || raw_getsockopt(app, SOL_SOCKET, SO_BUF_LOCK, &locked, &len) < 0)
		return;
	locked &= ~1;
	raw_setsockopt(app, SOL_SOCKET, SO_BUF_LOCK, &locked, sizeof(locked));
}

/* --- what can go wrong --- */

/* The connection is gone with its path: the flow is to be helped as any. */
static void lost(struct feed *d)
{
	d->broken = true;
	atomic_store(&d->flow->failed, true);
	move_old_lost(d->flow);
}

/*
 * It is the server's doing: the program has what came, and then an error, for there is no end.
 * While another connection is being made that one may do better.
 */
static void spoilt(struct feed *d, const char *why)
{
	struct flow *f = d->flow;

	if (f->move) {
		lost(d);
		return;
	}
	log_info("flow %u: reset: %s", f->id, why);
	if (own_intact(d->far))
		placeholder_reset(d->far);
	d->far = -1;
	if (splice_parked(f))
		splice_reset(f);
	flowtalk_end(f);
}

/* The program has closed its end, or will be seen to have. */
static void unheard(struct feed *d)
{
	d->broken = d->over = true;
	d->len = 0;
	own_close(d->server);
	d->server = -1;
}

/* --- carrying --- */

/* Writes what is ready. False: not all of it. */
static bool write_out(struct feed *d)
{
	while (d->len) {
		long n = raw_sendto(d->far, d->out + d->at, d->len, MSG_DONTWAIT | MSG_NOSIGNAL,
		                    NULL, 0);

		if (n == -EAGAIN)
			d->want_far = POLLOUT;
		else if (n == -EPIPE || n == -ECONNRESET)
			unheard(d);
		else if (n <= 0)
			lost(d); /* no memory for it, say: the pair is left with what is in it */
		if (n <= 0)
			return false;
		d->at += (size_t)n;
		d->len -= (size_t)n;
	}
	d->at = 0;
	return true;
}

/* The bytes of the body that are among the `len` in `in`: moved together to its beginning. */
static size_t bare(struct feed *d, size_t len)
{
	size_t have = 0, used = 0;

	while (used < len && !d->from.over && !d->from.bad) {
		const uint8_t *p;
		size_t n;

		used += http_source_take(&d->from, d->in + used, len - used, HTTP_UNKNOWN, &p, &n);
		if (!n)
			continue;
		size_t skip = d->skip < n ? (size_t)d->skip : n;

		d->skip -= skip;
		memmove(d->in + have, p + skip, n - skip);
		have += n - skip;
	}
	return have;
}

/* Puts `len` bytes of the answer into the frame. NULL, or what is wrong with them. */
static const char *frame(struct feed *d, size_t len)
{
	size_t have = len ? bare(d, len) : 0, end;

	if (d->from.bad)
		return "the server's chunks are none, or of another length";
	if (have) {
		d->len = http_frame_put(&d->to, d->in, have, d->out);
		if (!d->len)
			return "the server sends more than it said";
	}
	if (!d->from.over)
		return NULL;
	if (d->skip || !http_frame_end(&d->to, d->out + d->len, &end))
		return "the server sends less than it said";
	d->len += end;
	d->over = true;
	return NULL;
}

static void read_in(struct feed *d)
{
	long n = raw_recvfrom(d->server, d->in, PIECE, MSG_DONTWAIT, NULL, NULL);
	const char *why = NULL;

	if (n > 0)
		why = frame(d, (size_t)n);
	else if (n == -EAGAIN)
		d->want_server = POLLIN;
	else if (n == 0 || n == -ECONNRESET || n == -EPIPE)
		why = "the server has ended the connection in the middle of an answer";
	else
		lost(d);
	if (why)
		spoilt(d, why);
}

/* The program's next request is in the pair, and nobody reads it there. */
static void look_for_requests(struct feed *d)
{
	struct flow *f = d->flow;
	int waiting = 0;
	char c;

	raw_ioctl(d->far, FIONREAD, &waiting);
	d->asks = waiting > 0 || web_pending(f);
	if (!d->asks && !d->far_end)
		d->far_end = raw_recvfrom(d->far, &c, 1, MSG_DONTWAIT | MSG_PEEK, NULL, NULL) == 0;
	if (!d->asks && !d->far_end)
		d->want_far = POLLIN;
	/* Not before it has read what it was given: that is the end of what went before. */
	bool due = d->asks ? web_between(f)
	                   : !d->far_end && web_idle(f) && clock_ms() - d->over_ms >= REST_MS;

	if (due && !f->move && !atomic_exchange(&f->failed, true))
		log_debug("flow %u: %s: to be dialled anew", f->id,
		          d->asks ? "asks again" : "rests");
}

/* All was written to the program. */
static void rest(struct feed *d)
{
	struct flow *f = d->flow;

	own_close(d->server);
	d->server = -1;
	if (d->ended || d->broken)
		return;
	if (!d->over_ms)
		d->over_ms = clock_ms();
	if (web_closes(f) || atomic_load(&f->half_closed)) {
		raw_shutdown(d->far, SHUT_WR);
		d->ended = true;
		return;
	}
	look_for_requests(d);
}

static void carry(struct feed *d)
{
	struct flow *f = d->flow;

	d->want_server = d->want_far = 0;
	for (int i = 0; i < ROUNDS; i++) {
		if (!write_out(d))
			return;
		if (d->over) {
			rest(d);
			return;
		}
		if (d->broken)
			return;
		/* There is no end but the last chunk's, and that may be due already. */
		if (d->from.over || d->from.bad) {
			const char *why = frame(d, 0);

			if (why)
				spoilt(d, why);
		} else {
			read_in(d);
		}
		if (f->feed != d || d->want_server)
			return;
	}
	d->want_server = POLLIN;
}

void feeds_wait(struct waits *w)
{
	for (int i = 0; i < FEEDS; i++) {
		struct feed *d = feeds[i];

		if (!d || !d->flow)
			continue;
		if (d->want_server)
			waits_add(w, d->server, d->want_server);
		if (d->want_far)
			waits_add(w, d->far, d->want_far);
		if (d->over_ms && !d->ended && (d->asks || !d->far_end) && !d->flow->move &&
		    !atomic_load(&d->flow->failed))
			waits_until(w, clock_ms() + (d->asks ? LOOK_MS : REST_MS));
	}
}

void feeds_step(void)
{
	for (int i = 0; i < FEEDS; i++)
		if (feeds[i] && feeds[i]->flow)
			carry(feeds[i]);
}

void feeds_forget(void)
{
	for (int i = 0; i < FEEDS; i++) {
		if (!feeds[i] || !feeds[i]->flow)
			continue;
		feeds[i]->flow->feed = NULL;
		memset(feeds[i], 0, sizeof(*feeds[i]));
	}
}
