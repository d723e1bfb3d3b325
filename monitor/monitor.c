/* SPDX-License-Identifier: MIT */
#include "monitor/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "monitor/paths.h"
#include "monitor/table.h"

#define BUFFER 32768	/* what the kernel's documentation recommends for dumps */
#define REDUMP_MS 30	/* one change in the network is a burst of messages */
#define DUMP_LIMIT_MS 1000
#define RECEIVE_BUFFER (1 << 20)

/* The three dumps of a round, in this order: an address without its link says nothing. */
static const int kinds[] = {RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE};
#define KINDS 3

struct mif_monitor {
	struct table table;
	int events, dumps;	/* sockets: what happens, and what we asked for */
	uint32_t seq;
	int dumping;		/* index into kinds of the dump under way, -1: none */
	int last;		/* the dump to stop after */
	bool interrupted;
	bool full_wanted, routes_wanted;
	int64_t due_ms;		/* when a wanted dump begins */
	bool asked;		/* a question about one link is out */
	bool complete;		/* the first round is over */
	char buf[BUFFER];
};

static int open_socket(unsigned groups)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = groups};
	int size = RECEIVE_BUFFER, r;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	r = bind(fd, (struct sockaddr *)&a, sizeof(a));
	if (r < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static void want(struct mif_monitor *m, bool full, int in_ms)
{
	int64_t due = clock_ms() + in_ms;

	if (full)
		m->full_wanted = true;
	m->routes_wanted = true;
	if (!m->due_ms || due < m->due_ms)
		m->due_ms = due;
}

static int request(struct mif_monitor *m, int kind, unsigned flags, int ifindex)
{
	char buf[256] = {0};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = (uint16_t)kind;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = ++m->seq;
	if (kind == RTM_GETLINK) {
		struct ifinfomsg *i = mnl_nlmsg_put_extra_header(nlh, sizeof(*i));

		i->ifi_index = ifindex;
	} else if (kind == RTM_GETADDR) {
		mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg));
	} else {
		mnl_nlmsg_put_extra_header(nlh, sizeof(struct rtmsg));
	}
	return send(m->dumps, buf, nlh->nlmsg_len, MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void dump_next(struct mif_monitor *m)
{
	if (m->dumping == m->last) {
		m->dumping = -1;
		m->complete = true;
		return;
	}
	m->dumping++;
	m->interrupted = false;
	table_dump_begin(&m->table);
	if (request(m, kinds[m->dumping], NLM_F_DUMP, 0) < 0) {
		m->dumping = -1;
		want(m, true, 1000);
	}
}

static void dump_begin(struct mif_monitor *m)
{
	if (m->dumping >= 0 || m->asked)
		return; /* one at a time on a socket */
	m->dumping = m->full_wanted ? -1 : 1;
	m->last = KINDS - 1;
	m->full_wanted = m->routes_wanted = false;
	m->due_ms = 0;
	dump_next(m);
}

static void dump_done(struct mif_monitor *m)
{
	int kind = kinds[m->dumping];

	if (m->interrupted) {
		/* The kernel's table changed while it was read out. */
		m->dumping = -1;
		want(m, true, 5);
		return;
	}
	table_dump_end(&m->table, kind);
	dump_next(m);
}

/* Only the kernel (port 0) is believed; any process may send to a netlink socket. */
static ssize_t receive(int fd, char *buf)
{
	struct sockaddr_nl from = {0};
	struct iovec iov = {buf, BUFFER};
	struct msghdr msg = {.msg_name = &from,
			     .msg_namelen = sizeof(from),
			     .msg_iov = &iov,
			     .msg_iovlen = 1};
	ssize_t n;

	do
		n = recvmsg(fd, &msg, MSG_DONTWAIT);
	while (n >= 0 && (from.nl_pid != 0 || msg.msg_flags & MSG_TRUNC));
	return n < 0 ? -errno : n;
}

static void read_events(struct mif_monitor *m)
{
	/* Bounded: a storm must not keep the owner from its other work. */
	for (int i = 0; i < 256; i++) {
		ssize_t n = receive(m->events, m->buf);
		int left = (int)n;

		if (n == -ENOBUFS) {
			/* Messages were lost: nothing less than everything tells what. */
			want(m, true, 0);
			continue;
		}
		if (n <= 0)
			return;
		for (struct nlmsghdr *h = (struct nlmsghdr *)m->buf; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left)) {
			table_feed(&m->table, h);
			/* IPv4 routes vanish in silence when a link or an address goes. */
			if (h->nlmsg_type != RTM_NEWROUTE && h->nlmsg_type != RTM_DELROUTE)
				want(m, false, REDUMP_MS);
		}
	}
}

static void read_dumps(struct mif_monitor *m)
{
	ssize_t n;

	while ((n = receive(m->dumps, m->buf)) != -EAGAIN) {
		int left = (int)n;

		if (n < 0) {
			m->dumping = -1;
			m->asked = false;
			want(m, true, 100);
			return;
		}
		for (struct nlmsghdr *h = (struct nlmsghdr *)m->buf; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_seq != m->seq)
				continue;
			if (h->nlmsg_flags & NLM_F_DUMP_INTR)
				m->interrupted = true;
			if (h->nlmsg_type == NLMSG_DONE && m->dumping >= 0) {
				dump_done(m);
			} else if (h->nlmsg_type == NLMSG_ERROR) {
				if (m->dumping >= 0) {
					m->dumping = -1;
					want(m, true, 1000);
				}
				m->asked = false;
			} else {
				table_feed(&m->table, h);
				m->asked = false;
			}
		}
	}
}

int mif_monitor_process(struct mif_monitor *m)
{
	read_events(m);
	read_dumps(m);
	if (m->routes_wanted && m->due_ms && clock_ms() >= m->due_ms)
		dump_begin(m);
	if (m->table.routes_changed && m->dumping < 0) {
		struct mif_event ev = {.type = MIF_ROUTES_CHANGED, .reason = "routes changed"};

		m->table.routes_changed = false;
		if (m->table.fn)
			m->table.fn(m->table.ctx, &ev);
	}
	return 0;
}

int mif_monitor_open(struct mif_monitor **out, mif_event_fn *fn, void *ctx, bool wait)
{
	struct mif_monitor *m = calloc(1, sizeof(*m));
	int64_t limit = clock_ms() + DUMP_LIMIT_MS;
	int r;

	if (!m)
		return -ENOMEM;
	table_init(&m->table, fn, ctx);
	m->dumps = m->dumping = -1;
	m->events = open_socket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
				RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);
	r = m->events;
	if (r >= 0)
		r = m->dumps = open_socket(0);
	if (r < 0) {
		mif_monitor_close(m);
		return r;
	}
	/* Subscribed before asking, so nothing falls between. */
	want(m, true, 0);
	dump_begin(m);
	while (wait && !m->complete && clock_ms() < limit) {
		struct pollfd p = {.fd = m->dumps, .events = POLLIN};

		poll(&p, 1, 50);
		mif_monitor_process(m);
	}
	*out = m;
	return 0;
}

void mif_monitor_close(struct mif_monitor *m)
{
	if (m->events >= 0)
		close(m->events);
	if (m->dumps >= 0)
		close(m->dumps);
	table_free(&m->table);
	free(m);
}

int mif_monitor_fds(const struct mif_monitor *m, int fds[2])
{
	fds[0] = m->events;
	fds[1] = m->dumps;
	return 2;
}

void mif_monitor_move_fds(struct mif_monitor *m, int (*move)(int fd))
{
	int *fds[] = {&m->events, &m->dumps};

	for (int i = 0; i < 2; i++) {
		int fd = move(*fds[i]);

		if (fd >= 0)
			*fds[i] = fd;
	}
}

int mif_monitor_timeout(const struct mif_monitor *m)
{
	if (!m->due_ms || m->dumping >= 0)
		return -1;
	int64_t left = m->due_ms - clock_ms();

	return left < 0 ? 0 : (int)left;
}

int mif_monitor_ask(struct mif_monitor *m, int ifindex)
{
	if (m->dumping >= 0)
		return 0; /* the dump under way answers it */
	m->asked = true;
	return request(m, RTM_GETLINK, 0, ifindex);
}

int mif_paths(const struct mif_monitor *m, const struct sockaddr *peer, struct mif_path *out, int max)
{
	return table_paths(&m->table, peer, out, max);
}

int mif_interface_of(const struct mif_monitor *m, sa_family_t family, const void *ip)
{
	return table_interface_of(&m->table, family, ip);
}

bool mif_address_usable(const struct mif_monitor *m, sa_family_t family, const void *ip)
{
	return table_address_usable(&m->table, family, ip);
}

bool mif_interface(const struct mif_monitor *m, int ifindex, char name[IFNAMSIZ],
		   enum mif_kind *kind, bool *is_usable)
{
	const struct link *l = m ? table_link(&m->table, ifindex) : NULL;

	if (!l)
		return false;
	if (name)
		memcpy(name, l->name, IFNAMSIZ);
	if (kind)
		*kind = l->kind;
	if (is_usable)
		*is_usable = l->usable;
	return true;
}

const char *mif_event_name(enum mif_event_type t)
{
	static const char *const names[] = {
		"Interface Announcement", "No Interface Announcement", "Address Announcement",
		"No Address Announcement", "Interface is going up", "Interface is going away",
		"Routes changed",
	};

	return names[t];
}

const char *mif_kind_name(enum mif_kind k)
{
	static const char *const names[] = {"other",	"ethernet", "wifi",
					    "cellular", "vpn",	    "loopback"};

	return names[k];
}
