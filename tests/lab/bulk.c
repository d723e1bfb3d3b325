/* SPDX-License-Identifier: MIT */
/*
 * Bulk data to an echo service and back, each byte checked:
 *
 *   bulk HOW HOST PORT SECONDS
 *
 * HOW: poll, epoll (edge-triggered) - one thread, non-blocking; threads - one writes, one reads,
 * blocking; setid - as threads, and meanwhile the main thread goes through set*id calls again and
 * again; signals - as threads, and each is sent a signal every two milliseconds. In the end this
 * side closes its direction, and what is under way must still come, and then the end. Status 0: all
 * was right.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE 16384

static int sock;
static double until;
static _Atomic uint64_t sent, got;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (errno %s)\n", strerror(errno));
	exit(1);
}

/* The byte at a position of the stream. */
static unsigned char at(uint64_t position)
{
	uint64_t x = (position + 1) * 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	return (unsigned char)(x >> 56);
}

/* Says whether the stream goes on elsewhere: bytes are missing, or there twice. */
__attribute__((noreturn)) static void wrong(const unsigned char *p, size_t n, uint64_t position)
{
	n = n < 64 ? n : 64;
	for (uint64_t k = 0; n >= 16 && k < position + (1u << 24); k++) {
		size_t i = 0;

		while (i < n && p[i] == at(k + i))
			i++;
		if (i == n)
			fail("byte %llu is that of %llu", (unsigned long long)position,
			     (unsigned long long)k);
	}
	fail("byte %llu is wrong", (unsigned long long)position);
}

/* One write, of what is next. False: not now (EAGAIN). */
static bool write_some(void)
{
	unsigned char piece[PIECE];
	size_t len = 1 + (size_t)(sent * 7919 % PIECE);

	for (size_t i = 0; i < len; i++)
		piece[i] = at(sent + i);
	ssize_t n = write(sock, piece, len);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0)
		fail("write: %zd at %llu", n, (unsigned long long)sent);
	sent += (uint64_t)n;
	return true;
}

/* One read. False: not now; *end: nothing more comes. */
static bool read_some(bool *end)
{
	unsigned char piece[PIECE];
	ssize_t n = recv(sock, piece, sizeof(piece), 0);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0)
		fail("recv at %llu", (unsigned long long)got);
	*end = n == 0;
	for (ssize_t i = 0; i < n; i++)
		if (piece[i] != at(got + (uint64_t)i))
			wrong(piece + i, (size_t)(n - i), got + (uint64_t)i);
	got += (uint64_t)n;
	return true;
}

static void by_poll(void)
{
	bool end = false, writing = true;

	fcntl(sock, F_SETFL, O_NONBLOCK);
	while (!end) {
		if (writing && now() > until) {
			writing = false;
			shutdown(sock, SHUT_WR);
		}
		struct pollfd p = {.fd = sock, .events = (short)(POLLIN | (writing ? POLLOUT : 0))};

		if (poll(&p, 1, 10000) != 1)
			fail("poll");
		if (p.revents & POLLOUT && sent - got < (1u << 20))
			write_some();
		else if (p.revents == POLLOUT)
			usleep(1000);
		if (p.revents & ~POLLOUT)
			read_some(&end);
	}
}

static void by_epoll(void)
{
	bool end = false, writing = true;
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	int ep = epoll_create1(EPOLL_CLOEXEC);

	fcntl(sock, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, sock, &e) < 0)
		fail("epoll_ctl");
	while (!end) {
		if (writing && now() > until) {
			writing = false;
			shutdown(sock, SHUT_WR);
		}
		if (epoll_wait(ep, &e, 1, 10000) != 1)
			fail("epoll_wait");
		/* Until there is nothing, or there will be no other edge. */
		while (!end && read_some(&end))
			;
		while (writing && now() < until && write_some())
			while (!end && read_some(&end))
				;
	}
	close(ep);
}

static void *writer(void *arg)
{
	(void)arg;
	while (now() < until)
		write_some(); /* blocks most of the time */
	shutdown(sock, SHUT_WR);
	return NULL;
}

static void *reader(void *arg)
{
	bool end = false;

	(void)arg;
	while (!end)
		read_some(&end);
	return NULL;
}

/* What programs do that give up rights for a while, with all threads following. */
static void change_identity(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (setegid(gid) < 0 || setresuid((uid_t)-1, uid, (uid_t)-1) < 0 || seteuid(uid) < 0)
		fail("set*id");
	if (uid != 0)
		return;
	if (setegid(12) < 0) {
		/* In a user namespace there may be no other. */
		if (errno == EINVAL)
			return;
		fail("setegid to another");
	}
	if (seteuid(13) < 0)
		fail("seteuid to another");
	if (geteuid() != 13 || getegid() != 12)
		fail("not another");
	usleep(20000);
	if (seteuid(0) < 0 || setegid(gid) < 0)
		fail("set*id back");
}

static void tick(int sig)
{
	(void)sig;
}

static void by_threads(bool identities, bool signals)
{
	pthread_t w, r;
	struct sigaction act = {.sa_handler = tick, .sa_flags = SA_RESTART};

	pthread_create(&w, NULL, writer, NULL);
	pthread_create(&r, NULL, reader, NULL);
	sigaction(SIGALRM, &act, NULL);
	while (signals && now() < until) {
		pthread_kill(w, SIGALRM);
		pthread_kill(r, SIGALRM);
		usleep(2000);
	}
	while (identities && now() < until - 0.2) {
		change_identity();
		usleep(50000);
	}
	pthread_join(w, NULL);
	pthread_join(r, NULL);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};

	inet_pton(AF_INET, argv[2], &a.sin_addr);
	sock = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(sock, (struct sockaddr *)&a, sizeof(a)) < 0)
		fail("connect");
	until = now() + atof(argv[4]);
	if (strcmp(argv[1], "poll") == 0)
		by_poll();
	else if (strcmp(argv[1], "epoll") == 0)
		by_epoll();
	else if (strcmp(argv[1], "threads") == 0)
		by_threads(false, false);
	else if (strcmp(argv[1], "setid") == 0)
		by_threads(true, false);
	else if (strcmp(argv[1], "signals") == 0)
		by_threads(false, true);
	else
		return 2;
	if (sent != got || sent < 100000)
		fail("%llu sent, %llu came back", (unsigned long long)sent,
		     (unsigned long long)got);
	return 0;
}
