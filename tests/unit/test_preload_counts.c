/* SPDX-License-Identifier: MIT */
/* The kernel's sums in every state of a connection: the facts that preload/counts.h states. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/counts.h"

static int us, peer; /* the connecting and the accepting side */
static char buf[100000];
static int small; /* receive buffer of the peer */

static int listener(struct sockaddr_in *a)
{
	socklen_t len = sizeof(*a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(a, 0, sizeof(*a));
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (small)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)a, &len), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static int setup(void **state)
{
	struct sockaddr_in a;
	int l = listener(&a);

	(void)state;
	us = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(us, (struct sockaddr *)&a, sizeof(a)), 0);
	peer = accept(l, NULL, NULL);
	assert_true(peer >= 0);
	close(l);
	return 0;
}

static int setup_small(void **state)
{
	small = 1;
	setup(state);
	small = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(us);
	close(peer);
	return 0;
}

static void put(int fd, size_t n)
{
	assert_int_equal(send(fd, buf, n, MSG_NOSIGNAL), n);
}

static void get(int fd, size_t n)
{
	assert_int_equal(recv(fd, buf, n, MSG_WAITALL), n);
}

static void reset(int *fd)
{
	struct linger now = {1, 0};

	setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(*fd);
	*fd = -1;
}

static bool equal(const struct counts *a, const struct counts *b)
{
	return a->state == b->state && a->written == b->written && a->unacked == b->unacked &&
	       a->received == b->received && a->read == b->read && a->fin_sent == b->fin_sent &&
	       a->fin_received == b->fin_received;
}

/* What the other side was told takes a moment to come back. */
static void expect_on(int fd, struct counts want, int line)
{
	struct counts c;

	for (int i = 0;; i++) {
		assert_int_equal(counts_read(fd, &c), 0);
		if (equal(&c, &want))
			return;
		if (i == 400)
			break;
		usleep(5000);
	}
	fail_msg("line %d: state %d written %llu unacked %llu received %llu read %llu fin %d %d",
	         line, c.state, (unsigned long long)c.written, (unsigned long long)c.unacked,
	         (unsigned long long)c.received, (unsigned long long)c.read, c.fin_sent,
	         c.fin_received);
}

#define EXPECT(...) expect_on(us, (struct counts){__VA_ARGS__}, __LINE__)

static void test_data(void **state)
{
	(void)state;
	EXPECT(.state = TCP_ESTABLISHED);
	put(us, 300);
	EXPECT(.state = TCP_ESTABLISHED, .written = 300);
	put(peer, 1000);
	EXPECT(.state = TCP_ESTABLISHED, .written = 300, .received = 1000);
	get(us, 400);
	EXPECT(.state = TCP_ESTABLISHED, .written = 300, .received = 1000, .read = 400);
	assert_int_equal(recv(us, buf, 100, MSG_PEEK), 100);
	EXPECT(.state = TCP_ESTABLISHED, .written = 300, .received = 1000, .read = 400);
	get(us, 600);
	EXPECT(.state = TCP_ESTABLISHED, .written = 300, .received = 1000, .read = 1000);
}

static void test_peer_end(void **state)
{
	(void)state;
	put(peer, 1000);
	shutdown(peer, SHUT_WR);
	EXPECT(.state = TCP_CLOSE_WAIT, .received = 1000, .fin_received = true);
	get(us, 1000);
	EXPECT(.state = TCP_CLOSE_WAIT, .received = 1000, .read = 1000, .fin_received = true);
	assert_int_equal(recv(us, buf, 1, 0), 0);
	EXPECT(.state = TCP_CLOSE_WAIT, .received = 1000, .read = 1000, .fin_received = true);
	put(us, 7);
	EXPECT(.state = TCP_CLOSE_WAIT, .written = 7, .received = 1000, .read = 1000,
	       .fin_received = true);
}

static void test_end_of_nothing(void **state)
{
	(void)state;
	shutdown(peer, SHUT_WR);
	EXPECT(.state = TCP_CLOSE_WAIT, .fin_received = true);
	assert_int_equal(recv(us, buf, 1, 0), 0);
	EXPECT(.state = TCP_CLOSE_WAIT, .fin_received = true);
}

static void test_own_end(void **state)
{
	(void)state;
	put(us, 10);
	shutdown(us, SHUT_WR);
	EXPECT(.state = TCP_FIN_WAIT2, .written = 10, .fin_sent = true);
	put(peer, 5);
	EXPECT(.state = TCP_FIN_WAIT2, .written = 10, .received = 5, .fin_sent = true);
}

/* Writes until the peer's kernel takes no more; returns how much. */
static uint64_t stuff(void)
{
	uint64_t sum = 0;
	ssize_t n;

	for (int idle = 0; idle < 3; usleep(50000)) {
		while ((n = send(us, buf, 1000, MSG_DONTWAIT)) > 0) {
			sum += (uint64_t)n;
			idle = 0;
		}
		idle++;
	}
	return sum;
}

/* A FIN behind data the peer has no room for is queued and not acknowledged. */
static void test_own_end_pending(void **state)
{
	uint64_t sum = stuff();
	struct counts c;

	(void)state;
	assert_int_equal(counts_read(us, &c), 0);
	assert_int_equal(c.written, sum);
	assert_true(c.unacked > 0 && c.unacked < sum);
	uint64_t unacked = c.unacked;

	shutdown(us, SHUT_WR);
	EXPECT(.state = TCP_FIN_WAIT1, .written = sum, .unacked = unacked, .fin_sent = true);
	put(peer, 9);
	shutdown(peer, SHUT_WR);
	EXPECT(.state = TCP_CLOSING, .written = sum, .unacked = unacked, .received = 9,
	       .fin_sent = true, .fin_received = true);
	get(us, 9);
	EXPECT(.state = TCP_CLOSING, .written = sum, .unacked = unacked, .received = 9, .read = 9,
	       .fin_sent = true, .fin_received = true);
}

static void test_last_ack(void **state)
{
	uint64_t sum = stuff();
	struct counts c;

	(void)state;
	shutdown(peer, SHUT_WR);
	usleep(20000);
	shutdown(us, SHUT_WR);
	assert_int_equal(counts_read(us, &c), 0);
	EXPECT(.state = TCP_LAST_ACK, .written = sum, .unacked = c.unacked, .fin_sent = true,
	       .fin_received = true);
	assert_true(c.unacked < sum);
}

/* Both ends: the descriptor's socket is closed, the count of what was read still exact. `written`
 * is one too many, as stated. */
static void both_ends(bool ours_first)
{
	put(us, 10);
	put(peer, 1000);
	shutdown(ours_first ? us : peer, SHUT_WR);
	usleep(20000);
	shutdown(ours_first ? peer : us, SHUT_WR);
	EXPECT(.state = TCP_CLOSE, .written = 10 + 1, .received = 1000, .fin_received = true);
	get(us, 400);
	EXPECT(.state = TCP_CLOSE, .written = 10 + 1, .received = 1000, .read = 400,
	       .fin_received = true);
	get(us, 600);
	EXPECT(.state = TCP_CLOSE, .written = 10 + 1, .received = 1000, .read = 1000,
	       .fin_received = true);
	assert_int_equal(recv(us, buf, 1, 0), 0);
	EXPECT(.state = TCP_CLOSE, .written = 10 + 1, .received = 1000, .read = 1000,
	       .fin_received = true);
}

static void test_both_ends(void **state)
{
	(void)state;
	both_ends(true);
}

static void test_both_ends_peer_first(void **state)
{
	(void)state;
	both_ends(false);
}

/* After a RST: with little and with much left to read, with and without a FIN before it. */
static void after_reset(size_t n, bool fin)
{
	put(peer, n);
	if (fin)
		shutdown(peer, SHUT_WR);
	put(us, 7);
	usleep(20000);
	reset(&peer);
	EXPECT(.state = TCP_CLOSE, .written = 7, .received = n, .fin_received = fin);
	get(us, 500);
	EXPECT(.state = TCP_CLOSE, .written = 7, .received = n, .read = 500, .fin_received = fin);
	get(us, n - 500);
	EXPECT(.state = TCP_CLOSE, .written = 7, .received = n, .read = n, .fin_received = fin);
	/* Being asked has not taken the error away from the program. */
	int err = 0;
	socklen_t len = sizeof(err);

	assert_int_equal(getsockopt(us, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	assert_int_equal(err, fin ? EPIPE : ECONNRESET);
	EXPECT(.state = TCP_CLOSE, .written = 7, .received = n, .read = n, .fin_received = fin);
	/* Nor has it changed what the program gets with its reads. */
	int inq = -1;

	len = sizeof(inq);
	assert_int_equal(getsockopt(us, IPPROTO_TCP, TCP_INQ, &inq, &len), 0);
	assert_int_equal(inq, 0);
}

static void test_reset(void **state)
{
	(void)state;
	after_reset(1000, false);
}

static void test_reset_much(void **state)
{
	(void)state;
	after_reset(60000, false);
}

static void test_end_then_reset(void **state)
{
	(void)state;
	after_reset(1000, true);
}

static void test_end_then_reset_much(void **state)
{
	(void)state;
	after_reset(60000, true);
}

static void test_never_connected(void **state)
{
	struct sockaddr_in a;
	int l = listener(&a), other = us;

	(void)state;
	us = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT(.state = TCP_CLOSE);
	close(l);
	assert_int_equal(connect(us, (struct sockaddr *)&a, sizeof(a)), -1);
	EXPECT(.state = TCP_CLOSE);
	close(us);
	us = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	l = listener(&a);
	EXPECT(.state = TCP_CLOSE);
	listen(l, 0);
	int first = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(first, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(connect(us, (struct sockaddr *)&a, sizeof(a)), -1);
	EXPECT(.state = TCP_SYN_SENT);
	close(first);
	close(l);
	close(us);
	us = other;
}

/* Data in the SYN: bytes_acked is one more than what was written, as without. */
static void test_data_in_syn(void **state)
{
	struct sockaddr_in a;
	int l = listener(&a), other = us;

	(void)state;
	for (int i = 0; i < 2;
	     i++) { /* the second time the cookie is known, where cookies are served */
		us = socket(AF_INET, SOCK_STREAM, 0);
		if (sendto(us, buf, 50, MSG_FASTOPEN, (struct sockaddr *)&a, sizeof(a)) != 50) {
			close(us);
			break;
		}
		EXPECT(.state = TCP_ESTABLISHED, .written = 50);
		put(us, 50);
		EXPECT(.state = TCP_ESTABLISHED, .written = 100);
		close(us);
	}
	close(l);
	us = other;
}

static void test_not_tcp(void **state)
{
	struct counts c;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), pair[2];

	(void)state;
	assert_int_equal(counts_read(fd, &c), -EOPNOTSUPP);
	close(fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(counts_read(pair[0], &c), -EOPNOTSUPP);
	close(pair[0]);
	close(pair[1]);
	fd = socket(AF_INET, SOCK_STREAM, 262); /* MPTCP, where the kernel has it */
	if (fd >= 0)
		assert_int_equal(counts_read(fd, &c), -EOPNOTSUPP);
	close(fd);
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(counts_read(pair[0], &c), -ENOTSOCK);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(counts_read(-1, &c), -EBADF);
}

#define PIECES 40000
#define PIECE 300

static void *writer(void *unused)
{
	for (int i = 0; i < PIECES; i++)
		if (send(peer, buf, PIECE, MSG_NOSIGNAL) != PIECE)
			break;
	return unused;
}

/* Bytes are pouring in, piece by piece: at every moment between two reads the count is what was
 * read. */
static void test_while_receiving(void **state)
{
	static char in[100000];
	uint64_t got = 0;
	struct counts c;
	pthread_t t;
	int one = 1;

	(void)state;
	setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	assert_int_equal(pthread_create(&t, NULL, writer, NULL), 0);
	while (got < PIECES * PIECE) {
		ssize_t n = recv(us, in, sizeof(in), 0);

		assert_true(n > 0);
		got += (uint64_t)n;
		for (int i = 0; i < 5; i++) {
			int r = counts_read(us, &c);

			if (r == -EAGAIN)
				continue;
			assert_int_equal(r, 0);
			assert_int_equal(c.read, got);
		}
	}
	pthread_join(t, NULL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_SMALL(f) cmocka_unit_test_setup_teardown(f, setup_small, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_data),
	    TEST(test_peer_end),
	    TEST(test_end_of_nothing),
	    TEST(test_own_end),
	    TEST_SMALL(test_own_end_pending),
	    TEST_SMALL(test_last_ack),
	    TEST(test_both_ends),
	    TEST(test_both_ends_peer_first),
	    TEST(test_reset),
	    TEST(test_reset_much),
	    TEST(test_end_then_reset),
	    TEST(test_end_then_reset_much),
	    TEST(test_never_connected),
	    TEST(test_data_in_syn),
	    TEST(test_not_tcp),
	    TEST(test_while_receiving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
