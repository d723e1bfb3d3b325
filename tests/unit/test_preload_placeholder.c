/* SPDX-License-Identifier: MIT */
/* The sockets that say nothing, and what they say when they are told to end. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/own.h"
#include "preload/placeholder.h"

static short events(int fd, int wait_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP};

	assert_true(poll(&p, 1, wait_ms) >= 0);
	return p.revents;
}

static int family_of(int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	return a.ss_family;
}

static int error_of(int fd)
{
	int err = -1;
	socklen_t len = sizeof(err);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	return err;
}

static int open_files(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void check_quiet(sa_family_t family)
{
	int app, far, one = 1;
	char c;

	assert_int_equal(placeholder_open(family, &app, &far), 0);
	assert_int_equal(family_of(app), family);
	assert_int_equal(fcntl(app, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(far, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(app, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(setsockopt(app, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	/* Long enough for a delayed ACK and the first window probes, which must make no room. */
	assert_int_equal(events(app, 700), 0);
	assert_int_equal(recv(app, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(send(app, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(error_of(app), 0);
	close(app);
	close(far);
}

static void test_quiet(void **state)
{
	(void)state;
	check_quiet(AF_INET);
}

static void test_quiet_v6(void **state)
{
	int probe = socket(AF_INET6, SOCK_STREAM, 0);

	(void)state;
	if (probe < 0)
		skip();
	close(probe);
	check_quiet(AF_INET6);
}

static void test_reset(void **state)
{
	int app, far;
	char c;

	(void)state;
	assert_int_equal(placeholder_open(AF_INET, &app, &far), 0);
	placeholder_reset(far);
	assert_true(events(app, 1000) & POLLHUP);
	assert_int_equal(recv(app, &c, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	close(app);
}

static void test_connecting(void **state)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int app, guard[2], before = open_files();

	(void)state;
	assert_int_equal(placeholder_connecting(AF_INET, &app, guard), 0);
	assert_int_equal(fcntl(app, F_GETFD), FD_CLOEXEC);
	/* The first SYN is sent again after a second: it must find the queue still full. */
	assert_int_equal(events(app, 1300), 0);
	assert_int_equal(connect(app, (struct sockaddr *)&to, sizeof(to)), -1);
	assert_int_equal(errno, EALREADY);
	assert_int_equal(send(app, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(error_of(app), 0);
	/* Without its guards it is refused. */
	placeholder_release(guard);
	assert_int_equal(guard[0], -1);
	assert_int_equal(guard[1], -1);
	assert_true(events(app, 5000) & POLLERR);
	assert_int_equal(error_of(app), ECONNREFUSED);
	close(app);
	assert_int_equal(open_files(), before);
}

/* At every limit: all or nothing. */
static void test_no_descriptors(void **state)
{
	struct rlimit was, tight;
	int app, far, guard[2], opened = 0, connecting = 0, before = open_files();
	const int least = 4, most = 64;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	for (int limit = least; limit < most; limit++) {
		tight = was;
		tight.rlim_cur = (rlim_t)limit;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
		int r = placeholder_open(AF_INET6, &app, &far);

		if (r == 0) {
			opened++;
			own_close(app);
			own_close(far);
		} else {
			assert_int_equal(r, -EMFILE);
		}
		assert_int_equal(open_files(), before);
		r = placeholder_connecting(AF_INET, &app, guard);
		if (r == 0) {
			connecting++;
			own_close(app);
			placeholder_release(guard);
		} else {
			assert_int_equal(r, -EMFILE);
		}
		assert_int_equal(open_files(), before);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_true(opened >= 2 && opened < most - least);
	assert_true(connecting >= 2 && connecting < most - least);
}

/* In a network namespace of its own the loopback is down. */
static void test_no_loopback(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		int app, far;

		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 && unshare(CLONE_NEWNET) < 0)
			_exit(77);
		if (placeholder_open(AF_INET6, &app, &far) != 0)
			_exit(1);
		if (family_of(app) != AF_UNIX || events(app, 100) != 0)
			_exit(2);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_quiet),          cmocka_unit_test(test_quiet_v6),
	    cmocka_unit_test(test_reset),          cmocka_unit_test(test_connecting),
	    cmocka_unit_test(test_no_descriptors), cmocka_unit_test(test_no_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
