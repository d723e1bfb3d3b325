/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "preload/first.h"

static enum first of(const char *s)
{
	return first_of((const uint8_t *)s, strlen(s));
}

static void what_is_known_is_told(void **state)
{
	(void)state;
	assert_int_equal(of("GET / HTTP/1.1\r\n"), FIRST_HTTP);
	assert_int_equal(of("POST /a"), FIRST_HTTP);
	assert_int_equal(of("OPTIONS * HTTP/1.1"), FIRST_HTTP);
	assert_int_equal(of("GET http://example.org/ HTTP/1.1"), FIRST_HTTP);
	assert_int_equal(of("SSH-2.0-OpenSSH_9.2\r\n"), FIRST_SSH);
	assert_int_equal(first_of((const uint8_t *)"\x16\3\1\2\0\1\0\1\xfc\3\3", 11), FIRST_TLS);
	assert_string_equal(first_name(FIRST_TLS), "TLS");
	assert_string_equal(first_name(FIRST_UNKNOWN), "");
}

static void all_else_is_unknown(void **state)
{
	static const char *const other[] = {
	    "",
	    "G",
	    "GET",
	    "GET ",
	    "GET key\r\n",
	    "get / HTTP/1.1",
	    "GET\t/",
	    "EHLO x\r\n",
	    "PRI * HTTP/2.0",
	    "SSH-1.5-x",
	    "SSH-2",
	    "*1\r\n$4\r\nPING\r\n",
	    "set a 0 0 1\r\n",
	    "CONNECT h:443 HTTP/1.1",
	    "COPY t FROM stdin",
	    "LOCK t",
	    "GET https://example.org/",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++)
		assert_int_equal(of(other[i]), FIRST_UNKNOWN);
	/* No ClientHello: an alert, too short a record, a ServerHello, SSL 2. */
	assert_int_equal(first_of((const uint8_t *)"\x15\3\1\2\0\1\0\1\xfc", 9), FIRST_UNKNOWN);
	assert_int_equal(first_of((const uint8_t *)"\x16\3\1\0\5\1\0\1\xfc", 9), FIRST_UNKNOWN);
	assert_int_equal(first_of((const uint8_t *)"\x16\3\1\2\0\2\0\1\xfc", 9), FIRST_UNKNOWN);
	assert_int_equal(first_of((const uint8_t *)"\x16\3\1\2\0\1", 6), FIRST_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_known_is_told),
	    cmocka_unit_test(all_else_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
