/* SPDX-License-Identifier: MIT */
/* What a handover can do with an HTTP connection, as it is at this moment. */
#ifndef HTTP_PLAN_H
#define HTTP_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "http/stream.h"

enum http_way {
	HTTP_LEAVE, /* it is over, or nothing can be said: as any other connection */
	HTTP_IDLE,  /* nothing is under way: another connection is as good */
	HTTP_AGAIN, /* no answer has begun: the requests are made again */
	HTTP_SAME,  /* some bytes of an answer's head were read: the same ones have to come again */
	HTTP_REST,  /* part of a body was read: the rest is asked for */
	HTTP_LOST,  /* what is under way cannot be made again */
};

struct http_plan {
	enum http_way way;
	uint64_t replay; /* from here on what was written is sent again by itself */
	uint64_t start;  /* SAME, REST: the request to be made first, [start, end) */
	uint64_t end;
	const char *why; /* LOST, LEAVE */
};

/*
 * `kept`: what was written is kept from this count on. `sent`: from here on no server has seen what
 * was written (HTTP_UNKNOWN: it may have seen all). A plan made while the connection is in use may
 * be over the next moment.
 */
void http_plan(const struct http_stream *s, uint64_t kept, uint64_t sent, struct http_plan *p);

#endif
