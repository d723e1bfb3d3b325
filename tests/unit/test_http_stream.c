/* SPDX-License-Identifier: MIT */
/* What is known of a connection, and what a handover would do, after each piece of an exchange. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/plan.h"

static struct http_stream s;

#define GET "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

/* What goes to the server begins with '>', what comes from it with '<'; the way after it. */
struct step {
	const char *bytes;
	enum http_way way;
};

struct exchange {
	const char *name;
	struct step step[12];
};

static const struct exchange exchanges[] = {
    {"nothing", {{"", HTTP_IDLE}}},
    {"a download",
     {{">GET /a HT", HTTP_AGAIN},
      {">TP/1.1\r\nHost: h\r\n\r\n", HTTP_AGAIN},
      {"<HTTP/1.1 200 OK\r\nContent-Le", HTTP_SAME},
      {"<ngth: 5\r\n\r\n", HTTP_REST},
      {"<1234", HTTP_REST},
      {"<5", HTTP_IDLE},
      {">" GET, HTTP_AGAIN}}},
    {"answers without a body",
     {{">" GET, HTTP_AGAIN},
      {"<HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", HTTP_IDLE},
      {">" GET, HTTP_AGAIN},
      {"<HTTP/1.1 204 No Content\r\n\r\n", HTTP_IDLE},
      {">HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n", HTTP_AGAIN},
      {"<HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", HTTP_IDLE},
      {">HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n", HTTP_AGAIN},
      {"<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_IDLE},
      {">" GET, HTTP_AGAIN},
      {"<HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", HTTP_IDLE}}},
    {"chunks",
     {{">" GET, HTTP_AGAIN},
      {"<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_REST},
      {"<5\r\nabcde\r\n1", HTTP_REST},
      {"<0;", HTTP_LOST},
      {"<x=y\r", HTTP_LOST},
      {"<\n0123456789abcdef", HTTP_REST},
      {"<\r\n0\r\n", HTTP_REST},
      {"<T", HTTP_LOST},
      {"<railer: x\r\n", HTTP_LOST},
      {"<\r\n", HTTP_IDLE}}},
    {"chunks to who may not ask twice",
     {{">POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", HTTP_LOST},
      {"<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", HTTP_LOST}}},
    {"to the end of the connection",
     {{">GET /a HTTP/1.0\r\n\r\n", HTTP_AGAIN},
      {"<HTTP/1.0 200 OK\r\n\r\n", HTTP_REST},
      {"<and so on", HTTP_REST}}},
    {"the last answer of a connection",
     {{">" GET, HTTP_AGAIN},
      {"<HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n", HTTP_REST},
      {"<ab", HTTP_LEAVE}}},
    {"a request that is not made twice",
     {{">POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n", HTTP_LOST},
      {">abc", HTTP_LOST},
      {"<HTTP/1.1 200 OK\r\n", HTTP_LOST},
      {"<Content-Length: 3\r\n\r\nabc", HTTP_IDLE},
      {">PATCH /a HTTP/1.1\r\nHost: h\r\n\r\n", HTTP_LOST}}},
    {"one that waits to be told",
     {{">POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
       HTTP_AGAIN},
      {"<HTTP/1.1 100 Continue\r\n\r\n", HTTP_LOST},
      {">abc", HTTP_LOST},
      {"<HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", HTTP_IDLE}}},
    {"one that stopped waiting",
     {{">POST /a HTTP/1.1\r\nexpeCT:100-continue\r\nContent-Length: 3\r\n\r\n", HTTP_AGAIN},
      {">a", HTTP_LOST}}},
    {"an upload that may be made twice",
     {{">PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", HTTP_AGAIN},
      {">ab", HTTP_AGAIN},
      {"<HTTP/1.1 100 Continue\r\n\r\n", HTTP_AGAIN},
      {">cde", HTTP_AGAIN},
      {"<HTTP/1.1 201 Created\r\n", HTTP_LOST},
      {"<Content-Length: 1\r\n\r\n", HTTP_LOST},
      {"<x", HTTP_IDLE},
      {">PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", HTTP_AGAIN},
      {">0\r\n\r\n", HTTP_AGAIN},
      {"<HTTP/1.1 204 No Content\r\n\r\n", HTTP_IDLE}}},
    {"answered before it is whole",
     {{">PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", HTTP_AGAIN},
      {"<HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", HTTP_LOST},
      {">12345", HTTP_IDLE}}},
    {"one behind the other",
     {{">" GET GET, HTTP_AGAIN},
      {"<HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", HTTP_REST},
      {">" GET "HEAD / HTTP", HTTP_REST},
      {"<bHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", HTTP_REST},
      {"<b", HTTP_AGAIN},
      {">/1.1\r\n\r\n", HTTP_AGAIN},
      {"<HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", HTTP_AGAIN},
      {"<HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", HTTP_IDLE}}},
    {"one behind the other, and not made twice",
     {{">" GET "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", HTTP_LOST},
      {"<HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", HTTP_LOST}}},
    {"through a proxy",
     {{">GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n", HTTP_AGAIN},
      {"<HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", HTTP_REST}}},
    {"a tunnel", {{">CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", HTTP_LEAVE}}},
    {"another protocol after it",
     {{">GET / HTTP/1.1\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", HTTP_AGAIN},
      {"<HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", HTTP_LEAVE}}},
    {"another protocol refused",
     {{">GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", HTTP_AGAIN},
      {"<HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", HTTP_IDLE}}},
    {"nobody has asked", {{"<HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n", HTTP_LEAVE}}},
    {"not HTTP", {{">EHLO me\r\n", HTTP_LEAVE}}},
    {"HTTP/2", {{">PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP_LEAVE}}},
    {"an answer that is none", {{">" GET, HTTP_AGAIN}, {"<SSH-2.0-x\r\n", HTTP_LEAVE}}},
    {"two lengths",
     {{">" GET, HTTP_AGAIN},
      {"<HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", HTTP_LEAVE}}},
    {"a length and chunks",
     {{">" GET, HTTP_AGAIN},
      {"<HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_LEAVE}}},
    {"coded otherwise",
     {{">" GET, HTTP_AGAIN},
      {"<HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n123", HTTP_REST},
      {"<45", HTTP_REST}}},
    {"news before the answer",
     {{">" GET, HTTP_AGAIN},
      {"<HTTP/1.1 103 Early Hints\r\nLink: x\r\n", HTTP_SAME},
      {"<\r\n", HTTP_AGAIN},
      {"<HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", HTTP_REST}}},
};

static void feed(const char *step, size_t most)
{
	const char *p = step + 1;
	size_t left = *step ? strlen(p) : 0;

	while (left) {
		size_t n = most == 1 ? 1 : 1 + (size_t)rand() % most;

		n = n < left ? n : left;
		(*step == '>' ? http_wrote : http_read)(&s, p, n);
		p += n;
		left -= n;
	}
}

static void each_step_leads_where_it_should(void **state)
{
	(void)state;
	for (int round = 0; round < 50; round++)
		for (size_t e = 0; e < sizeof(exchanges) / sizeof(*exchanges); e++) {
			http_begin(&s);
			for (const struct step *t = exchanges[e].step; t->bytes; t++) {
				struct http_plan p;

				feed(t->bytes, round == 0 ? 100000 : round == 1 ? 1 : 20);
				http_plan(&s, 0, HTTP_UNKNOWN, &p);
				if (p.way != t->way)
					fail_msg("%s, round %d: after \"%s\" %d instead of %d (%s)",
					         exchanges[e].name, round, t->bytes, p.way, t->way,
					         p.why ? p.why : "-");
			}
		}
}

static void what_is_sent_again_begins_with_the_request(void **state)
{
	struct http_plan p;
	const size_t get = strlen(GET);

	(void)state;
	http_begin(&s);
	feed(">" GET GET GET, 7);
	http_plan(&s, 0, HTTP_UNKNOWN, &p);
	assert_int_equal(p.way, HTTP_AGAIN);
	assert_int_equal(p.replay, 0);
	feed("<HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", 7);
	http_plan(&s, 0, HTTP_UNKNOWN, &p);
	assert_int_equal(p.way, HTTP_REST);
	assert_int_equal(p.start, 0);
	assert_int_equal(p.end, get);
	assert_int_equal(p.replay, get);
	feed("<b", 7);
	http_plan(&s, 0, HTTP_UNKNOWN, &p);
	assert_int_equal(p.way, HTTP_AGAIN);
	assert_int_equal(p.replay, get);
	/* What is kept begins behind it. */
	http_plan(&s, get + 1, HTTP_UNKNOWN, &p);
	assert_int_equal(p.way, HTTP_LOST);
	http_plan(&s, get, HTTP_UNKNOWN, &p);
	assert_int_equal(p.way, HTTP_AGAIN);
	feed("<HTTP/1.1 204 No\r\n\r\nHTTP/1.1 204 No\r\n\r\n", 7);
	http_plan(&s, 3 * get, HTTP_UNKNOWN, &p);
	assert_int_equal(p.way, HTTP_IDLE);
	assert_int_equal(p.replay, 3 * get);
}

/* What no server has seen may be sent, whatever it is. */
static void what_was_never_sent_is_not_made_twice(void **state)
{
	static const char post[] = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
	struct http_plan p;

	(void)state;
	http_begin(&s);
	http_wrote(&s, post, sizeof(post) - 1);
	http_wrote(&s, post, sizeof(post) - 3);
	http_plan(&s, 0, HTTP_UNKNOWN, &p);
	assert_int_equal(p.way, HTTP_LOST);
	http_plan(&s, 0, 0, &p);
	assert_int_equal(p.way, HTTP_AGAIN);
	assert_int_equal(p.replay, 0);
	/* Some of the first may have been seen; the second has not. */
	http_plan(&s, 0, 1, &p);
	assert_int_equal(p.way, HTTP_LOST);
	feed("<HTTP/1.1 204 No\r\n\r\n", 100);
	http_plan(&s, 0, 1, &p);
	assert_int_equal(p.way, HTTP_AGAIN);
	assert_int_equal(p.replay, sizeof(post) - 1);
	http_plan(&s, 0, sizeof(post), &p);
	assert_int_equal(p.way, HTTP_LOST);
}

static void too_much_is_opaque(void **state)
{
	struct http_plan p;

	(void)state;
	http_begin(&s);
	for (int i = 0; i < HTTP_ASKED; i++) {
		assert_false(http_opaque(&s));
		feed(">" GET, 100);
	}
	http_plan(&s, 0, HTTP_UNKNOWN, &p);
	assert_int_equal(p.way, HTTP_AGAIN);
	feed(">" GET, 100);
	assert_true(http_opaque(&s));

	http_begin(&s);
	feed(">" GET, 100);
	feed("<HTTP/1.1 200 OK\r\n", 100);
	for (int i = 0; i < HTTP_HEAD_MAX / 9; i++)
		feed("<Name: v\r\n", 100);
	assert_true(http_opaque(&s));
}

static void the_window_has_the_last_bytes(void **state)
{
	uint8_t body[1000], got[HTTP_WINDOW];

	(void)state;
	for (int round = 0; round < 200; round++) {
		size_t at = 0;

		http_begin(&s);
		feed(">" GET, 100);
		feed("<HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 100);
		for (size_t i = 0; i < sizeof(body); i++)
			body[i] = (uint8_t)rand();
		while (at < 999) {
			size_t n = 1 + (size_t)rand() % (round % 2 ? 400 : 50);
			size_t want = 1 + (size_t)rand() % HTTP_WINDOW;

			n = n < 999 - at ? n : 999 - at;
			http_read(&s, body + at, n);
			at += n;
			want = want < at ? want : at;
			assert_int_equal(http_window(&s.in, got, want), want);
			assert_memory_equal(got, body + at - want, want);
		}
	}
}

static void a_copy_is_what_was_copied(void **state)
{
	static struct http_stream copy;

	(void)state;
	http_begin(&s);
	feed(">" GET GET, 100);
	feed("<HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 100);
	assert_true(http_copy(&copy, &s));
	assert_int_equal(copy.in.count, s.in.count);
	assert_int_equal(copy.in.left, 7);
	assert_int_equal(atomic_load(&copy.asked), 2);
	assert_non_null(http_front(&copy));
	/* In the middle of a change there is no copy. */
	atomic_fetch_add(&s.in.changes, 1);
	assert_false(http_copy(&copy, &s));
}

int main(void)
{
	srand(7);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_step_leads_where_it_should),
	    cmocka_unit_test(what_is_sent_again_begins_with_the_request),
	    cmocka_unit_test(what_was_never_sent_is_not_made_twice),
	    cmocka_unit_test(too_much_is_opaque),
	    cmocka_unit_test(the_window_has_the_last_bytes),
	    cmocka_unit_test(a_copy_is_what_was_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
