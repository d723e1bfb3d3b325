/* SPDX-License-Identifier: MIT */
/*
 * Speaks to a relay as a client that does what a client should not, and is the service behind it as
 * well.
 *
 *   relay_client ADDRESS RELAY-PORT SERVICE-PORT RELAY-PID SCENARIO
 *
 * The relay must allow SERVICE-PORT, which this program listens on. Exit status 0: all as the
 * protocol says.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "session/client.h"

static const char *address;
static uint16_t relay_port, service_port;
static pid_t relay_pid;
static struct ses_assoc assoc;
static int control = -1, listener = -1;

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "relay_client: %s (%s)\n", what, strerror(errno));
	exit(1);
}

static int dial(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(relay_port)};
	struct timeval limit = {.tv_sec = 8};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, address, &a.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	check(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0, "no relay");
	return fd;
}

static void listen_here(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(service_port)};
	struct timeval limit = {.tv_sec = 8};
	int one = 1;

	inet_pton(AF_INET, address, &a.sin_addr);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	check(bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(listener, 8) == 0,
	      "cannot listen");
}

static int accept_one(void)
{
	struct timeval limit = {.tv_sec = 8};
	int fd = accept(listener, NULL, NULL);

	check(fd >= 0, "the relay did not connect");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static void put(int fd, const void *data, size_t len)
{
	check(send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len, "short write");
}

static void get(int fd, void *data, size_t len)
{
	check(recv(fd, data, len, MSG_WAITALL) == (ssize_t)len, "short read");
}

static int get_message(int fd, uint8_t msg[SES_MSG_MAX])
{
	get(fd, msg, SES_HEADER);
	int n = ses_msg_size(msg, SES_HEADER);

	check(n > 0, "not a message");
	get(fd, msg + SES_HEADER, (size_t)n - SES_HEADER);
	return n;
}

static void reset(int fd)
{
	struct linger now = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static void associate(void)
{
	_Alignas(16) uint8_t hello[SES_HELLO_SIZE];
	uint8_t msg[SES_MSG_MAX];
	int n = ses_hello((struct ses_hello *)hello, msg);

	control = dial();
	put(control, msg, (size_t)n);
	n = get_message(control, msg);
	check(ses_welcome((struct ses_hello *)hello, msg, (size_t)n, &assoc) == 0,
	      "no association");
}

static void say(const struct ses_frame *f)
{
	uint8_t rec[SES_RECORD_MAX];

	put(control, rec, (size_t)ses_record_seal(&assoc.tx, f, rec));
}

/* Waits for a frame of this type; others are passed over. */
static struct ses_frame hear(enum ses_frame_type type)
{
	for (;;) {
		uint8_t rec[SES_RECORD_MAX];
		struct ses_frame f;

		get(control, rec, 2);
		int n = ses_record_size(rec, 2);

		check(n > 2, "not a record");
		get(control, rec + 2, (size_t)n - 2);
		check(ses_record_open(&assoc.rx, rec, (size_t)n, &f) == 0,
		      "a record does not open");
		if (f.type == type)
			return f;
	}
}

/* The data connection, or minus the errno in OPENED. */
static int open_session(struct ses_client *c, const char *to, uint16_t port)
{
	struct ses_addr target = {.family = 4, .port = port};
	uint8_t msg[SES_MSG_MAX];
	int fd = dial(), n;

	inet_pton(AF_INET, to, target.ip);
	n = ses_open(&assoc, c, &(struct ses_request){.target = target, .ring = 1 << 20}, msg);
	put(fd, msg, (size_t)n);
	n = get_message(fd, msg);
	check(!ses_refused(msg, (size_t)n), "OPEN refused");
	n = ses_opened(&assoc, c, msg, (size_t)n);
	check(n >= 0, "OPENED not authentic");
	if (n) {
		close(fd);
		return -n;
	}
	return fd;
}

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 31 + (at >> 8));
}

static void put_stream(int fd, uint64_t from, size_t len)
{
	uint8_t buf[1000];

	for (size_t done = 0; done < len;) {
		size_t n = len - done < sizeof(buf) ? len - done : sizeof(buf);

		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(from + done + i);
		put(fd, buf, n);
		done += n;
	}
}

static void get_stream(int fd, uint64_t from, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t b;

		get(fd, &b, 1);
		check(b == pattern(from + i), "a wrong byte");
	}
}

static bool is_reset(int fd)
{
	uint8_t b;

	return recv(fd, &b, 1, 0) < 0 && errno == ECONNRESET;
}

static bool is_end(int fd)
{
	uint8_t b;

	return recv(fd, &b, 1, 0) == 0;
}

/* --- scenarios --- */

static void refusals(void)
{
	struct ses_client c;
	uint8_t msg[SES_MSG_MAX];
	struct ses_addr target = {.family = 4, .port = service_port};

	close(listener);
	check(open_session(&c, address, service_port + 1) == -EACCES,
	      "an unlisted port was served");
	check(open_session(&c, "127.0.0.9", service_port) == -EACCES, "another address was served");
	check(open_session(&c, address, service_port) == -ECONNREFUSED,
	      "not the connect's own errno");
	/* The same OPEN twice. */
	inet_pton(AF_INET, address, target.ip);
	int n = ses_open(&assoc, &c, &(struct ses_request){.target = target}, msg), fd = dial();
	uint8_t again[SES_MSG_MAX];

	memcpy(again, msg, sizeof(msg));
	put(fd, msg, (size_t)n);
	get_message(fd, msg);
	fd = dial();
	put(fd, again, (size_t)n);
	n = get_message(fd, msg);
	check(ses_refused(msg, (size_t)n) == SES_TOO_OLD, "a replayed OPEN was taken");
}

/* The connection dies with bytes unread on both sides; nothing is lost, nothing comes twice. */
static void resume(void)
{
	struct ses_client c;
	struct ses_attempt t, late;
	uint8_t msg[SES_MSG_MAX], stale[SES_MSG_MAX];
	uint64_t read = 0, written = 0;
	int fd = open_session(&c, address, service_port), service = accept_one(), n;

	check(fd >= 0, "not open");
	check(c.relays >= 1, "nowhere to resume at");
	for (int round = 0; round < 40; round++) {
		put_stream(service, 10000ull * (unsigned)round, 10000);
		put_stream(fd, written, 3000);
		written += 3000;
		/* Some of it is read, then the path is gone; on odd rounds the relay does not know
		 * yet. */
		get_stream(fd, read, 4000);
		read += 4000;
		if (!(round & 1))
			reset(fd);
		/* An attempt that is never committed, then one that is. */
		int idle = dial();

		n = ses_resume(&c, &late, read, SES_NO_END, 0, msg);
		memcpy(stale, msg, (size_t)n);
		put(idle, msg, (size_t)n);
		n = get_message(idle, msg);
		check(ses_resumed(&c, &late, msg, (size_t)n) == 0, "RESUMED not authentic");
		int next = dial();

		n = ses_resume(&c, &t, read, SES_NO_END, 0, msg);
		put(next, msg, (size_t)n);
		n = get_message(next, msg);
		check(ses_resumed(&c, &t, msg, (size_t)n) == 0, "RESUMED not authentic");
		check(t.peer_count <= written, "the relay has more than was written");
		/* In the meantime the program has read on from the old connection. */
		size_t more = round & 1 ? 500 : 0;

		get_stream(fd, read, more);
		read += more;
		n = ses_commit(&c, &t, read, written, msg);
		put(next, msg, (size_t)n);
		put_stream(next, t.peer_count, (size_t)(written - t.peer_count));
		get_stream(next, t.count, (size_t)(read - t.count));
		/* It was given the stream, too, as far as that went. */
		while ((n = (int)recv(idle, msg, sizeof(msg), 0)) > 0)
			;
		check(n < 0 && errno == ECONNRESET, "the attempt that lost was not closed");
		close(idle);
		if (round & 1)
			close(fd);
		fd = next;
		get_stream(fd, read, 10000 * (size_t)(round + 1) - (size_t)read);
		read = 10000 * (uint64_t)(round + 1);
		get_stream(service, 3000ull * (unsigned)round, 3000);
		/* What was good before the COMMIT is not any more. */
		idle = dial();
		put(idle, stale, (size_t)ses_msg_size(stale, SES_HEADER));
		n = get_message(idle, msg);
		check(ses_refused(msg, (size_t)n), "a resume behind the committed epoch was taken");
		close(idle);
	}
	struct ses_frame f = {.type = SES_F_CLOSE, .sid = c.sid, .end = written};

	say(&f);
	check(hear(SES_F_ACK).count == written, "CLOSE was not confirmed");
	check(is_end(service), "the service did not see the end");
}

static void target_reset(void)
{
	struct ses_client c;
	int fd = open_session(&c, address, service_port), service = accept_one();

	put_stream(service, 0, 200000);
	/* Only when the relay has it all: a reset overtakes what is still on its way to it. */
	get_stream(fd, 0, 100000);
	struct timespec moment = {.tv_nsec = 300000000};

	nanosleep(&moment, NULL);
	reset(service);
	check(hear(SES_F_RESET).err == ECONNRESET, "RESET without its errno");
	get_stream(fd, 100000, 100000);
	check(is_reset(fd), "the reset was not passed on");
}

/* A relay that dies is not the end of a stream, to either side. */
static void killed(int sig)
{
	struct ses_client c;
	int fd = open_session(&c, address, service_port), service = accept_one();

	put_stream(fd, 0, 1000);
	get_stream(service, 0, 1000);
	kill(relay_pid, sig);
	check(is_reset(service), "the service saw an end");
	check(is_reset(fd), "the client saw an end");
}

/* Control and data connections die without a word: after the linger time the service sees a reset.
 */
static void lingered(void)
{
	struct ses_client c;
	int fd = open_session(&c, address, service_port), service = accept_one();

	put_stream(fd, 0, 1000);
	get_stream(service, 0, 1000);
	reset(control);
	reset(fd);
	check(is_reset(service), "a lost client looked like an end");
}

/* A process that exits closes everything in order: that is an end. */
static void process_over(void)
{
	struct ses_client c;
	int fd = open_session(&c, address, service_port), service = accept_one();

	put_stream(fd, 0, 1000);
	close(fd);
	close(control);
	get_stream(service, 0, 1000);
	check(is_end(service), "the end of the process was no end");
}

/* FIN without EOF, as a box on the path may send: never an end while the client can speak. */
static void false_fin(void)
{
	struct ses_client c;
	struct ses_attempt t;
	uint8_t msg[SES_MSG_MAX];
	int fd = open_session(&c, address, service_port), service = accept_one(), n;

	put_stream(fd, 0, 1000);
	shutdown(fd, SHUT_WR);
	get_stream(service, 0, 1000);
	struct timespec grace = {.tv_sec = 3};

	nanosleep(&grace, NULL);
	n = (int)recv(service, msg, 1, MSG_DONTWAIT);
	check(n < 0 && errno == EAGAIN, "a FIN that nobody announced ended the stream");
	fd = dial();
	n = ses_resume(&c, &t, 0, SES_NO_END, 0, msg);
	put(fd, msg, (size_t)n);
	n = get_message(fd, msg);
	check(ses_resumed(&c, &t, msg, (size_t)n) == 0 && t.peer_count == 1000, "not resumed");
	n = ses_commit(&c, &t, 0, 1000, msg);
	put(fd, msg, (size_t)n);
	/* The announced one is. */
	struct ses_frame f = {.type = SES_F_EOF, .sid = c.sid, .end = 1500};

	put_stream(fd, 1000, 500);
	say(&f);
	shutdown(fd, SHUT_WR);
	get_stream(service, 1000, 500);
	check(hear(SES_F_ACK).count == 1500, "the end was not confirmed");
	check(is_end(service), "the announced end did not come");
	put_stream(service, 0, 100);
	close(service);
	check(hear(SES_F_EOF).end == 100, "no EOF before the FIN");
	get_stream(fd, 0, 100);
	check(is_end(fd), "no FIN");
}

static long relay_kb(void)
{
	char path[64], line[256];
	long kb = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)relay_pid);
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

#define DETACHED 10000

/* Ten thousand sessions whose client is away, each with some bytes for it; what they cost, and that
 * they live. */
static void detached(void)
{
	static struct ses_client c[DETACHED];
	static int service[DETACHED];
	struct rlimit files = {DETACHED + 100, DETACHED + 100};
	long before = relay_kb();

	check(setrlimit(RLIMIT_NOFILE, &files) == 0, "not so many descriptors here");
	for (int i = 0; i < DETACHED; i++) {
		int fd = open_session(&c[i], address, service_port);

		check(fd >= 0, "not opened");
		service[i] = accept_one();
		put_stream(fd, 0, 300);
		get_stream(service[i], 0, 300);
		reset(fd);
		put_stream(service[i], 0, 500);
	}
	sleep(1);
	long after = relay_kb();

	printf("%.1f kB for each of %d detached sessions\n", (double)(after - before) / DETACHED,
	       DETACHED);
	/* Two pages of bytes, and what a session is. */
	check((after - before) / DETACHED < 24, "detached sessions take too much memory");
	for (int i = 0; i < DETACHED; i += 997) {
		struct ses_attempt t;
		uint8_t msg[SES_MSG_MAX];
		int fd = dial(), n = ses_resume(&c[i], &t, 0, SES_NO_END, 0, msg);

		put(fd, msg, (size_t)n);
		n = get_message(fd, msg);
		check(ses_resumed(&c[i], &t, msg, (size_t)n) == 0 && t.peer_count == 300,
		      "not resumed");
		get_stream(fd, 0, 500);
		close(fd);
	}
}

/* Asks for a connection to be held ready; the answer's refusal, or 0 for READY. */
static int stand_by(const uint8_t *msg, int n, int *fd)
{
	uint8_t answer[SES_MSG_MAX];

	*fd = dial();
	put(*fd, msg, (size_t)n);
	n = get_message(*fd, answer);
	if (ses_refused(answer, (size_t)n))
		return ses_refused(answer, (size_t)n);
	check(ses_ready(&assoc, answer, (size_t)n) == 0, "READY not authentic");
	return 0;
}

static bool is_silent(int fd)
{
	uint8_t b;

	return recv(fd, &b, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* Held ready: one for an association that has something to lose, for as long as that has. */
static void standby(void)
{
	struct timespec moment = {.tv_nsec = 700000000};
	uint8_t msg[SES_MSG_MAX], copy[SES_MSG_MAX];
	struct ses_client c;
	struct ses_attempt t;
	int fd, last = -1, n = ses_standby(&assoc, msg);

	check(stand_by(msg, n, &fd) == SES_NOT_ALLOWED, "held ready for no session");
	close(fd);
	int data = open_session(&c, address, service_port), service = accept_one();

	for (int i = 0; i < 50; i++) {
		n = ses_standby(&assoc, msg);
		memcpy(copy, msg, sizeof(copy));
		check(stand_by(msg, n, &fd) == 0, "not held ready");
		check(last < 0 || is_end(last), "two are held for one association");
		close(last);
		last = fd;
	}
	check(stand_by(copy, n, &fd) == SES_UNKNOWN, "a copy was taken");
	close(fd);
	n = ses_standby(&assoc, msg);
	msg[SES_HEADER + SES_TOKEN + 5] ^= 1;
	check(stand_by(msg, n, &fd) == SES_UNAUTHENTIC, "a forged one was taken");
	close(fd);
	/* Longer than anybody may think about his first message. */
	sleep(11);
	check(is_silent(last), "what is held ready was closed, or spoken to");
	put_stream(service, 0, 1000);
	get_stream(data, 0, 400);
	n = ses_resume(&c, &t, 400, SES_NO_END, 0, msg);
	put(last, msg, (size_t)n);
	n = get_message(last, msg);
	check(ses_resumed(&c, &t, msg, (size_t)n) == 0, "not resumed over what was held ready");
	n = ses_commit(&c, &t, 400, 0, msg);
	put(last, msg, (size_t)n);
	get_stream(last, 400, 600);
	/* One that says what is no message. */
	n = ses_standby(&assoc, msg);
	check(stand_by(msg, n, &fd) == 0, "not held ready again");
	put(fd, "GET ", 4);
	n = get_message(fd, msg);
	check(ses_refused(msg, (size_t)n) == SES_MALFORMED && is_end(fd), "nonsense was taken");
	close(fd);
	/* With the last session goes what was held for it. */
	n = ses_standby(&assoc, msg);
	check(stand_by(msg, n, &fd) == 0, "not held ready again");
	struct ses_frame f = {.type = SES_F_CLOSE, .sid = c.sid, .end = 0};

	say(&f);
	check(is_end(service), "the session goes on");
	close(service);
	nanosleep(&moment, NULL);
	check(is_end(fd), "held ready for no session any more");
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		fputs("usage: relay_client ADDRESS RELAY-PORT SERVICE-PORT RELAY-PID SCENARIO\n",
		      stderr);
		return 2;
	}
	address = argv[1];
	relay_port = (uint16_t)atoi(argv[2]);
	service_port = (uint16_t)atoi(argv[3]);
	relay_pid = (pid_t)atoi(argv[4]);
	signal(SIGPIPE, SIG_IGN);
	listen_here();
	associate();
	if (strcmp(argv[5], "refusals") == 0)
		refusals();
	else if (strcmp(argv[5], "resume") == 0)
		resume();
	else if (strcmp(argv[5], "target-reset") == 0)
		target_reset();
	else if (strcmp(argv[5], "relay-killed") == 0)
		killed(SIGKILL);
	else if (strcmp(argv[5], "relay-ended") == 0)
		killed(SIGTERM);
	else if (strcmp(argv[5], "lingered") == 0)
		lingered();
	else if (strcmp(argv[5], "process-over") == 0)
		process_over();
	else if (strcmp(argv[5], "detached") == 0)
		detached();
	else if (strcmp(argv[5], "standby") == 0)
		standby();
	else if (strcmp(argv[5], "false-fin") == 0)
		false_fin();
	else
		return 2;
	return 0;
}
