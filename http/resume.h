/* SPDX-License-Identifier: MIT */
/*
 * Going on with an answer over another connection: what to ask there, and whether what comes back
 * is the rest of the same bytes.
 */
#ifndef HTTP_RESUME_H
#define HTTP_RESUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/head.h"

/* Which bytes of the representation the answer brings, and brought. */
struct http_rest {
	struct http_text validator;
	uint64_t begin; /* of the answer: 0, unless it is part of the whole itself */
	uint64_t last;  /* its last byte; HTTP_UNKNOWN: it ends with the connection */
	uint64_t total; /* of the whole; HTTP_UNKNOWN: it was not said */
	bool chunked;   /* its last chunk says where it ends, if `last` does not */
};

/*
 * Can an answer with this head, of whose body `got` bytes were read, be gone on with? NULL: it can.
 * Else why not.
 */
const char *http_rest(const struct http_head *old, uint64_t got, struct http_rest *r);

/*
 * The request of `len` bytes once more, for what begins with byte `first` of the representation.
 * Its length; 0: it cannot be said, or not in `cap` bytes.
 */
size_t http_ask_rest(const void *request, size_t len, const struct http_rest *r, uint64_t first,
                     void *to, size_t cap);

/*
 * The head of the new answer. NULL: its body has *length bytes, if that is known, and after the
 * first *discard comes byte `first`. Else why it is not to be trusted. Either may be in chunks.
 */
const char *http_judge(const struct http_head *old, const struct http_head *now,
                       const struct http_rest *r, uint64_t first, uint64_t *discard,
                       uint64_t *length);

#endif
