/* SPDX-License-Identifier: MIT */
/* Lists of addresses that freeaddrinfo() is to tell from the C library's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "preload/answers.h"

static struct addrinfo *numeric(const char *ip)
{
	struct addrinfo h = {.ai_flags = AI_NUMERICHOST}, *a;

	assert_int_equal(getaddrinfo(ip, "80", &h, &a), 0);
	return a;
}

static unsigned length(const struct addrinfo *a)
{
	unsigned n = 0;

	for (; a; a = a->ai_next)
		n++;
	return n;
}

static void joined_and_freed(void **state)
{
	struct addrinfo *part[2] = {numeric("10.1.0.1"), numeric("2001:db8::1")}, *all;
	unsigned n = length(part[0]) + length(part[1]), k = 0;
	char ip[INET6_ADDRSTRLEN];

	(void)state;
	all = answers_join(part, 2, "www.example");
	assert_non_null(all);
	assert_int_equal(length(all), n);
	assert_string_equal(all->ai_canonname, "www.example");
	for (const struct addrinfo *a = all; a; a = a->ai_next) {
		const struct addrinfo *was = k < length(part[0]) ? part[0] : part[1];

		assert_int_equal(a->ai_family, was->ai_family);
		assert_int_equal(a->ai_addrlen, was->ai_addrlen);
		assert_memory_equal(a->ai_addr, was->ai_addr, was->ai_addrlen);
		k++;
	}
	inet_ntop(AF_INET, &((struct sockaddr_in *)all->ai_addr)->sin_addr, ip, sizeof(ip));
	assert_string_equal(ip, "10.1.0.1");
	/* The C library's are its own. */
	assert_false(answers_free(part[0]));
	assert_false(answers_free(NULL));
	freeaddrinfo(part[0]);
	freeaddrinfo(part[1]);
	/* In two pieces, as POSIX has it. */
	struct addrinfo *rest = all->ai_next;

	all->ai_next = NULL;
	assert_true(answers_free(rest));
	assert_int_equal(all->ai_family, AF_INET);
	assert_true(answers_free(all));
}

static void as_many_as_there_is_room_for(void **state)
{
	struct addrinfo *one = numeric("10.1.0.1"), *list[300];
	unsigned n = 0;

	(void)state;
	while (n < 300 && (list[n] = answers_join(&one, 1, NULL)))
		n++;
	assert_int_equal(n, 256);
	assert_false(answers_free(one));
	assert_true(answers_free(list[100]));
	list[100] = answers_join(&one, 1, NULL);
	assert_non_null(list[100]);
	while (n)
		assert_true(answers_free(list[--n]));
	assert_null(answers_join(&one, 0, NULL));
	freeaddrinfo(one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(joined_and_freed),
	    cmocka_unit_test(as_many_as_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
