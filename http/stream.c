/* SPDX-License-Identifier: MIT */
#include "http/stream.h"

#include "http/head.h"

#include <string.h>

#define COPIES 100

static const char expect[] = "expect";

/* --- changes, seen by who copies --- */

static void begin_change(_Atomic uint32_t *n)
{
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
	                      memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static void end_change(_Atomic uint32_t *n)
{
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
	                      memory_order_release);
}

static bool copy_half(void *to, const void *from, size_t size, const _Atomic uint32_t *n)
{
	for (int i = 0; i < COPIES; i++) {
		uint32_t before = atomic_load_explicit(n, memory_order_acquire);

		if (before & 1)
			continue;
		memcpy(to, from, size);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(n, memory_order_relaxed) == before)
			return true;
	}
	return false;
}

bool http_copy(struct http_stream *to, const struct http_stream *from)
{
	/* The answers first: an answer that was read is to a request that was written. */
	if (!copy_half(&to->in, &from->in, sizeof(to->in), &from->in.changes))
		return false;
	atomic_store(&to->answered, atomic_load(&from->answered));
	if (atomic_load(&from->in.changes) != atomic_load(&to->in.changes))
		return false;
	if (!copy_half(&to->out, &from->out, sizeof(to->out), &from->out.changes))
		return false;
	memcpy(to->request, from->request, sizeof(to->request));
	atomic_store(&to->asked, atomic_load(&from->asked));
	atomic_thread_fence(memory_order_acquire);
	return atomic_load(&from->out.changes) == atomic_load(&to->out.changes);
}

/* --- the parser's words --- */

static int out_head_done(http_parser *p)
{
	struct http_out *o = p->data;

	o->head_done = true;
	return 0;
}

static int out_done(http_parser *p)
{
	struct http_out *o = p->data;

	o->done = true;
	return 0;
}

static int out_field(http_parser *p, const char *at, size_t len)
{
	struct http_out *o = p->data;

	for (size_t i = 0; i < len; i++) {
		if (o->matched < sizeof(expect) - 1 && (at[i] | 0x20) == expect[o->matched])
			o->matched++;
		else
			o->matched = UINT8_MAX;
	}
	return 0;
}

static int out_value(http_parser *p, const char *at, size_t len)
{
	struct http_out *o = p->data;

	(void)at;
	if (len && o->matched == sizeof(expect) - 1)
		o->expects = true;
	o->matched = 0;
	return 0;
}

static int out_chunk(http_parser *p)
{
	struct http_out *o = p->data;

	o->left = p->content_length;
	return 0;
}

static const http_parser_settings out_settings = {
    .on_headers_complete = out_head_done,
    .on_message_complete = out_done,
    .on_header_field = out_field,
    .on_header_value = out_value,
    .on_chunk_header = out_chunk,
};

static int in_head_done(http_parser *p)
{
	struct http_in *in = p->data;

	in->head_done = true;
	return 0;
}

static int in_done(http_parser *p)
{
	struct http_in *in = p->data;

	in->done = true;
	return 0;
}

static int in_chunk(http_parser *p)
{
	struct http_in *in = p->data;

	in->left = p->content_length;
	return 0;
}

static const http_parser_settings in_settings = {
    .on_headers_complete = in_head_done,
    .on_message_complete = in_done,
    .on_chunk_header = in_chunk,
};

/* --- requests --- */

bool http_idempotent(unsigned method)
{
	switch (method) {
	case HTTP_GET:
	case HTTP_HEAD:
	case HTTP_PUT:
	case HTTP_DELETE:
	case HTTP_OPTIONS:
	case HTTP_TRACE:
		return true;
	}
	return false;
}

static struct http_request *last_asked(struct http_stream *s)
{
	return &s->request[(atomic_load_explicit(&s->asked, memory_order_relaxed) - 1) %
	                   HTTP_ASKED];
}

static void request_whole(struct http_stream *s)
{
	atomic_store_explicit(&last_asked(s)->end, s->out.count, memory_order_release);
	s->out.at = HTTP_BETWEEN;
}

static void request_head_whole(struct http_stream *s)
{
	struct http_out *o = &s->out;
	uint32_t n = atomic_load_explicit(&s->asked, memory_order_relaxed);
	bool chunked = o->parser.flags & F_CHUNKED;
	bool sized = o->parser.flags & F_CONTENTLENGTH && o->parser.content_length;

	/* What comes after CONNECT is not ours to read. */
	if (o->parser.method == HTTP_CONNECT ||
	    n - atomic_load_explicit(&s->answered, memory_order_acquire) == HTTP_ASKED) {
		o->at = HTTP_OPAQUE;
		return;
	}
	struct http_request *r = &s->request[n % HTTP_ASKED];

	r->start = o->start;
	r->body = o->count;
	atomic_store_explicit(&r->end, HTTP_UNKNOWN, memory_order_relaxed);
	r->method = (uint8_t)o->parser.method;
	r->expects = o->expects;
	r->has_body = chunked || sized;
	atomic_store_explicit(&s->asked, n + 1, memory_order_release);
	o->left = 0;
	if (chunked) {
		o->at = HTTP_IN_CHUNKS;
	} else if (sized) {
		o->left = o->parser.content_length;
		o->at = HTTP_IN_BODY;
	} else {
		request_whole(s);
	}
}

/* How many bytes the parser is given at a time: one, except within a chunk. */
static size_t bite(enum http_place at, uint64_t left, size_t len)
{
	if (at != HTTP_IN_CHUNKS || !left)
		return 1;
	return left < len ? (size_t)left : len;
}

static size_t out_step(struct http_stream *s, const char *data, size_t len)
{
	struct http_out *o = &s->out;

	if (o->at == HTTP_IN_BODY) {
		size_t n = o->left < len ? (size_t)o->left : len;

		o->count += n;
		o->left -= n;
		if (!o->left)
			request_whole(s);
		return n;
	}
	if (o->at == HTTP_BETWEEN) {
		http_parser_init(&o->parser, HTTP_REQUEST);
		o->start = o->count;
		o->expects = o->head_done = o->done = false;
		o->matched = 0;
		o->at = HTTP_IN_HEAD;
	}
	size_t n = bite(o->at, o->left, len);

	o->parser.data = o;
	if (o->at == HTTP_IN_CHUNKS && o->left)
		o->left -= n;
	http_parser_execute(&o->parser, &out_settings, data, n);
	if (HTTP_PARSER_ERRNO(&o->parser) != HPE_OK) {
		o->at = HTTP_OPAQUE;
		return n;
	}
	o->count += n;
	if (o->at == HTTP_IN_HEAD && o->head_done)
		request_head_whole(s);
	else if (o->at == HTTP_IN_CHUNKS && o->done)
		request_whole(s);
	return n;
}

void http_wrote(struct http_stream *s, const void *data, size_t len)
{
	begin_change(&s->out.changes);
	for (size_t n; len && s->out.at != HTTP_OPAQUE; len -= n) {
		n = out_step(s, data, len);
		data = (const char *)data + n;
	}
	s->out.count += len;
	end_change(&s->out.changes);
}

/* --- answers --- */

const struct http_request *http_front(const struct http_stream *s)
{
	uint32_t n = atomic_load_explicit(&s->answered, memory_order_relaxed);

	if (n == atomic_load_explicit(&s->asked, memory_order_acquire))
		return NULL;
	return &s->request[n % HTTP_ASKED];
}

static void answer_whole(struct http_stream *s)
{
	struct http_in *in = &s->in;

	in->at = HTTP_BETWEEN;
	in->continued = false;
	atomic_fetch_add_explicit(&s->answered, 1, memory_order_release);
}

/* Coded otherwise than in chunks: then its length, if it is said, is not that of the body. */
static bool coded(const struct http_in *in)
{
	struct http_head h;

	return !http_head_read(&h, in->head, in->head_len, false) || h.chunked || h.coded;
}

static void answer_head_whole(struct http_stream *s)
{
	struct http_in *in = &s->in;
	const struct http_request *r = http_front(s);
	unsigned status = in->parser.status_code;

	in->body = in->count;
	in->got = 0;
	in->left = 0;
	in->line_len = 0;
	in->length = HTTP_UNKNOWN;
	if (!r || status == 101) {
		in->at = HTTP_OPAQUE;
	} else if (status / 100 == 1) {
		in->continued = true;
		in->at = HTTP_BETWEEN;
	} else {
		if (r->method == HTTP_HEAD)
			in->parser.flags |= F_SKIPBODY;
		in->closes = !http_should_keep_alive(&in->parser);
		if (r->method == HTTP_HEAD || status == 204 || status == 304) {
			in->length = 0;
			answer_whole(s);
		} else if (in->parser.flags & F_CHUNKED) {
			in->at = HTTP_IN_CHUNKS;
		} else if (in->parser.flags & F_CONTENTLENGTH && !coded(in)) {
			in->length = in->left = in->parser.content_length;
			in->at = HTTP_IN_BODY;
			if (!in->left)
				answer_whole(s);
		} else {
			in->closes = true;
			in->at = HTTP_TO_END;
		}
	}
}

static void keep_window(struct http_in *in, const char *data, size_t len)
{
	uint64_t at = in->got;

	in->got += len;
	if (len > HTTP_WINDOW) {
		at += len - HTTP_WINDOW;
		data += len - HTTP_WINDOW;
		len = HTTP_WINDOW;
	}
	size_t first = HTTP_WINDOW - at % HTTP_WINDOW;

	first = first < len ? first : len;
	memcpy(in->window + at % HTTP_WINDOW, data, first);
	memcpy(in->window, data + first, len - first);
}

size_t http_window(const struct http_in *in, uint8_t *to, size_t max)
{
	uint64_t have = in->got;
	size_t n = have < HTTP_WINDOW ? (size_t)have : HTTP_WINDOW;

	n = n < max ? n : max;
	for (size_t i = 0; i < n; i++)
		to[i] = in->window[(have - n + i) % HTTP_WINDOW];
	return n;
}

static size_t in_body(struct http_stream *s, const char *data, size_t len)
{
	struct http_in *in = &s->in;
	size_t n = in->at == HTTP_IN_BODY && in->left < len ? (size_t)in->left : len;

	keep_window(in, data, n);
	in->count += n;
	if (in->at == HTTP_IN_BODY) {
		in->left -= n;
		if (!in->left)
			answer_whole(s);
	}
	return n;
}

static size_t in_step(struct http_stream *s, const char *data, size_t len)
{
	struct http_in *in = &s->in;

	if (in->at == HTTP_IN_BODY || in->at == HTTP_TO_END)
		return in_body(s, data, len);
	if (in->at == HTTP_BETWEEN) {
		http_parser_init(&in->parser, HTTP_RESPONSE);
		in->start = in->count;
		in->head_done = in->done = false;
		in->head_len = 0;
		in->at = HTTP_IN_HEAD;
	}
	size_t n = bite(in->at, in->left, len);

	if (in->at == HTTP_IN_HEAD && in->head_len == HTTP_HEAD_MAX) {
		in->at = HTTP_OPAQUE;
		return n;
	}
	in->parser.data = in;
	if (in->at == HTTP_IN_CHUNKS && in->left) {
		keep_window(in, data, n);
		in->left -= n;
		in->line_len = 0;
	} else if (in->at == HTTP_IN_CHUNKS && in->line_len <= HTTP_LINE_MAX) {
		if (in->line_len < HTTP_LINE_MAX)
			in->line[in->line_len] = (uint8_t)*data;
		in->line_len++;
	}
	http_parser_execute(&in->parser, &in_settings, data, n);
	if (HTTP_PARSER_ERRNO(&in->parser) != HPE_OK) {
		in->at = HTTP_OPAQUE;
		return n;
	}
	in->count += n;
	if (in->at == HTTP_IN_HEAD) {
		in->head[in->head_len++] = (uint8_t)*data;
		if (in->head_done)
			answer_head_whole(s);
	} else if (in->done) {
		answer_whole(s);
	}
	return n;
}

void http_read(struct http_stream *s, const void *data, size_t len)
{
	begin_change(&s->in.changes);
	for (size_t n; len && s->in.at != HTTP_OPAQUE; len -= n) {
		n = in_step(s, data, len);
		data = (const char *)data + n;
	}
	s->in.count += len;
	end_change(&s->in.changes);
}

/* --- the whole --- */

void http_begin(struct http_stream *s)
{
	memset(&s->out, 0, sizeof(s->out));
	memset(&s->in, 0, offsetof(struct http_in, head));
	atomic_store(&s->asked, 0);
	atomic_store(&s->answered, 0);
}

void http_give_up(struct http_stream *s)
{
	s->in.at = s->out.at = HTTP_OPAQUE;
}

bool http_opaque(const struct http_stream *s)
{
	return s->in.at == HTTP_OPAQUE || s->out.at == HTTP_OPAQUE;
}

bool http_unasked(const struct http_stream *s)
{
	return s->in.at == HTTP_BETWEEN && !http_front(s);
}
