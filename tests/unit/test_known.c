/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "session/known.h"

static uint8_t a[KDF_KEY] = {1}, b[KDF_KEY] = {2};
static char text[1024];

static enum known look(const char *name, const uint8_t key[KDF_KEY])
{
	return known_find(text, strlen(text), name, key);
}

static void what_was_written_is_found(void **state)
{
	char line[128];
	size_t n = known_line("relay.example:7343", a, line, sizeof(line));

	(void)state;
	assert_int_equal(line[n - 1], '\n');
	snprintf(text, sizeof(text), "# my relays\n\n%.*s", (int)n, line);
	assert_int_equal(look("relay.example:7343", a), KNOWN_SAME);
	assert_int_equal(look("relay.example:7343", b), KNOWN_OTHER);
	assert_int_equal(look("relay.example:734", a), KNOWN_NOT);
	assert_int_equal(look("relay.example:73433", a), KNOWN_NOT);
	/* Two relays behind one name. */
	size_t at = strlen(text);

	n = known_line("relay.example:7343", b, line, sizeof(line));
	snprintf(text + at, sizeof(text) - at, "%.*s", (int)n, line);
	assert_int_equal(look("relay.example:7343", a), KNOWN_SAME);
	assert_int_equal(look("relay.example:7343", b), KNOWN_SAME);
	assert_int_equal(known_line("relay.example:7343", a, line, n - 1), 0);
}

static void odd_lines_are_passed_over(void **state)
{
	char key[KEY_TEXT];

	(void)state;
	key_to_text(a, key);
	snprintf(text, sizeof(text),
	         "x:1\nx:1 nonsense\nx:1 %.20s\n#x:1 %s\n  y:1\t %s # home\r\nz:1 %s", key, key,
	         key, key);
	assert_int_equal(look("x:1", a), KNOWN_NOT);
	assert_int_equal(look("y:1", a), KNOWN_SAME);
	assert_int_equal(look("z:1", a), KNOWN_SAME);
	assert_int_equal(look("", a), KNOWN_NOT);
	text[0] = 0;
	assert_int_equal(look("x:1", a), KNOWN_NOT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_written_is_found),
	    cmocka_unit_test(odd_lines_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
