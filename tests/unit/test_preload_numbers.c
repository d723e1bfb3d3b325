/* SPDX-License-Identifier: MIT */
/* Who has the lowest free number, and how long the others wait. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/numbers.h"
#include "preload/own.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static pthread_t begin(void *(*run)(void *))
{
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, run, NULL), 0);
	return t;
}

/* First: the library has made nothing yet. */
static void a_program_that_is_left_alone_is_not_counted(void **state)
{
	(void)state;
	assert_false(atomic_load(&numbers_watched));
	assert_int_equal(numbers_enter(), 0);
	numbers_leave(0);
	numbers_hold();
	numbers_free();
	assert_true(atomic_load(&numbers_watched));
	unsigned at = numbers_enter();

	assert_int_not_equal(at, 0);
	numbers_leave(at);
}

static _Atomic bool over;
static _Atomic unsigned wrong, tries;

/* The lowest number while the main thread makes descriptors for the library. */
static void *opens(void *arg)
{
	int expected = open("/dev/null", O_RDONLY);

	(void)arg;
	close(expected);
	while (!atomic_load(&over)) {
		unsigned at = numbers_enter();
		int fd = open("/dev/null", O_RDONLY);

		numbers_leave(at);
		atomic_fetch_add(&tries, 1);
		atomic_fetch_add(&wrong, fd != expected);
		close(fd);
	}
	return NULL;
}

static void the_library_is_never_met_at_a_low_number(void **state)
{
	double until = now() + 0.5;

	(void)state;
	atomic_store(&over, false);
	pthread_t t = begin(opens);

	while (atomic_load(&tries) < 100)
		;
	for (int i = 0; now() < until || i < 1000; i++) {
		int fd[6] = {own_socket(AF_INET, SOCK_STREAM, 0),
		             own_open(AT_FDCWD, "/dev/null", O_RDONLY, 0)};

		assert_int_equal(own_pipe(fd + 2), 0);
		assert_int_equal(own_pair(fd + 4), 0);
		for (int k = 0; k < 6; k++) {
			assert_true(fd[k] >= 256);
			assert_int_equal(fcntl(fd[k], F_GETFD), FD_CLOEXEC);
			assert_true(own_intact(fd[k]));
			own_close(fd[k]);
			assert_int_equal(fcntl(fd[k], F_GETFD), -1);
			assert_false(own_is(fd[k]));
		}
	}
	atomic_store(&over, true);
	pthread_join(t, NULL);
	assert_int_equal(atomic_load(&wrong), 0);
	assert_int_equal(own_next(0), -1);
}

static _Atomic int waited; /* 1: entered */

static void *enters(void *arg)
{
	unsigned at = numbers_enter();

	(void)arg;
	atomic_store(&waited, 1);
	numbers_leave(at);
	return NULL;
}

static void who_enters_waits_until_they_are_free(void **state)
{
	struct timespec some = {0, 2000000};

	(void)state;
	for (int i = 0; i < 20; i++) {
		atomic_store(&waited, 0);
		numbers_hold();
		numbers_hold(); /* nested */
		pthread_t t = begin(enters);

		numbers_free();
		nanosleep(&some, NULL);
		/* Late it may be, on a busy machine, and have given up: not at once. */
		bool early = atomic_load(&waited);

		numbers_free();
		pthread_join(t, NULL);
		if (!early)
			return;
	}
	fail_msg("nobody waits");
}

static void nobody_waits_for_long_nor_again_for_the_same(void **state)
{
	(void)state;
	numbers_hold();
	double begun = now();
	pthread_t t = begin(enters);

	pthread_join(t, NULL); /* it would never return */
	double first = now() - begun;

	assert_true(first >= 0.09);
	/* A hundred more, of which none waits again. */
	begun = now();
	for (int i = 0; i < 100; i++) {
		t = begin(enters);
		pthread_join(t, NULL);
	}
	assert_true(now() - begun < 100 * 0.09);
	numbers_free();
}

static void who_never_leaves_is_waited_for_once(void **state)
{
	unsigned at = numbers_enter();
	double begun = now();

	(void)state;
	numbers_hold();
	numbers_free();
	double first = now() - begun;

	assert_true(first >= 0.01);
	begun = now();
	for (int i = 0; i < 500; i++) {
		numbers_hold();
		numbers_free();
	}
	assert_true(now() - begun < 500 * 0.01);
	numbers_leave(at);
	/* And when it has left after all, the next is waited for again. */
	numbers_hold();
	numbers_free();
	at = numbers_enter();
	begun = now();
	numbers_hold();
	numbers_free();
	assert_true(now() - begun >= 0.01);
	numbers_leave(at);
}

static _Atomic int handled;

static void handler(int sig)
{
	(void)sig;
	atomic_fetch_add(&handled, 1);
}

static void a_signal_comes_when_they_are_free_again(void **state)
{
	(void)state;
	signal(SIGUSR1, handler);
	numbers_hold();
	raise(SIGUSR1);
	assert_int_equal(atomic_load(&handled), 0);
	int fd = own_socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(atomic_load(&handled), 0);
	numbers_free();
	assert_int_equal(atomic_load(&handled), 1);
	own_close(fd);
	signal(SIGUSR1, SIG_DFL);
}

static void the_thread_that_has_them_enters_freely(void **state)
{
	(void)state;
	numbers_hold();
	assert_int_equal(numbers_enter(), 0);
	numbers_free();
}

static void *makes(void *arg)
{
	(void)arg;
	while (!atomic_load(&over)) {
		struct timespec some = {0, 20000};
		int fd = own_socket(AF_INET, SOCK_STREAM, 0);

		own_close(fd);
		nanosleep(&some, NULL);
	}
	return NULL;
}

/* As the process has it by pthread_atfork(). */
static void a_child_has_what_the_library_knows_and_nothing_else(void **state)
{
	static bool had[5000];
	int status, bad = 0;

	(void)state;
	for (int fd = 0; fd < 5000; fd++)
		had[fd] = fcntl(fd, F_GETFD) >= 0;
	atomic_store(&over, false);
	pthread_t t = begin(makes);

	for (int i = 0; i < 300; i++) {
		numbers_before_fork();
		pid_t pid = fork();

		if (pid == 0) {
			numbers_child();
			own_close_all(-1);
			for (int fd = 0; fd < 5000; fd++)
				if ((fcntl(fd, F_GETFD) >= 0) != had[fd])
					_exit(1);
			/* And the lock is free. */
			_exit(own_next(0) >= 0 || own_socket(AF_INET, SOCK_STREAM, 0) < 0);
		}
		numbers_parent();
		assert_true(pid > 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		bad += status != 0;
	}
	atomic_store(&over, true);
	pthread_join(t, NULL);
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_program_that_is_left_alone_is_not_counted),
	    cmocka_unit_test(the_library_is_never_met_at_a_low_number),
	    cmocka_unit_test(who_enters_waits_until_they_are_free),
	    cmocka_unit_test(nobody_waits_for_long_nor_again_for_the_same),
	    cmocka_unit_test(who_never_leaves_is_waited_for_once),
	    cmocka_unit_test(a_signal_comes_when_they_are_free_again),
	    cmocka_unit_test(the_thread_that_has_them_enters_freely),
	    cmocka_unit_test(a_child_has_what_the_library_knows_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
