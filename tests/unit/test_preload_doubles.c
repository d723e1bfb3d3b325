/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/doubles.h"
#include "preload/raw.h"

/* As the hooks do. */
static int made(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	doubles_made(fd);
	return fd;
}

static int doubled(int fd)
{
	int to = dup(fd);

	assert_true(to >= 0);
	doubles_note(fd, to);
	return to;
}

static void what_was_doubled_is_looked_for(void **state)
{
	int fd = made(), other = made(), fds[4];

	(void)state;
	assert_true(doubles_alone(fd));
	int two = doubled(fd);

	assert_false(doubles_alone(fd));
	assert_false(doubles_alone(two));
	assert_true(doubles_alone(other));
	assert_int_equal(doubles_of(raw_inode(fd), fds, 4), 2);
	assert_true((fds[0] == fd && fds[1] == two) || (fds[0] == two && fds[1] == fd));
	assert_int_equal(doubles_of(raw_inode(fd), fds, 1), 1);
	close(fd);
	close(two);
	/* The number is another socket's. */
	assert_int_equal(made(), fd);
	assert_true(doubles_alone(fd));
	/* And another's again, which came from elsewhere. */
	doubles_note(-1, fd);
	assert_false(doubles_alone(fd));
	close(fd);
	close(other);
}

static void a_child_has_its_parents(void **state)
{
	int fd = made(), status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		doubles_forked();
		int own = made(), two = doubled(fd);

		_exit(!(!doubles_alone(fd) && doubles_shared(fd, raw_inode(fd)) &&
		        doubles_shared(two, raw_inode(two)) && doubles_alone(own) &&
		        !doubles_shared(own, raw_inode(own)) && doubled(own) >= 0 &&
		        !doubles_shared(own, raw_inode(own))));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_false(doubles_shared(fd, raw_inode(fd)));
	close(fd);
}

/* Numbers that no kernel gives by default are nobody's. */
static void any_number_may_be_asked_for(void **state)
{
	static const int odd[] = {-1, (1 << 20) - 1, 1 << 20, INT32_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		doubles_made(odd[i]);
		doubles_note(odd[i], odd[i]);
		assert_false(doubles_shared(odd[i], 0));
	}
	doubles_forked();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_doubled_is_looked_for),
	    cmocka_unit_test(a_child_has_its_parents),
	    cmocka_unit_test(any_number_may_be_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
