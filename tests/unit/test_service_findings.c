/* SPDX-License-Identifier: MIT */
/* Findings of one user's processes are for that user's processes, for a while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "service/findings.h"

static struct findings f;

static void put(uid_t user, uint64_t question, int ifindex, unsigned says, int64_t now)
{
	struct shared_check c = {.question = question, .ifindex = ifindex, .says = says};

	findings_put(&f, user, &c, now);
}

/* What the user is told, the `says` one after the other as digits. */
static const char *told(uid_t user, int64_t now)
{
	static char text[FINDINGS + 1];
	struct shared_check c;
	unsigned at = 0;
	size_t n = 0;

	while (findings_next(&f, user, now, &at, &c))
		text[n++] = (char)('0' + c.says);
	text[n] = 0;
	return text;
}

static void each_user_his_own(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	put(1, 7, 2, 4, 1000);
	put(1, 7, 3, 3, 1000);
	put(2, 7, 2, 1, 1000);
	assert_string_equal(told(1, 1000), "43");
	assert_string_equal(told(2, 1000), "1");
	assert_string_equal(told(3, 1000), "");
	/* The same question again. */
	put(1, 7, 2, 2, 2000);
	assert_string_equal(told(1, 2000), "23");
	findings_forget(&f, 2);
	assert_string_equal(told(1, 2000), "3");
	assert_string_equal(told(2, 2000), "");
}

static void they_age(void **state)
{
	struct shared_check c;
	unsigned at = 0;

	(void)state;
	memset(&f, 0, sizeof(f));
	put(1, 7, 2, 4, 1000);
	put(1, 7, 3, 0, 1000);
	assert_true(findings_next(&f, 1, 4000, &at, &c));
	assert_int_equal(c.age_ms, 3000);
	assert_string_equal(told(1, 5999), "40");
	assert_string_equal(told(1, 6000), "4");
	assert_string_equal(told(1, 600999), "4");
	assert_string_equal(told(1, 601000), "");
}

static void the_oldest_makes_room(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	for (int i = 0; i < FINDINGS; i++)
		put(1, (uint64_t)i, 2, 4, 1000 + i);
	put(2, 9, 2, 3, 5000);
	assert_int_equal(strlen(told(1, 5000)), FINDINGS - 1);
	assert_string_equal(told(2, 5000), "3");
}

static void a_message_there_and_back(void **state)
{
	struct shared_check c = {.question = 0x1122334455667788, .ifindex = 3, .says = 4}, got;
	uint32_t buf[SHARED_MESSAGE / sizeof(uint32_t)];
	size_t len = shared_check(buf, &c);

	(void)state;
	assert_true(shared_checked(buf, len, &got));
	assert_memory_equal(&c, &got, sizeof(c));
	assert_false(shared_checked(buf, len - 1, &got));
	c.ifindex = -1;
	assert_false(shared_checked(buf, shared_check(buf, &c), &got));
	assert_false(shared_checked(buf, shared_ask(buf, 3), &got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_user_his_own),
	    cmocka_unit_test(they_age),
	    cmocka_unit_test(the_oldest_makes_room),
	    cmocka_unit_test(a_message_there_and_back),
	};

	return cmocka_run_group_tests_name("findings", tests, NULL, NULL);
}
