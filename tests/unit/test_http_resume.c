/* SPDX-License-Identifier: MIT */
/* Which downloads can be gone on with, what is asked for, and which answers are believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "http/resume.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define PART "HTTP/1.1 206 Partial Content\r\n"
#define LENGTH "Content-Length: 100\r\n"
#define TAG "ETag: \"x-1\"\r\n"
#define CHANGED "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define LATER "Date: Sun, 06 Nov 1994 08:50:37 GMT\r\n"
#define SOON "Date: Sun, 06 Nov 1994 08:50:36 GMT\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define END "\r\n"

static void head_of(struct http_head *h, const char *text)
{
	if (!http_head_read(h, text, strlen(text), false))
		fail_msg("no head: %s", text);
}

static void only_what_is_identified_is_gone_on_with(void **state)
{
	static const struct {
		const char *head;
		uint64_t got;
		bool can;
	} table[] = {
	    {OK LENGTH TAG END, 0, true},
	    {OK LENGTH TAG END, 99, true},
	    {OK LENGTH TAG END, 100, false},
	    {OK TAG END, 5, true},
	    {OK LENGTH CHANGED LATER END, 5, true},
	    {OK LENGTH CHANGED SOON END, 5, false},
	    {OK LENGTH CHANGED END, 5, false},
	    {OK LENGTH LATER END, 5, false},
	    {OK LENGTH END, 5, false},
	    {OK LENGTH "ETag: W/\"x-1\"\r\n" END, 5, false},
	    {OK LENGTH "ETag: W/\"x-1\"\r\n" CHANGED LATER END, 5, false},
	    {OK LENGTH "ETag: x-1\r\n" CHANGED LATER END, 5, false},
	    {OK LENGTH "ETag: \"x\"1\"\r\n" END, 5, false},
	    {OK LENGTH "ETag: \"\"\r\n" END, 5, true},
	    {OK LENGTH "ETag:\r\n" END, 5, false},
	    {OK LENGTH TAG TAG END, 5, false},
	    {OK LENGTH "ETag: \"x\r\n -1\"\r\n" END, 5, false},
	    {OK LENGTH "Last-Modified: Sunday, 06-Nov-94 08:49:37 GMT\r\n" LATER END, 5, false},
	    {OK LENGTH "Last-Modified: Sun, 06 Nov 1994 08:49:3x GMT\r\n" LATER END, 5, false},
	    {OK LENGTH "Last-Modified: Sun, 06 Xxx 1994 08:49:37 GMT\r\n" LATER END, 5, false},
	    {OK CHUNKED TAG END, 5, true},
	    {OK CHUNKED END, 5, false},
	    {OK "Transfer-Encoding: CHUNKED \r\n" TAG END, 5, true},
	    {OK CHUNKED CHUNKED TAG END, 5, false},
	    {OK "Transfer-Encoding: gzip, chunked\r\n" TAG END, 5, false},
	    {OK CHUNKED TAG "Trailer: Digest\r\n" END, 5, false},
	    {PART CHUNKED TAG "Content-Range: bytes 50-149/200\r\n" END, 100, true},
	    {PART CHUNKED TAG "Content-Range: bytes 50-149/200\r\n" END, 101, false},
	    {OK "Transfer-Encoding: gzip\r\n" TAG END, 5, false},
	    {OK LENGTH TAG "Content-Range: bytes 0-99/100\r\n" END, 5, false},
	    {PART LENGTH TAG "Content-Range: bytes 50-149/200\r\n" END, 5, true},
	    {PART LENGTH TAG "Content-Range: bytes 50-149/*\r\n" END, 5, true},
	    {PART LENGTH TAG "Content-Range: bytes 50-150/200\r\n" END, 5, false},
	    {PART LENGTH TAG "Content-Range: bytes 50-149/149\r\n" END, 5, false},
	    {PART LENGTH TAG "Content-Range: bytes 50-149/200, x\r\n" END, 5, false},
	    {PART LENGTH TAG "Content-Range: lines 50-149/200\r\n" END, 5, false},
	    {PART LENGTH TAG "Content-Range: bytes 149-50/200\r\n" END, 5, false},
	    {PART LENGTH TAG "Content-Range: bytes 99999999999999999999-50/200\r\n" END, 5, false},
	    {PART LENGTH TAG "Content-Type: multipart/byteranges; boundary=x\r\n" END, 5, false},
	    {"HTTP/1.1 404 Not Found\r\n" LENGTH TAG END, 5, false},
	    {"HTTP/1.1 302 Found\r\n" LENGTH TAG END, 5, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct http_head h;
		struct http_rest r;

		head_of(&h, table[i].head);
		const char *why = http_rest(&h, table[i].got, &r);

		if (!why != table[i].can)
			fail_msg("%s%llu read: %s", table[i].head, (unsigned long long)table[i].got,
			         why ? why : "can");
	}
}

static void asked_is_for_the_rest(void **state)
{
	static const struct {
		const char *head, *request, *asked;
	} table[] = {
	    {OK LENGTH TAG END, "GET /a HTTP/1.1\r\nHost: h\r\nAccept: *\r\n\r\n",
	     "GET /a HTTP/1.1\r\nRange: bytes=7-\r\nIf-Range: \"x-1\"\r\nHost: h\r\nAccept: "
	     "*\r\n\r\n"},
	    {OK LENGTH CHANGED LATER END, "GET http://h/a HTTP/1.0\nHost: h\n\n",
	     "GET http://h/a HTTP/1.0\nRange: bytes=7-\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 "
	     "GMT\r\n"
	     "Host: h\n\n"},
	    {PART LENGTH TAG "Content-Range: bytes 0-99/200\r\n" END,
	     "GET /a HTTP/1.1\r\nRange: bytes=0-99\r\nHost: h\r\nif-range: y\r\n\r\n",
	     "GET /a HTTP/1.1\r\nRange: bytes=7-99\r\nIf-Range: \"x-1\"\r\nHost: h\r\n\r\n"},
	    {PART LENGTH TAG "Content-Range: bytes 0-99/100\r\n" END,
	     "GET /a HTTP/1.1\r\nHost: h\r\nRange: bytes=0-\r\n\r\n",
	     "GET /a HTTP/1.1\r\nRange: bytes=7-\r\nIf-Range: \"x-1\"\r\nHost: h\r\n\r\n"},
	    /* Ranges: that is another field. */
	    {OK LENGTH TAG END, "\r\nGET /a HTTP/1.1\r\nRanges: x\r\n\r\n",
	     "\r\nGET /a HTTP/1.1\r\nRange: bytes=7-\r\nIf-Range: \"x-1\"\r\nRanges: x\r\n\r\n"},
	    {OK LENGTH TAG END, "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n", ""},
	    {OK LENGTH TAG END, "GET /a HTTP/1.0\r\n\r\n", ""},
	    {OK LENGTH TAG END, "GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n", ""},
	    {OK LENGTH TAG END, "GET /a HTTP/1.1\r\nHost: h\r\nRange: bytes=0-\r\nRange: x\r\n\r\n",
	     "GET /a HTTP/1.1\r\nRange: bytes=7-\r\nIf-Range: \"x-1\"\r\nHost: h\r\n\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char asked[500];
		struct http_head h;
		struct http_rest r;

		head_of(&h, table[i].head);
		assert_null(http_rest(&h, 7, &r));
		const char *q = table[i].request;
		size_t n = http_ask_rest(q, strlen(q), &r, 7, asked, sizeof(asked) - 1);

		asked[n] = 0;
		assert_string_equal(asked, table[i].asked);
		/* Never past the room there is. */
		if (n)
			for (size_t room = 0; room < n; room++)
				assert_int_equal(http_ask_rest(q, strlen(q), &r, 7, asked, room),
				                 0);
	}
}

#define BYTES(range) "Content-Range: bytes " range "\r\n"
#define LEN(n) "Content-Length: " n "\r\n"

/* Of the old answer 40 bytes were read; asked is for those from byte 30 of it on. */
static void believed_is_what_says_the_same(void **state)
{
	static const struct {
		const char *old, *now;
		int64_t discard; /* -1: not believed */
	} table[] = {
	    {OK LENGTH TAG END, PART LEN("70") TAG BYTES("30-99/100") END, 0},
	    {OK LENGTH TAG END, OK LENGTH TAG END, 30},
	    /* Other ranges, other lengths. */
	    {OK LENGTH TAG END, PART LEN("71") TAG BYTES("29-99/100") END, -1},
	    {OK LENGTH TAG END, PART LEN("100") TAG BYTES("0-99/100") END, -1},
	    {OK LENGTH TAG END, PART LEN("69") TAG BYTES("30-98/100") END, -1},
	    {OK LENGTH TAG END, PART LEN("71") TAG BYTES("30-100/101") END, -1},
	    {OK LENGTH TAG END, PART LEN("70") TAG BYTES("30-99/101") END, -1},
	    {OK LENGTH TAG END, PART LEN("70") TAG BYTES("30-99/*") END, -1},
	    {OK LENGTH TAG END, PART LEN("69") TAG BYTES("30-99/100") END, -1},
	    {OK LENGTH TAG END, PART TAG BYTES("30-99/100") END, -1},
	    {OK LENGTH TAG END, PART LEN("70") TAG END, -1},
	    {OK LENGTH TAG END, PART LEN("70") TAG BYTES("30-99/100") BYTES("30-99/100") END, -1},
	    {OK LENGTH TAG END, OK LEN("101") TAG END, -1},
	    {OK LENGTH TAG END, OK TAG END, -1},
	    {OK LENGTH TAG END, OK LENGTH TAG BYTES("30-99/100") END, -1},
	    /* Other bytes, or nobody says. */
	    {OK LENGTH TAG END, PART LEN("70") BYTES("30-99/100") END, -1},
	    {OK LENGTH TAG END, PART LEN("70") "ETag: W/\"x-1\"\r\n" BYTES("30-99/100") END, -1},
	    {OK LENGTH TAG END, PART LEN("70") "ETag: \"x-2\"\r\n" BYTES("30-99/100") END, -1},
	    {OK LENGTH TAG END, PART LEN("70") TAG TAG BYTES("30-99/100") END, -1},
	    {OK LENGTH TAG END, OK LENGTH "ETag: \"x-2\"\r\n" END, -1},
	    {OK LENGTH TAG END, OK LENGTH END, -1},
	    {OK LENGTH TAG CHANGED END, PART LEN("70") TAG BYTES("30-99/100") END, 0},
	    {OK LENGTH TAG CHANGED END, PART LEN("70") TAG CHANGED BYTES("30-99/100") END, 0},
	    {OK LENGTH TAG CHANGED END,
	     PART LEN("70") TAG
	     "Last-Modified: Mon, 07 Nov 1994 08:49:37 GMT\r\n" BYTES("30-99/100") END,
	     -1},
	    {OK LENGTH CHANGED LATER END, PART LEN("70") CHANGED BYTES("30-99/100") END, 0},
	    {OK LENGTH CHANGED LATER END, PART LEN("70") BYTES("30-99/100") END, -1},
	    {OK LENGTH CHANGED LATER END, PART LEN("70") CHANGED TAG BYTES("30-99/100") END, -1},
	    {OK LENGTH CHANGED LATER END, OK LENGTH CHANGED SOON END, 30},
	    {OK LENGTH TAG "Content-Encoding: gzip\r\n" END,
	     PART LEN("70") TAG BYTES("30-99/100") "Content-Encoding: gzip\r\n" END, 0},
	    {OK LENGTH TAG "Content-Encoding: gzip\r\n" END,
	     PART LEN("70") TAG BYTES("30-99/100") END, -1},
	    {OK LENGTH TAG END,
	     PART LEN("70") TAG BYTES("30-99/100") "Content-Encoding: gzip\r\n" END, -1},
	    /* Another form. */
	    {OK LENGTH TAG END, PART TAG BYTES("30-99/100") CHUNKED END, 0},
	    {OK LENGTH TAG END, PART TAG BYTES("30-98/100") CHUNKED END, -1},
	    {OK LENGTH TAG END, OK TAG CHUNKED END, 30},
	    {OK LENGTH TAG END, OK TAG "Transfer-Encoding: gzip\r\n" END, -1},
	    {OK LENGTH TAG END, OK TAG CHUNKED CHUNKED END, -1},
	    {OK CHUNKED TAG END, PART TAG BYTES("30-99/100") CHUNKED END, 0},
	    {OK CHUNKED TAG END, PART LEN("70") TAG BYTES("30-99/100") END, 0},
	    {OK CHUNKED TAG END, PART LEN("70") TAG BYTES("30-99/101") END, -1},
	    {OK CHUNKED TAG END, PART LEN("70") TAG BYTES("30-99/*") END, -1},
	    {OK CHUNKED TAG END, PART LEN("70") TAG BYTES("29-98/99") END, -1},
	    {OK CHUNKED TAG END, PART LEN("70") "ETag: \"x-2\"\r\n" BYTES("30-99/100") END, -1},
	    {OK CHUNKED TAG END, PART LEN("70") BYTES("30-99/100") END, -1},
	    {OK CHUNKED TAG END, OK LENGTH TAG END, 30},
	    {OK CHUNKED TAG END, OK CHUNKED TAG END, 30},
	    {OK CHUNKED TAG END, OK TAG END, -1},
	    {OK CHUNKED TAG END, OK CHUNKED "ETag: \"x-2\"\r\n" END, -1},
	    {OK CHUNKED TAG END, OK CHUNKED TAG BYTES("30-99/100") END, -1},
	    {PART CHUNKED TAG BYTES("0-99/100") END, OK CHUNKED TAG END, 30},
	    {PART CHUNKED TAG BYTES("0-99/*") END, OK CHUNKED TAG END, -1},
	    {PART CHUNKED TAG BYTES("0-89/100") END, OK CHUNKED TAG END, -1},
	    {PART CHUNKED TAG BYTES("0-89/100") END, PART CHUNKED TAG BYTES("30-89/100") END, 0},
	    {PART CHUNKED TAG BYTES("0-89/100") END, PART CHUNKED TAG BYTES("30-99/100") END, -1},
	    {OK TAG END, PART CHUNKED TAG BYTES("30-99/100") "Connection: close\r\n" END, -1},
	    {OK LENGTH TAG END,
	     PART LEN("70")
	         TAG BYTES("30-99/100") "Content-Type: multipart/byteranges; boundary=x\r\n" END,
	     -1},
	    {OK LENGTH TAG END,
	     "HTTP/1.1 416 No\r\n" LEN("0") TAG "Content-Range: bytes */100\r\n" END, -1},
	    {OK LENGTH TAG END, "HTTP/1.1 304 Not Modified\r\n" TAG END, -1},
	    {OK LENGTH TAG END, "HTTP/1.1 101 Switching\r\n" TAG END, -1},
	    {OK LENGTH TAG END, "HTTP/1.1 401 Who\r\n" LENGTH TAG END, -1},
	    /* Until the connection ends. */
	    {OK TAG END, PART LEN("70") TAG BYTES("30-99/100") "Connection: close\r\n" END, 0},
	    {OK TAG END, PART LEN("70") TAG BYTES("30-99/100") END, -1},
	    {OK TAG END, PART LEN("60") TAG BYTES("30-89/100") "Connection: close\r\n" END, -1},
	    {OK TAG END, PART LEN("70") TAG BYTES("30-99/*") "Connection: close\r\n" END, -1},
	    {OK TAG END, OK LENGTH TAG "Connection: close\r\n" END, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct http_head old, now;
		struct http_rest r;
		uint64_t discard = 77, length = 77;

		head_of(&old, table[i].old);
		head_of(&now, table[i].now);
		assert_null(http_rest(&old, 40, &r));
		const char *why = http_judge(&old, &now, &r, 30, &discard, &length);
		int64_t is = why ? -1 : (int64_t)discard;

		if (is != table[i].discard)
			fail_msg("row %zu: %s%s-> %lld (%s)", i, table[i].old, table[i].now,
			         (long long)is, why ? why : "believed");
	}
}

/* What is known of how much is to come: of the rest, or of the whole. */
static void as_long_as_somebody_has_said(void **state)
{
	static const struct {
		const char *old, *now;
		uint64_t length;
	} table[] = {
	    {OK LENGTH TAG END, PART LEN("70") TAG BYTES("30-99/100") END, 70},
	    {OK LENGTH TAG END, PART TAG BYTES("30-99/100") CHUNKED END, 70},
	    {OK LENGTH TAG END, OK TAG CHUNKED END, 100},
	    {OK CHUNKED TAG END, PART TAG BYTES("30-99/100") CHUNKED END, 70},
	    {OK CHUNKED TAG END, OK LENGTH TAG END, 100},
	    {OK CHUNKED TAG END, OK CHUNKED TAG END, HTTP_UNKNOWN},
	    {PART CHUNKED TAG BYTES("0-99/100") END, OK CHUNKED TAG END, 100},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct http_head old, now;
		struct http_rest r;
		uint64_t discard, length = 77;

		head_of(&old, table[i].old);
		head_of(&now, table[i].now);
		assert_null(http_rest(&old, 40, &r));
		assert_null(http_judge(&old, &now, &r, 30, &discard, &length));
		assert_int_equal(length, table[i].length);
	}
}

/* The answer was a part itself: bytes 50 to 149 of 200. */
static void a_part_of_a_part(void **state)
{
	static const char old_head[] = PART LENGTH TAG BYTES("50-149/200") END;
	struct http_head old, now;
	struct http_rest r;
	uint64_t discard = 77, length = 77;

	(void)state;
	head_of(&old, old_head);
	assert_null(http_rest(&old, 40, &r));
	assert_int_equal(r.begin, 50);
	assert_int_equal(r.last, 149);
	head_of(&now, PART LEN("60") TAG BYTES("90-149/200") END);
	assert_null(http_judge(&old, &now, &r, 90, &discard, &length));
	assert_int_equal(discard, 0);
	head_of(&now, PART LEN("110") TAG BYTES("90-199/200") END);
	assert_non_null(http_judge(&old, &now, &r, 90, &discard, &length));
	/* More would come than the program was told. */
	head_of(&now, OK LEN("200") TAG END);
	assert_non_null(http_judge(&old, &now, &r, 90, &discard, &length));

	head_of(&old, PART LENGTH TAG BYTES("100-199/200") END);
	assert_null(http_rest(&old, 40, &r));
	assert_null(http_judge(&old, &now, &r, 140, &discard, &length));
	assert_int_equal(discard, 140);
}

static void no_head_is_read_past_its_end(void **state)
{
	static const char head[] = OK LENGTH TAG CHANGED END;
	struct http_head h;

	(void)state;
	for (size_t n = 0; n < sizeof(head) - 1; n++)
		assert_false(http_head_read(&h, head, n, false));
	assert_true(http_head_read(&h, head, sizeof(head) - 1, false));
	assert_false(http_head_read(&h, OK LENGTH END "x", strlen(OK LENGTH END "x"), false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_is_identified_is_gone_on_with),
	    cmocka_unit_test(asked_is_for_the_rest),
	    cmocka_unit_test(believed_is_what_says_the_same),
	    cmocka_unit_test(as_long_as_somebody_has_said),
	    cmocka_unit_test(a_part_of_a_part),
	    cmocka_unit_test(no_head_is_read_past_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
