/* SPDX-License-Identifier: MIT */
/* What a whole head says of the representation that follows it. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/stream.h"

/* A piece of the head itself. p NULL: the field is not there. */
struct http_text {
	const char *p;
	size_t len;
};

struct http_head {
	unsigned status; /* of an answer */
	unsigned method; /* of a request */
	bool chunked;
	bool coded;    /* otherwise for the transfer, or in more than one way */
	bool trailers; /* fields after the body were announced */
	bool keeps;
	bool whole;      /* it ended where its bytes do, and nothing was left over */
	bool odd;        /* a field that matters stands twice, or is folded: not to be relied on */
	uint64_t length; /* Content-Length; HTTP_UNKNOWN */
	struct http_text etag, modified, date, range, coding, type;
	struct http_text first; /* all fields, from the first one's name to the empty line's end */
	/* Of a request: the fields Range and If-Range, each with its line's end. */
	struct http_text ranges[4];
	unsigned nranges;
};

/* Reads the head of an answer, or of a request, of exactly `len` bytes. False: it is none. */
bool http_head_read(struct http_head *h, const void *bytes, size_t len, bool request);

bool http_text_same(const struct http_text *a, const struct http_text *b);

/* "bytes 5-9/20": false if it is anything else. *total: HTTP_UNKNOWN for "*". */
bool http_content_range(const struct http_text *t, uint64_t *first, uint64_t *last,
                        uint64_t *total);

/*
 * What identifies the very bytes: a strong entity tag, or, where there is no tag, a date of change
 * that is a minute or more older than the answer (RFC 9110, 8.8.2.2: so that clocks and a second
 * change in the same second do not matter). p NULL: nothing does.
 */
struct http_text http_validator(const struct http_head *h);

#endif
