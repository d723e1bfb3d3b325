/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "preload/records.h"

struct seen {
	unsigned n;
	uint64_t end[32];
	char word[32][RECORDS_WORD];
};

/* All of a text, in pieces of `piece` bytes. */
static struct records scan(enum pol_records kind, const struct pol_length *l, const void *text,
                           size_t n, size_t piece, struct seen *s)
{
	const uint8_t *p = text;
	struct records r = {0};

	memset(s, 0, sizeof(*s));
	for (size_t at = 0; at < n;) {
		size_t most = piece - at % piece;
		size_t took = records_take(&r, kind, l, p + at, most < n - at ? most : n - at);

		assert_true(took > 0);
		at += took;
		assert_int_equal(r.at, at);
		if (records_whole(&r)) {
			s->end[s->n] = at;
			strcpy(s->word[s->n++], r.word);
		}
	}
	return r;
}

static void ends(enum pol_records kind, const struct pol_length *l, const void *text, size_t n,
                 const char *want)
{
	struct seen s;
	char got[512];

	for (size_t piece = 1; piece <= n; piece++) {
		struct records r = scan(kind, l, text, n, piece, &s);
		size_t len = 0;

		got[0] = 0;
		for (unsigned i = 0; i < s.n; i++)
			len += (size_t)snprintf(got + len, sizeof(got) - len, "%llu%s%s ",
			                        (unsigned long long)s.end[i],
			                        s.word[i][0] ? ":" : "", s.word[i]);
		if (r.bad)
			snprintf(got + len, sizeof(got) - len, "bad");
		assert_string_equal(got, want);
	}
}

#define TEXT(s) s, sizeof(s) - 1

static void lines(void **state)
{
	(void)state;
	ends(POL_RECORDS_LINE, NULL, TEXT("a b\n\nEHLO x\r\n250-X\nrest"), "4:A 5 13:EHLO 19:250 ");
	ends(POL_RECORDS_LINE, NULL, TEXT("a-word-of-more-than-all-there-is-room-for\n"), "42:A ");
	ends(POL_RECORDS_LINE, NULL, TEXT("averyveryverylongwordindeed\n"), "28:AVERYVERYVERYLO ");
}

static void lengths(void **state)
{
	struct pol_length l = {.width = 2};

	(void)state;
	ends(POL_RECORDS_LENGTH, &l, TEXT("\0\3abc\0\0\0\1x\0"), "5 7 10 ");
	l.little = true;
	ends(POL_RECORDS_LENGTH, &l, TEXT("\3\0abc\0\0\1\0x\0"), "5 7 10 ");
	/* PostgreSQL: a type, then a length that counts itself. */
	l = (struct pol_length){.offset = 1, .width = 4, .counts = POL_COUNTS_FIELD};
	ends(POL_RECORDS_LENGTH, &l, TEXT("Q\0\0\0\6a\0X\0\0\0\4"), "7 12 ");
	ends(POL_RECORDS_LENGTH, &l, TEXT("Q\0\0\0\3a\0X\0\0\0\4"), "bad");
	l = (struct pol_length){.offset = 2, .width = 1, .counts = POL_COUNTS_RECORD};
	ends(POL_RECORDS_LENGTH, &l, TEXT("ab\5xyab\3"), "5 8 ");
	ends(POL_RECORDS_LENGTH, &l, TEXT("ab\2xyab\3"), "bad");
	/* MQTT: CONNECT of 130 bytes would be 0x82 0x01. */
	l = (struct pol_length){.offset = 1, .width = POL_WIDTH_VARINT};
	ends(POL_RECORDS_LENGTH, &l, TEXT("\xc0\0\x30\2ab\xe0\x80\0\x30\1c"), "2 6 9 12 ");
	ends(POL_RECORDS_LENGTH, &l, TEXT("\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), "bad");
	l = (struct pol_length){.width = POL_WIDTH_DECIMAL};
	ends(POL_RECORDS_LENGTH, &l, TEXT("5 <1>ab12 0123456789ab0 1"), "7 22 24 ");
	ends(POL_RECORDS_LENGTH, &l, TEXT("<13>no count"), "bad");
	ends(POL_RECORDS_LENGTH, &l, TEXT(" 1"), "bad");
	l = (struct pol_length){.width = 8};
	ends(POL_RECORDS_LENGTH, &l, TEXT("\xff\xff\xff\xff\xff\xff\xff\xff..."), "bad");
}

static void redis(void **state)
{
	(void)state;
	ends(POL_RECORDS_RESP, NULL,
	     TEXT("*2\r\n$4\r\nauth\r\n$6\r\nse\ncre\r\nPING\r\n*1\r\n$4\r\nPING\r\n"),
	     "26:AUTH 32:PING 46:PING ");
	/* Answers. */
	ends(POL_RECORDS_RESP, NULL,
	     TEXT("+OK\r\n-ERR no\r\n:12\r\n$-1\r\n$0\r\n\r\n*-1\r\n*0\r\n"),
	     "5:OK 14:ERR 19:12 24 30 35 39 ");
	ends(POL_RECORDS_RESP, NULL,
	     TEXT("*2\r\n*1\r\n:1\r\n$1\r\nx\r\n%1\r\n+a\r\n:1\r\n>1\r\n+b\r\n+c\r\n"),
	     "19:1 31:A 39:B 43:C ");
	ends(POL_RECORDS_RESP, NULL, TEXT("*x\r\n"), "bad");
	ends(POL_RECORDS_RESP, NULL, TEXT("$99999999999999999999\r\n"), "bad");
	ends(POL_RECORDS_RESP, NULL, TEXT("*999999999999\r\n"), "bad");
	ends(POL_RECORDS_RESP, NULL, TEXT("\r\nPING\n"), "2 7:PING ");
}

static void what_is_long_needs_no_look(void **state)
{
	struct pol_length l = {.width = 8};
	struct records r = {0};
	static uint8_t big[1 << 16];

	(void)state;
	assert_int_equal(
	    records_take(&r, POL_RECORDS_LENGTH, &l, (const uint8_t *)"\0\0\0\0\1\0\0\0", 8), 8);
	for (int i = 0; i < 255; i++)
		assert_int_equal(records_take(&r, POL_RECORDS_LENGTH, &l, big, sizeof(big)),
		                 sizeof(big));
	assert_false(records_whole(&r));
	assert_int_equal(records_take(&r, POL_RECORDS_LENGTH, &l, big, sizeof(big)), sizeof(big));
	assert_true(records_whole(&r));
	assert_int_equal(r.at, 8 + (1u << 24));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines),
	    cmocka_unit_test(lengths),
	    cmocka_unit_test(redis),
	    cmocka_unit_test(what_is_long_needs_no_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
