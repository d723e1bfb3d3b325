/* SPDX-License-Identifier: MIT */
/*
 * A connection to an echo service, read and written by io_uring alone:
 *
 *   ring early|late|unseen|polled HOST PORT SECONDS
 *
 * The ring is made before the connection, after it, or before it by an instruction of the program's
 * own; `polled`: before it, and it says when the connection is there. A receive is always under
 * way. Numbers go out and must come back, in order. Status 0: all was right. 77: this kernel has no
 * such thing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NONE 77
#define BATCH 200

static struct {
	int fd;
	unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
} ring = {.fd = -1};

static void fail(const char *what, long r)
{
	fprintf(stderr, "%s: %ld (%s)\n", what, r, strerror(r < 0 ? (int)-r : errno));
	exit(1);
}

static long unseen(long nr, long a, long b)
{
#if defined(__x86_64__)
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
	return r;
#else
	(void)nr, (void)a, (void)b;
	exit(NONE);
#endif
}

static void *map(size_t size, long at)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, at);

	if (p == MAP_FAILED)
		fail("mmap", -1);
	return p;
}

static void make_ring(int seen)
{
	struct io_uring_params p = {0};

	ring.fd = seen ? (int)syscall(SYS_io_uring_setup, 8, &p)
	               : (int)unseen(SYS_io_uring_setup, 8, (long)&p);
	if (ring.fd < 0)
		exit(NONE);
	char *sq = map(p.sq_off.array + p.sq_entries * 4, IORING_OFF_SQ_RING);
	char *cq = map(p.cq_off.cqes + p.cq_entries * sizeof(*ring.cqe), IORING_OFF_CQ_RING);

	ring.sqe = map(p.sq_entries * sizeof(*ring.sqe), IORING_OFF_SQES);
	ring.sq_tail = (unsigned *)(sq + p.sq_off.tail);
	ring.sq_mask = (unsigned *)(sq + p.sq_off.ring_mask);
	ring.sq_array = (unsigned *)(sq + p.sq_off.array);
	ring.cq_head = (unsigned *)(cq + p.cq_off.head);
	ring.cq_tail = (unsigned *)(cq + p.cq_off.tail);
	ring.cq_mask = (unsigned *)(cq + p.cq_off.ring_mask);
	ring.cqe = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
}

static void submit(int op, int fd, void *p, size_t n)
{
	unsigned at = *ring.sq_tail & *ring.sq_mask;

	ring.sqe[at] = (struct io_uring_sqe){.opcode = (uint8_t)op,
	                                     .fd = fd,
	                                     .addr = (uintptr_t)p,
	                                     .len = (uint32_t)n,
	                                     .user_data = (uint64_t)op};
	if (op == IORING_OP_POLL_ADD)
		ring.sqe[at].poll32_events = POLLOUT;
	ring.sq_array[at] = at;
	__atomic_store_n(ring.sq_tail, *ring.sq_tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring.fd, 1, 0, 0, NULL, 0) != 1)
		fail("io_uring_enter", -1);
}

/* The next completion: of what, and its result. */
static int complete(int *op)
{
	while (__atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE) == *ring.cq_head)
		syscall(SYS_io_uring_enter, ring.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	struct io_uring_cqe *c = &ring.cqe[*ring.cq_head & *ring.cq_mask];
	int r = c->res;

	*op = (int)c->user_data;
	__atomic_store_n(ring.cq_head, *ring.cq_head + 1, __ATOMIC_RELEASE);
	return r;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* `waits`: the ring says when it is connected. */
static int dial(const char *host, const char *port, int waits)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM | (waits ? SOCK_NONBLOCK : 0), 0), op, err = -1;
	socklen_t len = sizeof(err);

	inet_pton(AF_INET, host, &a.sin_addr);
	int r = connect(fd, (struct sockaddr *)&a, sizeof(a));

	if (!waits) {
		if (r < 0)
			fail("connect", -1);
		return fd;
	}
	if (r == 0 || errno != EINPROGRESS)
		fail("connect does not wait", r);
	submit(IORING_OP_POLL_ADD, fd, NULL, 0);
	r = complete(&op);
	if (r < 0 || !(r & POLLOUT))
		fail("poll", r);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err)
		fail("SO_ERROR", -err);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return fd;
}

/* A batch of numbers by the ring, and back. The receive is there before it is sent. */
static void exchange(int fd, uint32_t first)
{
	static uint32_t out[BATCH], in[BATCH];
	size_t sent = 0, got = 0;

	for (uint32_t i = 0; i < BATCH; i++)
		out[i] = first + i;
	submit(IORING_OP_RECV, fd, in, sizeof(in));
	usleep(20000);
	submit(IORING_OP_SEND, fd, out, sizeof(out));
	while (got < sizeof(in)) {
		int op, r = complete(&op);

		if (r <= 0)
			fail(op == IORING_OP_RECV ? "receive" : "send", r);
		if (op == IORING_OP_SEND) {
			sent += (size_t)r;
			if (sent < sizeof(out))
				submit(op, fd, (char *)out + sent, sizeof(out) - sent);
			continue;
		}
		got += (size_t)r;
		if (got < sizeof(in))
			submit(op, fd, (char *)in + got, sizeof(in) - got);
	}
	if (memcmp(out, in, sizeof(in)) != 0)
		fail("wrong bytes", first);
	while (sent < sizeof(out)) {
		int op, r = complete(&op);

		if (r <= 0)
			fail("send", r);
		sent += (size_t)r;
	}
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	int late = strcmp(argv[1], "late") == 0;
	char c = 'a';

	if (!late)
		make_ring(strcmp(argv[1], "unseen") != 0);
	int fd = dial(argv[2], argv[3], strcmp(argv[1], "polled") == 0);

	if (late) {
		if (write(fd, &c, 1) != 1 || read(fd, &c, 1) != 1 || c != 'a')
			fail("write and read", -1);
		make_ring(1);
	}
	double until = now() + atof(argv[4]);

	for (uint32_t n = 0; now() < until; n += BATCH)
		exchange(fd, n);
	shutdown(fd, SHUT_WR);
	ssize_t r = read(fd, &c, 1);

	if (r != 0)
		fail("after the end", r);
	return 0;
}
