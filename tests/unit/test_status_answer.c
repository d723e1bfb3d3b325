/* SPDX-License-Identifier: MIT */
/* Which answers `mifcont status` believes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Of the command line tool, whose objects no other test needs. */
#include "cli/valid.c"

#define FLOW                                                                                       \
	"{\"id\":1,\"fd\":5,\"proto\":\"tcp\",\"peer\":\"10.9.0.2:80\",\"continuity\":"            \
	"\"session\",\"state\":\"stable\",\"covered\":true,\"path\":{\"interface\":\"wlan0\","     \
	"\"source\":\"10.1.0.2\"},\"relay\":null,\"standby\":null,\"handovers\":3,\"sent\":1,"     \
	"\"received\":2,"                                                                          \
	"\"unconfirmed\":0,\"note\":\"\"}"
#define ANSWER                                                                                     \
	"{\"pid\":7,\"program\":\"curl\",\"policy\":\"(none)\",\"agent\":\"running\",\"flows\":"   \
	"[" FLOW "]}"

static int valid(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);
	const char *why = NULL;
	int r;

	assert_non_null(o);
	r = ask_valid(o, 7, &why);
	assert_true(r || why);
	json_decref(o);
	return r;
}

/* ANSWER with the first `from` replaced. */
static int valid_but(const char *from, const char *to)
{
	char text[2048];
	const char *at = strstr(ANSWER, from);

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - ANSWER), ANSWER, to, at + strlen(from));
	return valid(text);
}

static void the_agreed_form_is_taken(void **state)
{
	(void)state;
	assert_true(valid(ANSWER));
	assert_true(valid_but("\"relay\":null", "\"relay\":\"10.9.0.2:7343\""));
	assert_true(valid_but(FLOW, ""));
	assert_true(valid_but(FLOW, FLOW "," FLOW));
	/* A flow whose program closed it has no descriptor any more. */
	assert_true(valid_but("\"fd\":5", "\"fd\":-1"));
	/* What a later version says more is no harm. */
	assert_true(valid_but("\"id\":1", "\"id\":1,\"more\":{}"));
}

static void every_field_is_looked_at(void **state)
{
	static const char *const wrong[][2] = {
	    {"\"pid\":7", "\"pid\":8"},
	    {"\"pid\":7", "\"pid\":\"7\""},
	    {"\"program\":\"curl\"", "\"program\":1"},
	    {"\"policy\":\"(none)\"", "\"policy\":[]"},
	    {"\"agent\":", "\"agents\":"},
	    {"[" FLOW "]", "{}"},
	    {FLOW, "1"},
	    {FLOW, "null"},
	    {FLOW, FLOW ",{}"},
	    {"\"id\":1", "\"id\":1.5"},
	    {"\"fd\":5", "\"fd\":-2"},
	    {"\"fd\":5", "\"fd\":\"5\""},
	    {"\"tcp\"", "\"sctp\""},
	    {"\"10.9.0.2:80\"", "80"},
	    {"\"session\"", "\"ever\""},
	    {"\"stable\"", "\"stable \""},
	    {"true", "1"},
	    {"{\"interface\":\"wlan0\",\"source\":\"10.1.0.2\"}", "\"wlan0\""},
	    {"\"source\":", "\"target\":"},
	    {"\"relay\":null", "\"relay\":5"},
	    {"\"relay\":null,", ""},
	    {"\"standby\":null", "\"standby\":true"},
	    {"\"handovers\":3", "\"handovers\":-3"},
	    {"\"sent\":1", "\"sent\":null"},
	    {"\"received\":2", "\"received\":\"2\""},
	    {"\"unconfirmed\":0", "\"unconfirmed\":-1"},
	    {"\"note\":\"\"", "\"note\":null"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (valid_but(wrong[i][0], wrong[i][1]))
			fail_msg("taken: %s", wrong[i][1]);
	assert_false(valid("[]"));
	assert_false(valid("{}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_agreed_form_is_taken),
	    cmocka_unit_test(every_field_is_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
