/* SPDX-License-Identifier: MIT */
/*
 * One connection to an echo service, used by one of the less common ways to use a descriptor:
 *
 *   surface HOW HOST PORT SECONDS
 *
 * Lines go out and must come back unchanged, in order, for so many seconds; in the end this side
 * closes its direction and the service's end must follow. Status 0: all was right. 77: this kernel
 * has no such thing.
 */
#include <aio.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define LINE 3000
#define NONE 77

ssize_t __read(int, void *, size_t);
ssize_t __write(int, const void *, size_t);
int __connect(int, const struct sockaddr *, socklen_t);

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

static size_t make_line(char *line, unsigned n)
{
	unsigned x = n * 2654435761u + 1;
	size_t len = 20 + x % (LINE - 22);
	int at = sprintf(line, "%u ", n);

	for (size_t i = (size_t)at; i < len; i++) {
		x = x * 1664525 + 1013904223;
		line[i] = (char)('a' + (x >> 24) % 26);
	}
	line[len] = '\n';
	line[len + 1] = 0;
	return len + 1;
}

/* One step of a way: so many bytes at most; what was done. Never less than 1. */
typedef size_t step_fn(int fd, char *p, size_t n);

struct way {
	const char *name;
	step_fn *out, *in;
};

static size_t checked(ssize_t n, const char *what)
{
	if (n <= 0)
		fail("%s: %zd", what, n);
	return (size_t)n;
}

/* --- one call after the other --- */

static size_t plain_in(int fd, char *p, size_t n)
{
	return checked(read(fd, p, n), "read");
}

static size_t plain_out(int fd, char *p, size_t n)
{
	return checked(write(fd, p, n), "write");
}

static size_t number_in(int fd, char *p, size_t n)
{
	static unsigned turn;
	struct iovec v = {p, n};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	struct pollfd q = {.fd = fd, .events = POLLIN};
	struct timespec t = {10, 0};

	switch (turn++ % 4) {
	case 0:
		return checked(syscall(SYS_read, fd, p, n), "read by number");
	case 1:
		return checked(syscall(SYS_recvfrom, fd, p, n, 0, NULL, NULL),
		               "recvfrom by number");
	case 2:
		return checked(syscall(SYS_recvmsg, fd, &m, 0), "recvmsg by number");
	}
	if (syscall(SYS_ppoll, &q, 1, &t, NULL, 8) != 1)
		fail("ppoll by number");
	if (t.tv_sec >= 10)
		fail("ppoll has not said how much time is left");
	return checked(syscall(SYS_readv, fd, &v, 1), "readv by number");
}

static size_t number_out(int fd, char *p, size_t n)
{
	static unsigned turn;
	struct iovec v = {p, n};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};

	switch (turn++ % 4) {
	case 0:
		return checked(syscall(SYS_write, fd, p, n), "write by number");
	case 1:
		return checked(syscall(SYS_sendto, fd, p, n, 0, NULL, 0), "sendto by number");
	case 2:
		return checked(syscall(SYS_sendmsg, fd, &m, 0), "sendmsg by number");
	}
	return checked(syscall(SYS_writev, fd, &v, 1), "writev by number");
}

static size_t alias_in(int fd, char *p, size_t n)
{
	return checked(__read(fd, p, n), "__read");
}

static size_t alias_out(int fd, char *p, size_t n)
{
	return checked(__write(fd, p, n), "__write");
}

static size_t v2_in(int fd, char *p, size_t n)
{
	struct iovec v[2] = {{p, n / 2}, {p + n / 2, n - n / 2}};

	return checked(preadv2(fd, v, 2, -1, 0), "preadv2");
}

static size_t v2_out(int fd, char *p, size_t n)
{
	struct iovec v[2] = {{p, n / 2}, {p + n / 2, n - n / 2}};

	if (pwritev2(fd, v, 2, 0, 0) >= 0 || errno != ESPIPE)
		fail("a position on a socket");
	return checked(pwritev2(fd, v, 2, -1, 0), "pwritev2");
}

/* By all the numbers it has, in turns; each keeps what was said of it alone. */
static size_t doubled_out(int fd, char *p, size_t n)
{
	static int number[4];
	static unsigned turn;

	if (!turn) {
		number[0] = fd;
		number[1] = fcntl(fd, F_DUPFD_CLOEXEC, 50);
		number[2] = dup3(number[1], 60, 0);
		number[3] = (int)syscall(SYS_fcntl, fd, F_DUPFD, 70);
		if (number[1] < 50 || number[2] != 60 || number[3] < 70)
			fail("numbers %d %d %d", number[1], number[2], number[3]);
	}
	for (int i = 0; i < 4; i++)
		if (fcntl(number[i], F_GETFD) != (i == 1 ? FD_CLOEXEC : 0))
			fail("close-on-exec of number %d", i);
	return plain_out(number[turn++ % 4], p, n);
}

static size_t doubled_in(int fd, char *p, size_t n)
{
	static unsigned turn;
	static const int number[] = {50, 60, 70};

	return turn++ % 4 ? plain_in(number[turn % 3], p, n) : plain_in(fd, p, n);
}

/* --- between descriptors --- */

static int through[2] = {-1, -1};

static size_t splice_in(int fd, char *p, size_t n)
{
	ssize_t r = splice(fd, NULL, through[1], NULL, n, 0);

	if (read(through[0], p, checked(r, "splice out of it")) != r)
		fail("the pipe has something else");
	return (size_t)r;
}

static size_t splice_out(int fd, char *p, size_t n)
{
	if (write(through[1], p, n) != (ssize_t)n)
		fail("the pipe takes less");
	for (size_t done = 0; done < n;)
		done += checked(splice(through[0], NULL, fd, NULL, n - done, 0), "splice into it");
	return n;
}

/* By the file's own position and by one that is given, in turns. A blocking call sends it all. */
static size_t file_out(int fd, char *p, size_t n)
{
	static int file = -1;
	static unsigned turn;
	off_t at = 5;
	bool given = turn++ % 2;

	if (file < 0)
		file = memfd_create("line", 0);
	if (ftruncate(file, 0) < 0 || pwrite(file, "12345", 5, 0) != 5 ||
	    pwrite(file, p, n, 5) != (ssize_t)n || lseek(file, 5, SEEK_SET) != 5)
		fail("the file");
	/* More is asked for than there is. */
	ssize_t r = sendfile(fd, file, given ? &at : NULL, n + 100);

	if (r != (ssize_t)n)
		fail("sendfile: %zd of %zu", r, n);
	off_t own = lseek(file, 0, SEEK_CUR);

	if (own != (given ? 5 : 5 + (off_t)n) || (given && at != 5 + (off_t)n))
		fail("positions %lld, %lld", (long long)own, (long long)at);
	if (sendfile(fd, file, given ? &at : NULL, 10) != 0)
		fail("sendfile at the end");
	if (sendfile(fd, through[0], NULL, 10) >= 0 || errno != EINVAL)
		fail("sendfile from a pipe");
	return n;
}

/* --- many messages, whole messages --- */

static void in_three(struct mmsghdr m[3], struct iovec v[3], char *p, size_t n)
{
	memset(m, 0, 3 * sizeof(*m));
	for (int i = 0; i < 3; i++) {
		v[i] = (struct iovec){p + n / 3 * (size_t)i, i < 2 ? n / 3 : n - n / 3 * 2};
		m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
	}
}

static size_t many_out(int fd, char *p, size_t n)
{
	struct iovec v[3];
	struct mmsghdr m[3];

	in_three(m, v, p, n);
	if (sendmmsg(fd, m, 3, 0) != 3)
		fail("sendmmsg");
	for (int i = 0; i < 3; i++)
		if (m[i].msg_len != v[i].iov_len)
			fail("message %d was cut", i);
	return n;
}

static size_t many_in(int fd, char *p, size_t n)
{
	struct iovec v[3];
	struct mmsghdr m[3];

	in_three(m, v, p, n);
	if (recvmmsg(fd, m, 3, MSG_WAITALL, NULL) != 3)
		fail("recvmmsg");
	for (int i = 0; i < 3; i++)
		if (m[i].msg_len != v[i].iov_len)
			fail("message %d is %u of %zu", i, m[i].msg_len, v[i].iov_len);
	return n;
}

/* The line comes a little later, in two pieces: the calls are there before it is. */
static size_t halves_out(int fd, char *p, size_t n)
{
	if (write(fd, p, n / 2) != (ssize_t)(n / 2))
		fail("write");
	usleep(20000);
	return n / 2 + checked(write(fd, p + n / 2, n - n / 2), "write");
}

static size_t whole_in(int fd, char *p, size_t n)
{
	static unsigned turn;
	char peeked[LINE + 2];
	struct iovec v[2] = {{p, n / 2}, {p + n / 2, n - n / 2}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
	ssize_t r = n;

	if (turn++ % 3 == 0)
		r = recv(fd, peeked, n, MSG_PEEK | MSG_WAITALL);
	if (r != (ssize_t)n)
		fail("MSG_PEEK | MSG_WAITALL: %zd of %zu", r, n);
	bool peek = turn % 3 == 1;

	r = turn % 2 ? recvmsg(fd, &m, MSG_WAITALL) : recv(fd, p, n, MSG_WAITALL);
	if (r != (ssize_t)n)
		fail("MSG_WAITALL: %zd of %zu", r, n);
	if (peek && memcmp(p, peeked, n) != 0)
		fail("peeked at something else");
	return n;
}

/* --- what the kernel writes by itself --- */

/* Sent without a copy; the buffer may be used again when the kernel says so. */
static size_t zerocopy_out(int fd, char *p, size_t n)
{
	static uint32_t next;
	char room[200];
	size_t sent = checked(send(fd, p, n, MSG_ZEROCOPY), "MSG_ZEROCOPY");

	for (int i = 0; i < 2000; i++) {
		struct msghdr m = {.msg_control = room, .msg_controllen = sizeof(room)};
		ssize_t e = recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);

		if (e < 0 && errno == EAGAIN) {
			usleep(5000);
			continue;
		}
		struct cmsghdr *c = e < 0 ? NULL : CMSG_FIRSTHDR(&m);
		struct sock_extended_err err;

		if (!c)
			fail("MSG_ERRQUEUE: %zd", e);
		memcpy(&err, CMSG_DATA(c), sizeof(err));
		if (err.ee_origin != SO_EE_ORIGIN_ZEROCOPY || err.ee_data != next)
			fail("completion %u of origin %u, not %u", err.ee_data, err.ee_origin,
			     next);
		next++;
		return sent;
	}
	fail("no completion of %u", next);
}

static size_t asynchronously(int (*begin)(struct aiocb *), int fd, char *p, size_t n)
{
	struct aiocb c = {.aio_fildes = fd, .aio_buf = p, .aio_nbytes = n};
	const struct aiocb *all[1] = {&c};

	if (begin(&c) < 0)
		fail("aio");
	while ((errno = aio_error(&c)) == EINPROGRESS)
		aio_suspend(all, 1, NULL);
	return checked(aio_return(&c), "aio_return");
}

static size_t aio_in(int fd, char *p, size_t n)
{
	return asynchronously(aio_read, fd, p, n);
}

static size_t aio_out(int fd, char *p, size_t n)
{
	return asynchronously(aio_write, fd, p, n);
}

/* --- told by a signal --- */

/*
 * A line, and behind it a byte that the service is told of and does not have in its stream, as it
 * never asked for it there.
 */
static size_t urgent_out(int fd, char *p, size_t n)
{
	char mark = '!';
	size_t done = checked(send(fd, p, n, 0), "send");

	if (done == n && send(fd, &mark, 1, MSG_OOB) != 1)
		fail("MSG_OOB");
	return done;
}

static volatile sig_atomic_t signalled, wrong_fd;
static int signal_fd;

static void on_input(int sig, siginfo_t *si, void *ctx)
{
	(void)sig;
	(void)ctx;
	if (si->si_fd != signal_fd)
		wrong_fd = si->si_fd;
	signalled = 1;
}

/* Nobody but the signal says that there is something to read. */
static size_t signal_in(int fd, char *p, size_t n)
{
	sigset_t block, before;

	sigemptyset(&block);
	sigaddset(&block, SIGRTMIN + 1);
	for (int i = 0; i < 15; i++) {
		struct timespec t = {1, 0};

		sigprocmask(SIG_BLOCK, &block, &before);
		signalled = 0;
		ssize_t r = recv(fd, p, n, MSG_DONTWAIT);

		if (r < 0 && errno == EAGAIN)
			ppoll(NULL, 0, &t, &before);
		sigprocmask(SIG_SETMASK, &before, NULL);
		if (wrong_fd)
			fail("signalled for descriptor %d, not %d", (int)wrong_fd, signal_fd);
		if (r > 0)
			return (size_t)r;
		if (r == 0)
			fail("the end");
	}
	fail("no signal for what has come");
}

static void ask_for_signals(int fd)
{
	struct sigaction a = {.sa_sigaction = on_input, .sa_flags = SA_SIGINFO | SA_RESTART};
	int one = 1;

	signal_fd = fd;
	sigaction(SIGRTMIN + 1, &a, NULL);
	if (fcntl(fd, F_SETOWN, getpid()) < 0 || fcntl(fd, F_SETSIG, SIGRTMIN + 1) < 0 ||
	    ioctl(fd, FIOASYNC, &one) < 0)
		fail("F_SETOWN");
}

/* --- the connection --- */

static int dial(const char *how, const char *host, const char *port, unsigned *sent)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	const struct sockaddr *to = (const struct sockaddr *)&a;
	bool number = strcmp(how, "number") == 0;
	int one = 1, fd = number ? (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0)
	                         : socket(AF_INET, SOCK_STREAM, 0);
	long r;

	inet_pton(AF_INET, host, &a.sin_addr);
	if (strcmp(how, "zerocopy") == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) < 0)
		exit(NONE);
	if (strcmp(how, "fastopen-option") == 0 &&
	    setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one)) < 0)
		exit(NONE);
	if (strcmp(how, "fastopen") == 0) {
		char line[LINE + 2];
		size_t n = make_line(line, (*sent)++);

		r = sendto(fd, line, n, MSG_FASTOPEN, to, sizeof(a));
		r = r == (long)n ? 0 : -1;
	} else if (number) {
		r = syscall(SYS_connect, fd, to, sizeof(a));
	} else if (strcmp(how, "alias") == 0) {
		r = __connect(fd, to, sizeof(a));
	} else {
		r = connect(fd, to, sizeof(a));
	}
	if (r < 0)
		fail("connect");
	return fd;
}

static void receive_line(const struct way *w, int fd, unsigned n)
{
	char line[LINE + 2], back[LINE + 2];
	size_t len = make_line(line, n);

	for (size_t got = 0; got < len;)
		got += w->in(fd, back + got, len - got);
	if (memcmp(line, back, len) != 0)
		fail("line %u is wrong", n);
}

/* What could be sent only in part is the last of its call: after it the stream has a hole. */
static int cut(int fd)
{
	static char big[300000];
	struct iovec v[] = {{big, sizeof(big)}, {(void *)16, 100}, {big, 10}};
	struct mmsghdr m[] = {{.msg_hdr = {.msg_iov = v, .msg_iovlen = 2}},
	                      {.msg_hdr = {.msg_iov = v + 2, .msg_iovlen = 1}}};
	int r = sendmmsg(fd, m, 2, 0);

	if (r != 1 || !m[0].msg_len || m[0].msg_len >= sizeof(big) + 100)
		fail("sendmmsg: %d, of the first %u", r, m[0].msg_len);
	if (sendmmsg(fd, m + 1, 0, 0) != 0)
		fail("sendmmsg of nothing");
	return 0;
}

/* Closed by the bare instruction, which no library sees; the number is then another file's. */
/* The first to use it reads, or writes. */
static int recycled(int fd, const char *how)
{
	bool reads = strcmp(how, "-read") == 0, vector = strcmp(how, "-vector") == 0;
	struct iovec x = {"x", 1};
	char c = 0, zeros[5] = "abcd";

	/* Of a connection that this thread has used, for the ways are other ones then. */
	for (int i = 0; i < 3 && reads; i++)
		if (write(fd, "x\n", 2) != 2 || read(fd, zeros, 1) != 1 || read(fd, zeros, 1) != 1)
			fail("no exchange");

#if defined(__x86_64__)
	long r;

	__asm__ volatile("syscall"
	                 : "=a"(r)
	                 : "a"(SYS_close), "D"((long)fd)
	                 : "rcx", "r11", "memory");
#else
	return NONE;
#endif
	int file = memfd_create("file", 0);

	/* The agent's own descriptors have low numbers for a moment. */
	for (int i = 0; i < 100 && file != fd; i++) {
		close(file);
		usleep(1000);
		file = memfd_create("file", 0);
	}
	if (file != fd)
		fail("the number is not given again");
	if (reads &&
	    (ftruncate(file, 4) < 0 || read(file, zeros, 5) != 4 || memcmp(zeros, "\0\0\0", 4)))
		fail("what has the number now cannot be read");
	if (reads && lseek(file, 0, SEEK_SET) < 0)
		fail("lseek");
	errno = 0;
	if ((vector ? writev(file, &x, 1) : write(file, "x", 1)) != 1 || errno ||
	    pread(file, &c, 1, 0) != 1 || c != 'x')
		fail("what has the number now does not work");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct way ways[] = {
	    {"number", number_out, number_in},
	    {"alias", alias_out, alias_in},
	    {"v2", v2_out, v2_in},
	    {"splice-in", plain_out, splice_in},
	    {"splice-out", splice_out, plain_in},
	    {"sendfile", file_out, plain_in},
	    {"many", many_out, many_in},
	    {"whole", halves_out, whole_in},
	    {"zerocopy", zerocopy_out, plain_in},
	    {"fastopen", plain_out, plain_in},
	    {"fastopen-option", plain_out, plain_in},
	    {"signal", plain_out, signal_in},
	    {"urgent", urgent_out, plain_in},
	    {"aio", aio_out, aio_in},
	    {"doubled", doubled_out, doubled_in},
	    {"recycled", plain_out, plain_in},
	    {"recycled-read", plain_out, plain_in},
	    {"recycled-vector", plain_out, plain_in},
	    {"cut", plain_out, plain_in},
	};
	const struct way *w = NULL;
	unsigned sent = 0, back = 0;
	char line[LINE + 2], c;

	for (size_t i = 0; argc == 5 && i < sizeof(ways) / sizeof(*ways); i++)
		if (strcmp(ways[i].name, argv[1]) == 0)
			w = &ways[i];
	if (!w)
		return 2;
	int fd = dial(w->name, argv[2], argv[3], &sent);

	if (strncmp(w->name, "recycled", 8) == 0)
		return recycled(fd, w->name + 8);
	if (strcmp(w->name, "cut") == 0)
		return cut(fd);
	if (pipe(through) < 0)
		fail("pipe");
	if (strcmp(w->name, "signal") == 0)
		ask_for_signals(fd);
	for (double until = now() + atof(argv[4]); now() < until || back < sent; usleep(5000)) {
		if (now() < until) {
			size_t n = make_line(line, sent++);

			for (size_t done = 0; done < n;)
				done += w->out(fd, line + done, n - done);
		}
		receive_line(w, fd, back++);
	}
	for (int i = 50; i <= 70; i += 10)
		close(i);
	shutdown(fd, SHUT_WR);
	if (read(fd, &c, 1) != 0)
		fail("after the end");
	return 0;
}
