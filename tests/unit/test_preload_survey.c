/* SPDX-License-Identifier: MIT */
/* Who else has a socket: with real processes, some of which have much. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/survey.h"
#include "tests/unit/holder.h"

static uint64_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static int new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	return fd;
}

/* How many turns it takes; none is longer than it may be. */
static int run(struct survey *s)
{
	int turns = 1;

	for (uint64_t before = 0; !survey_turn(s); turns++) {
		assert_true(s->done - before <= SURVEY_STEPS);
		before = s->done;
		assert_true(turns < 100000);
	}
	return turns;
}

static void one_that_nobody_else_has_is_not_found(void **state)
{
	int b = new_socket();
	pid_t pid = holder(b, 0);
	int a = new_socket();
	struct survey s = {.inode = {inode_of(a), inode_of(b)}, .n = 2};

	(void)state;
	run(&s);
	assert_false(s.found[0]);
	assert_true(s.found[1]);
	holder_end(pid);
	s = (struct survey){.inode = {s.inode[0], s.inode[1]}, .n = 2};
	run(&s);
	assert_false(s.found[0]);
	assert_false(s.found[1]);
	close(a);
	close(b);
}

static void the_last_of_very_many_is_found_in_several_turns(void **state)
{
	int fd = new_socket();
	struct survey s = {.inode = {inode_of(fd)}, .n = 1};
	pid_t pid = holder(fd, 5 * SURVEY_STEPS + 7);

	(void)state;
	assert_true(run(&s) > 5);
	assert_true(s.found[0]);
	assert_false(s.blind);
	assert_true(s.done > 5 * SURVEY_STEPS);
	holder_end(pid);
	s = (struct survey){.inode = {s.inode[0]}, .n = 1};
	run(&s);
	assert_false(s.found[0]);
	close(fd);
}

static void one_that_ends_while_it_is_looked_at_holds_nobody_up(void **state)
{
	int fd = new_socket();
	struct survey s = {.inode = {inode_of(fd)}, .n = 1};
	int turns = 0;

	(void)state;
	close(fd);
	pid_t pid = holder(-1, 5 * SURVEY_STEPS);

	while (!(s.inside && s.pid == pid)) {
		assert_false(survey_turn(&s));
		assert_true(++turns < 100000);
	}
	holder_end(pid);
	run(&s);
	assert_false(s.inside);
	assert_false(s.found[0]);
}

static void where_there_are_too_many_somebody_has_it(void **state)
{
	int fd = new_socket(), n = 0;
	struct survey s = {.inode = {inode_of(fd)}, .n = 1};
	pid_t pid[12];

	(void)state;
	close(fd);
	while (n < 12)
		pid[n++] = holder(-1, 5 * SURVEY_STEPS);
	run(&s);
	assert_true(s.found[0]);
	assert_true(s.blind);
	assert_true(s.done <= SURVEY_LINKS + SURVEY_STEPS);
	while (n)
		holder_end(pid[--n]);
}

static void numbers_that_begin_anew_are_a_new_beginning(void **state)
{
	int fd = new_socket();
	struct survey s = {.inode = {inode_of(fd)}, .n = 1, .newest = 1 << 30};

	(void)state;
	run(&s);
	assert_int_equal(s.rounds, 1);
	assert_false(s.found[0]);
	close(fd);
}

int main(int argc, char **argv)
{
	struct rlimit many;
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_that_nobody_else_has_is_not_found),
	    cmocka_unit_test(the_last_of_very_many_is_found_in_several_turns),
	    cmocka_unit_test(one_that_ends_while_it_is_looked_at_holds_nobody_up),
	    cmocka_unit_test(where_there_are_too_many_somebody_has_it),
	    cmocka_unit_test(numbers_that_begin_anew_are_a_new_beginning),
	};

	if (argc == 1)
		go_apart(argv[0]);
	getrlimit(RLIMIT_NOFILE, &many);
	many.rlim_cur = many.rlim_max;
	setrlimit(RLIMIT_NOFILE, &many);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
