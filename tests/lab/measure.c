/* SPDX-License-Identifier: MIT */
/*
 * What the bench measures with.
 *
 *   measure serve PORT               echoes, sinks, sends or paces, as the client's first byte asks
 *   measure pingpong HOST PORT N     N exchanges of 64 bytes; prints microseconds per exchange
 *   measure up HOST PORT MB          sends; prints Mbit/s
 *   measure down HOST PORT MB        receives; prints Mbit/s
 *   measure paced HOST PORT SECONDS  receives a record each millisecond; prints the longest
 * silence, ms measure idle HOST PORT N         opens N connections, one exchange each; prints its
 * resident kB, before and with them
 *
 * With "mptcp" as one more argument the sockets are MPTCP ones.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE 65536
#define PATIENCE 10 /* seconds of silence before a stream counts as lost */

static char buf[PIECE];
static int protocol;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void send_all(int fd, const void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = send(fd, (const char *)data + done, len - done, MSG_NOSIGNAL);

		if (n <= 0)
			die("send");
		done += (size_t)n;
	}
}

static int receive_all(int fd, void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = recv(fd, (char *)data + done, len - done, 0);

		if (n < 0)
			die("recv");
		if (n == 0)
			return 0;
		done += (size_t)n;
	}
	return 1;
}

static int dial(const char *host, const char *port, char mode, uint64_t amount)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *a;
	int one = 1;

	if (getaddrinfo(host, port, &hints, &a))
		die(host);
	int fd = socket(a->ai_family, SOCK_STREAM, protocol);

	if (fd < 0 || connect(fd, a->ai_addr, a->ai_addrlen) < 0)
		die("connect");
	freeaddrinfo(a);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	char ask[9] = {mode};

	memcpy(ask + 1, &amount, 8);
	send_all(fd, ask, sizeof(ask));
	return fd;
}

static void pause_until(double at)
{
	double left = at - now();

	if (left > 0) {
		struct timespec t = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};

		nanosleep(&t, NULL);
	}
}

/* One client, in a process of its own. */
static void answer(int fd)
{
	char ask[9];
	uint64_t amount;
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!receive_all(fd, ask, sizeof(ask)))
		return;
	memcpy(&amount, ask + 1, 8);
	if (ask[0] == 'e') {
		while (receive_all(fd, buf, 64))
			send_all(fd, buf, 64);
	} else if (ask[0] == 'u') {
		for (uint64_t n = 0; n < amount;) {
			ssize_t got = recv(fd, buf, sizeof(buf), 0);

			if (got <= 0)
				return;
			n += (uint64_t)got;
		}
		send_all(fd, "k", 1);
	} else if (ask[0] == 'd') {
		for (uint64_t n = 0; n < amount; n += PIECE)
			send_all(fd, buf, PIECE);
	} else if (ask[0] == 's') {
		double last = 0, worst = 0;

		for (uint64_t n = 0; n < amount;) {
			ssize_t got = recv(fd, buf, sizeof(buf), 0);
			double t = now();

			if (got <= 0)
				return;
			if (last > 0 && t - last > worst)
				worst = t - last;
			last = t;
			n += (uint64_t)got;
		}
		send_all(fd, &worst, sizeof(worst));
	} else if (ask[0] == 'p') {
		double start = now();

		for (uint64_t i = 0; i < amount; i++) {
			pause_until(start + (double)i / 1000);
			send_all(fd, buf, 100);
		}
	}
}

static void serve(const char *port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
	int one = 1, l = socket(AF_INET6, SOCK_STREAM, protocol);

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (l < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l, 1024) < 0)
		die("listen");
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept(l, NULL, NULL);

		if (fd >= 0 && fork() == 0) {
			close(l);
			answer(fd);
			exit(0);
		}
		close(fd);
	}
}

static long resident_kb(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long size, pages = 0;

	if (!f || fscanf(f, "%ld %ld", &size, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

int main(int argc, char **argv)
{
	if (argc > 3 && strcmp(argv[argc - 1], "mptcp") == 0) {
		protocol = 262;
		argc--;
	}
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve(argv[2]);
	if (argc != 5)
		return 2;
	uint64_t n = strtoull(argv[4], NULL, 10);
	double start;
	int fd;

	if (strcmp(argv[1], "pingpong") == 0) {
		fd = dial(argv[2], argv[3], 'e', 0);
		send_all(fd, buf, 64);
		receive_all(fd, buf, 64);
		start = now();
		for (uint64_t i = 0; i < n; i++) {
			send_all(fd, buf, 64);
			receive_all(fd, buf, 64);
		}
		printf("%.3f\n", (now() - start) / (double)n * 1e6);
	} else if (strcmp(argv[1], "up") == 0) {
		fd = dial(argv[2], argv[3], 'u', n * 1000000);
		start = now();
		for (uint64_t sent = 0; sent < n * 1000000; sent += PIECE)
			send_all(fd, buf, PIECE);
		receive_all(fd, buf, 1);
		printf("%.1f\n", (double)n * 8 / (now() - start));
	} else if (strcmp(argv[1], "down") == 0) {
		uint64_t got = 0;

		fd = dial(argv[2], argv[3], 'd', n * 1000000);
		start = now();
		while (got < n * 1000000) {
			ssize_t k = recv(fd, buf, sizeof(buf), 0);

			if (k <= 0)
				die("recv");
			got += (uint64_t)k;
		}
		printf("%.1f\n", (double)n * 8 / (now() - start));
	} else if (strcmp(argv[1], "paced") == 0) {
		double last, worst = 0;

		struct timeval limit = {PATIENCE, 0};

		fd = dial(argv[2], argv[3], 'p', n * 1000);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		receive_all(fd, buf, 100);
		last = now();
		for (uint64_t got = 100; got < n * 100000;) {
			ssize_t k = recv(fd, buf, sizeof(buf), 0);
			double t = now();

			if (t - last > worst)
				worst = t - last;
			last = t;
			/* As silent as it gets: the figure is then a lower bound. */
			if (k <= 0) {
				fprintf(stderr, "measure: %s\n",
				        k < 0 && errno == EAGAIN
				            ? "silent for as long as it was waited for"
				            : "the stream ended early");
				break;
			}
			got += (uint64_t)k;
		}
		printf("%.1f\n", worst * 1000);
	} else if (strcmp(argv[1], "push") == 0) {
		double worst = 0;

		fd = dial(argv[2], argv[3], 's', n * 100000);
		start = now();
		for (uint64_t i = 0; i < n * 1000; i++) {
			pause_until(start + (double)i / 1000);
			send_all(fd, buf, 100);
		}
		receive_all(fd, &worst, sizeof(worst));
		printf("%.1f\n", worst * 1000);
	} else if (strcmp(argv[1], "echo") == 0) {
		double worst = 0, best = 1e9;

		fd = dial(argv[2], argv[3], 'e', 0);
		for (start = now(); now() - start < (double)n;) {
			double t = now();

			send_all(fd, buf, 64);
			receive_all(fd, buf, 64);
			double took = now() - t;

			worst = took > worst ? took : worst;
			best = took < best ? took : best;
		}
		printf("%.1f\n", (worst - best) * 1000);
	} else if (strcmp(argv[1], "idle") == 0) {
		long before = resident_kb();

		for (uint64_t i = 0; i < n; i++) {
			fd = dial(argv[2], argv[3], 'e', 0);
			send_all(fd, buf, 64);
			receive_all(fd, buf, 64);
		}
		sleep(1);
		printf("%.1f\n", (double)(resident_kb() - before) / (double)n);
	} else {
		return 2;
	}
	return 0;
}
