/* SPDX-License-Identifier: MIT */
#include "http/frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- what comes --- */

static int on_chunk(http_parser *p)
{
	struct http_source *s = p->data;

	s->left = p->content_length;
	return 0;
}

static int on_done(http_parser *p)
{
	struct http_source *s = p->data;

	s->over = true;
	return 0;
}

static const http_parser_settings settings = {.on_chunk_header = on_chunk,
                                              .on_message_complete = on_done};

static void check_length(struct http_source *s)
{
	if (s->length == HTTP_UNKNOWN)
		return;
	s->bad = s->bad || s->got > s->length || s->left > s->length - s->got ||
	         (s->over && s->got != s->length);
}

void http_source_begin(struct http_source *s, const http_parser *parser, bool chunked,
                       uint64_t length)
{
	memset(s, 0, sizeof(*s));
	s->parser = *parser;
	s->chunked = chunked;
	s->length = length;
	s->left = chunked ? 0 : length;
	s->over = !chunked && !length;
	/* The connection's end says nothing of whether that was all. */
	s->bad = !chunked && length == HTTP_UNKNOWN;
}

static size_t give(struct http_source *s, const uint8_t *p, size_t len, uint64_t most,
                   const uint8_t **body)
{
	uint64_t n = s->left < most ? s->left : most;

	n = n < len ? n : len;
	*body = p;
	s->left -= n;
	s->got += n;
	return (size_t)n;
}

size_t http_source_take(struct http_source *s, const uint8_t *p, size_t len, uint64_t most,
                        const uint8_t **body, size_t *n)
{
	size_t used = 0;

	*n = 0;
	while (used < len && !*n && !s->over && !s->bad) {
		size_t bite = 1;

		if (s->left) {
			if (!most)
				break;
			*n = bite = give(s, p + used, len - used, most, body);
		}
		if (!s->chunked) {
			s->over = !s->left;
		} else {
			bool data = *n;

			/* The parser takes anything here. */
			s->bad = !data && s->cr && p[used] != '\n';
			s->cr = !data && p[used] == '\r';
			s->parser.data = s;
			http_parser_execute(&s->parser, &settings, (const char *)p + used, bite);
			s->bad = s->bad || HTTP_PARSER_ERRNO(&s->parser) != HPE_OK;
		}
		used += bite;
		check_length(s);
	}
	return used;
}

/* --- what goes on --- */

static int digit(uint8_t c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	                              : -1;
}

static void owe(struct http_frame *f, const char *rest)
{
	f->rest_len = (uint8_t)strlen(rest);
	memcpy(f->rest, rest, f->rest_len);
}

/* Takes off the line's end, or says what is missing of it. False: it has not begun. */
static bool line_end(struct http_frame *f, const uint8_t **p, size_t *len)
{
	if (!*len || **p != '\r')
		return false;
	(*p)++;
	(*len)--;
	if (*len && **p == '\n') {
		(*p)++;
		(*len)--;
	} else {
		owe(f, "\n");
	}
	return true;
}

/* The parser that has let them through takes anything for the second half of a line's end. */
static bool well_ended(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] == '\r' ? i + 1 < len && p[i + 1] != '\n'
		                 : p[i] == '\n' && (!i || p[i - 1] != '\r'))
			return false;
	return true;
}

/*
 * Of the lines between two chunks this much was read: of the end of the one, of the size of the
 * other. What else may stand there (extensions, fields after the last) was said of other chunks.
 */
static bool between(struct http_frame *f, const uint8_t *p, size_t len, bool first)
{
	uint64_t size = 0;
	size_t digits = 0;

	f->due = HTTP_DUE_SIZE;
	if (!well_ended(p, len))
		return false;
	if (!first && !line_end(f, &p, &len)) {
		owe(f, "\r\n");
		return len == 0;
	}
	for (int d; len && (d = digit(*p)) >= 0; p++, len--, digits++)
		size = size << 4 | (unsigned)d;
	if (!digits)
		return len == 0;
	if (!len && !size) {
		/* Leading zeroes, or the end: both are left. */
		f->due = HTTP_DUE_DIGIT;
		return digits <= 4;
	}
	f->due = size ? HTTP_DUE_DATA : HTTP_DUE_END;
	f->left = size;
	if (!line_end(f, &p, &len))
		owe(f, "\r\n");
	/* What the parser has let through has no more digits than fit. */
	if (size)
		return len == 0 && digits <= 16;
	/* The empty line after the last one. */
	if (f->rest_len)
		owe(f, "\n\r\n");
	else if (len && *p == '\r')
		owe(f, "\n");
	else
		owe(f, "\r\n");
	return len == 0 || (len == 1 && *p == '\r');
}

bool http_frame_begin(struct http_frame *f, const struct http_in *in)
{
	memset(f, 0, sizeof(*f));
	f->due = HTTP_DUE_DATA;
	f->left = in->left;
	if (in->at == HTTP_IN_BODY)
		return true;
	f->chunked = true;
	if (in->at != HTTP_IN_CHUNKS)
		return false;
	if (in->left)
		return true;
	return in->line_len <= sizeof(in->line) && between(f, in->line, in->line_len, !in->got);
}

struct draft {
	uint8_t *to;
	size_t len;
};

static void add(struct draft *d, const void *p, size_t len)
{
	memcpy(d->to + d->len, p, len);
	d->len += len;
}

static void add_rest(struct http_frame *f, struct draft *d)
{
	add(d, f->rest, f->rest_len);
	f->rest_len = 0;
}

/* The bytes that the present chunk, or the length, still has room for. */
static size_t add_due(struct http_frame *f, struct draft *d, const void *body, size_t len)
{
	size_t n = f->left < len ? (size_t)f->left : len;

	add(d, body, n);
	f->left -= n;
	if (f->left)
		return n;
	f->due = f->chunked ? HTTP_DUE_SIZE : HTTP_DUE_NOTHING;
	if (f->chunked)
		add(d, "\r\n", 2);
	return n;
}

size_t http_frame_put(struct http_frame *f, const void *body, size_t len, void *to)
{
	struct draft d = {.to = to};
	size_t n = 0;

	if (f->due == HTTP_DUE_END || f->due == HTTP_DUE_NOTHING || (!f->chunked && len > f->left))
		return 0;
	add_rest(f, &d);
	if (f->due == HTTP_DUE_DATA)
		n = add_due(f, &d, body, len);
	if (n == len)
		return d.len;
	char line[24];
	int size = snprintf(line, sizeof(line), "%zx\r\n", len - n);

	add(&d, line, (size_t)size);
	f->due = HTTP_DUE_DATA;
	f->left = len - n;
	add_due(f, &d, (const uint8_t *)body + n, len - n);
	return d.len;
}

bool http_frame_end(struct http_frame *f, void *to, size_t *len)
{
	struct draft d = {.to = to};

	*len = 0;
	if (f->due == HTTP_DUE_DATA && (f->chunked || f->left))
		return false;
	add_rest(f, &d);
	if (f->due == HTTP_DUE_SIZE)
		add(&d, "0\r\n\r\n", 5);
	else if (f->due == HTTP_DUE_DIGIT)
		add(&d, "\r\n\r\n", 4);
	f->due = HTTP_DUE_NOTHING;
	*len = d.len;
	return true;
}
