/* SPDX-License-Identifier: MIT */
/*
 * What can be the matter with a socket before, while and after it is connected: connects NAME HOST
 * PORT, with an echo server there. See trial.h.
 */
#include "tests/lab/trial.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <sys/wait.h>

static int stream(int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);

	must(fd >= 0, "socket");
	return fd;
}

static int call(int fd)
{
	return connect(fd, (struct sockaddr *)&trial_server, sizeof(trial_server));
}

static void down_and_up(void)
{
	event("wlan0 down");
	pause_ms(500);
	event("wlan0 up");
	pause_ms(800);
}

/* Numbers that the socket had before it was connected go with it. */
static void doubled(void)
{
	int fd = stream(0), one = dup(fd), two = fcntl(fd, F_DUPFD, 40);

	must(call(one) == 0, "connect");
	echo(fd, "doubled");
	echo(two, "doubled");
	down_and_up();
	echo(one, "doubled");
	echo(two, "doubled");
	echo(fd, "doubled");
	close(fd);
	close(one);
	echo(two, "doubled");

	/* Without waiting; the other one is read first. */
	struct pollfd p = {.fd = stream(SOCK_NONBLOCK), .events = POLLOUT};
	int other = dup(p.fd);

	must(call(p.fd) < 0 && errno == EINPROGRESS, "connect");
	must(poll(&p, 1, 20000) == 1 && p.revents == POLLOUT, "poll: %#x", p.revents);
	echo(other, "doubled");
	event("wlan0 down");
	echo(other, "doubled");
	echo(p.fd, "doubled");
	event("wlan0 up");
}

static void is_connected(int fd)
{
	must(call(fd) < 0 && errno == EISCONN, "connect() to what is connected");
}

/* Told once that it is connected, whichever socket it is on. */
static void again(void)
{
	int fd = stream(0);

	must(call(fd) == 0, "connect");
	is_connected(fd);
	is_connected(fd);
	down_and_up();
	is_connected(fd);

	struct pollfd p = {.fd = stream(SOCK_NONBLOCK), .events = POLLOUT};

	must(call(p.fd) < 0 && errno == EINPROGRESS, "connect");
	must(poll(&p, 1, 20000) == 1 && p.revents == POLLOUT, "poll: %#x", p.revents);
	down_and_up();
	must(call(p.fd) == 0, "the first connect() after one that did not wait");
	is_connected(p.fd);
	down_and_up();
	is_connected(p.fd);
	/* What a child has, too. */
	pid_t pid = fork();

	if (pid == 0) {
		echo(fd, "again");
		is_connected(fd);
		is_connected(fd);
		_exit(0);
	}
	int status = 0;

	must(waitpid(pid, &status, 0) == pid && status == 0, "the child: %#x", (unsigned)status);
	is_connected(fd);
	echo(fd, "again");
}

/* Nobody listens at the first address; the connection is to the second. */
static void elsewhere(void)
{
	struct sockaddr_in nobody = trial_server;
	int fd = stream(0);

	nobody.sin_port = htons(22);
	must(connect(fd, (struct sockaddr *)&nobody, sizeof(nobody)) < 0 && errno == ECONNREFUSED,
	     "nobody is there");
	must(call(fd) == 0, "connect");
	echo(fd, "elsewhere");
	down_and_up();
	echo(fd, "elsewhere");
}

/* What listens is connected to nobody. */
static void listening(void)
{
	int fd = stream(0);

	must(listen(fd, 1) == 0, "listen");
	is_connected(fd);
}

/* Nothing asked for is no end, and waits for nothing where there is something. */
static void nothing(void)
{
	int fd = dial();

	for (int i = 0; i < 6; i++) {
		char c[2];
		struct iovec v[2] = {{c, 0}, {c, 0}};
		struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
		struct pollfd p = {.fd = fd, .events = POLLIN};

		put(fd, "ab", 2);
		must(poll(&p, 1, 20000) == 1, "poll");
		event(i % 2 ? "wlan0 up" : "wlan0 down");
		ssize_t n = i % 3 == 0 ? recvmsg(fd, &m, 0) : readv(fd, v, 2);

		must(n == 0, "nothing: %zd", n);
		get(fd, c, 2);
		must(c[0] == 'a' && c[1] == 'b', "other bytes");
		pause_ms(300);
	}
}

/* A close that is to wait is the program's own: nothing that the library closes does. */
static void lingers(void)
{
	struct linger long_time = {1, 300};
	int fd = dial(), other = dial();

	must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &long_time, sizeof(long_time)) == 0,
	     "SO_LINGER");
	for (int i = 0; i < 2; i++) {
		event("wlan0 down");
		echo(fd, "lingers");
		echo(other, "lingers");
		event("wlan0 up");
		pause_ms(800);
	}
	socklen_t len = sizeof(long_time);

	must(getsockopt(fd, SOL_SOCKET, SO_LINGER, &long_time, &len) == 0 && long_time.l_onoff &&
	         long_time.l_linger == 300,
	     "SO_LINGER is lost");
	event("wlan0 down");
	pid_t pid = fork();

	if (pid == 0) {
		echo(fd, "lingers");
		_exit(0);
	}
	int status = 0;

	must(waitpid(pid, &status, 0) == pid && status == 0, "the child: %#x", (unsigned)status);
	echo(fd, "lingers");
	event("wlan0 up");
}

/* Connected by a child, used by both: there is no handover for it, and it works. */
static void by_a_child(void)
{
	int fd = stream(0), status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		must(call(fd) == 0, "connect");
		echo(fd, "by_a_child");
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && status == 0, "the child: %#x", (unsigned)status);
	echo(fd, "by_a_child");
}

/*
 * Past an exec: the executed program's own connections have relatives, too, while what the program
 * before it had is kept.
 */
static void executed(void)
{
	char *argv[] = {(char *)"connects", (char *)"executed-on", getenv("CONNECTS_HOST"),
	                getenv("CONNECTS_PORT"), NULL};
	int fd = dial();

	echo(fd, "executed");
	must(dup2(fd, 30) == 30 && close(fd) == 0, "dup2");
	execv("/proc/self/exe", argv);
	fail("execv");
}

static void executed_on(void)
{
	int fd = dial(), status = 0;

	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			echo(fd, "executed");
			_exit(0);
		}
		must(waitpid(pid, &status, 0) == pid && status == 0, "the child: %#x",
		     (unsigned)status);
		event(i ? "wlan0 up" : "wlan0 down");
		echo(30, "executed");
		echo(fd, "executed");
		pause_ms(800);
	}
}

/* Passed to itself over a UNIX socket, and ended by the number that has come. */
static void passed(void)
{
	char in[4096];
	int fd = dial(), got, pair[2];

	echo(fd, "passed");
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
	must(give(pair[0], fd) == 1, "passing it");
	got = take(pair[1]);
	must(got >= 0 && got != fd, "%d", got);
	memset(in, 'p', sizeof(in));
	put(fd, in, sizeof(in));
	pause_ms(200);
	must(shutdown(got, SHUT_WR) == 0, "shutdown");
	pause_ms(200);
	must(write(fd, in, 1) < 0 && errno == EPIPE, "a write behind the end");
	get(got, in, sizeof(in));
	must(recv(fd, in, 1, 0) == 0, "no end");
}

/* What is not connected is nobody's to dial again. */
static void refused(void)
{
	struct sockaddr_in nobody = trial_server;
	struct pollfd p = {.fd = stream(SOCK_NONBLOCK), .events = POLLOUT};
	int err = 0;
	socklen_t len = sizeof(err);

	nobody.sin_port = htons(22);
	must(connect(p.fd, (struct sockaddr *)&nobody, sizeof(nobody)) < 0 && errno == EINPROGRESS,
	     "connect");
	must(poll(&p, 1, 20000) == 1, "poll");
	must(getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == ECONNREFUSED,
	     "error %d", err);
	must(write(p.fd, "a", 1) < 0 && errno == EPIPE, "write");
	must(recv(p.fd, &err, 1, 0) == 0, "recv");
}

static void is_refused(ssize_t n, const char *call)
{
	must(n < 0 && errno == EFAULT, "%s: %zd", call, n);
}

/* Bad pointers are the kernel's to find, and no signal. */
static void wrong(void)
{
	static char *volatile nowhere; /* for the compiler knows better */
	struct iovec v[2] = {{nowhere, 10}, {nowhere, 3}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2}, none = {.msg_iovlen = 2};
	struct sockaddr_in nobody = trial_server;
	int fd = dial(), plain = stream(0);

	for (int i = 0; i < 2; i++) {
		is_refused(send(fd, nowhere, 10, MSG_NOSIGNAL), "send");
		is_refused(write(fd, nowhere, 5000), "write");
		is_refused(writev(fd, v, 2), "writev");
		is_refused(writev(fd, (void *)nowhere, 2), "writev");
		is_refused(sendmsg(fd, &m, MSG_NOSIGNAL), "sendmsg");
		is_refused(sendmsg(fd, &none, MSG_NOSIGNAL), "sendmsg");
		is_refused(sendmsg(fd, (void *)nowhere, MSG_NOSIGNAL), "sendmsg");
		is_refused(sendmmsg(fd, (void *)nowhere, 2, MSG_NOSIGNAL), "sendmmsg");
		is_refused(recvmsg(fd, (void *)nowhere, MSG_DONTWAIT), "recvmsg");
		is_refused(recvmmsg(fd, (void *)nowhere, 2, MSG_DONTWAIT, NULL), "recvmmsg");
		echo(fd, "wrong");
		event(i ? "wlan0 up" : "wlan0 down");
	}
	/* Of one without a policy the first bytes are looked at. */
	nobody.sin_port = htons(22);
	must(connect(plain, (struct sockaddr *)&nobody, sizeof(nobody)) < 0, "connect");
	must(send(plain, nowhere, 10, MSG_NOSIGNAL) < 0 && errno == EPIPE, "send");
	echo(fd, "wrong");
}

int main(int argc, char **argv)
{
	static const struct trial trials[] = {{"doubled", doubled},
	                                      {"again", again},
	                                      {"elsewhere", elsewhere},
	                                      {"listening", listening},
	                                      {"nothing", nothing},
	                                      {"lingers", lingers},
	                                      {"by-a-child", by_a_child},
	                                      {"wrong", wrong},
	                                      {"passed", passed},
	                                      {"refused", refused},
	                                      {"executed", executed},
	                                      {"executed-on", executed_on},
	                                      {NULL, NULL}};

	if (argc == 4) {
		setenv("CONNECTS_HOST", argv[2], 1);
		setenv("CONNECTS_PORT", argv[3], 1);
	}
	return trial_main(argc, argv, trials);
}
