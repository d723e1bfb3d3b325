/* SPDX-License-Identifier: MIT */
/* A handover of HTTP: the request is made anew, its answer brought to where the program is. */
#include "preload/move_private.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/feed.h"
#include "preload/flowtalk.h"
#include "preload/raw.h"
#include "preload/web.h"

#define ROUNDS 64 /* of BIN bytes at a time: nobody else waits for long */
#define BIN 65536
#define FAILURES 5

static struct http_stream seen;     /* large */
static uint8_t said[HTTP_HEAD_MAX]; /* a request */

static struct web_ask *ask_of(const struct move *m)
{
	return &atomic_load(&m->flow->web)->ask;
}

bool web_asked(const struct move *m)
{
	return m->flow->kind == FLOW_HTTP && ask_of(m)->by >= 0 && m->run[ask_of(m)->by].asked &&
	       m->run[ask_of(m)->by].dial.fd >= 0;
}

static int refuse(struct move *m, const char *why)
{
	struct web_ask *a = ask_of(m);

	log_info("flow %u: the answer cannot be gone on with: %s", m->flow->id, why);
	a->refused = a->answer + 1;
	a->refusal = why;
	return -EPROTO;
}

/* The bytes [start, end) of what was written. */
static size_t written(const struct flow *f, uint64_t start, uint64_t end, uint8_t *to, size_t cap)
{
	size_t len = 0;

	if (end < start || end - start > cap || end > flow_tail(f))
		return 0;
	for (const void *p; start + len < end;) {
		size_t n;

		if (start < f->ring.base)
			return 0;
		n = ring_peek(&f->ring, start + len, &p);
		n = n < end - start - len ? n : (size_t)(end - start - len);
		memcpy(to + len, p, n);
		len += n;
	}
	/* The program may have written more meanwhile, over it. */
	return start < __atomic_load_n(&f->ring.base, __ATOMIC_ACQUIRE) ? 0 : len;
}

/* A connection was made, asked, and ended without an answer. Again and again: that is one, too. */
static int ended(struct move *m, int e)
{
	struct web_ask *a = ask_of(m);

	if (a->failing != a->answer + 1)
		a->failures = 0;
	a->failing = a->answer + 1;
	if (e == -EPROTO || e == -ECANCELED || ++a->failures < FAILURES)
		return e;
	return refuse(m, "the server ends each connection on which it is asked for the rest");
}

static int say(struct move *m, struct runner *r, const void *p, size_t len)
{
	long n = raw_sendto(r->dial.fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);

	if (n != (long)len)
		return n < 0 ? (int)n : -EMSGSIZE;
	r->asked = true;
	r->asked_ms = clock_ms();
	ask_of(m)->by = (int)(r - m->run);
	return 0;
}

/* The request whose answer is under way, for what the program lacks of it. */
static size_t rest_wanted(struct web_ask *a, size_t len, uint8_t *to, size_t cap)
{
	uint64_t got = seen.in.got;
	struct http_head old;

	memcpy(a->old, seen.in.head, seen.in.head_len);
	a->old_len = seen.in.head_len;
	if (!http_head_read(&old, a->old, a->old_len, false) || http_rest(&old, got, &a->rest))
		return 0;
	a->got = got;
	/* Some bytes more: they have to be those that were read. */
	a->expected = http_window(&seen.in, a->expect, HTTP_WINDOW);
	a->first = a->rest.begin + got - a->expected;
	return http_ask_rest(said, len, &a->rest, a->first, to, cap);
}

int web_ask(struct move *m, struct runner *r)
{
	static uint8_t request[HTTP_HEAD_MAX + 512];
	struct flow *f = m->flow;
	struct web_ask *a = ask_of(m);
	struct http_plan p;
	struct stream_counts c;

	if (web_asked(m) || !web_plan(f, &p, &c))
		return -EAGAIN;
	if (p.way == HTTP_LOST || p.way == HTTP_LEAVE)
		return -ECANCELED;
	if (!http_copy(&seen, &atomic_load(&f->web)->stream))
		return -EAGAIN;
	http_plan(&seen, f->ring.base, atomic_load(&f->web)->sent, &p);
	a->way = p.way;
	a->answer = seen.in.start;
	a->next = seen.in.count;
	a->compared = a->len = 0;
	a->head_over = a->head_done = a->framed = false;
	if (p.way == HTTP_IDLE || p.way == HTTP_AGAIN)
		return 1;
	if (p.way != HTTP_SAME && p.way != HTTP_REST)
		return -ECANCELED;
	size_t len = written(f, p.start, p.end, said, sizeof(said));

	if (!len)
		return refuse(m, "the request is too long, or no longer kept");
	if (p.way == HTTP_SAME) {
		a->expected = seen.in.head_len;
		memcpy(a->expect, seen.in.head, seen.in.head_len);
		a->head_over = true;
		a->discard = 0;
		return say(m, r, said, len);
	}
	len = rest_wanted(a, len, request, sizeof(request));
	if (!len)
		return refuse(m, "its rest cannot be asked for");
	http_parser_init(&a->parser, HTTP_RESPONSE);
	log_debug("flow %u: asking over %s for the rest from byte %llu", f->id, r->dial.path.name,
	          (unsigned long long)a->first);
	return say(m, r, request, len);
}

static int on_head_done(http_parser *p)
{
	*(bool *)p->data = true;
	return 0;
}

/* Takes from the connection what belongs to the head, and nothing behind it. 1: it is whole. */
static int take_head(struct move *m, int fd)
{
	static const http_parser_settings settings = {.on_headers_complete = on_head_done};
	struct web_ask *a = ask_of(m);
	size_t room = sizeof(a->head) - a->len, used = 0;

	if (!room)
		return refuse(m, "the new answer's head is too long");
	long n = raw_recvfrom(fd, a->head + a->len, room, MSG_DONTWAIT | MSG_PEEK, NULL, NULL);

	if (n == -EAGAIN)
		return 0;
	if (n <= 0)
		return n ? (int)n : -ECONNRESET;
	a->parser.data = &a->head_done;
	while (used < (size_t)n && !a->head_done) {
		http_parser_execute(&a->parser, &settings, (char *)a->head + a->len + used, 1);
		used++;
		if (HTTP_PARSER_ERRNO(&a->parser) != HPE_OK)
			return refuse(m, "the new answer is not HTTP");
	}
	if (raw_recvfrom(fd, a->head + a->len, used, MSG_DONTWAIT, NULL, NULL) != (long)used)
		return -EIO;
	a->len += used;
	return a->head_done ? 1 : -EAGAIN;
}

/* The head is there. 1: on to the body; 0: it was one of those before the last. */
static int judge(struct move *m)
{
	struct web_ask *a = ask_of(m);
	struct http_head old, now;

	if (!http_head_read(&now, a->head, a->len, false) ||
	    !http_head_read(&old, a->old, a->old_len, false))
		return refuse(m, "the new answer is not understood");
	if (now.status / 100 == 1 && now.status != 101) {
		a->len = 0;
		a->head_done = false;
		http_parser_init(&a->parser, HTTP_RESPONSE);
		return 0;
	}
	uint64_t length;
	const char *why = http_judge(&old, &now, &a->rest, a->first, &a->discard, &length);

	if (why)
		return refuse(m, why);
	a->framed = old.chunked || now.chunked;
	if (a->framed)
		http_source_begin(&a->source, &a->parser, now.chunked, length);
	if (a->framed && !m->flow->feed && !feed_room())
		return -ENOBUFS;
	if (a->discard && m->gentle && !m->urgent) {
		a->costly = a->answer + 1;
		return -ECANCELED;
	}
	a->head_over = true;
	return 1;
}

/* What the program has read already: thrown away, and at its end compared. */
static int take_body(struct move *m, struct runner *r)
{
	static uint8_t bin[BIN];
	struct web_ask *a = ask_of(m);

	for (int i = 0; i < ROUNDS; i++) {
		bool compare = !a->discard;
		uint64_t want = compare ? a->expected - a->compared : a->discard;

		if (!want)
			return 1;
		long n = raw_recvfrom(r->dial.fd, bin, want < BIN ? (size_t)want : BIN,
		                      MSG_DONTWAIT | (compare ? 0 : MSG_TRUNC), NULL, NULL);

		if (n == -EAGAIN)
			return 0;
		if (n <= 0)
			return n ? (int)n : -ECONNRESET;
		r->asked_ms = clock_ms();
		if (!compare) {
			a->discard -= (uint64_t)n;
			continue;
		}
		if (memcmp(bin, a->expect + a->compared, (size_t)n) != 0)
			return refuse(m, "other bytes than before");
		a->compared += (size_t)n;
	}
	return 0;
}

/* The same of a body in chunks, or of one that goes on in chunks. Nothing behind it is taken. */
static int take_framed(struct move *m, struct runner *r)
{
	static uint8_t bin[BIN];
	struct web_ask *a = ask_of(m);

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t want = a->discard + a->expected - a->compared;
		size_t used = 0;

		if (!want)
			return 1;
		long n = raw_recvfrom(r->dial.fd, bin, BIN, MSG_DONTWAIT | MSG_PEEK, NULL, NULL);

		if (n == -EAGAIN)
			return 0;
		if (n <= 0)
			return n ? (int)n : -ECONNRESET;
		while (used < (size_t)n && want && !a->source.over && !a->source.bad) {
			const uint8_t *p;
			size_t len;

			used += http_source_take(&a->source, bin + used, (size_t)n - used,
			                         a->discard ? a->discard : want, &p, &len);
			want -= len;
			if (a->discard) {
				a->discard -= len;
				continue;
			}
			if (len && memcmp(p, a->expect + a->compared, len) != 0)
				return refuse(m, "other bytes than before");
			a->compared += len;
		}
		if (a->source.bad || (a->source.over && want))
			return refuse(m, "the new answer's chunks are none, or of another length");
		if (raw_recvfrom(r->dial.fd, bin, used, MSG_DONTWAIT | MSG_TRUNC, NULL, NULL) !=
		    (long)used)
			return -EIO;
		r->asked_ms = clock_ms();
	}
	return 0;
}

int web_answer(struct move *m, struct runner *r)
{
	struct web_ask *a = ask_of(m);

	for (int i = 0; i < ROUNDS && !a->head_over; i++) {
		int e = take_head(m, r->dial.fd);

		if (e == 1)
			e = judge(m);
		else if (e == 0)
			return 0;
		if (e < 0 && e != -EAGAIN)
			return ended(m, e);
	}
	int e = !a->head_over ? 0 : a->framed ? take_framed(m, r) : take_body(m, r);

	return e < 0 ? ended(m, e) : e;
}

const char *web_commit(struct move *m, const struct stream_counts *c)
{
	struct flow *f = m->flow;
	const struct web *w = atomic_load(&f->web);
	const struct http_stream *s = &w->stream;
	struct web_ask *a = ask_of(m);
	bool asked = a->way == HTTP_SAME || a->way == HTTP_REST;
	struct http_plan p;

	http_plan(s, f->ring.base, w->sent, &p);
	if (f->closed)
		return "the program has closed it";
	if (p.way == HTTP_LEAVE)
		return p.why;
	if (c->written != f->ring.tail || c->written != s->out.count || c->read != s->in.count) {
		log_warn("flow %u: uncovered, not moved: written %llu, kept ..%llu, read %llu, "
		         "seen %llu",
		         f->id, (unsigned long long)c->written, (unsigned long long)f->ring.tail,
		         (unsigned long long)c->read, (unsigned long long)s->in.count);
		flowtalk_uncover(f, "bytes that no hook saw");
		return "uncovered";
	}
	if (c->peer_fin)
		return "the server has ended the connection";
	if (asked ? p.way != a->way || s->in.start != a->answer || s->in.count < a->next
	          : p.way != HTTP_IDLE && p.way != HTTP_AGAIN)
		return "the program has gone on meanwhile";
	m->skip = asked ? s->in.count - a->next : 0;
	if (m->urgent && (m->skip || c->unread)) {
		f->silent_ms = 0;
		return "what had fallen silent goes on";
	}
	if (a->way == HTTP_SAME && m->skip)
		return "the program has gone on meanwhile";
	m->replay = p.replay;
	if (a->way == HTTP_REST)
		m->how = ", in the middle of an answer";
	m->framed = asked && a->framed;
	if (m->framed) {
		if (!http_frame_begin(&a->frame, &s->in))
			return "the program has gone on meanwhile";
		a->skip = s->in.got - a->got;
		m->skip = 0;
		/* What it asks next is sent when it has read this. */
		m->replay = f->ring.tail;
		m->how = ", in the middle of an answer in chunks";
	}
	feed_leave(f, f->old_fd);
	return NULL;
}

int web_pair(struct move *m)
{
	if (m->app >= 0)
		return 0;
	if (!m->flow->feed && !feed_room())
		return -ENOBUFS;
	int r = feed_pair(m->flow, &m->app, &m->far);

	/* Nor will there be one the next time: a host whose loopback takes no connections, say. */
	if (r < 0 && r != -EMFILE && r != -ENFILE && r != -ENOBUFS && r != -ENOMEM)
		refuse(m, "there is no local pair to write it to");
	return r;
}

void web_put(struct move *m)
{
	struct web *w = atomic_load(&m->flow->web);

	if (!m->framed)
		w->sent = HTTP_UNKNOWN;
	else if (w->sent == HTTP_UNKNOWN)
		w->sent = m->flow->ring.tail;
}

void web_feed(struct move *m)
{
	struct flow *f = m->flow;
	const struct web_ask *a = ask_of(m);

	if (atomic_load(&f->half_closed))
		raw_shutdown(m->app, SHUT_WR);
	if (feed_begin(f, m->fd, m->far, &a->source, &a->frame, a->skip))
		m->fd = m->far = -1;
	else
		atomic_store(&f->failed, true); /* there was room a moment ago */
}
