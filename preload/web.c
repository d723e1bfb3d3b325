/* SPDX-License-Identifier: MIT */
#include "preload/web.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "preload/raw.h"

#define RING (1u << 20)
#define UNASKED_TRIES 200 /* of 50 microseconds: a writer is about to note its request */

bool web_begin(struct flow *f)
{
	if (!f->web_mem) {
		int saved = errno;
		void *p = mmap(NULL, sizeof(struct web), PROT_READ | PROT_WRITE,
		               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		errno = saved;
		if (p == MAP_FAILED)
			return false;
		f->web_mem = p;
	}
	struct web *w = f->web_mem;

	http_begin(&w->stream);
	atomic_store(&w->reader, 0);
	atomic_store(&w->noting, false);
	w->ask.by = -1;
	w->ask.refused = w->ask.costly = w->ask.failing = 0;
	w->sent = HTTP_UNKNOWN;
	if (!flow_make_ring(f, RING))
		return false;
	flow_become(f, FLOW_HTTP);
	atomic_store(&f->web, w);
	atomic_store(&f->special, true);
	return true;
}

/* --- hooks --- */

/* Nothing will be sent again: from here on it costs what any connection does. */
static void as_any(struct flow *f)
{
	atomic_store(&f->keeps, false);
}

void web_wrote(struct flow *f, const struct iovec *iov, size_t count, size_t from, size_t len)
{
	struct web *w = atomic_load(&f->web);

	if (!w)
		return;
	/* A signal handler that writes in the middle of this. */
	if (atomic_exchange(&w->noting, true)) {
		http_give_up(&w->stream);
		return;
	}
	for (size_t i = 0; i < count && len; i++) {
		if (from >= iov[i].iov_len) {
			from -= iov[i].iov_len;
			continue;
		}
		size_t n = iov[i].iov_len - from;

		n = n < len ? n : len;
		http_wrote(&w->stream, (const char *)iov[i].iov_base + from, n);
		len -= n;
		from = 0;
	}
	atomic_store(&w->noting, false);
	if (http_opaque(&w->stream))
		as_any(f);
}

void web_receives(struct flow *f)
{
	struct web *w = atomic_load(&f->web);
	uint32_t me = thread_id(), other = 0;

	if (!w || http_opaque(&w->stream) || atomic_compare_exchange_strong(&w->reader, &other, me))
		return;
	/* Left over from a call that was jumped out of, if this thread is in no other. */
	if (other == me && atomic_load(&this_thread.depth) == 1)
		return;
	/* Two at once: who got which bytes cannot be told. */
	http_give_up(&w->stream);
}

/* A request may be answered before the thread that wrote it has noted it. */
static void await_request(struct flow *f, const struct web *w)
{
	for (int i = 0; i < UNASKED_TRIES && http_unasked(&w->stream); i++) {
		uint32_t owner = lock_owner(&f->writing);
		struct timespec t = {0, 50000};

		if (!owner || owner == thread_id())
			return;
		raw_ppoll(NULL, 0, &t, NULL);
	}
}

void web_received(struct flow *f, const struct iovec *iov, size_t count, ssize_t n, int flags)
{
	struct web *w = atomic_load(&f->web);

	if (!w)
		return;
	if (n > 0 && flags & MSG_TRUNC && !(flags & MSG_PEEK))
		http_give_up(&w->stream);
	if (n > 0 && !http_opaque(&w->stream) && !(flags & (MSG_PEEK | MSG_ERRQUEUE | MSG_OOB))) {
		size_t left = (size_t)n;

		if (http_unasked(&w->stream))
			await_request(f, w);
		for (size_t i = 0; i < count && left; i++) {
			size_t len = iov[i].iov_len < left ? iov[i].iov_len : left;

			http_read(&w->stream, iov[i].iov_base, len);
			left -= len;
		}
	}
	if (http_opaque(&w->stream))
		as_any(f);
	if (atomic_load(&w->reader) == thread_id())
		atomic_store(&w->reader, 0);
}

bool web_hopeful(const struct flow *f)
{
	const struct web *w = atomic_load(&f->web);

	return w && !http_opaque(&w->stream);
}

/* --- agent --- */

static struct http_stream seen; /* large */

static const char *refused(const struct web *w)
{
	return w->ask.refused && w->ask.refused == seen.in.start + 1 ? w->ask.refusal : NULL;
}

bool web_plan(struct flow *f, struct http_plan *p, struct stream_counts *c)
{
	struct web *w = atomic_load(&f->web);

	*p = (struct http_plan){.way = HTTP_LEAVE, .why = "bytes that no hook saw"};
	if (!w || atomic_load(&f->foreign))
		return true;
	if (splice_counts(f, c) < 0 || !http_copy(&seen, &w->stream))
		return false;
	http_plan(&seen, f->ring.base, w->sent, p);
	if (c->peer_fin && p->way != HTTP_LEAVE) {
		p->way = HTTP_LEAVE;
		p->why = "the server has ended the connection";
	} else if ((p->way == HTTP_REST || p->way == HTTP_SAME) && refused(w)) {
		p->way = HTTP_LOST;
		p->why = refused(w);
	} else if (p->way == HTTP_REST) {
		struct http_head head;
		struct http_rest rest;
		const char *why = http_head_read(&head, seen.in.head, seen.in.head_len, false)
		                      ? http_rest(&head, seen.in.got, &rest)
		                      : "its head is not understood";

		if (why) {
			p->way = HTTP_LOST;
			p->why = why;
		}
	}
	return true;
}

uint64_t web_left(const struct flow *f)
{
	const struct web *w = atomic_load(&f->web);

	return w && w->stream.in.at == HTTP_IN_BODY ? w->stream.in.left : HTTP_UNKNOWN;
}

uint64_t web_got(const struct flow *f)
{
	const struct web *w = atomic_load(&f->web);

	return w ? w->stream.in.got : 0;
}

bool web_between(const struct flow *f)
{
	const struct web *w = atomic_load(&f->web);

	return !w || w->stream.in.at == HTTP_BETWEEN || http_opaque(&w->stream);
}

bool web_pending(const struct flow *f)
{
	const struct web *w = atomic_load(&f->web);

	return w && atomic_load(&w->stream.asked) - atomic_load(&w->stream.answered) >
	                (web_between(f) ? 0 : 1);
}

bool web_closes(const struct flow *f)
{
	const struct web *w = atomic_load(&f->web);

	return w && w->stream.in.closes;
}

bool web_idle(const struct flow *f)
{
	const struct web *w = atomic_load(&f->web);

	return w && !http_opaque(&w->stream) && web_between(f) && !web_pending(f) &&
	       w->stream.out.at == HTTP_BETWEEN;
}

bool web_awaits(struct flow *f)
{
	struct http_plan p;
	struct stream_counts c = {0};

	return web_plan(f, &p, &c) && p.way == HTTP_REST && c.unread == 0;
}

bool web_costly(const struct flow *f)
{
	const struct web *w = atomic_load(&f->web);

	return w && w->ask.costly == w->stream.in.start + 1;
}

bool web_describe(struct flow *f, char *to, size_t size)
{
	struct http_plan p;
	struct stream_counts c;

	to[0] = 0;
	if (!web_plan(f, &p, &c))
		return true;
	switch (p.way) {
	case HTTP_LEAVE:
		snprintf(to, size, "as any connection: %s", p.why);
		break;
	case HTTP_IDLE:
		snprintf(to, size, "idle");
		break;
	case HTTP_AGAIN:
		snprintf(to, size, "not answered yet: would be asked again");
		break;
	case HTTP_SAME:
		snprintf(to, size, "the answer's head is being read");
		break;
	case HTTP_REST:
		snprintf(to, size, "download: would go on at byte %llu",
		         (unsigned long long)seen.in.got);
		break;
	case HTTP_LOST:
		snprintf(to, size, "would be lost: %s", p.why);
		break;
	}
	return p.way != HTTP_LEAVE && p.way != HTTP_LOST;
}
