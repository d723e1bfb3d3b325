/* SPDX-License-Identifier: MIT */
#include "http/head.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#define CLOCKS_S 60 /* so much younger than its representation an answer must be */

/* Which field is being read. */
enum field {
	OTHER,
	ETAG,
	MODIFIED,
	DATE,
	CONTENT_RANGE,
	CODING,
	TYPE,
	RANGE,
	IF_RANGE,
	TRANSFER,
	TRAILER,
	FIELDS
};

static const char *const names[FIELDS] = {
    [ETAG] = "ETag",         [MODIFIED] = "Last-Modified",      [DATE] = "Date",
    [TYPE] = "Content-Type", [CONTENT_RANGE] = "Content-Range", [CODING] = "Content-Encoding",
    [RANGE] = "Range",       [IF_RANGE] = "If-Range",           [TRANSFER] = "Transfer-Encoding",
    [TRAILER] = "Trailer",
};

struct reading {
	struct http_head *h;
	struct http_text name, value;
	bool pieces; /* name or value came in more than one */
	bool head_done;
};

static struct http_text *place(struct http_head *h, enum field f)
{
	switch (f) {
	case ETAG:
		return &h->etag;
	case MODIFIED:
		return &h->modified;
	case DATE:
		return &h->date;
	case CONTENT_RANGE:
		return &h->range;
	case CODING:
		return &h->coding;
	case TYPE:
		return &h->type;
	default:
		return NULL;
	}
}

static enum field known(const struct http_text *t)
{
	for (int i = 1; i < FIELDS; i++)
		if (strlen(names[i]) == t->len && strncasecmp(names[i], t->p, t->len) == 0)
			return (enum field)i;
	return OTHER;
}

static void transfer(struct http_head *h, const struct http_text *value)
{
	static const char chunked[] = "chunked";

	if (!h->chunked && value->len == sizeof(chunked) - 1 &&
	    strncasecmp(value->p, chunked, value->len) == 0)
		h->chunked = true;
	else
		h->coded = true;
}

static void cut_begins(struct reading *r)
{
	struct http_head *h = r->h;

	if (h->nranges == sizeof(h->ranges) / sizeof(*h->ranges))
		h->odd = true;
	else
		h->ranges[h->nranges++] = (struct http_text){r->name.p, 0};
}

/* A field is whole: name and value. */
static void field_done(struct reading *r)
{
	if (!r->name.p)
		return;
	enum field f = known(&r->name);
	struct http_text *to = place(r->h, f);

	while (r->value.len &&
	       (r->value.p[r->value.len - 1] == ' ' || r->value.p[r->value.len - 1] == '\t'))
		r->value.len--;
	if (!r->value.p)
		r->value.p = r->name.p;
	if (f != OTHER && (r->pieces || (to && to->p)))
		r->h->odd = true;
	if (to && !to->p)
		*to = r->value;
	if (f == RANGE || f == IF_RANGE)
		cut_begins(r);
	if (f == TRANSFER)
		transfer(r->h, &r->value);
	if (f == TRAILER)
		r->h->trailers = true;
	r->name = r->value = (struct http_text){NULL, 0};
	r->pieces = false;
}

/* The line that ends here is one to be cut out. */
static void line_ends(struct reading *r, const char *at)
{
	struct http_head *h = r->h;

	if (h->nranges && !h->ranges[h->nranges - 1].len)
		h->ranges[h->nranges - 1].len = (size_t)(at - h->ranges[h->nranges - 1].p);
}

static int on_field(http_parser *p, const char *at, size_t len)
{
	struct reading *r = p->data;

	if (r->name.p && !r->value.p) {
		r->name.len += len;
		r->pieces = true;
		return 0;
	}
	field_done(r);
	line_ends(r, at);
	if (!r->h->first.p)
		r->h->first.p = at;
	r->name = (struct http_text){at, len};
	return 0;
}

static int on_value(http_parser *p, const char *at, size_t len)
{
	struct reading *r = p->data;

	if (r->value.p) {
		r->value.len += len;
		r->pieces = true;
		return 0;
	}
	r->value = (struct http_text){at, len};
	return 0;
}

static int on_head_done(http_parser *p)
{
	struct reading *r = p->data;
	struct http_head *h = r->h;

	field_done(r);
	r->head_done = true;
	h->status = p->status_code;
	h->method = p->method;
	h->keeps = http_should_keep_alive(p);
	h->length = p->flags & F_CONTENTLENGTH ? p->content_length : HTTP_UNKNOWN;
	return 0;
}

bool http_head_read(struct http_head *h, const void *bytes, size_t len, bool request)
{
	static const http_parser_settings settings = {.on_header_field = on_field,
	                                              .on_header_value = on_value,
	                                              .on_headers_complete = on_head_done};
	struct reading r = {.h = h};
	const char *p = bytes;
	http_parser parser;

	memset(h, 0, sizeof(*h));
	http_parser_init(&parser, request ? HTTP_REQUEST : HTTP_RESPONSE);
	parser.data = &r;
	/* All but the last byte: the head ends with that one. */
	if (!len || http_parser_execute(&parser, &settings, p, len - 1) != len - 1 || r.head_done)
		return false;
	http_parser_execute(&parser, &settings, p + len - 1, 1);
	if (!r.head_done)
		return false;
	const char *end = p + len - 1;

	/* Where the empty line begins. */
	if (end > p && end[-1] == '\r')
		end--;
	line_ends(&r, end);
	if (h->first.p)
		h->first.len = (size_t)(p + len - h->first.p);
	h->whole = true;
	return true;
}

bool http_text_same(const struct http_text *a, const struct http_text *b)
{
	if (!a->p || !b->p)
		return !a->p && !b->p;
	return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

static bool number(const char **p, const char *end, uint64_t *n)
{
	const char *from = *p;

	*n = 0;
	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
		/* No body is as long. */
		if (*n > (UINT64_MAX >> 2) / 10)
			return false;
		*n = *n * 10 + (uint64_t)(**p - '0');
	}
	return *p > from;
}

static bool skip(const char **p, const char *end, char c)
{
	if (*p == end || **p != c)
		return false;
	(*p)++;
	return true;
}

bool http_content_range(const struct http_text *t, uint64_t *first, uint64_t *last, uint64_t *total)
{
	if (!t->p || t->len < 6 || strncasecmp(t->p, "bytes", 5) != 0)
		return false;
	const char *p = t->p + 5, *end = t->p + t->len;

	if (!skip(&p, end, ' ') || !number(&p, end, first) || !skip(&p, end, '-') ||
	    !number(&p, end, last) || !skip(&p, end, '/'))
		return false;
	if (skip(&p, end, '*'))
		*total = HTTP_UNKNOWN;
	else if (!number(&p, end, total))
		return false;
	return p == end && *first <= *last && *last < *total;
}

/* A strong one, and one that a field of ours can carry. */
static bool strong(const struct http_text *t)
{
	if (t->len < 2 || t->p[0] != '"' || t->p[t->len - 1] != '"')
		return false;
	for (size_t i = 1; i < t->len - 1; i++) {
		unsigned char c = (unsigned char)t->p[i];

		if (c == '"' || c < 0x21 || c == 0x7f)
			return false;
	}
	return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", in seconds; the older formats are not looked at. -1: no date. */
static int64_t date(const struct http_text *t)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static const char form[] = "aaa, 00 aaa 0000 00:00:00 GMT";
	struct tm tm = {0};

	if (!t->p || t->len != sizeof(form) - 1)
		return -1;
	for (size_t i = 0; i < t->len; i++) {
		bool digit = t->p[i] >= '0' && t->p[i] <= '9';

		if (form[i] == '0' ? !digit : form[i] == 'a' ? digit : t->p[i] != form[i])
			return -1;
	}
#define TWO(i) ((t->p[i] - '0') * 10 + (t->p[(i) + 1] - '0'))
	tm.tm_mday = TWO(5);
	tm.tm_year = TWO(12) * 100 + TWO(14) - 1900;
	tm.tm_hour = TWO(17);
	tm.tm_min = TWO(20);
	tm.tm_sec = TWO(23);
#undef TWO
	for (tm.tm_mon = 0; tm.tm_mon < 12; tm.tm_mon++)
		if (memcmp(months + 3 * tm.tm_mon, t->p + 8, 3) == 0)
			return timegm(&tm);
	return -1;
}

struct http_text http_validator(const struct http_head *h)
{
	static const struct http_text none;
	int64_t modified = date(&h->modified), answered = date(&h->date);

	if (h->odd)
		return none;
	/* A weak one says that the bytes may differ. */
	if (h->etag.p)
		return strong(&h->etag) ? h->etag : none;
	if (modified < 0 || answered < 0 || answered - modified < CLOCKS_S)
		return none;
	return h->modified;
}
