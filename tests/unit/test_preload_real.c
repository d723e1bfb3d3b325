/* SPDX-License-Identifier: MIT */
/* Whether every function that hooks call is bound to what this libc has. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "preload/real.h"

static void *entry(const struct real_name *n)
{
	return *(void **)((char *)&real + n->at);
}

static void test_every_entry_has_a_name(void **state)
{
	(void)state;
	char named[sizeof(real) / sizeof(void *)] = {0};

	for (const struct real_name *n = real_names; n->name; n++) {
		assert_int_equal(n->at % sizeof(void *), 0);
		assert_int_equal(named[n->at / sizeof(void *)]++, 0);
	}
	for (size_t i = 0; i < sizeof(named); i++)
		assert_int_equal(named[i], 1);
}

static void test_early_entries_work(void **state)
{
	(void)state;
	int fd[2];
	char c = 'a';

	assert_int_equal(real.socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(real.write(fd[0], &c, 1), 1);
	c = 0;
	assert_int_equal(real.read(fd[1], &c, 1), 1);
	assert_int_equal(c, 'a');
	assert_int_equal(real.close(fd[0]), 0);
	assert_int_equal(real.close(fd[1]), 0);
	assert_int_equal(real.close(fd[1]), -1);
}

static void test_bound_to_libc(void **state)
{
	(void)state;
	int bound = 0;

	real_bind();
	for (const struct real_name *n = real_names; n->name; n++) {
		void *there = dlsym(RTLD_DEFAULT, n->name);

		if (!there)
			continue;
		if (entry(n) != there)
			fail_msg("%s is not bound", n->name);
		bound++;
	}
	/* The names are spelled as libc does: all but a few of the newest are there. */
	assert_true(bound > 80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_entry_has_a_name),
	    cmocka_unit_test(test_early_entries_work),
	    cmocka_unit_test(test_bound_to_libc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
