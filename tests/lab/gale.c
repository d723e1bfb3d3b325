/* SPDX-License-Identifier: MIT */
/*
 * Changes of the network faster than `ip -batch` makes them: gale SEED CHANGES PAIRS [RATE] makes
 * so many, of addresses of both families and now and then of an interface, on the interfaces s0...,
 * t0... that storm.py sets up, many in each datagram, and does not wait to be told that they were
 * made; with a rate no more than so many a second. Only what the kernel did not refuse is counted;
 * what it refused it says.
 *
 * On standard output every address it has added, in the manner of `ip monitor`; on standard error
 * how many changes it has made, and how fast.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64 /* in one datagram */
#define ROOM 128 /* and the most one of them takes */
#define HELD 300
#define PAIRS 1000

struct address {
	int ifindex;
	uint8_t family, prefix_len, ip[16];
};

static struct mnl_socket *sock;
static uint64_t state;
static int s[PAIRS], t[PAIRS];
static unsigned pairs;
static struct address held[HELD];
static unsigned holding;
static unsigned links; /* changes of an interface among them */

static uint32_t below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % n;
}

static void die(const char *what)
{
	fprintf(stderr, "gale: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* --- one change --- */

static void put_address(struct nlmsghdr *h, const struct address *a, uint16_t type)
{
	size_t size = a->family == AF_INET ? 4 : 16;
	struct ifaddrmsg *m;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST;
	if (type == RTM_NEWADDR)
		h->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifa_family = a->family;
	m->ifa_prefixlen = a->prefix_len;
	m->ifa_index = (unsigned)a->ifindex;
	if (a->family == AF_INET6)
		m->ifa_flags = IFA_F_NODAD;
	mnl_attr_put(h, IFA_LOCAL, size, a->ip);
	mnl_attr_put(h, IFA_ADDRESS, size, a->ip);
}

static void put_link(struct nlmsghdr *h, int ifindex, unsigned up)
{
	struct ifinfomsg *m;

	h->nlmsg_type = RTM_NEWLINK;
	h->nlmsg_flags = NLM_F_REQUEST;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifi_index = ifindex;
	m->ifi_change = IFF_UP;
	m->ifi_flags = up ? IFF_UP : 0;
	links++;
}

static struct address some_address(void)
{
	struct address a = {.ifindex = s[below(pairs)]};
	char text[INET6_ADDRSTRLEN];

	if (below(10) < 7) {
		a.family = AF_INET;
		a.prefix_len = below(2) ? 24 : 32;
		a.ip[0] = 10;
		a.ip[1] = (uint8_t)(20 + below(40));
		a.ip[2] = (uint8_t)below(250);
		a.ip[3] = (uint8_t)(1 + below(249));
	} else {
		uint16_t net = htons((uint16_t)(1 + below(9998))),
		         host = htons((uint16_t)(1 + below(9998)));

		a.family = AF_INET6;
		a.prefix_len = 64;
		memcpy(a.ip, "\x20\x01\x0d\xb8", 4);
		memcpy(a.ip + 4, &net, 2);
		memcpy(a.ip + 14, &host, 2);
	}
	inet_ntop(a.family, a.ip, text, sizeof(text));
	printf("%d: s    %s %s/%d\n", a.ifindex, a.family == AF_INET ? "inet" : "inet6", text,
	       a.prefix_len);
	return a;
}

static void put_change(struct nlmsghdr *h)
{
	unsigned what = below(1000);

	if (what < 2) {
		put_link(h, below(2) ? s[below(pairs)] : t[below(pairs)], below(3));
	} else if (holding == 0 || (holding < HELD && what < 540)) {
		held[holding] = some_address();
		put_address(h, &held[holding++], RTM_NEWADDR);
	} else {
		unsigned n = below(holding);

		put_address(h, &held[n], RTM_DELADDR);
		held[n] = held[--holding];
	}
}

/* --- many --- */

/* How many of those sent were refused: by the time they are sent, that has been answered. */
static unsigned refusals(void)
{
	char buf[65536];
	unsigned refused = 0;

	for (;;) {
		ssize_t n = recv(mnl_socket_get_fd(sock), buf, sizeof(buf), MSG_DONTWAIT);
		int left = (int)n;

		if (n < 0 && errno == EAGAIN)
			return refused;
		if (n < 0)
			die("answers");
		for (const struct nlmsghdr *h = (void *)buf; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left))
			refused += h->nlmsg_type == NLMSG_ERROR;
	}
}

static unsigned make(unsigned n)
{
	static char buf[BATCH * ROOM] __attribute__((aligned(NLMSG_ALIGNTO)));
	static uint32_t seq;
	size_t size = 0;

	for (unsigned i = 0; i < n; i++) {
		struct nlmsghdr *h = mnl_nlmsg_put_header(buf + size);

		put_change(h);
		h->nlmsg_seq = ++seq;
		size += NLMSG_ALIGN(h->nlmsg_len);
	}
	if (mnl_socket_sendto(sock, buf, size) < 0)
		die("send");
	return n - refusals();
}

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void find(unsigned i)
{
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "s%u", i);
	s[i] = (int)if_nametoindex(name);
	name[0] = 't';
	t[i] = (int)if_nametoindex(name);
	if (!s[i] || !t[i])
		die(name);
}

/* Until so many changes are due. */
static void pause_until(double begun, double due)
{
	double at = begun + due;
	struct timespec when = {(time_t)at, (long)((at - (double)(time_t)at) * 1e9)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
		;
}

int main(int argc, char **argv)
{
	bool right = argc == 4 || argc == 5;
	unsigned changes = right ? (unsigned)atoi(argv[2]) : 0, made = 0, asked = 0;
	int rate = argc == 5 ? atoi(argv[4]) : 0;
	double begun;

	pairs = right ? (unsigned)atoi(argv[3]) : 0;
	if (!changes || !pairs || pairs > PAIRS || rate < 0) {
		fputs("usage: gale SEED CHANGES PAIRS [RATE]\n", stderr);
		return 2;
	}
	state = 0x9e3779b97f4a7c15u ^ (uint64_t)atoll(argv[1]) << 16;
	for (unsigned i = 0; i < pairs; i++)
		find(i);
	sock = mnl_socket_open(NETLINK_ROUTE);
	if (!sock || mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0)
		die("netlink");
	begun = now();
	/* An interface that is down has lost addresses that are to be deleted: not all succeed. */
	while (made < changes && asked < 4 * changes) {
		unsigned n = changes - made < BATCH ? changes - made : BATCH;

		made += make(n);
		asked += n;
		if (rate)
			pause_until(begun, (double)made / rate);
	}
	fprintf(stderr, "%u changes, %u of them of an interface or refused, %.0f a second\n", made,
	        links + asked - made, made / (now() - begun));
	mnl_socket_close(sock);
	return made < changes || fflush(stdout) != 0;
}
