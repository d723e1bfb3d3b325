/* SPDX-License-Identifier: MIT */
/*
 * Where an HTTP/1 connection is: which requests were written, how far their answers were read.
 *
 * Heads and the frames of chunks go through a library's parser, byte by byte, so that it is known
 * to the byte where they end; bodies are only counted. Nothing is allocated, and what is not
 * understood makes the connection opaque: bytes that nobody may say anything about.
 *
 * Two may work on it at a time, one that writes and one that reads, each on its own half. A third
 * may copy it while they do (http_copy).
 */
#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

#include <http_parser.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX 16384 /* of an answer; a longer one makes the connection opaque */
#define HTTP_ASKED 64       /* requests without an answer; more make it opaque */
#define HTTP_WINDOW 128     /* the last bytes of a body, kept for comparison; a power of two */
#define HTTP_LINE_MAX 24    /* between two chunks */
#define HTTP_UNKNOWN UINT64_MAX

enum http_place {
	HTTP_BETWEEN, /* two messages */
	HTTP_IN_HEAD,
	HTTP_IN_BODY, /* of known length */
	HTTP_IN_CHUNKS,
	HTTP_TO_END, /* a body that ends with the connection */
	HTTP_OPAQUE,
};

/* One request; counts are of the stream that is written. */
struct http_request {
	uint64_t start, body;
	_Atomic uint64_t end; /* HTTP_UNKNOWN: it is being written */
	uint8_t method;       /* enum http_method */
	bool expects;         /* Expect: wants to be told to go on before it sends its body */
	bool has_body;
};

/* What is written. */
struct http_out {
	_Atomic uint32_t changes; /* odd: in the middle of one */
	enum http_place at;
	uint64_t count; /* bytes seen */
	uint64_t start; /* of the request it is in */
	uint64_t left;  /* of its body, or of the chunk */
	http_parser parser;
	bool head_done, done, expects;
	uint8_t matched; /* of the name of the field that is being read */
};

/* What is read. */
struct http_in {
	_Atomic uint32_t changes;
	enum http_place at;
	uint64_t count;
	uint64_t start;  /* of the answer it is in */
	uint64_t body;   /* where its body begins */
	uint64_t got;    /* bytes of the body, without what is around chunks */
	uint64_t length; /* of the body; HTTP_UNKNOWN */
	uint64_t left;
	http_parser parser;
	bool head_done, done;
	bool continued; /* the request has been told to go on */
	bool closes;    /* the last whole answer said that the connection ends with it */
	/* Of chunks: what was read since the last one's bytes ended. Longer than there is room for:
	 * not kept. */
	uint8_t line_len;
	uint8_t line[HTTP_LINE_MAX];
	uint32_t head_len;
	uint8_t head[HTTP_HEAD_MAX];
	uint8_t window[HTTP_WINDOW]; /* the body's byte number n is at n modulo this */
};

struct http_stream {
	struct http_out out;
	struct http_in in;
	struct http_request request[HTTP_ASKED];
	_Atomic uint32_t asked;    /* requests whose heads were written */
	_Atomic uint32_t answered; /* and those whose answers were read to the end */
};

/* Of memory that is all zeroes, or was used before. */
void http_begin(struct http_stream *s);

/* So many more bytes were written, or read. Async-signal-safe; each half one at a time. */
void http_wrote(struct http_stream *s, const void *data, size_t len);
void http_read(struct http_stream *s, const void *data, size_t len);

/* Bytes that nobody saw, or a half that two worked on at once: no word about it any more. */
void http_give_up(struct http_stream *s);

bool http_opaque(const struct http_stream *s);

/* Is an answer about to be read to which no request is known? */
bool http_unasked(const struct http_stream *s);

/* A copy in which each half is whole. False: both are too busy just now. */
bool http_copy(struct http_stream *to, const struct http_stream *from);

/* The request that the answer under way, or the next one, is to; NULL: there is none. */
const struct http_request *http_front(const struct http_stream *s);

/* May a request be made twice (RFC 9110, 9.2.2)? */
bool http_idempotent(unsigned method);

/* The last bytes of the body, at most `max`, oldest first. How many they are. */
size_t http_window(const struct http_in *in, uint8_t *to, size_t max);

#endif
