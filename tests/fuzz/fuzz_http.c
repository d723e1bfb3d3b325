/* SPDX-License-Identifier: MIT */
/*
 * HTTP: the program's requests, which are anything, and the server's answers. First whole exchanges
 * in pieces, then one answer as the old one and another as the new.
 */
#include <stdlib.h>
#include <string.h>

#include "http/plan.h"
#include "http/resume.h"
#include "tests/fuzz/input.h"

static struct http_stream whole, single;

static void same_place(void)
{
	struct http_plan a, b;

	must(whole.in.at == single.in.at && whole.out.at == single.out.at, "the same place");
	http_plan(&whole, 0, HTTP_UNKNOWN, &a);
	http_plan(&single, 0, HTTP_UNKNOWN, &b);
	must(a.way == b.way, "the same way");
	if (http_opaque(&whole))
		return;
	must(whole.in.count == single.in.count && whole.out.count == single.out.count, "counts");
	must(whole.in.left == single.in.left && whole.out.left == single.out.left, "what is left");
	must(whole.asked == single.asked && whole.answered == single.answered, "requests");
	must(whole.asked - whole.answered <= HTTP_ASKED, "no more requests than there is room for");
	must(whole.in.head_len <= HTTP_HEAD_MAX, "the head's room");
	must(whole.in.got == single.in.got && whole.in.line_len == single.in.line_len &&
	         whole.in.line_len <= HTTP_LINE_MAX + 1,
	     "where it is between chunks");
	if (a.way == HTTP_REST || a.way == HTTP_SAME)
		must(a.start < a.end && a.end <= a.replay && a.replay <= whole.out.count,
		     "a whole request");
	if (a.way == HTTP_AGAIN || a.way == HTTP_IDLE)
		must(a.replay <= whole.out.count, "nothing that was not written");
	if (a.way == HTTP_REST) {
		uint8_t a_window[HTTP_WINDOW], b_window[HTTP_WINDOW];
		size_t n = http_window(&whole.in, a_window, HTTP_WINDOW);

		must(n == http_window(&single.in, b_window, HTTP_WINDOW), "window");
		must(memcmp(a_window, b_window, n) == 0, "what is in the window");
	}
}

/* Pieces: who speaks (the highest bit) and how much. */
static void exchange(struct input *in)
{
	http_begin(&whole);
	http_begin(&single);
	while (in->left) {
		uint8_t n = take_u8(in);
		size_t len = n & 0x7f;
		bool out = n & 0x80;

		len = len < in->left ? len : in->left;
		/* Memory of its own, so that its end is seen. */
		uint8_t *piece = malloc(len + 1);

		must(piece != NULL, "memory");
		memcpy(piece, in->p, len);
		in->p += len;
		in->left -= len;
		(out ? http_wrote : http_read)(&whole, piece, len);
		for (size_t i = 0; i < len; i++)
			(out ? http_wrote : http_read)(&single, piece + i, 1);
		free(piece);
		same_place();
	}
}

static uint8_t *piece_of(struct input *in, size_t *len)
{
	size_t n = take_u16(in) % 2048;
	uint8_t *p;

	*len = n < in->left ? n : in->left;
	p = malloc(*len + 1);
	must(p != NULL, "memory");
	memcpy(p, in->p, *len);
	in->p += *len;
	in->left -= *len;
	return p;
}

static void compare(struct input *in)
{
	struct http_head old, now, asked;
	struct http_rest rest;
	size_t old_len, now_len, request_len;
	uint64_t got = take_u16(in), discard = 0, length = 0;
	uint8_t *o = piece_of(in, &old_len), *n = piece_of(in, &now_len),
	        *r = piece_of(in, &request_len);
	uint8_t *to = malloc(4096);

	must(to != NULL, "memory");
	if (http_head_read(&old, o, old_len, false) && !http_rest(&old, got, &rest)) {
		must(rest.validator.len > 1, "a validator");
		must(!old.odd, "nothing odd");
		must(rest.last == HTTP_UNKNOWN || rest.begin + got <= rest.last + rest.chunked,
		     "something is left");
		size_t len = http_ask_rest(r, request_len, &rest, rest.begin + got, to, 4096);

		if (len) {
			must(len <= 4096, "room");
			must(http_head_read(&asked, to, len, true), "what is asked is a request");
			must(asked.method == HTTP_GET && asked.nranges == 2,
			     "one Range, one If-Range");
		}
		if (http_head_read(&now, n, now_len, false) &&
		    !http_judge(&old, &now, &rest, rest.begin + got, &discard, &length)) {
			must(now.status == 200 || now.status == 206, "status");
			must(discard == 0 || (now.status == 200 && discard == rest.begin + got),
			     "what is thrown away");
			must(http_text_same(&old.etag, &now.etag), "tag");
			must(!now.coded && now.chunked == (now.length == HTTP_UNKNOWN), "length");
			must(now.chunked || length == now.length, "its length");
			must(length != HTTP_UNKNOWN || rest.last == HTTP_UNKNOWN,
			     "as long as was promised");
			must(rest.last == HTTP_UNKNOWN ||
			         length - discard == rest.last + 1 - rest.begin - got,
			     "as much as was promised");
		}
	}
	free(o);
	free(n);
	free(r);
	free(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	if (take_u8(&in) & 1)
		compare(&in);
	else
		exchange(&in);
	return 0;
}
