/* SPDX-License-Identifier: MIT */
/*
 * A program made up by chance, which has to fare alike with the library and without, whatever
 * happens to the network: alike SEED HOST PORT, with an echo server there. See trial.h. ALIKE_OUT
 * is the file to which each call's result goes, ALIKE_CALLS how many calls there are to be.
 *
 * Before each call all that has been written has come back, so what a call says is certain; only
 * then can two runs be compared line by line. What is known of the descriptors, to make calls up
 * and to know what comes, is in memory that children and executed programs go on with.
 */
#include "tests/lab/trial.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define FDS 48    /* numbers that calls are made with */
#define FILES 512 /* open files of a run */
#define KEPT 200  /* the descriptor of the memory; then those of the transcript and of a file */
#define OUT 201
#define TEXT 202
#define MOST 20000 /* bytes under way of a connection */

enum kind { NONE, TCP, PAIR, EVENT, EPOLL, PLAIN };

/* An open file, whoever has descriptors of it. */
struct file {
	enum kind kind;
	bool connected, wr_shut;
	int depth; /* of the process that made it */
	uint64_t sent, got;
};

/* What one process knows; the other's while it runs is in its own memory. */
struct process {
	uint64_t chance;
	int left;        /* calls to make */
	int depth;       /* of children */
	int moving;      /* calls since the network changed that may find a flow on its way */
	short file[FDS]; /* number of a file; -1: not open */
};

struct kept {
	unsigned files, line;
	struct file file[FILES];
	struct process saved; /* through an exec */
	bool away;            /* wlan0 is */
};

static struct kept *kept;
static struct process me;
static bool eventful;

/* --- chance --- */

static uint64_t chance(uint64_t of)
{
	me.chance ^= me.chance << 13;
	me.chance ^= me.chance >> 7;
	me.chance ^= me.chance << 17;
	return of ? me.chance % of : 0;
}

/* One that is open, or, now and then, any. */
static int some_fd(void)
{
	int open[FDS], n = 0;

	if (chance(12) == 0)
		return 3 + (int)chance(FDS - 3);
	for (int fd = 3; fd < FDS; fd++)
		if (me.file[fd] >= 0)
			open[n++] = fd;
	return n ? open[chance((uint64_t)n)] : 3;
}

/* Of a connection, if there is one. */
static int some_flow(void)
{
	int open[FDS], n = 0;

	for (int fd = 3; fd < FDS; fd++)
		if (me.file[fd] >= 0 && kept->file[me.file[fd]].kind == TCP)
			open[n++] = fd;
	return n && chance(8) ? open[chance((uint64_t)n)] : some_fd();
}

static struct file *file_of(int fd)
{
	return fd >= 0 && fd < FDS && me.file[fd] >= 0 ? &kept->file[me.file[fd]] : NULL;
}

static bool is(int fd, enum kind kind)
{
	const struct file *f = file_of(fd);

	return f && f->kind == kind;
}

/* --- the transcript --- */

__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
	char line[600];
	va_list ap;
	int n = snprintf(line, sizeof(line), "%u.%d ", kept->line++, me.depth);

	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	n = n < (int)sizeof(line) - 1 ? n : (int)sizeof(line) - 2;
	line[n++] = '\n';
	syscall(SYS_write, OUT, line, n);
}

/* A result, and why. */
static const char *so(long n)
{
	static char text[80];

	if (n < 0)
		snprintf(text, sizeof(text), "%ld %s", n, strerrorname_np(errno));
	else
		snprintf(text, sizeof(text), "%ld", n);
	return text;
}

static unsigned sum(const void *data, ssize_t n)
{
	const unsigned char *p = data;
	unsigned h = 2166136261u;

	for (ssize_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 16777619u;
	return h;
}

/* --- what is under way --- */

static bool has_come(int fd, const struct file *f)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLRDHUP | POLLOUT};
	int there = 0;

	if (ioctl(fd, FIONREAD, &there) < 0 || (uint64_t)there != f->sent - f->got)
		return false;
	if (poll(&p, 1, 0) < 0)
		return false;
	return (!f->wr_shut || p.revents & POLLRDHUP) && (f->wr_shut || p.revents & POLLOUT) &&
	       (!there || p.revents & POLLIN);
}

static void settle(void)
{
	int there = -1;

	for (int fd = 3; fd < FDS; fd++) {
		const struct file *f = file_of(fd);

		if (!f || f->kind != TCP || !f->connected)
			continue;
		for (int i = 0; !has_come(fd, f); i++) {
			if (i == 20000) {
				ioctl(fd, FIONREAD, &there);
				say("%d: %d bytes are there, not %llu; shut: %d", fd, there,
				    (unsigned long long)(f->sent - f->got), f->wr_shut);
				fail("not settled");
			}
			pause_ms(1);
		}
	}
}

/* --- the calls --- */

static int newly(int fd, enum kind kind)
{
	if (fd < 0 || fd >= FDS)
		return fd;
	must(kept->files < FILES, "files");
	me.file[fd] = (short)kept->files;
	kept->file[kept->files++] = (struct file){.kind = kind, .depth = me.depth};
	return fd;
}

static void do_socket(void)
{
	int flags = (chance(4) ? 0 : SOCK_NONBLOCK) | (chance(3) ? 0 : SOCK_CLOEXEC);
	int fd = newly(socket(AF_INET, SOCK_STREAM | flags, 0), TCP);

	say("socket(%#x) = %s", flags, so(fd));
}

static void do_connect(int fd)
{
	struct sockaddr_in to = trial_server;
	struct file *f = file_of(fd);
	bool refused = chance(12) == 0;
	int flags = fcntl(fd, F_GETFL);

	if (f && f->depth != me.depth && !f->connected && !getenv("ALIKE_STRANGE"))
		return;
	if (refused)
		to.sin_port = htons(22);
	int r = connect(fd, (struct sockaddr *)&to, sizeof(to));

	say("connect(%d, %d) = %s", fd, ntohs(to.sin_port), so(r));
	if (r < 0 && errno == EINPROGRESS && flags & O_NONBLOCK) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};

		poll(&p, 1, 20000);
		int error = -1;
		socklen_t len = sizeof(error);

		r = getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
		say("connect(%d): %#x, error %d (%s)", fd, p.revents, error, so(r));
		if (error == 0) {
			f->connected = true;
			/* Said once, however many processes there are. */
			r = connect(fd, (struct sockaddr *)&to, sizeof(to));
			say("connect(%d, %d) = %s", fd, ntohs(to.sin_port), so(r));
		}
	} else if (r == 0 && f && f->kind == TCP) {
		f->connected = true;
	}
}

static void do_new(void)
{
	int two[2] = {-1, -1}, r;

	switch (chance(5)) {
	case 0:
		r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, two);
		say("socketpair = %s %d %d", so(r), newly(two[0], PAIR), newly(two[1], PAIR));
		break;
	case 1:
		r = pipe2(two, O_NONBLOCK);
		say("pipe2 = %s %d %d", so(r), newly(two[0], PLAIN), newly(two[1], PLAIN));
		break;
	case 2:
		r = newly(eventfd((unsigned)chance(2), EFD_NONBLOCK), EVENT);
		say("eventfd = %s", so(r));
		break;
	case 3:
		r = newly(epoll_create1(chance(2) ? EPOLL_CLOEXEC : 0), EPOLL);
		say("epoll_create1 = %s", so(r));
		break;
	default:
		r = newly(open("/dev/null", O_RDWR), PLAIN);
		say("open = %s", so(r));
	}
}

static void same(int from, int fd)
{
	if (fd >= 0 && fd < FDS)
		me.file[fd] = from >= 0 && from < FDS ? me.file[from] : -1;
}

static void do_dup(int fd)
{
	int to = 3 + (int)chance(FDS - 3), r;

	switch (chance(5)) {
	case 0:
		same(fd, r = dup(fd));
		say("dup(%d) = %s", fd, so(r));
		break;
	case 1:
		same(fd, r = dup2(fd, to));
		say("dup2(%d, %d) = %s", fd, to, so(r));
		break;
	case 2:
		same(fd, r = dup3(fd, to, O_CLOEXEC));
		say("dup3(%d, %d) = %s", fd, to, so(r));
		break;
	case 3:
		same(fd, r = fcntl(fd, F_DUPFD, to));
		say("F_DUPFD(%d, %d) = %s", fd, to, so(r));
		break;
	default:
		same(fd, r = fcntl(fd, F_DUPFD_CLOEXEC, to));
		say("F_DUPFD_CLOEXEC(%d, %d) = %s", fd, to, so(r));
	}
}

static void do_close(int fd)
{
	int last = fd + (int)chance(3), r;

	if (chance(6)) {
		r = close(fd);
		say("close(%d) = %s", fd, so(r));
		last = fd;
	} else if (chance(3)) {
		last = last < FDS ? last : FDS - 1;
		r = close_range((unsigned)fd, (unsigned)last, 0);
		say("close_range(%d, %d) = %s", fd, last, so(r));
	} else {
		last = last < FDS ? last : FDS - 1;
		r = close_range((unsigned)fd, (unsigned)last, CLOSE_RANGE_CLOEXEC);
		say("close_range(%d, %d, CLOEXEC) = %s", fd, last, so(r));
		return;
	}
	for (; fd <= last; fd++)
		me.file[fd] = -1;
}

static void do_shutdown(int fd)
{
	struct file *f = file_of(fd);
	int how = chance(6) ? SHUT_WR : (int)chance(3);

	/* The kernel says ENOTCONN and does it all the same. */
	if (f && f->kind == TCP && !f->connected)
		return;
	int r = shutdown(fd, how);

	/* Nobody says when the other end's end has come, too. */
	if (how == SHUT_RDWR)
		pause_ms(100);

	say("shutdown(%d, %d) = %s", fd, how, so(r));
	if (r == 0 && f)
		f->wr_shut = f->wr_shut || how != SHUT_RD;
}

/* How long a write may be: not so long that it, or its echo, could have to wait. */
static size_t some_length(const struct file *f)
{
	static const size_t usual[] = {0, 1, 64, 200, 1000, 4096, 5000};
	size_t len = usual[chance(sizeof(usual) / sizeof(usual[0]))];

	return f && f->kind != TCP && len > 64 ? 64 : len;
}

static void filled(char *out, size_t len)
{
	uint64_t from = chance(0);

	for (size_t i = 0; i < len; i++)
		out[i] = (char)('a' + (me.chance + from + i * 7) % 26);
}

static void do_send(int fd)
{
	static char out[8192];
	struct file *f = file_of(fd);
	size_t len = some_length(f);
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int flags = MSG_NOSIGNAL, way = (int)chance(8);
	const char *name = "?";
	ssize_t n = -1;

	filled(out, len);
	if (f && f->kind == EVENT)
		len = 8;
	if (f && f->kind != TCP && poll(&p, 1, 0) == 1 &&
	    !(p.revents & (POLLOUT | POLLERR | POLLHUP))) {
		say("%d is full", fd);
		return;
	}
	if (f && f->kind == TCP && f->sent - f->got > MOST) {
		say("%d has enough", fd);
		return;
	}
	if (chance(3) == 0)
		flags |= MSG_DONTWAIT;
	if (chance(8) == 0)
		flags |= MSG_MORE;

	struct iovec v[3] = {{out, len / 3}, {out + len / 3, 0}, {out + len / 3, len - len / 3}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 3};
	struct mmsghdr mm[2] = {{.msg_hdr = {.msg_iov = v, .msg_iovlen = 1}},
	                        {.msg_hdr = {.msg_iov = v + 2, .msg_iovlen = 1}}};

	for (int i = 0;; i++) {
		switch (way) {
		case 0:
			name = "write";
			n = write(fd, out, len);
			break;
		case 1:
			name = "writev";
			n = writev(fd, v, 3);
			break;
		case 2:
			name = "sendmsg";
			n = sendmsg(fd, &m, flags);
			break;
		case 3:
			name = "sendto";
			n = sendto(fd, out, len, flags, (struct sockaddr *)&trial_server,
			           sizeof(trial_server));
			break;
		case 4:
			name = "sendmmsg";
			n = sendmmsg(fd, mm, 2, flags);
			break;
		case 5:
			name = "pwritev2";
			n = pwritev2(fd, v, 3, -1, 0);
			break;
		default:
			name = "send";
			n = send(fd, out, len, flags);
		}
		/* On the way to another path there is no room for a moment. */
		if (n >= 0 || errno != EAGAIN || !f || f->kind != TCP || i == 5000)
			break;
		pause_ms(1);
	}
	say("%s(%d, %zu, %#x) = %s", name, fd, len, flags, so(n));
	if (n > 0 && f)
		f->sent += way != 4 ? (size_t)n
		           : n == 1 ? mm[0].msg_len
		                    : mm[0].msg_len + mm[1].msg_len;
}

static void do_receive(int fd)
{
	static char in[32768];
	struct file *f = file_of(fd);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t len = chance(5) ? some_length(NULL) : sizeof(in);
	int flags = 0, way = (int)chance(8), there = 0;
	struct sockaddr_storage from = {0};
	socklen_t from_len = sizeof(from);
	const char *name = "?";
	ssize_t n = -1;

	poll(&p, 1, 0);
	ioctl(fd, FIONREAD, &there);
	if (f && !p.revents) {
		/* It would wait. */
		way = 5 + (int)chance(3);
		flags |= MSG_DONTWAIT;
		if (f->kind != TCP && f->kind != PAIR) {
			say("%d is empty", fd);
			return;
		}
	}
	if (chance(4) == 0)
		flags |= MSG_PEEK;
	if (chance(4) == 0 && (size_t)there >= len)
		flags |= MSG_WAITALL;
	if (chance(6) == 0)
		flags |= MSG_DONTWAIT;
	if (chance(16) == 0)
		flags |= MSG_TRUNC;

	struct iovec v[3] = {{in, len / 4}, {in, 0}, {in + len / 4, len - len / 4}};
	struct msghdr m = {
	    .msg_iov = v, .msg_iovlen = 3, .msg_name = &from, .msg_namelen = from_len};

	memset(in, 0, sizeof(in));
	for (int i = 0;; i++) {
		switch (way) {
		case 0:
			name = "read", flags = 0;
			n = read(fd, in, len);
			break;
		case 1:
			name = "readv", flags = 0;
			n = readv(fd, v, 3);
			break;
		case 2:
			name = "preadv2", flags = 0;
			n = preadv2(fd, v, 3, -1, 0);
			break;
		case 5:
			name = "recvmsg";
			n = recvmsg(fd, &m, flags);
			from_len = m.msg_namelen;
			break;
		case 6:
			name = "recvfrom";
			n = recvfrom(fd, in, len, flags, (struct sockaddr *)&from, &from_len);
			break;
		default:
			name = "recv";
			n = recv(fd, in, len, flags);
		}
		if (n >= 0 || errno != EAGAIN || !f || f->kind != TCP || !there || i == 5000)
			break;
		pause_ms(1);
	}
	say("%s(%d, %zu, %#x) = %s, %08x, from %u, %#x", name, fd, len, flags, so(n),
	    n > 0 && !(flags & MSG_TRUNC) ? sum(in, n) : 0, from_len, m.msg_flags);
	if (n > 0 && f && !(flags & MSG_PEEK))
		f->got += (size_t)n;
}

static void do_poll(void)
{
	struct pollfd p[FDS];
	char text[400];
	int n = 0, at = 0;

	for (int fd = 3; fd < FDS; fd++)
		if (me.file[fd] >= 0 || chance(40) == 0)
			p[n++] = (struct pollfd){.fd = fd,
			                         .events = POLLIN | POLLOUT | POLLRDHUP | POLLPRI};
	int r = poll(p, (nfds_t)n, 0);

	for (int i = 0; i < n && at < (int)sizeof(text) - 20; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, " %d:%#x", p[i].fd,
		               (unsigned)p[i].revents);
	text[at] = 0;
	say("poll = %s%s", so(r), text);
}

static void do_select(void)
{
	fd_set in, out, ex;
	struct timeval none = {0, 0};
	char text[400];
	int at = 0;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&ex);
	for (int fd = 3; fd < FDS; fd++) {
		if (me.file[fd] < 0)
			continue;
		FD_SET(fd, &in);
		FD_SET(fd, &out);
		FD_SET(fd, &ex);
	}
	int r = select(FDS, &in, &out, &ex, &none);

	for (int fd = 3; fd < FDS && at < (int)sizeof(text) - 20; fd++)
		if (me.file[fd] >= 0)
			at += snprintf(text + at, sizeof(text) - (size_t)at, " %d:%d%d%d", fd,
			               !!FD_ISSET(fd, &in), !!FD_ISSET(fd, &out),
			               !!FD_ISSET(fd, &ex));
	text[at] = 0;
	say("select = %s%s", so(r), text);
}

static int by_data(const void *a, const void *b)
{
	const struct epoll_event *x = a, *y = b;

	return x->data.u64 < y->data.u64 ? -1 : x->data.u64 > y->data.u64;
}

/* Edges apart: after a handover there may be one more. */
static void do_epoll(int fd)
{
	struct epoll_event e[FDS] = {{0}};
	int ep = some_fd(), at = 0, r;
	char text[400];

	for (int i = 0; i < 8 && !is(ep, EPOLL); i++)
		ep = some_fd();
	if (chance(2)) {
		static const char *const names[] = {"", "ADD", "DEL", "MOD"};
		int op = chance(2) ? EPOLL_CTL_ADD : 1 + (int)chance(3);

		e[0].events = (uint32_t)(chance(3) ? EPOLLIN : EPOLLIN | EPOLLOUT | EPOLLRDHUP) |
		              (uint32_t)(chance(4) ? 0 : EPOLLONESHOT);
		e[0].data.u64 = chance(1000000);
		r = epoll_ctl(ep, op, fd, &e[0]);
		say("epoll_ctl(%d, %s, %d, %#x, %llu) = %s", ep, names[op], fd, e[0].events,
		    (unsigned long long)e[0].data.u64, so(r));
		return;
	}
	r = epoll_wait(ep, e, FDS, 0);
	if (r > 0)
		qsort(e, (size_t)r, sizeof(e[0]), by_data);
	for (int i = 0; i < r && at < (int)sizeof(text) - 40; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, " %llu:%#x",
		               (unsigned long long)e[i].data.u64, e[i].events);
	text[at] = 0;
	say("epoll_wait(%d) = %s%s", ep, so(r), text);
}

static const struct {
	int level, name;
	const char *text;
	int most;
} options[] = {
    {SOL_SOCKET, SO_TYPE, "SO_TYPE", 0},
    {SOL_SOCKET, SO_ERROR, "SO_ERROR", 0},
    {SOL_SOCKET, SO_DOMAIN, "SO_DOMAIN", 0},
    {SOL_SOCKET, SO_PROTOCOL, "SO_PROTOCOL", 0},
    {SOL_SOCKET, SO_ACCEPTCONN, "SO_ACCEPTCONN", 0},
    {SOL_SOCKET, SO_KEEPALIVE, "SO_KEEPALIVE", 2},
    {SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR", 2},
    {SOL_SOCKET, SO_OOBINLINE, "SO_OOBINLINE", 2},
    {SOL_SOCKET, SO_PRIORITY, "SO_PRIORITY", 6},
    {SOL_SOCKET, SO_RCVLOWAT, "SO_RCVLOWAT", 1},
    {IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY", 2},
    {IPPROTO_TCP, TCP_CORK, "TCP_CORK", 1},
    {IPPROTO_TCP, TCP_KEEPIDLE, "TCP_KEEPIDLE", 100},
    {IPPROTO_TCP, TCP_KEEPINTVL, "TCP_KEEPINTVL", 100},
    {IPPROTO_TCP, TCP_KEEPCNT, "TCP_KEEPCNT", 100},
    {IPPROTO_TCP, TCP_SYNCNT, "TCP_SYNCNT", 20},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, "TCP_DEFER_ACCEPT", 1},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, "TCP_USER_TIMEOUT", 100000},
    {IPPROTO_TCP, TCP_LINGER2, "TCP_LINGER2", 50},
    {IPPROTO_IP, IP_TOS, "IP_TOS", 0x20},
    {IPPROTO_IP, IP_TTL, "IP_TTL", 100},
    {IPPROTO_IP, IP_MTU_DISCOVER, "IP_MTU_DISCOVER", 2},
    {IPPROTO_IP, IP_RECVTOS, "IP_RECVTOS", 2},
    {IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY", 2},
    {SOL_SOCKET, 9999, "none such", 2},
};

static void do_option(int fd)
{
	size_t i = chance(sizeof(options) / sizeof(options[0]));
	int value = 0, r;
	socklen_t len = sizeof(value);

	if (chance(8) == 0) {
		struct linger l = {.l_onoff = (int)chance(2), .l_linger = 1 + (int)chance(3)};

		len = sizeof(l);
		r = setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, len);
		say("SO_LINGER(%d, %d, %d) = %s", fd, l.l_onoff, l.l_linger, so(r));
	} else if (chance(8) == 0) {
		struct timeval t = {20 + (time_t)chance(5), 500000};

		r = setsockopt(fd, SOL_SOCKET, chance(2) ? SO_RCVTIMEO : SO_SNDTIMEO, &t,
		               sizeof(t));
		say("SO_xxxTIMEO(%d, %ld) = %s", fd, (long)t.tv_sec, so(r));
		len = sizeof(t);
		r = getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, &len);
		say("SO_RCVTIMEO(%d) = %s, %ld.%06ld, %u", fd, so(r), (long)t.tv_sec,
		    (long)t.tv_usec, len);
	} else if (chance(12) == 0 && is(fd, TCP)) {
		value = 65536 + (int)chance(100) * 512;
		r = setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, sizeof(value));
		r = r < 0 ? r : getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, &len);
		say("SO_RCVBUF(%d) = %s, %d", fd, so(r), value);
	} else if (options[i].most && chance(2)) {
		value = options[i].most == 1 ? 1 : (int)chance((uint64_t)options[i].most);
		/* Held back for 200 ms at most: not by a cork. */
		if (options[i].name == TCP_CORK && options[i].level == IPPROTO_TCP)
			value = 0;
		r = setsockopt(fd, options[i].level, options[i].name, &value, sizeof(value));
		say("set %s(%d, %d) = %s", options[i].text, fd, value, so(r));
	} else {
		r = getsockopt(fd, options[i].level, options[i].name, &value, &len);
		say("get %s(%d) = %s, %d, %u", options[i].text, fd, so(r), value, len);
	}
}

static void address(char text[64], const struct sockaddr_storage *a, socklen_t len)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)a;
	char host[INET_ADDRSTRLEN] = "";

	if (a->ss_family == AF_INET)
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
	/* Which of this machine's is chance. */
	if (memcmp(host, "10.2.", 5) == 0)
		host[3] = '1';
	snprintf(text, 64, "%d %u %s %s", a->ss_family, len, host,
	         a->ss_family != AF_INET           ? ""
	         : !in->sin_port                   ? "none"
	         : ntohs(in->sin_port) > 1024 * 16 ? "some"
	                                           : "known");
}

/* What only a program with a fault asks for: it is to live, and to be told so. */
static void do_wrong(int fd)
{
	static char *volatile nowhere; /* for the compiler knows better */
	struct iovec v[2] = {{nowhere + 16, 10}, {nowhere, 3}}, some = {nowhere, 0};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2}, odd = {.msg_iovlen = 5000};
	socklen_t len = 0;
	volatile int less = -1;
	int way = (int)chance(16);
	ssize_t n = -1;

	switch (way) {
	case 0:
		n = send(fd, nowhere, 10, MSG_NOSIGNAL | MSG_DONTWAIT);
		break;
	case 1:
		n = write(fd, nowhere + 4096, 5000);
		break;
	case 2:
		n = writev(fd, v, 2);
		break;
	case 3:
		n = writev(fd, (void *)nowhere, 2);
		break;
	case 4:
		n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		break;
	case 5:
		n = sendmsg(fd, (void *)nowhere, MSG_NOSIGNAL | MSG_DONTWAIT);
		break;
	case 6:
		n = sendmsg(fd, &odd, MSG_NOSIGNAL | MSG_DONTWAIT);
		break;
	case 7:
		n = recv(fd, nowhere, 10, MSG_DONTWAIT);
		break;
	case 8:
		n = recvmsg(fd, &m, MSG_DONTWAIT);
		break;
	case 9:
		n = recvmsg(fd, (void *)nowhere, MSG_DONTWAIT);
		break;
	case 10:
		n = readv(fd, v, less);
		break;
	case 11:
		n = writev(fd, &some, 1);
		break;
	case 12:
		n = getsockopt(fd, SOL_SOCKET, SO_TYPE, nowhere, &len);
		break;
	case 13:
		n = setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, nowhere, sizeof(int));
		break;
	case 14:
		n = connect(fd, (void *)nowhere, sizeof(trial_server));
		break;
	default:
		n = getpeername(fd, (void *)nowhere, (void *)nowhere);
	}
	say("wrong %d(%d) = %s", way, fd, so(n));
}

static void do_ask(int fd)
{
	struct sockaddr_storage a = {0};
	socklen_t len = sizeof(a);
	struct stat st = {0};
	struct file *f = file_of(fd);
	char text[64] = "";
	int value = 0, r;

	switch (chance(16)) {
	case 0:
		r = getsockname(fd, (struct sockaddr *)&a, &len);
		address(text, &a, len);
		say("getsockname(%d) = %s: %s", fd, so(r), text);
		break;
	case 1:
		r = getpeername(fd, (struct sockaddr *)&a, &len);
		address(text, &a, len);
		say("getpeername(%d) = %s: %s", fd, so(r), text);
		break;
	case 2:
		r = fcntl(fd, F_GETFL);
		say("F_GETFL(%d) = %s", fd, so(r));
		break;
	case 3:
		r = fcntl(fd, F_GETFD);
		say("F_GETFD(%d) = %s", fd, so(r));
		break;
	case 4:
		value = (int)chance(2);
		r = fcntl(fd, F_SETFD, value);
		say("F_SETFD(%d, %d) = %s", fd, value, so(r));
		break;
	case 5:
		if (f && f->kind != TCP)
			break;
		value = chance(2) ? O_NONBLOCK : 0;
		r = fcntl(fd, F_SETFL, value);
		say("F_SETFL(%d, %#x) = %s", fd, value, so(r));
		break;
	case 6:
		if (f && f->kind != TCP)
			break;
		value = (int)chance(2);
		r = ioctl(fd, FIONBIO, &value);
		say("FIONBIO(%d) = %s", fd, so(r));
		break;
	case 7:
		r = ioctl(fd, FIONREAD, &value);
		say("FIONREAD(%d) = %s, %d", fd, so(r), value);
		break;
	case 8:
		r = fstat(fd, &st);
		say("fstat(%d) = %s, %o", fd, so(r), st.st_mode & S_IFMT);
		break;
	case 9:
		r = (int)lseek(fd, 0, SEEK_CUR);
		say("lseek(%d) = %s", fd, so(r));
		break;
	case 10:
		r = listen(fd, 5);
		if (r == 0) /* of no more use here */
			close(fd), me.file[fd] = -1;
		say("listen(%d) = %s", fd, so(r));
		break;
	case 11:
		/* Nobody calls it. */
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) == 0 && value)
			break;
		r = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
		say("accept4(%d) = %s", fd, so(r));
		break;
	case 12:
		r = isatty(fd);
		say("isatty(%d) = %s", fd, so(r));
		break;
	case 13:
		r = ioctl(fd, SIOCATMARK, &value);
		say("SIOCATMARK(%d) = %s, %d", fd, so(r), value);
		break;
	case 14:
		do_wrong(fd);
		break;
	default:
		r = (int)recv(fd, text, 1, MSG_DONTWAIT | (chance(2) ? MSG_OOB : MSG_ERRQUEUE));
		say("recv(%d, OOB) = %s", fd, so(r));
	}
}

/* By other hands: the standard library's, the kernel's, a shell's. */
static void do_other(int fd)
{
	struct file *f = file_of(fd);
	int copy, two[2], there = 0;
	char line[100];
	ssize_t n;
	FILE *s;

	if (!f || f->kind != TCP || !f->connected || f->wr_shut || f->sent - f->got > MOST)
		return;
	switch (chance(6)) {
	case 0:
		copy = dup(fd);
		s = copy < 0 ? NULL : fdopen(copy, "w");
		n = s ? fprintf(s, "line %llu\n", (unsigned long long)chance(1000000)) : -1;
		f->sent += n > 0 ? (size_t)n : 0;
		say("fprintf(%d) = %s by %d, %d", fd, so(n), copy, s ? fclose(s) : 0);
		break;
	case 1:
		if (f->sent == f->got)
			break;
		copy = dup(fd);
		s = copy < 0 ? NULL : fdopen(copy, "r");
		n = s ? (ssize_t)fread(line, 1, 1, s) : -1;
		say("fread(%d) = %s, %#x by %d, %d", fd, so(n), (unsigned)line[0], copy,
		    s ? fclose(s) : 0);
		ioctl(fd, FIONREAD, &there);
		f->got = f->sent - (uint64_t)there;
		break;
	case 2: {
		off_t at = (off_t)chance(1000);

		n = sendfile(fd, TEXT, &at, 1 + chance(3000));
		f->sent += n > 0 ? (size_t)n : 0;
		say("sendfile(%d) = %s, %ld", fd, so(n), (long)at);
		break;
	}
	case 3:
		if (pipe(two) < 0)
			break;
		n = write(two[1], "through a pipe\n", 15);
		n = splice(two[0], NULL, fd, NULL, 15, 0);
		f->sent += n > 0 ? (size_t)n : 0;
		say("splice(to %d) = %s by %d %d", fd, so(n), two[0], two[1]);
		close(two[0]);
		close(two[1]);
		break;
	case 4:
		if (f->sent == f->got || pipe(two) < 0)
			break;
		n = splice(fd, NULL, two[1], NULL, 10, 0);
		f->got += n > 0 ? (size_t)n : 0;
		n = n > 0 ? read(two[0], line, sizeof(line)) : n;
		say("splice(from %d) = %s, %08x by %d %d", fd, so(n), sum(line, n), two[0], two[1]);
		close(two[0]);
		close(two[1]);
		break;
	default:
		if (fcntl(fd, F_GETFD) & FD_CLOEXEC)
			break;
		snprintf(line, sizeof(line), "bash -c 'echo by a shell >&%d'", fd);
		n = system(line);
		f->sent += n == 0 ? 11 : 0;
		say("system(%d) = %s", fd, so(n));
	}
}

/* Through a pair, to itself. */
static void do_pass(int fd)
{
	int two[2], got = -1;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, two) < 0)
		return;
	ssize_t n = give(two[0], fd);
	int why = errno;

	if (n == 1) {
		bool ends = chance(2);
		short file = file_of(fd) ? me.file[fd] : -1;

		if (ends) {
			close(fd);
			me.file[fd] = -1;
		}
		got = take(two[1]);
		if (got >= 0 && got < FDS)
			me.file[got] = file;
	}
	errno = why;
	say("SCM_RIGHTS(%d) = %s, %d", fd, so(n), got);
	close(two[0]);
	close(two[1]);
}

static void execute(int left)
{
	char *argv[] = {(char *)"alike", (char *)"-", NULL};

	for (int fd = 3; fd < FDS; fd++)
		if (me.file[fd] >= 0 && fcntl(fd, F_GETFD) & FD_CLOEXEC)
			me.file[fd] = -1;
	say("exec");
	me.left = left;
	kept->saved = me;
	execv("/proc/self/exe", argv);
	fail("execv: %s", strerror(errno));
}

static void run(void);

static void do_child(void)
{
	extern char **environ;
	char *argv[] = {(char *)"alike", (char *)"-", NULL};
	struct process mine = me;
	int status = -1, calls = 1 + (int)chance(6);
	bool spawn = chance(3) == 0;
	pid_t pid;

	if (me.depth)
		return;
	say("%s, %d calls", spawn ? "posix_spawn" : "fork", calls);
	me.depth++;
	me.left = calls;
	if (spawn) {
		for (int fd = 3; fd < FDS; fd++)
			if (me.file[fd] >= 0 && fcntl(fd, F_GETFD) & FD_CLOEXEC)
				me.file[fd] = -1;
		kept->saved = me;
		must(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) == 0,
		     "posix_spawn");
	} else {
		pid = fork();
		must(pid >= 0, "fork");
		if (pid == 0) {
			run();
			if (me.chance & 1)
				_exit(0);
			exit(0);
		}
	}
	me = mine;
	chance(0);
	must(waitpid(pid, &status, 0) == pid, "waitpid");
	say("child: %d", status);
}

/* Not by a child: its parent reads the answers. */
static void do_event(void)
{
	static const int pauses[] = {0, 5, 60, 800};
	int ms = pauses[chance(4)];

	if (me.depth)
		return;
	kept->away = !kept->away;
	event(kept->away ? "wlan0 down" : "wlan0 up");
	say("wlan0 %s", kept->away ? "down" : "up");
	if (eventful)
		pause_ms(ms);
	me.moving = ms < 800 ? 4 : 0;
}

/* What says how things are just now may find a connection on its way: not before it has arrived. */
static void arrive(void)
{
	if (me.moving && eventful)
		pause_ms(800);
	me.moving = 0;
}

static void run(void)
{
	while (me.left > 0) {
		uint64_t what = chance(100);

		me.left--;
		settle();
		if (what < 6)
			do_socket();
		else if (what < 13)
			do_connect(some_flow());
		else if (what < 16)
			do_new();
		else if (what < 21)
			do_dup(some_fd());
		else if (what < 25)
			do_close(some_fd());
		else if (what < 26)
			do_shutdown(some_flow());
		else if (what < 44)
			do_send(chance(3) ? some_flow() : some_fd());
		else if (what < 58)
			do_receive(chance(3) ? some_flow() : some_fd());
		else if (what < 68) {
			arrive();
			settle();
			if (what < 61)
				do_poll();
			else if (what < 63)
				do_select();
			else
				do_epoll(chance(2) ? some_flow() : some_fd());
		} else if (what < 74)
			do_option(some_flow());
		else if (what < 82)
			do_ask(some_flow());
		else if (what < 87)
			do_other(some_flow());
		else if (what < 88)
			do_pass(some_fd());
		else if (what < 90)
			do_child();
		else if (what < 91)
			execute(me.left);
		else
			do_event();
		if (me.moving)
			me.moving--;
	}
}

int main(int argc, char **argv)
{
	const char *calls = getenv("ALIKE_CALLS"), *out = getenv("ALIKE_OUT");
	bool resumed = argc == 2 && strcmp(argv[1], "-") == 0;
	size_t size = sizeof(*kept);
	int fd;

	if (!resumed && (argc != 4 || !out))
		return 2;
	eventful = getenv("ALIKE_EVENTS") != NULL;
	signal(SIGPIPE, SIG_IGN);
	trial_server.sin_family = AF_INET;
	if (!resumed) {
		fd = memfd_create("alike", 0);
		must(fd >= 0 && ftruncate(fd, (off_t)size) == 0 && dup2(fd, KEPT) == KEPT, "memfd");
		close(fd);
		fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
		must(fd >= 0 && dup2(fd, OUT) == OUT, "%s", out);
		close(fd);
		fd = memfd_create("text", 0);
		must(fd >= 0 && dup2(fd, TEXT) == TEXT, "memfd");
		close(fd);
		for (int i = 0; i < 1000; i++)
			dprintf(TEXT, "line %d\n", i);
	}
	kept = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, KEPT, 0);
	must(kept != MAP_FAILED, "mmap");
	if (resumed) {
		me = kept->saved;
	} else {
		me.chance = strtoull(argv[1], NULL, 0) * 0x9E3779B97F4A7C15u + 1;
		me.left = calls ? atoi(calls) : 100;
		memset(me.file, -1, sizeof(me.file));
		setenv("ALIKE_HOST", argv[2], 1);
		setenv("ALIKE_PORT", argv[3], 1);
	}
	trial_server.sin_port = htons((uint16_t)atoi(getenv("ALIKE_PORT")));
	inet_pton(AF_INET, getenv("ALIKE_HOST"), &trial_server.sin_addr);
	run();
	if (me.depth)
		return 0;
	settle();
	if (kept->away)
		event("wlan0 up");
	syscall(SYS_write, 1, "end\n", 4);
	return 0;
}
