/* SPDX-License-Identifier: MIT */
#include "http/resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *http_rest(const struct http_head *old, uint64_t got, struct http_rest *r)
{
	memset(r, 0, sizeof(*r));
	if (old->coded)
		return "it is coded for the transfer";
	if (old->trailers)
		return "fields are to follow its body";
	if (old->status != 200 && old->status != 206)
		return "only an answer with status 200 or 206 can be asked for in part";
	r->validator = http_validator(old);
	if (!r->validator.p)
		return "the server names no strong validator for it";
	if (old->status == 206) {
		if (!http_content_range(&old->range, &r->begin, &r->last, &r->total))
			return "it is more than one part";
		if (old->length != HTTP_UNKNOWN && old->length != r->last - r->begin + 1)
			return "its length is not that of its part";
	} else if (old->range.p) {
		return "it is whole, and says that it is a part";
	} else {
		r->total = old->length;
		r->last = old->length == HTTP_UNKNOWN ? HTTP_UNKNOWN : old->length - 1;
	}
	r->chunked = old->chunked;
	/* All may have been read, but for the last chunk. */
	if (r->last != HTTP_UNKNOWN && got > r->last - r->begin + r->chunked)
		return "all of it was read";
	return NULL;
}

struct draft {
	char *to;
	size_t len, cap;
	bool full;
};

static void put(struct draft *d, const void *p, size_t len)
{
	if (len > d->cap - d->len) {
		d->full = true;
		return;
	}
	memcpy(d->to + d->len, p, len);
	d->len += len;
}

size_t http_ask_rest(const void *request, size_t len, const struct http_rest *r, uint64_t first,
                     void *to, size_t cap)
{
	struct draft d = {.to = to, .cap = cap};
	struct http_head h;
	char line[96];
	int n;

	if (!http_head_read(&h, request, len, true) || h.method != HTTP_GET || h.odd ||
	    !h.first.p || h.chunked || h.coded || (h.length != HTTP_UNKNOWN && h.length))
		return 0;
	if (r->last == HTTP_UNKNOWN || r->last + 1 == r->total)
		n = snprintf(line, sizeof(line), "Range: bytes=%" PRIu64 "-\r\nIf-Range: ", first);
	else
		n = snprintf(line, sizeof(line),
		             "Range: bytes=%" PRIu64 "-%" PRIu64 "\r\nIf-Range: ", first, r->last);
	put(&d, request, (size_t)(h.first.p - (const char *)request));
	put(&d, line, (size_t)n);
	put(&d, r->validator.p, r->validator.len);
	put(&d, "\r\n", 2);
	const char *at = h.first.p, *end = h.first.p + h.first.len;

	for (unsigned i = 0; i < h.nranges; i++) {
		put(&d, at, (size_t)(h.ranges[i].p - at));
		at = h.ranges[i].p + h.ranges[i].len;
	}
	put(&d, at, (size_t)(end - at));
	return d.full ? 0 : d.len;
}

static bool parts(const struct http_text *type)
{
	static const char name[] = "multipart/byteranges";

	return type->p && type->len >= sizeof(name) - 1 &&
	       strncasecmp(type->p, name, sizeof(name) - 1) == 0;
}

/* The same bytes? Whatever was said of them before is said again. */
static const char *same(const struct http_head *old, const struct http_head *now)
{
	if (now->odd)
		return "the new answer says things twice";
	if (!http_text_same(&old->etag, &now->etag))
		return "another entity tag, or none";
	if (old->etag.p ? old->modified.p && now->modified.p &&
	                      !http_text_same(&old->modified, &now->modified)
	                : !http_text_same(&old->modified, &now->modified))
		return "another date of change, or none";
	if (!http_text_same(&old->coding, &now->coding))
		return "another coding";
	return NULL;
}

/* The whole instead of the rest: what was read of it is taken off. */
static const char *whole(const struct http_head *now, const struct http_rest *r)
{
	if (now->range.p || (now->length == HTTP_UNKNOWN && !now->chunked))
		return "another length";
	if (r->total == HTTP_UNKNOWN)
		return r->chunked && r->last == HTTP_UNKNOWN ? NULL : "another length";
	if (now->length != HTTP_UNKNOWN && now->length != r->total)
		return "another length";
	/* More would come than is wanted. */
	return r->last == r->total - 1 ? NULL : "the whole instead of its part";
}

const char *http_judge(const struct http_head *old, const struct http_head *now,
                       const struct http_rest *r, uint64_t first, uint64_t *discard,
                       uint64_t *length)
{
	uint64_t begin, last, total;

	if (now->status != 200 && now->status != 206)
		return "another status";
	if (now->coded)
		return "the new answer is coded for the transfer";
	const char *why = same(old, now);

	if (why)
		return why;
	if (now->status == 200) {
		why = whole(now, r);
		*discard = first;
		/* Of an answer that is to have as many bytes as it said. */
		*length = r->total != HTTP_UNKNOWN ? r->total : now->length;
		return why;
	}
	if (parts(&now->type) || !http_content_range(&now->range, &begin, &last, &total))
		return "no single part";
	if (begin != first)
		return "another part";
	*discard = 0;
	*length = last - begin + 1;
	if (now->chunked ? now->length != HTTP_UNKNOWN : now->length != *length)
		return "the new answer's length is not that of its part";
	if (r->last != HTTP_UNKNOWN)
		return last == r->last && total == r->total ? NULL : "another length";
	if (total == HTTP_UNKNOWN || last + 1 != total)
		return "its end would not be seen";
	/* Its end was to be the connection's; it is known now. */
	if (!r->chunked && (now->keeps || now->chunked))
		return "its end would not be seen";
	return NULL;
}
