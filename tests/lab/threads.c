/* SPDX-License-Identifier: MIT */
/* Several threads on one connection, through handovers: threads NAME HOST PORT. See trial.h. */
#include "tests/lab/trial.h"

#include <fcntl.h>
#include <sys/uio.h>

#define FLAP_MS 300
#define SIZE 16

static int fd;
static _Atomic bool on = true;
static _Atomic uint64_t got_bytes, got_sum;

static void *flapper(void *arg)
{
	(void)arg;
	for (int i = 0; atomic_load(&on); i++) {
		pause_ms(FLAP_MS);
		event(i % 2 ? "wlan0 up" : "wlan0 down");
	}
	event("wlan0 up");
	return NULL;
}

/* --- readers --- */

static void *reader(void *arg)
{
	unsigned char in[SIZE];
	ssize_t n;

	(void)arg;
	while ((n = read(fd, in, sizeof(in))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			atomic_fetch_add(&got_sum, in[i]);
		atomic_fetch_add(&got_bytes, (uint64_t)n);
	}
	must(n == 0, "a reader ended with %zd", n);
	return NULL;
}

static void readers(void)
{
	pthread_t t[8], f;
	uint64_t sum = 0, bytes = 0;

	fd = dial();
	for (int i = 0; i < 8; i++)
		t[i] = begin(reader, NULL);
	f = begin(flapper, NULL);
	for (int round = 0; round < 12; round++) {
		unsigned char out[8 * SIZE];

		pause_ms(250);
		for (size_t i = 0; i < sizeof(out); i++)
			sum += out[i] = (unsigned char)((size_t)round * 7 + i);
		put(fd, out, sizeof(out));
		bytes += sizeof(out);
	}
	atomic_store(&on, false);
	join(f);
	for (int i = 0; i < 150 && atomic_load(&got_bytes) < bytes; i++)
		pause_ms(100);
	must(atomic_load(&got_bytes) == bytes && atomic_load(&got_sum) == sum,
	     "%d of %d bytes came, or others", (int)atomic_load(&got_bytes), (int)bytes);
	/* The end wakes them all. */
	must(shutdown(fd, SHUT_WR) == 0, "shutdown");
	for (int i = 0; i < 8; i++)
		join(t[i]);
}

/* Every signal is blocked everywhere, as in programs with a thread for signals. */
static void masked(void)
{
	sigset_t all;

	sigfillset(&all);
	must(pthread_sigmask(SIG_BLOCK, &all, NULL) == 0, "pthread_sigmask");
	readers();
}

/* --- writers and a reader at once --- */

struct message {
	uint32_t who, number;
	uint32_t check[14];
};

/* Never so many on their way that a buffer is full: then even the kernel tears messages. */
#define UNDERWAY 200

static _Atomic uint32_t put_messages, got_messages;

static void *writer(void *arg)
{
	uint32_t who = (uint32_t)(uintptr_t)arg;

	for (uint32_t i = 0; atomic_load(&on); i++) {
		struct message m = {.who = who, .number = i};

		for (uint32_t k = 0; k < 14; k++)
			m.check[k] = who * 31 + i * 17 + k;
		atomic_fetch_add(&put_messages, 1);
		must(send(fd, &m, sizeof(m), MSG_NOSIGNAL) == sizeof(m), "a writer");
		while (atomic_load(&put_messages) - atomic_load(&got_messages) > UNDERWAY)
			pause_ms(1);
	}
	return NULL;
}

static void *checker(void *arg)
{
	uint32_t next[4] = {0};
	struct message m;

	for (;;) {
		ssize_t n = recv(fd, &m, sizeof(m), MSG_WAITALL);

		if (n == 0)
			break;
		must(n == sizeof(m), "the reader got %zd", n);
		must(m.who < 4 && m.number == next[m.who], "message %u of %u, not %u", m.number,
		     m.who, next[m.who & 3]);
		next[m.who]++;
		atomic_fetch_add(&got_messages, 1);
		for (uint32_t k = 0; k < 14; k++)
			must(m.check[k] == m.who * 31 + m.number * 17 + k, "a message is torn");
	}
	*(uint32_t *)arg = next[0] + next[1] + next[2] + next[3];
	return NULL;
}

static void crowd(void)
{
	pthread_t t[4], c, f;
	uint32_t total = 0;

	fd = dial();
	c = begin(checker, &total);
	f = begin(flapper, NULL);
	for (uintptr_t i = 0; i < 4; i++)
		t[i] = begin(writer, (void *)i);
	pause_ms(3000);
	atomic_store(&on, false);
	for (int i = 0; i < 4; i++)
		join(t[i]);
	join(f);
	must(shutdown(fd, SHUT_WR) == 0, "shutdown");
	join(c);
	must(total > 1000, "only %u messages", total);
}

/* --- threads that end in the middle --- */

static _Atomic int blocked;

static void *cancelled_reader(void *arg)
{
	char c;
	int old;

	if (arg)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	atomic_store(&blocked, 1);
	recv(fd, &c, 1, 0);
	fail("a cancelled recv returned");
}

static char pattern(size_t i)
{
	return (char)(i % 251);
}

static char much[32 << 20];

static void *cancelled_writer(void *arg)
{
	(void)arg;
	atomic_store(&blocked, 1);
	for (size_t done = 0; done < sizeof(much);)
		done += (size_t)send(fd, much + done, sizeof(much) - done, MSG_NOSIGNAL);
	fail("nothing holds a writer back");
}

static void cancel_and_join(pthread_t t)
{
	void *how;

	while (!atomic_load(&blocked))
		pause_ms(1);
	pause_ms(100);
	atomic_store(&blocked, 0);
	must(pthread_cancel(t) == 0, "pthread_cancel");
	errno = pthread_join(t, &how);
	must(errno == 0 && how == PTHREAD_CANCELED, "not cancelled");
}

static void cancel(void)
{
	fd = dial();
	for (int i = 0; i < 4; i++) {
		cancel_and_join(begin(cancelled_reader, (void *)(uintptr_t)(i & 1)));
		event(i % 2 ? "wlan0 up" : "wlan0 down");
		echo(fd, "cancel");
		pause_ms(200);
	}
}

/* Calls that never wait are points at which a thread ends, too: if there is nothing, if all is
 * taken. */
static void *cancelled_busy(void *arg)
{
	char c = 0;

	atomic_store(&blocked, 1);
	for (;;) {
		if (arg)
			send(fd, &c, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		else
			recv(fd, &c, 1, MSG_DONTWAIT);
	}
	return NULL;
}

static void cancel_busy(void)
{
	for (int i = 0; i < 2; i++) {
		fd = dial();
		echo(fd, "cancel_busy");
		cancel_and_join(begin(cancelled_busy, (void *)(uintptr_t)i));
		close(fd);
	}
}

/* Each way to receive: `len` bytes, in two parts where that can be asked for. */
static ssize_t by_recv(char *in, size_t len)
{
	return recv(fd, in, len, 0);
}

static ssize_t by_read(char *in, size_t len)
{
	return read(fd, in, len);
}

static ssize_t by_recvfrom(char *in, size_t len)
{
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);

	return recvfrom(fd, in, len, 0, (struct sockaddr *)&from, &size);
}

static ssize_t by_readv(char *in, size_t len)
{
	return readv(fd, (struct iovec[]){{in, 5}, {in + 5, len - 5}}, 2);
}

static ssize_t by_preadv2(char *in, size_t len)
{
	return preadv2(fd, (struct iovec[]){{in, 30}, {in + 30, len - 30}}, 2, -1, 0);
}

static ssize_t by_recvmsg(char *in, size_t len)
{
	struct iovec v[] = {{in, 1}, {in + 1, len - 1}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};

	return recvmsg(fd, &m, 0);
}

static void *late(void *arg)
{
	const char *handover = arg;
	char out[64];

	pause_ms(100);
	if (handover) {
		event(handover);
		pause_ms(500);
	}
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = pattern(32 + i);
	put(fd, out, sizeof(out));
	return NULL;
}

/*
 * A receive that waits for more than there is. The kernel wakes it when the mark is reached by what
 * has come since, so what is late is as much as that.
 */
static void low_water(void)
{
	static ssize_t (*const ways[])(char *, size_t) = {by_recv,  by_read,    by_recvfrom,
	                                                  by_readv, by_preadv2, by_recvmsg};
	char out[200], all[64], rest[32];
	int least = sizeof(all);

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = pattern(i);
	fd = dial();
	/* Many that find something. */
	put(fd, out, sizeof(out));
	pause_ms(100);
	for (size_t i = 0; i < sizeof(out); i++)
		get(fd, all, 1);
	must(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof(least)) == 0, "SO_RCVLOWAT");
	for (size_t i = 0; i < 3 * sizeof(ways) / sizeof(ways[0]); i++) {
		static const char *const handover[] = {NULL, "wlan0 down", "wlan0 up"};
		pthread_t t = begin(late, (void *)(uintptr_t)handover[i % 3]);
		ssize_t (*receive)(char *, size_t) = ways[i / 3];

		put(fd, out, 32);
		pause_ms(50);
		ssize_t n = receive(all, sizeof(all));

		must(n == sizeof(all), "way %zu, time %zu: %zd bytes", i / 3, i % 3, n);
		n = receive(rest, sizeof(rest));
		must(n == sizeof(rest), "way %zu, time %zu: %zd bytes of the rest", i / 3, i % 3,
		     n);
		must(!memcmp(all, out, sizeof(all)) &&
		         !memcmp(rest, out + sizeof(all), sizeof(rest)),
		     "way %zu, time %zu: other bytes", i / 3, i % 3);
		join(t);
	}
}

/* Of what a cancelled writer wrote, what was taken comes back, and the connection goes on. */
static void cancel_writer(void)
{
	static char in[1 << 16];
	size_t got = 0;
	struct pollfd p;

	fd = dial();
	for (size_t i = 0; i < sizeof(much); i++)
		much[i] = pattern(i);
	cancel_and_join(begin(cancelled_writer, NULL));
	p = (struct pollfd){.fd = fd, .events = POLLIN};
	while (poll(&p, 1, 1500) == 1) {
		ssize_t n = recv(fd, in, sizeof(in), 0);

		must(n > 0, "recv: %zd", n);
		for (ssize_t i = 0; i < n; i++)
			must(in[i] == pattern(got + (size_t)i), "byte %zu", got + (size_t)i);
		got += (size_t)n;
	}
	must(got > 0 && got < sizeof(much), "%zu bytes", got);
	echo(fd, "cancel_writer");
}

#define PIECE ((size_t)1000)

static _Atomic size_t put_in;

static void *small_writer(void *arg)
{
	(void)arg;
	for (size_t done = 0; done < sizeof(much); done += PIECE) {
		size_t n = sizeof(much) - done < PIECE ? sizeof(much) - done : PIECE;

		must(send(fd, much + done, n, MSG_NOSIGNAL) == (ssize_t)n, "a small write");
		atomic_store(&put_in, done + n);
	}
	return NULL;
}

/* So much of what is written comes back. */
static void take_back(size_t all)
{
	static char in[1 << 16];

	for (size_t got = 0; got < all;) {
		ssize_t n = recv(fd, in, sizeof(in), MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			pause_ms(1);
			continue;
		}
		must(n > 0, "recv: %zd", n);
		for (ssize_t i = 0; i < n; i++)
			must(in[i] == pattern(got + (size_t)i), "byte %zu", got + (size_t)i);
		got += (size_t)n;
	}
}

/* Small writes wait where there is no room, whole; those that are not to wait say so. */
static void small_writes(void)
{
	size_t seen = 0;
	ssize_t n;

	fd = dial();
	for (size_t i = 0; i < sizeof(much); i++)
		much[i] = pattern(i);
	pthread_t t = begin(small_writer, NULL);

	do
		pause_ms(500);
	while (seen != atomic_load(&put_in) && (seen = atomic_load(&put_in)));
	must(seen && seen < sizeof(much), "%zu bytes: nothing holds a writer back", seen);
	event("wlan0 down");
	take_back(sizeof(much));
	join(t);
	seen = 0;
	while ((n = send(fd, much + seen, PIECE, MSG_NOSIGNAL | MSG_DONTWAIT)) > 0) {
		seen += (size_t)n;
		must(seen + PIECE <= sizeof(much), "nothing holds a writer back");
	}
	must(n < 0 && errno == EAGAIN, "send: %zd", n);
	take_back(seen);
	echo(fd, "small_writes");
}

static void *mortal(void *arg)
{
	(void)arg;
	echo(fd, "mortal");
	return NULL;
}

/* Threads that live for one exchange each. */
static void mortals(void)
{
	pthread_t f;

	fd = dial();
	f = begin(flapper, NULL);
	for (double end = now_s() + 3; now_s() < end;)
		join(begin(mortal, NULL));
	atomic_store(&on, false);
	join(f);
	echo(fd, "mortals");
}

static pthread_t leader;

static void *survivor(void *arg)
{
	(void)arg;
	join(leader);
	event("wlan0 down");
	echo(fd, "survivor");
	event("wlan0 up");
	pause_ms(700);
	echo(fd, "survivor");
	syscall(SYS_write, 1, "end\n", 4);
	return NULL;
}

/* The main thread ends; the process does so with its last thread, and with success. */
static void without_leader(void)
{
	fd = dial();
	echo(fd, "leader");
	leader = pthread_self();
	begin(survivor, NULL);
	pthread_exit(NULL);
}

/* The same with the connection closed, and nothing left to do. */
static void *closer(void *arg)
{
	(void)arg;
	join(leader);
	close(fd);
	pause_ms(500);
	syscall(SYS_write, 1, "end\n", 4);
	return NULL;
}

static void closed_without_leader(void)
{
	fd = dial();
	echo(fd, "leader");
	leader = pthread_self();
	begin(closer, NULL);
	pthread_exit(NULL);
}

int main(int argc, char **argv)
{
	touch_stack();
	static const struct trial trials[] = {{"readers", readers},
	                                      {"masked", masked},
	                                      {"cancel-busy", cancel_busy},
	                                      {"low-water", low_water},
	                                      {"small-writes", small_writes},
	                                      {"crowd", crowd},
	                                      {"cancel", cancel},
	                                      {"cancel-writer", cancel_writer},
	                                      {"mortals", mortals},
	                                      {"leader", without_leader},
	                                      {"leader-closed", closed_without_leader},
	                                      {NULL, NULL}};

	return trial_main(argc, argv, trials);
}
