/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "preload/opening.h"

static struct opening o;
static uint64_t read_so_far, written;

static void begin(const struct pol_rule *r)
{
	memset(&o, 0, sizeof(o));
	read_so_far = written = 0;
	opening_begin(&o, r);
}

static void say(const char *s, size_t n)
{
	opening_wrote(&o, s, n);
	written += n;
}

static void hear(const char *s, size_t n)
{
	opening_read(&o, s, n);
	read_so_far += n;
}

#define SAY(s) say(s, sizeof(s) - 1)
#define HEAR(s) hear(s, sizeof(s) - 1)

static const char *stands(void)
{
	return opening_stands(&o, read_so_far, written);
}

/* Says all there is to say, then hears this, byte by byte; how much of it was taken. */
static int again(struct opening_again *a, const char *want, const char *answer, size_t n)
{
	const char *p;
	size_t len;
	int took = 0;

	while ((p = opening_say(&o, a, &len)) != NULL) {
		size_t k = len > 3 ? 3 : len;

		assert_memory_equal(p, want, k);
		want += k;
		opening_said(&o, a, k);
	}
	assert_int_equal(*want, 0);
	while (took < (int)n && !opening_done(&o, a) && !opening_say(&o, a, &len)) {
		int k = opening_hear(&o, a, (const uint8_t *)answer + took, 1);

		if (k < 0)
			return k;
		took += k;
	}
	return took;
}

#define AGAIN(want, answer) again(&a, want, answer, sizeof(answer) - 1)

static const struct pol_rule redis = {.records = POL_RECORDS_RESP,
                                      .opening = POL_OPENING_RECORDED,
                                      .opening_words = "AUTH hello SELECT",
                                      .binding_words = "MULTI"};

static void a_login_is_said_again(void **state)
{
	struct opening_again a = {0};

	(void)state;
	begin(&redis);
	assert_string_equal(stands(), "its opening is not over");
	SAY("*2\r\n$4\r\nAUTH\r\n$3\r\nxyz\r\n");
	assert_non_null(stands());
	HEAR("+O");
	assert_non_null(stands());
	HEAR("K\r\n");
	assert_null(stands());
	SAY("*2\r\n$6\r\nselect\r\n$1\r\n3\r\n");
	HEAR("+OK\r\n");
	SAY("*1\r\n$4\r\nPING\r\n");
	assert_string_equal(stands(), "a request is not answered");
	HEAR("+PONG\r\n");
	assert_null(stands());
	HEAR(">2\r\n+a\r\n+b\r\n");
	assert_null(stands());
	assert_string_equal(opening_stands(&o, read_so_far + 1, written), "bytes that no hook saw");
	assert_int_equal(o.end, written - 14);
	/* The first answer and nothing behind it. */
	assert_int_equal(AGAIN("*2\r\n$4\r\nAUTH\r\n$3\r\nxyz\r\n", "+OK\r\nxx"), 5);
	assert_int_equal(AGAIN("*2\r\n$6\r\nselect\r\n$1\r\n3\r\n", "+OK\r\nxx"), 5);
	assert_true(opening_done(&o, &a));
	a = (struct opening_again){0};
	assert_int_equal(AGAIN("*2\r\n$4\r\nAUTH\r\n$3\r\nxyz\r\n", "-ERR\r\n"), -EPROTO);
}

static void what_changes_the_connection_later_binds_it(void **state)
{
	(void)state;
	begin(&redis);
	SAY("PING\r\n");
	HEAR("+PONG\r\n");
	assert_null(stands());
	SAY("SELECT 2\r\n");
	HEAR("+OK\r\n");
	assert_string_equal(stands(), "a word of its opening came again later");
	begin(&redis);
	SAY("PING\r\n");
	HEAR("+PONG\r\n");
	SAY("multi\r\n");
	HEAR("+OK\r\n");
	assert_string_equal(stands(), "a word that binds it to its connection");
}

static void answers_not_awaited_are_no_opening(void **state)
{
	(void)state;
	begin(&redis);
	SAY("AUTH x\r\nPING\r\n");
	HEAR("+OK\r\n+PONG\r\n");
	assert_string_equal(stands(), "the answers to its opening were not awaited");
	/* No secret is kept. */
	for (size_t i = 0; i < sizeof(o.bytes); i++)
		assert_int_equal(o.bytes[i], 0);
}

static void mqtt(void **state)
{
	static const struct pol_rule rule = {.records = POL_RECORDS_LENGTH,
	                                     .replay = POL_REPLAY_LENGTH_PREFIX,
	                                     .length = {.offset = 1, .width = POL_WIDTH_VARINT},
	                                     .opening = POL_OPENING_RECORDED};
	struct opening_again a = {0};

	(void)state;
	begin(&rule);
	SAY("\x10\4abcd");
	HEAR("\x20\2\0\0");
	SAY("\x30\2xy");
	assert_null(stands());
	assert_int_equal(o.end, 6);
	/* The session is there this time. */
	assert_int_equal(AGAIN("\x10\4abcd", "\x20\2\1\0\x30\1"), 4);
	assert_true(opening_done(&o, &a));
	a = (struct opening_again){0};
	assert_int_equal(AGAIN("\x10\4abcd", "\x20\2\0\5"), -EPROTO);
	a = (struct opening_again){0};
	assert_int_equal(AGAIN("\x10\4abcd", "\x20\3\0\0\0"), -EPROTO);
}

static void a_greeting_comes_first(void **state)
{
	static const struct pol_rule rule = {.records = POL_RECORDS_LINE,
	                                     .opening = POL_OPENING_RECORDED,
	                                     .opening_words = "EHLO HELO"};
	struct opening_again a = {0};

	(void)state;
	begin(&rule);
	HEAR("220 mail.example at 12:00\r\n");
	SAY("EHLO me\r\n");
	HEAR("250-mail.example\r\n250 SIZE 10\r\n");
	SAY("NOOP\r\n");
	assert_string_equal(stands(), "what was written last is not answered");
	HEAR("250 fine\r\n");
	assert_null(stands());
	assert_int_equal(AGAIN("", "220 mail.example at 12:34\r\nmore"), 27);
	assert_int_equal(AGAIN("EHLO me\r\n", "250-mail.example\r\n250 SIZE 11\r\n250 x"), 31);
	assert_true(opening_done(&o, &a));
	a = (struct opening_again){0};
	assert_int_equal(AGAIN("", "554 no\r\n"), -EPROTO);
}

static void a_script_is_the_policys(void **state)
{
	static const struct pol_rule rule = {.opening = POL_OPENING_SCRIPT,
	                                     .step = {{false, (char *)"220 *"},
	                                              {true, (char *)"HELO x\r\n"},
	                                              {false, (char *)"250 *"}},
	                                     .steps = 3};
	struct opening_again a = {0};

	(void)state;
	begin(&rule);
	SAY("anything");
	HEAR("220");
	assert_null(stands());
	assert_int_equal(AGAIN("", "banner\r\n220 hi\r\nxx"), 16);
	assert_int_equal(AGAIN("HELO x\r\n", "250-a\r\n250 b\r\nxx"), 14);
	assert_true(opening_done(&o, &a));
}

/* An answer of several lines is one, and no opening is needed. */
static void an_answer_has_an_end(void **state)
{
	static const struct pol_rule rule = {.records = POL_RECORDS_LINE,
	                                     .answer_ends = "END Stored NOT #"};
	struct opening_again a = {0};

	(void)state;
	begin(&rule);
	assert_null(stands());
	SAY("get a\r\n");
	assert_string_equal(stands(), "what was written last is not answered");
	HEAR("VALUE a 0 5\r\n");
	assert_string_equal(stands(), "an answer is not over");
	HEAR("hello\r\nEN");
	assert_string_equal(stands(), "the program has read a part of an answer");
	HEAR("D\r\n");
	assert_null(stands());
	assert_true(opening_done(&o, &a));
	SAY("set a 0 0 1\r\nx\r\n");
	HEAR("STORED\r\n");
	assert_null(stands());
	SAY("incr a 1\r\n");
	HEAR("12\r\n");
	assert_null(stands());
	HEAR("12a\r\n");
	assert_string_equal(stands(), "an answer is not over");
	HEAR("NOT_STORED\r\n");
	assert_null(stands());
	HEAR("ENDED\r\n");
	assert_string_equal(stands(), "an answer is not over");
}

static void what_is_too_long_is_none(void **state)
{
	static char big[OPENING_ROOM + 1];

	(void)state;
	begin(&redis);
	HEAR("$20000\r\n");
	hear(big, sizeof(big));
	assert_string_equal(stands(), "its opening is too long");
	begin(&redis);
	SAY("$20000\r\n");
	say(big, sizeof(big));
	/* No command of the opening is so long. */
	assert_int_equal(atomic_load(&o.state), OPENING_OVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_login_is_said_again),
	    cmocka_unit_test(what_changes_the_connection_later_binds_it),
	    cmocka_unit_test(answers_not_awaited_are_no_opening),
	    cmocka_unit_test(mqtt),
	    cmocka_unit_test(a_greeting_comes_first),
	    cmocka_unit_test(a_script_is_the_policys),
	    cmocka_unit_test(an_answer_has_an_end),
	    cmocka_unit_test(what_is_too_long_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
