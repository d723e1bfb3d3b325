/* SPDX-License-Identifier: MIT */
/*
 * The same body with other bytes around it: what comes in chunks, or in one piece, goes on in the
 * chunks, or the piece, that the reader is in the middle of. A reader that has been told of a chunk
 * gets all of that, then others; of where it is in the line between two of them each byte counts.
 */
#ifndef HTTP_FRAME_H
#define HTTP_FRAME_H

#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/stream.h"

#define HTTP_FRAMED 64 /* so many bytes at most are put around a piece, and at the end */

/* A body that comes: its head has been taken off. */
struct http_source {
	bool chunked, over, bad;
	bool cr;         /* the last byte between chunks was one: only a line's end may follow */
	uint64_t left;   /* of the body, or of the chunk */
	uint64_t got;    /* bytes of the body given out */
	uint64_t length; /* what all of it must be; HTTP_UNKNOWN */
	http_parser parser;
};

/* `parser` is where the head has ended. */
void http_source_begin(struct http_source *s, const http_parser *parser, bool chunked,
                       uint64_t length);

/*
 * Takes bytes from `p` until a piece of the body, of `most` bytes or less, was found or there are
 * no more. How many were taken; *body and *n are the piece, n 0 if there is none. Nothing is taken
 * from what is `over` or `bad`: contradictory, or not of its length.
 */
size_t http_source_take(struct http_source *s, const uint8_t *p, size_t len, uint64_t most,
                        const uint8_t **body, size_t *n);

/* What the reader expects. */
struct http_frame {
	enum http_due {
		HTTP_DUE_DATA,  /* `left` bytes more */
		HTTP_DUE_SIZE,  /* a line with the size of a chunk */
		HTTP_DUE_DIGIT, /* the same, of which some zeroes were read */
		HTTP_DUE_END,   /* it has been told that this was all: `rest` only */
		HTTP_DUE_NOTHING,
	} due;
	bool chunked;
	uint64_t left;
	char rest[8]; /* before anything else */
	uint8_t rest_len;
};

/* Where a program is that has read so much of an answer. False: nothing can be put there. */
bool http_frame_begin(struct http_frame *f, const struct http_in *in);

/*
 * The next `len` bytes of the body, at least one, as the reader expects them: at most len +
 * HTTP_FRAMED bytes. 0: it was told that there are no more.
 */
size_t http_frame_put(struct http_frame *f, const void *body, size_t len, void *to);

/* The body is over: at most HTTP_FRAMED bytes in *len. False: it was told of more. */
bool http_frame_end(struct http_frame *f, void *to, size_t *len);

#endif
