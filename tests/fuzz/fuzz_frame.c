/* SPDX-License-Identifier: MIT */
/*
 * A program has read some of an answer, which is anything; a server sends the rest in a frame of
 * its own, which is anything, too. What is put behind what was read must be that rest, and end.
 */
#include <stdlib.h>
#include <string.h>

#include "http/frame.h"
#include "tests/fuzz/input.h"

#define ROOM 8192

static struct http_stream s;
static uint8_t once[ROOM], piecewise[ROOM];

static const char *const heads[] = {
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n",
};

static int on_head(http_parser *p)
{
	*(bool *)p->data = true;
	return 0;
}

/* All of the body that there is in `p`, which is given in pieces of `most` bytes, or less. */
static size_t take(struct http_source *src, const uint8_t *p, size_t len, size_t most, bool chunked,
                   uint64_t length, uint8_t *to)
{
	static const http_parser_settings settings = {.on_headers_complete = on_head};
	const char *head = heads[chunked ? 0 : 1];
	http_parser parser;
	bool over = false;
	size_t have = 0;

	http_parser_init(&parser, HTTP_RESPONSE);
	parser.data = &over;
	http_parser_execute(&parser, &settings, head, strlen(head));
	must(over, "a head");
	http_source_begin(src, &parser, chunked, length);
	for (size_t at = 0; at < len && !src->over && !src->bad;) {
		size_t n, piece = most < len - at ? most : len - at;
		const uint8_t *body = NULL;
		/* Memory of its own, so that its end is seen. */
		uint8_t *copy = malloc(piece);

		must(copy != NULL, "memory");
		memcpy(copy, p + at, piece);
		size_t used = http_source_take(src, copy, piece, most, &body, &n);

		must(used > 0 && used <= piece && n <= most, "something is taken");
		must(!n || (body >= copy && body + n <= copy + used), "within what was given");
		memcpy(to + have, n ? body : copy, n);
		have += n;
		at += used;
		free(copy);
	}
	must(src->got == have, "as much as was given out");
	must(length == HTTP_UNKNOWN || have <= length, "no more than was said");
	must(length == HTTP_UNKNOWN || !src->over || src->bad || have == length, "all of it");
	return have;
}

/* Puts the body behind what was read, and reads that. */
static void put(struct input *in, const uint8_t *body, size_t len, bool over)
{
	struct http_frame f;
	uint8_t to[512 + HTTP_FRAMED];
	uint64_t got = s.in.got;
	size_t n;

	if (!http_frame_begin(&f, &s.in))
		return;
	for (size_t at = 0; at < len;) {
		size_t piece = 1 + take_u16(in) % 512;

		piece = piece < len - at ? piece : len - at;
		n = http_frame_put(&f, body + at, piece, to);
		if (!n)
			return;
		must(n >= piece && n <= piece + HTTP_FRAMED, "room");
		http_read(&s, to, n);
		at += piece;
		must(!http_opaque(&s), "it is understood");
		must(s.in.got == got + at, "the same body");
	}
	if (!over || !http_frame_end(&f, to, &n))
		return;
	must(n <= HTTP_FRAMED, "room for the end");
	http_read(&s, to, n);
	must(s.in.at == HTTP_BETWEEN, "its end");
	must(s.in.got == got + len, "nothing more");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char get[] = "GET / HTTP/1.1\r\n\r\n";
	struct input in = {data, size};
	uint8_t flags = take_u8(&in);
	size_t read = take_u16(&in) % 2048, most = 1 + take_u8(&in);
	uint64_t length = flags & 4 ? HTTP_UNKNOWN : take_u16(&in);
	bool chunked = flags & 2 || length == HTTP_UNKNOWN;
	struct http_source a, b;

	http_begin(&s);
	http_wrote(&s, get, sizeof(get) - 1);
	http_read(&s, heads[flags & 1], strlen(heads[flags & 1]));
	read = read < in.left ? read : in.left;
	http_read(&s, in.p, read);
	in.p += read;
	in.left -= read;
	size_t len = in.left < 4000 ? in.left : 4000;
	size_t have = take(&a, in.p, len, ROOM, chunked, length, once);

	must(take(&b, in.p, len, most, chunked, length, piecewise) >= have || b.bad,
	     "the same length");
	must(a.over == b.over && a.bad == b.bad, "the same end");
	must(memcmp(once, piecewise, have < b.got ? have : (size_t)b.got) == 0, "the same bytes");
	if ((s.in.at == HTTP_IN_CHUNKS || s.in.at == HTTP_IN_BODY) && s.in.start == 0)
		put(&in, once, have, a.over && !a.bad);
	return 0;
}
