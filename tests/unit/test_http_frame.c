/* SPDX-License-Identifier: MIT */
/* Wherever a reader of chunks is: what is put behind that is the same body, and ends with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/frame.h"

#define BODY 700
#define ROOM 20000

static struct http_stream s, check;
static uint8_t body[BODY], answer[ROOM];
static size_t answer_len, head_len;

static void say(const void *p, size_t len)
{
	memcpy(answer + answer_len, p, len);
	answer_len += len;
}

static void say_text(const char *text)
{
	say(text, strlen(text));
}

/* The body in chunks of up to `most` bytes, their sizes written in as many ways as there are. */
static void say_chunks(size_t most)
{
	static const char *const sizes[] = {"%zx\r\n", "%zX\r\n", "0%zx\r\n", "000%zx\r\n"};
	char line[30];

	for (size_t at = 0, n; at < BODY; at += n) {
		n = 1 + (size_t)rand() % most;
		n = n < BODY - at ? n : BODY - at;
		say(line, (size_t)snprintf(line, sizeof(line), sizes[rand() % 4], n));
		say(body + at, n);
		say_text("\r\n");
	}
	say_text("0\r\n\r\n");
}

static void make(const char *head, size_t most)
{
	for (size_t i = 0; i < BODY; i++)
		body[i] = (uint8_t)rand();
	answer_len = 0;
	say_text(head);
	head_len = answer_len;
	if (most)
		say_chunks(most);
	else
		say(body, BODY);
}

#define GET "GET / HTTP/1.1\r\n\r\n"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define SIZED "HTTP/1.1 200 OK\r\nContent-Length: 700\r\n\r\n"

/* The program has read so much of the answer. */
static void read_up_to(size_t len)
{
	http_begin(&s);
	http_wrote(&s, GET, strlen(GET));
	http_read(&s, answer, len);
	assert_false(http_opaque(&s));
}

/* The rest of the body as it is put there, in pieces of up to `most`; how many bytes that are. */
static size_t put_rest(size_t got, size_t most, uint8_t *to)
{
	struct http_frame f;
	size_t len = 0, end;

	assert_true(http_frame_begin(&f, &s.in));
	while (got < BODY) {
		size_t n = 1 + (size_t)rand() % most;

		n = n < BODY - got ? n : BODY - got;
		end = http_frame_put(&f, body + got, n, to + len);
		assert_in_range(end, n, n + HTTP_FRAMED);
		got += n;
		len += end;
	}
	assert_true(http_frame_end(&f, to + len, &end));
	assert_in_range(end, 0, HTTP_FRAMED);
	return len + end;
}

/* All that the program has read in the end is an answer with this body, and nothing is left over.
 */
static void must_be_whole(size_t read, const uint8_t *rest, size_t len)
{
	uint8_t got[BODY];
	size_t have = 0;

	http_begin(&check);
	http_wrote(&check, GET, strlen(GET));
	for (size_t i = 0; i < read + len; i++) {
		const uint8_t *p = i < read ? answer + i : rest + (i - read);
		uint64_t before = check.in.got;

		assert_true(i == 0 || check.in.at != HTTP_BETWEEN);
		http_read(&check, p, 1);
		assert_false(http_opaque(&check));
		if (check.in.at != HTTP_IN_HEAD && check.in.got > before)
			got[have++] = *p;
	}
	assert_int_equal(check.in.at, HTTP_BETWEEN);
	assert_int_equal(have, BODY);
	assert_memory_equal(got, body, BODY);
}

static void cut_anywhere(const char *head, size_t chunks)
{
	static uint8_t rest[ROOM];

	for (int round = 0; round < 12; round++) {
		make(head, chunks);
		for (size_t cut = head_len; cut < answer_len; cut++) {
			read_up_to(cut);
			size_t len =
			    put_rest(s.in.got, (size_t[]){1, 3, 40, 1000}[round % 4], rest);

			must_be_whole(cut, rest, len);
		}
	}
}

static void chunks_go_on_wherever_they_are_cut(void **state)
{
	(void)state;
	cut_anywhere(CHUNKED, 5);
	cut_anywhere(CHUNKED, 400);
}

static void a_length_goes_on(void **state)
{
	(void)state;
	cut_anywhere(SIZED, 0);
}

/* What else may stand between two chunks is not made up. */
static void what_is_not_known_is_not_gone_on_with(void **state)
{
	static const struct {
		const char *read;
		bool can;
	} table[] = {
	    {CHUNKED "5", true},
	    {CHUNKED "5;", false},
	    {CHUNKED "5;a=b\r", false},
	    {CHUNKED "5;a=b\r\n", true},
	    {CHUNKED "5 ", false},
	    {CHUNKED "0000", true},
	    {CHUNKED "00000", false},
	    {CHUNKED "0;", false},
	    {CHUNKED "0\r\n", true},
	    {CHUNKED "0\r\n\r", true},
	    {CHUNKED "0;a\r\n", false},
	    {CHUNKED "0\r\nT", false},
	    {CHUNKED "2\r\nab\r00", false},
	    {CHUNKED "0\r\nTrailer: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", false},
	    {CHUNKED "5;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", true},
	    {"HTTP/1.1 200 OK\r\n\r\nabc", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct http_frame f;

		http_begin(&s);
		http_wrote(&s, GET, strlen(GET));
		http_read(&s, table[i].read, strlen(table[i].read));
		if (http_frame_begin(&f, &s.in) != table[i].can)
			fail_msg("%s: %d", table[i].read, !table[i].can);
	}
}

static void nothing_is_added_to_what_was_said(void **state)
{
	struct http_frame f;
	uint8_t to[200];
	size_t len;

	(void)state;
	make(CHUNKED, 400);
	read_up_to(head_len);
	assert_true(http_frame_begin(&f, &s.in));
	/* The reader is in the middle of a chunk: there is no end. */
	answer_len = 0;
	say_text(CHUNKED "5\r\nab");
	read_up_to(answer_len);
	assert_true(http_frame_begin(&f, &s.in));
	assert_false(http_frame_end(&f, to, &len));
	assert_int_equal(http_frame_put(&f, "cd", 2, to), 2);
	assert_false(http_frame_end(&f, to, &len));
	/* It was told that there is no more. */
	answer_len = 0;
	say_text(CHUNKED "5\r\nabcde\r\n0\r\n");
	read_up_to(answer_len);
	assert_true(http_frame_begin(&f, &s.in));
	assert_int_equal(http_frame_put(&f, "f", 1, to), 0);
	assert_true(http_frame_end(&f, to, &len));
	assert_int_equal(len, 2);
	/* A length is a length. */
	make(SIZED, 0);
	read_up_to(answer_len - 3);
	assert_true(http_frame_begin(&f, &s.in));
	assert_int_equal(http_frame_put(&f, "abcd", 4, to), 0);
	assert_int_equal(http_frame_put(&f, "ab", 2, to), 2);
	assert_false(http_frame_end(&f, to, &len));
	assert_int_equal(http_frame_put(&f, "c", 1, to), 1);
	assert_true(http_frame_end(&f, to, &len));
	assert_int_equal(len, 0);
}

static int on_head(http_parser *p)
{
	*(bool *)p->data = true;
	return 0;
}

/* Reads the whole answer as what comes from a server; the body goes to `to`. */
static size_t take_all(struct http_source *src, uint64_t length, size_t most, uint8_t *to,
                       size_t *used)
{
	static const http_parser_settings settings = {.on_headers_complete = on_head};
	http_parser parser;
	bool over = false;
	size_t have = 0, at = 0;

	http_parser_init(&parser, HTTP_RESPONSE);
	parser.data = &over;
	while (at < answer_len && !over)
		http_parser_execute(&parser, &settings, (char *)answer + at++, 1);
	http_source_begin(src, &parser, length == HTTP_UNKNOWN || parser.flags & F_CHUNKED, length);
	while (at < answer_len && !src->over && !src->bad) {
		size_t piece = 1 + (size_t)rand() % 50, n;
		const uint8_t *p;

		piece = piece < answer_len - at ? piece : answer_len - at;
		at += http_source_take(src, answer + at, piece, most, &p, &n);
		assert_in_range(n, 0, most);
		if (n)
			memcpy(to + have, p, n);
		have += n;
	}
	*used = at;
	return have;
}

static void a_body_is_what_is_in_its_chunks(void **state)
{
	static uint8_t got[ROOM];
	struct http_source src;
	size_t used;

	(void)state;
	for (int round = 0; round < 200; round++) {
		bool chunks = round % 2;

		make(chunks ? CHUNKED : SIZED, chunks ? 60 : 0);
		assert_int_equal(take_all(&src, chunks && round % 3 ? HTTP_UNKNOWN : BODY,
		                          1 + (size_t)rand() % 100, got, &used),
		                 BODY);
		assert_true(src.over && !src.bad);
		assert_int_equal(used, answer_len);
		assert_memory_equal(got, body, BODY);
		/* Another length than was said. */
		if (!chunks)
			continue;
		take_all(&src, BODY - 1, 100, got, &used);
		assert_true(src.bad);
		take_all(&src, BODY + 1, 100, got, &used);
		assert_true(src.bad);
	}
}

static void chunks_that_are_none_are_bad(void **state)
{
	static const char *const wrong[] = {
	    "x\r\nabc", "5\r\nabcdefgh", "ffffffffffffffffff\r\n", "-1\r\n",
	    "\r\n",     "5\r5abcde\r\n", "5\r\nabcde\rx0\r\n\r\n"};
	static uint8_t got[ROOM];
	struct http_source src;
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		answer_len = 0;
		say_text(CHUNKED);
		say_text(wrong[i]);
		take_all(&src, HTTP_UNKNOWN, 100, got, &used);
		if (!src.bad || src.over)
			fail_msg("%s", wrong[i]);
	}
}

int main(void)
{
	srand(7);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(chunks_go_on_wherever_they_are_cut),
	    cmocka_unit_test(a_length_goes_on),
	    cmocka_unit_test(what_is_not_known_is_not_gone_on_with),
	    cmocka_unit_test(nothing_is_added_to_what_was_said),
	    cmocka_unit_test(a_body_is_what_is_in_its_chunks),
	    cmocka_unit_test(chunks_that_are_none_are_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
