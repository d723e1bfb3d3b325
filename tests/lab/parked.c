/* SPDX-License-Identifier: MIT */
/*
 * What a program can ask, and set, while its connection has no path:
 *
 *   parked HOST PORT
 *
 * Speaks with an echo service; says "ready" and waits for a line; sends into nothing, looks at its
 * socket, changes it, says "parked" and waits for a line; then all it has sent must come back, and
 * what it has set must hold. Status 0: so it was.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void expect(int right, const char *what, long got)
{
	if (right)
		return;
	fprintf(stderr, "%s: %ld (errno %s)\n", what, got, strerror(errno));
	exit(1);
}

static int option(int fd, int level, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	return getsockopt(fd, level, name, &v, &len) == 0 ? v : -1;
}

static void turn(const char *word)
{
	char line[16];

	puts(word);
	fflush(stdout);
	expect(fgets(line, sizeof(line), stdin) != NULL, "no word to go on", 0);
}

/* Nothing to read, nothing wrong, no room: a peer that says nothing. */
static void look(int fd, const struct sockaddr_in *dialled)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP};
	struct sockaddr_in peer;
	struct tcp_info info;
	socklen_t len = sizeof(peer), info_len = sizeof(info);
	int n = -1;
	char c;

	expect(recv(fd, &c, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN, "recv", 0);
	expect(recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) == -1 && errno == EAGAIN, "peek", 0);
	expect(recv(fd, &c, 1, MSG_ERRQUEUE) == -1 && errno == EAGAIN, "MSG_ERRQUEUE", 0);
	expect(poll(&p, 1, 0) == 0, "poll", p.revents);
	expect(option(fd, SOL_SOCKET, SO_ERROR) == 0, "SO_ERROR", option(fd, SOL_SOCKET, SO_ERROR));
	expect(ioctl(fd, FIONREAD, &n) == 0 && n == 0, "FIONREAD", n);
	expect(ioctl(fd, SIOCOUTQ, &n) == 0 && n >= 0, "SIOCOUTQ", n);
	expect(ioctl(fd, SIOCATMARK, &n) == 0 && n == 0, "SIOCATMARK", n);
	expect(option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM, "SO_TYPE", 0);
	expect(option(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET, "SO_DOMAIN", 0);
	expect(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_len) == 0 &&
	           info.tcpi_state == TCP_ESTABLISHED,
	       "TCP_INFO", info.tcpi_state);
	expect(getpeername(fd, (struct sockaddr *)&peer, &len) == 0 &&
	           peer.sin_addr.s_addr == dialled->sin_addr.s_addr &&
	           peer.sin_port == dialled->sin_port,
	       "getpeername", 0);
}

static void set(int fd)
{
	int one = 1;

	expect(ioctl(fd, FIONBIO, &one) == 0, "FIONBIO", 0);
	expect(fcntl(fd, F_SETOWN, getpid()) == 0, "F_SETOWN", 0);
	expect(fcntl(fd, F_SETSIG, SIGRTMIN + 2) == 0, "F_SETSIG", 0);
	expect(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0, "TCP_NODELAY", 0);
	expect(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)) == 0, "SO_KEEPALIVE", 0);
	expect(setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) == 0, "SO_ZEROCOPY", 0);
}

static void still_set(int fd)
{
	expect(fcntl(fd, F_GETFL) & O_NONBLOCK, "FIONBIO is lost", 0);
	expect(fcntl(fd, F_GETOWN) == getpid(), "F_SETOWN is lost", fcntl(fd, F_GETOWN));
	expect(fcntl(fd, F_GETSIG) == SIGRTMIN + 2, "F_SETSIG is lost", fcntl(fd, F_GETSIG));
	expect(option(fd, IPPROTO_TCP, TCP_NODELAY) == 1, "TCP_NODELAY is lost", 0);
	expect(option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1, "SO_KEEPALIVE is lost", 0);
	expect(option(fd, SOL_SOCKET, SO_ZEROCOPY) == 1, "SO_ZEROCOPY is lost", 0);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char back[16];

	inet_pton(AF_INET, argv[1], &a.sin_addr);
	expect(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0, "connect", 0);
	expect(write(fd, "first", 5) == 5, "write", 0);
	expect(recv(fd, back, 5, MSG_WAITALL) == 5, "recv", 0);
	turn("ready");
	expect(write(fd, "second", 6) == 6, "write", 0);
	usleep(500000);
	/* The first look may be what finds the error; it is hidden. */
	for (int i = 0; i < 20 && poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 0); i++) {
		(void)!recv(fd, back, 1, MSG_DONTWAIT | MSG_PEEK);
		usleep(50000);
	}
	look(fd, &a);
	set(fd);
	look(fd, &a);
	turn("parked");
	for (size_t got = 0; got < 6;) {
		expect(poll(&p, 1, 20000) == 1, "nothing comes back", p.revents);
		ssize_t n = read(fd, back + got, 6 - got);

		expect(n > 0 || (n < 0 && errno == EAGAIN), "read", n);
		got += n > 0 ? (size_t)n : 0;
	}
	expect(memcmp(back, "second", 6) == 0, "wrong bytes", 0);
	still_set(fd);
	shutdown(fd, SHUT_WR);
	expect(poll(&p, 1, 10000) == 1 && read(fd, back, 1) == 0, "the end", 0);
	return 0;
}
