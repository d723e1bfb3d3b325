/* SPDX-License-Identifier: MIT */
/* Processes that have a descriptor, for tests of who has it. To be included after cmocka.h. */
#ifndef TESTS_HOLDER_H
#define TESTS_HOLDER_H

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child with `many` descriptors of nothing, `fd` (-1: none) as the last of them, and no other. */
static inline pid_t holder(int fd, int many)
{
	int ready[2];
	char c;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int told = fcntl(ready[1], F_DUPFD, fd + 1), null;

		/* The two that are needed, at 1 and 2. */
		if (dup2(fd < 0 ? told : fd, 1) < 0 || dup2(told, 2) < 0)
			_exit(1);
		syscall(SYS_close_range, 3, ~0u, 0);
		null = open("/dev/null", O_RDONLY);
		for (int i = 0; i < many; i++)
			if (fcntl(null, F_DUPFD, 0) < 0)
				_exit(1);
		if (fd >= 0 && fcntl(1, F_DUPFD, 3 + many) < 0)
			_exit(1);
		close(1);
		if (write(2, "", 1) != 1)
			_exit(1);
		close(2);
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static inline void holder_end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/*
 * What other processes have is not to decide a test: it is run again with processes of its own
 * alone, where the machine lets it, and none of them outlives it.
 */
#define APART "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"

static inline bool can(char *const command[])
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execvp(command[0], command);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static inline void go_apart(char *self)
{
	char *as_root[] = {APART, "true", NULL},
	     *as_user[] = {APART, "--map-root-user", "true", NULL};
	char *root[] = {APART, self, "apart", NULL},
	     *user[] = {APART, "--map-root-user", self, "apart", NULL};

	if (can(as_root))
		execvp(root[0], root);
	else if (can(as_user))
		execvp(user[0], user);
}

#endif
