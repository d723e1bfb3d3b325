/* SPDX-License-Identifier: MIT */
/*
 * What a call costs more than without the library: calls none | HOST PORT KIND
 *
 * Each call is made under its usual name and as the C library's own function, in turns, in one
 * process; printed is the median of the differences of neighbouring batches, and the bare call's
 * own time. Without the library the difference is the method's error. "none": on descriptors that
 * are no flows. HOST PORT KIND (`measure serve` there): the same beside a flow, then on the flow.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 181 /* of SIZE are eight full segments: both batches send as many */
#define PAIRS 1001
#define SIZE 64

struct calls {
	ssize_t (*read)(int, void *, size_t);
	ssize_t (*write)(int, const void *, size_t);
	ssize_t (*recv)(int, void *, size_t, int);
	ssize_t (*send)(int, const void *, size_t, int);
	int (*poll)(struct pollfd *, nfds_t, int);
	int (*epoll_wait)(int, struct epoll_event *, int, int);
};

static struct calls usual, bare;
static int zero, null, quiet[2], ready[2], ep, flow;
static char data[SIZE];

static void look_up(struct calls *c, void *where)
{
	*(void **)&c->read = dlsym(where, "read");
	*(void **)&c->write = dlsym(where, "write");
	*(void **)&c->recv = dlsym(where, "recv");
	*(void **)&c->send = dlsym(where, "send");
	*(void **)&c->poll = dlsym(where, "poll");
	*(void **)&c->epoll_wait = dlsym(where, "epoll_wait");
}

static void call_read(const struct calls *c)
{
	c->read(zero, data, SIZE);
}

static void call_write(const struct calls *c)
{
	c->write(null, data, SIZE);
}

static void call_recv(const struct calls *c)
{
	c->recv(ready[0], data, SIZE, MSG_PEEK);
}

static void call_send(const struct calls *c)
{
	c->send(null, data, SIZE, 0); /* ENOTSOCK: the shortest way through the kernel */
}

static void call_poll(const struct calls *c)
{
	struct pollfd p = {.fd = quiet[0], .events = POLLIN};

	c->poll(&p, 1, 0);
}

static void call_poll_limit(const struct calls *c)
{
	struct pollfd p = {.fd = ready[0], .events = POLLIN};

	c->poll(&p, 1, 1000);
}

static void call_epoll(const struct calls *c)
{
	struct epoll_event e;

	c->epoll_wait(ep, &e, 1, 0);
}

static void call_epoll_limit(const struct calls *c)
{
	struct epoll_event e;

	c->epoll_wait(ep, &e, 1, 1000);
}

static void flow_recv(const struct calls *c)
{
	c->recv(flow, data, SIZE, 0);
}

static void flow_read(const struct calls *c)
{
	c->read(flow, data, SIZE);
}

static void flow_send(const struct calls *c)
{
	c->send(flow, data, SIZE, 0);
}

static void flow_write(const struct calls *c)
{
	c->write(flow, data, SIZE);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double batch(void (*call)(const struct calls *), const struct calls *c)
{
	double begin = now_ns();

	for (int i = 0; i < BATCH; i++)
		call(c);
	return (now_ns() - begin) / BATCH;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void pause_us(long us)
{
	struct timespec t = {0, us * 1000};

	nanosleep(&t, NULL);
}

static int count_of(int request)
{
	int n = 0;

	ioctl(flow, (unsigned long)request, &n);
	return n;
}

/*
 * The kernel is in the same state for both batches: everything is there, everything is gone. The
 * rest of a large segment keeps the window closed: away with it.
 */
static void received_enough(void)
{
	static char rest[2 * BATCH * SIZE];

	while (count_of(SIOCINQ) < 2 * BATCH * SIZE) {
		bare.recv(flow, rest, sizeof(rest), MSG_DONTWAIT);
		pause_us(100);
	}
}

/* What is written is gathered into large segments: the way of a packet is not what is measured. */
static void sent_all(void)
{
	int cork = 0;

	setsockopt(flow, IPPROTO_TCP, TCP_CORK, &cork, sizeof(cork));
	while (count_of(SIOCOUTQ) > 0)
		pause_us(100);
	cork = 1;
	setsockopt(flow, IPPROTO_TCP, TCP_CORK, &cork, sizeof(cork));
}

static void measure(const char *name, void (*call)(const struct calls *), void (*settle)(void))
{
	static double more[PAIRS], base[PAIRS];

	for (int i = -10; i < PAIRS; i++) {
		double u, b;

		if (settle)
			settle();
		if (i & 1) {
			b = batch(call, &bare);
			u = batch(call, &usual);
		} else {
			u = batch(call, &usual);
			b = batch(call, &bare);
		}
		if (i < 0)
			continue;
		more[i] = u - b;
		base[i] = b;
	}
	qsort(more, PAIRS, sizeof(*more), by_size);
	qsort(base, PAIRS, sizeof(*base), by_size);
	printf("%-34s %8.1f %8.1f\n", name, more[PAIRS / 2], base[PAIRS / 2]);
	fflush(stdout);
}

static int dial(const char *host, const char *port, char mode, uint64_t amount)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char ask[9] = {mode};

	inet_pton(AF_INET, host, &a.sin_addr);
	memcpy(ask + 1, &amount, 8);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || send(fd, ask, 9, 0) != 9) {
		perror("calls: connect");
		exit(1);
	}
	return fd;
}

static void others(const char *when)
{
	char name[64];
	const struct {
		const char *name;
		void (*call)(const struct calls *);
	} all[] = {
	    {"read", call_read},
	    {"write", call_write},
	    {"recv", call_recv},
	    {"send", call_send},
	    {"poll, not waiting", call_poll},
	    {"poll, time limit", call_poll_limit},
	    {"epoll_wait, not waiting", call_epoll},
	    {"epoll_wait, time limit", call_epoll_limit},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		snprintf(name, sizeof(name), "%s%s", when, all[i].name);
		measure(name, all[i].call, NULL);
	}
}

int main(int argc, char **argv)
{
	void *libc = dlopen("libc.so.6", RTLD_NOLOAD | RTLD_NOW);

	if (argc < 2 || !libc)
		return 2;
	look_up(&usual, RTLD_DEFAULT);
	look_up(&bare, libc);
	zero = open("/dev/zero", O_RDONLY);
	null = open("/dev/null", O_WRONLY);
	ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN};

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, quiet) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, ready) || bare.write(ready[1], data, SIZE) != SIZE)
		return 1;
	epoll_ctl(ep, EPOLL_CTL_ADD, ready[0], &e);
	if (argc == 2) {
		others("no flow: ");
		return 0;
	}
	if (argc != 4)
		return 2;
	int down = dial(argv[1], argv[2], 'd', 1u << 30),
	    up = dial(argv[1], argv[2], 'u', 1u << 30);
	const char *kind = argv[3];
	char name[64];

	others("beside a flow: ");
	flow = down;
	snprintf(name, sizeof(name), "%s flow: recv 64", kind);
	measure(name, flow_recv, received_enough);
	snprintf(name, sizeof(name), "%s flow: read 64", kind);
	measure(name, flow_read, received_enough);
	flow = up;
	snprintf(name, sizeof(name), "%s flow: send 64", kind);
	measure(name, flow_send, sent_all);
	snprintf(name, sizeof(name), "%s flow: write 64", kind);
	measure(name, flow_write, sent_all);
	return 0;
}
