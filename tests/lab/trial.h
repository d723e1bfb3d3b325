/* SPDX-License-Identifier: MIT */
/*
 * What the programs share that wait, are signalled and change their rights while the network
 * changes under them. They ask for events of the network on their standard output, and read a line
 * when it has happened; so a trial is the same without the library, and with nothing happening.
 */
#ifndef LAB_TRIAL_H
#define LAB_TRIAL_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in trial_server;

__attribute__((format(printf, 1, 2), noreturn, unused)) static void fail(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	n = n < (int)sizeof(line) ? n : (int)sizeof(line) - 1;
	line[n] = '\n';
	syscall(SYS_write, 2, "FAIL: ", 6);
	syscall(SYS_write, 2, line, (size_t)n + 1);
	syscall(SYS_exit_group, 1);
	__builtin_unreachable();
}

__attribute__((format(printf, 2, 3), unused)) static void must(bool so, const char *fmt, ...)
{
	char line[400];
	va_list ap;

	if (so)
		return;
	int err = errno;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fail("%s (errno %d, %s)", line, err, strerror(err));
}

__attribute__((unused)) static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Sleeps its time whatever signals come. */
__attribute__((unused)) static void pause_ms(int ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

/* "wlan0 down", "wlan0 up": returns when it has happened. */
__attribute__((unused)) static void event(const char *what)
{
	char line[64], answer;
	int n = snprintf(line, sizeof(line), "%s\n", what);

	must(syscall(SYS_write, 1, line, n) == n, "asking for %s", what);
	do
		must(syscall(SYS_read, 0, &answer, 1) == 1, "waiting for %s", what);
	while (answer != '\n');
}

/* A connection to the echo server. */
__attribute__((unused)) static int dial(void)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	must(fd >= 0, "socket");
	must(connect(fd, (struct sockaddr *)&trial_server, sizeof(trial_server)) == 0, "connect");
	must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0, "TCP_NODELAY");
	return fd;
}

__attribute__((unused)) static void put(int fd, const void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = send(fd, (const char *)data + done, len - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		must(n > 0, "send");
		done += (size_t)n;
	}
}

__attribute__((unused)) static void get(int fd, void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = recv(fd, (char *)data + done, len - done, 0);

		if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
			struct pollfd p = {.fd = fd, .events = POLLIN};

			poll(&p, 1, 100);
			continue;
		}
		must(n > 0, "recv said %zd", n);
		done += (size_t)n;
	}
}

/* There and back: the flow is whole, and on a path. */
__attribute__((unused)) static void echo(int fd, const char *what)
{
	static _Atomic unsigned count;
	char out[32], in[32];

	snprintf(out, sizeof(out), "%-24.24s%7u", what, atomic_fetch_add(&count, 1));
	put(fd, out, sizeof(out));
	get(fd, in, sizeof(in));
	must(memcmp(out, in, sizeof(in)) == 0, "%s: other bytes came back", what);
}

/* A descriptor over a UNIX socket: sendmsg()'s result; the number that has come, or -1. */
__attribute__((unused)) static ssize_t give(int over, int fd)
{
	char c = 'c', room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec v = {&c, 1};
	struct msghdr m = {
	    .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	return sendmsg(over, &m, 0);
}

__attribute__((unused)) static int take(int over)
{
	char c, room[CMSG_SPACE(sizeof(int))];
	struct iovec v = {&c, 1};
	struct msghdr m = {
	    .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	int fd = -1;

	if (recvmsg(over, &m, 0) == 1 && CMSG_FIRSTHDR(&m))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

struct trial {
	const char *name;
	void (*run)(void);
};

/* PROGRAM NAME HOST PORT */
__attribute__((unused)) static int trial_main(int argc, char **argv, const struct trial *t)
{
	if (argc != 4)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	trial_server.sin_family = AF_INET;
	trial_server.sin_port = htons((uint16_t)atoi(argv[3]));
	if (inet_pton(AF_INET, argv[2], &trial_server.sin_addr) != 1)
		return 2;
	for (; t->name; t++) {
		if (strcmp(t->name, argv[1]) != 0)
			continue;
		t->run();
		syscall(SYS_write, 1, "end\n", 4);
		return 0;
	}
	return 2;
}

__attribute__((unused)) static pthread_t begin(void *(*run)(void *), void *arg)
{
	pthread_t t;

	errno = pthread_create(&t, NULL, run, arg);
	must(errno == 0, "pthread_create");
	return t;
}

__attribute__((unused)) static void join(pthread_t t)
{
	errno = pthread_join(t, NULL);
	must(errno == 0, "pthread_join");
}

/*
 * To be called first. valgrind does not always make the main thread's stack larger for a signal, as
 * the kernel does: what a handler may need is there from the beginning.
 */
static inline void touch_stack(void)
{
	volatile char room[65536];

	for (size_t i = 0; i < sizeof(room); i += 1024)
		room[i] = 0;
}

#endif
