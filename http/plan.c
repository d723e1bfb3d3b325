/* SPDX-License-Identifier: MIT */
#include "http/plan.h"

#include "http/frame.h"

static void lost(struct http_plan *p, const char *why)
{
	p->way = HTTP_LOST;
	p->why = why;
}

static uint64_t end_of(const struct http_request *r)
{
	return atomic_load_explicit(&r->end, memory_order_acquire);
}

/*
 * May it be made twice? One that waits to be told to go on has not been made at all as long as
 * nothing of its body was sent.
 */
static bool again(const struct http_stream *s, const struct http_request *r, uint64_t sent,
                  bool continued)
{
	bool head_only = end_of(r) == HTTP_UNKNOWN && s->out.count == r->body;

	return r->start >= sent || http_idempotent(r->method) ||
	       (r->expects && head_only && !continued);
}

/* The requests from number `n` on: NULL if all may be made again. */
static const char *all_again(const struct http_stream *s, uint64_t sent, uint32_t n)
{
	uint32_t asked = atomic_load(&s->asked);
	bool first = n == atomic_load(&s->answered);

	for (; n != asked; n++, first = false)
		if (!again(s, &s->request[n % HTTP_ASKED], sent, first && s->in.continued))
			return "a request that may not be made twice";
	return NULL;
}

void http_plan(const struct http_stream *s, uint64_t kept, uint64_t sent, struct http_plan *p)
{
	uint32_t answered = atomic_load(&s->answered), asked = atomic_load(&s->asked);
	const struct http_request *front = http_front(s);
	bool writing = s->out.at != HTTP_BETWEEN;
	bool reading = s->in.at != HTTP_BETWEEN;

	*p = (struct http_plan){.way = HTTP_LEAVE, .why = "not HTTP, or not understood"};
	if (http_opaque(s))
		return;
	if (!front) {
		/* The answer was there before the request was whole. */
		if (writing && s->out.at != HTTP_IN_HEAD) {
			lost(p, "a request that is answered already is being written");
			return;
		}
		if (reading || s->in.closes) {
			p->why = "the server ends the connection";
			return;
		}
		p->way = writing ? HTTP_AGAIN : HTTP_IDLE;
		p->replay = writing ? s->out.start : s->out.count;
		if (p->replay < kept)
			lost(p, "the request is longer than what is kept");
		return;
	}
	p->start = front->start;
	p->end = end_of(front);
	if (p->start < kept && (!reading || s->in.at == HTTP_IN_HEAD)) {
		lost(p, "the requests are longer than what is kept");
		return;
	}
	const char *why = all_again(s, sent, reading ? answered + 1 : answered);

	if (why) {
		lost(p, why);
		return;
	}
	if (!reading) {
		p->way = HTTP_AGAIN;
		p->replay = p->start;
		return;
	}
	/* Its answer has begun: the request is made first, and what comes of it is looked at. */
	if (p->start < kept) {
		lost(p, "the request is no longer kept");
		return;
	}
	if (p->end == HTTP_UNKNOWN || front->has_body) {
		lost(p, "the answer to a request with a body of its own");
		return;
	}
	if (s->in.at == HTTP_IN_HEAD ? !http_idempotent(front->method)
	                             : front->method != HTTP_GET) {
		lost(p, "the answer to a request that may not be made twice");
		return;
	}
	struct http_frame frame;

	if (s->in.at == HTTP_IN_CHUNKS && !http_frame_begin(&frame, &s->in)) {
		lost(p, "what stands between its chunks cannot be gone on with");
		return;
	}
	p->way = s->in.at == HTTP_IN_HEAD ? HTTP_SAME : HTTP_REST;
	p->replay = answered + 1 != asked ? s->request[(answered + 1) % HTTP_ASKED].start : p->end;
	p->why = NULL;
}
