/* SPDX-License-Identifier: MIT */
/* The relay's end by itself: replays, windows, confirmation, cover and ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "session/server.h"

#define RING 1024

static struct ses_identity key;
static struct ses_assoc client;
static struct server_assoc server;
static struct ses_client ses;
static struct serve s;
static uint8_t s2c[RING], c2s[RING];

static int begin(void **state)
{
	_Alignas(16) uint8_t hello[SES_HELLO_SIZE];
	struct ses_addr target = {.family = 4, .ip = {127, 0, 0, 1}, .port = 1};
	uint8_t a[SES_MSG_MAX], b[SES_MSG_MAX];

	(void)state;
	memset(key.secret, 3, sizeof(key.secret));
	crypto_scalarmult_curve25519_base(key.public, key.secret);
	int n = ses_hello((struct ses_hello *)hello, a);

	n = server_hello(&key, NULL, 0, a, (size_t)n, &server, b);
	assert_int_equal(ses_welcome((struct ses_hello *)hello, b, (size_t)n, &client), 0);
	ses_open(&client, &ses, &(struct ses_request){.target = target, .ring = RING}, a);
	serve_init(&s, &server, ses.sid, s2c, RING, c2s, RING);
	return 0;
}

/* The target has sent as much as may be read, at most so much; how much it was. */
static size_t target_sends(size_t most)
{
	size_t done = 0, n;
	void *p;

	while (done < most && (n = serve_from_target(&s, &p))) {
		n = n < most - done ? n : most - done;
		memset(p, 1, n);
		serve_target_added(&s, n);
		done += n;
	}
	return done;
}

/* A connection takes everything there is. */
static void give(int conn)
{
	const void *p;
	size_t n;
	bool urgent;

	while ((n = serve_to_client(&s, conn, &p, &urgent)))
		serve_client_sent(&s, conn, n);
}

static void ack(uint64_t count)
{
	struct ses_frame f = {.type = SES_F_ACK, .count = count, .end = SES_NO_END};

	serve_frame(&s, &f);
}

/* A resume from `count`: the connection's index or minus the refusal. */
static int resume(struct ses_attempt *t, uint64_t count, uint64_t end)
{
	uint8_t msg[SES_MSG_MAX], out[SES_MSG_MAX];
	int n = ses_resume(&ses, t, count, end, 0, msg), len, replaced;
	int conn = serve_resume(&s, msg, (size_t)n, out, &len, &replaced);

	if (conn >= 0)
		assert_int_equal(ses_resumed(&ses, t, out, (size_t)len), 0);
	return conn;
}

static int commit(int conn, const struct ses_attempt *t, uint64_t read, uint64_t tail)
{
	uint8_t msg[SES_MSG_MAX];
	unsigned losers;
	int n = ses_commit(&ses, t, read, tail, msg);

	assert_true(n > 0);
	return serve_commit(&s, conn, msg, (size_t)n, &losers);
}

static int open_with(uint64_t sid)
{
	struct ses_addr target = {.family = 4, .port = 1};
	struct server_request got;
	struct ses_client c;
	uint8_t msg[SES_MSG_MAX];

	client.next_sid = sid;
	int n = ses_open(&client, &c, &(struct ses_request){.target = target}, msg);

	return server_open(&server, &key, msg, (size_t)n, &got);
}

static void session_ids_are_used_once(void **state)
{
	(void)state;
	assert_int_equal(open_with(0), -EALREADY);
	assert_int_equal(open_with(5), 0);
	assert_int_equal(open_with(5), -EALREADY);
	/* Connections overtake each other. */
	assert_int_equal(open_with(3), 0);
	assert_int_equal(open_with(3), -EALREADY);
	assert_int_equal(open_with(5 + SERVER_SIDS), 0);
	assert_int_equal(open_with(6), 0);
	assert_int_equal(open_with(5), -EALREADY);
	/* Too old to tell. */
	assert_int_equal(open_with(4), -EALREADY);
	/* The very end of the numbers, from which there is no further. */
	assert_int_equal(open_with(UINT64_MAX - 1), 0);
	assert_int_equal(open_with(UINT64_MAX), 0);
	assert_int_equal(open_with(UINT64_MAX), -EALREADY);
	assert_int_equal(open_with(UINT64_MAX - 2), 0);
	/* One that the client has given up comes too late. */
	server_void(&server, client.next_sid + 5);
	assert_int_equal(open_with(client.next_sid + 5), -EALREADY);
}

static void attach_window(void **state)
{
	uint8_t msg[SES_MSG_MAX], old[SES_MSG_MAX], out[SES_MSG_MAX];
	int n = ses_attach(&client, old);

	(void)state;
	client.attach = SERVER_ATTACH_AHEAD;
	n = ses_attach(&client, msg);
	assert_int_equal(server_attach(&server, msg, (size_t)n, out), -EBADMSG);
	client.attach = SERVER_ATTACH_AHEAD - 1;
	n = ses_attach(&client, msg);
	int len = server_attach(&server, msg, (size_t)n, out);

	assert_true(len > 0);
	assert_int_equal(ses_attached(&client, out, (size_t)len), 0);
	assert_memory_equal(&client.tx, &server.rx, sizeof(client.tx));
	/* Neither again nor backwards: the keys would meet their counters again. */
	assert_int_equal(server_attach(&server, msg, (size_t)n, out), -EBADMSG);
	assert_int_equal(server_attach(&server, old, (size_t)n, out), -EBADMSG);
}

static void standby_window(void **state)
{
	uint8_t msg[SES_MSG_MAX], old[SES_MSG_MAX], out[SES_MSG_MAX];
	struct ses_cipher tx = server.tx, rx = server.rx;
	int n = ses_standby(&client, old);

	(void)state;
	client.standby = SERVER_STANDBY_AHEAD;
	n = ses_standby(&client, msg);
	assert_int_equal(server_standby(&server, msg, (size_t)n, out), -EBADMSG);
	client.standby = SERVER_STANDBY_AHEAD - 1;
	n = ses_standby(&client, msg);
	int len = server_standby(&server, msg, (size_t)n, out);

	assert_true(len > 0);
	assert_int_equal(ses_ready(&client, out, (size_t)len), 0);
	/* An answer to another number is none. */
	client.standby++;
	assert_int_equal(ses_ready(&client, out, (size_t)len), -EBADMSG);
	/* A copy of one that was taken displaces nothing. */
	assert_int_equal(server_standby(&server, msg, (size_t)n, out), -EBADMSG);
	assert_int_equal(server_standby(&server, old, (size_t)n, out), -EBADMSG);
	/* Nor is it an ATTACH. */
	msg[0] = MSG_ATTACH;
	assert_int_equal(server_attach(&server, msg, (size_t)n, out), -EBADMSG);
	assert_memory_equal(&tx, &server.tx, sizeof(tx));
	assert_memory_equal(&rx, &server.rx, sizeof(rx));
}

static void full_means_wait(void **state)
{
	(void)state;
	assert_int_equal(target_sends(10000), RING);
	assert_true(serve_full(&s));
	give(0);
	/* Given is not confirmed. */
	assert_int_equal(target_sends(10000), 0);
	ack(100);
	assert_int_equal(target_sends(10000), 100);
}

static void asks_from_a_quarter_on(void **state)
{
	(void)state;
	target_sends(RING / 4 - 1);
	give(0);
	assert_false(serve_wants_ack(&s));
	target_sends(1);
	assert_true(serve_wants_ack(&s));
	s.asked = s.conn[0].sent;
	assert_false(serve_wants_ack(&s));
	target_sends(RING / 16);
	assert_false(serve_wants_ack(&s));
	give(0);
	assert_true(serve_wants_ack(&s));
}

static void unbelievable_counts(void **state)
{
	(void)state;
	target_sends(500);
	ack(1);
	assert_int_equal(s.s2c.base, 0);
	give(0);
	ack(501);
	assert_int_equal(s.s2c.base, 0);
	ack(500);
	assert_int_equal(s.s2c.base, 500);
	/* Backwards. */
	ack(10);
	assert_int_equal(s.s2c.base, 500);
}

/* What the program reads from the old connection may be confirmed before the new one was given it.
 */
static void confirmation_waits_for_tentative_ones(void **state)
{
	struct ses_attempt t;

	(void)state;
	target_sends(600);
	give(0);
	int conn = resume(&t, 100, SES_NO_END);

	assert_true(conn > 0);
	assert_true(serve_paused(&s, 0));
	ack(400);
	assert_int_equal(s.s2c.base, 100);
	give(conn);
	assert_int_equal(s.s2c.base, 400);
	assert_int_equal(commit(conn, &t, 450, 0), 0);
	assert_int_equal(s.s2c.base, 450);
	assert_int_equal(s.committed, conn);
}

static void confirmed_while_detached(void **state)
{
	(void)state;
	target_sends(600);
	give(0);
	serve_lost(&s, 0);
	assert_int_equal(s.committed, -1);
	ack(300);
	assert_int_equal(s.s2c.base, 300);
}

static void uncovered_flows_on(void **state)
{
	struct ses_attempt t;

	(void)state;
	target_sends(10000);
	serve_uncover(&s);
	/* What the connection has not been given is not dropped. */
	assert_int_equal(target_sends(10000), 0);
	give(0);
	assert_int_equal(target_sends(RING / 2), RING / 2);
	assert_int_equal(s.s2c.base, RING / 2);
	assert_false(s.covered);
	/* What was dropped cannot be had again; the rest can. */
	assert_int_equal(resume(&t, RING / 2 - 1, SES_NO_END), -SES_GONE);
	give(0);
	ack(RING / 2 - 1);
	assert_false(s.covered);
	ack(RING / 2 + 10);
	assert_true(s.covered);
	assert_int_equal(target_sends(10000), 10);
}

/* Bytes given to an attempt may be dropped before it is committed. */
static void a_commit_covers_what_is_held(void **state)
{
	struct ses_attempt t;

	(void)state;
	target_sends(RING);
	give(0);
	serve_uncover(&s);
	target_sends(RING / 4);
	int conn = resume(&t, RING / 2, SES_NO_END);

	assert_true(conn > 0);
	give(conn);
	target_sends(RING / 2);
	assert_true(s.s2c.base > RING / 2);
	uint64_t held = s.s2c.base;

	assert_int_equal(commit(conn, &t, held - 1, 0), 0);
	assert_false(s.covered);
	ack(held);
	assert_true(s.covered);
	serve_uncover(&s);
	conn = resume(&t, held, SES_NO_END);
	assert_true(conn >= 0);
	assert_int_equal(commit(conn, &t, held, 0), 0);
	assert_true(s.covered);
}

static void detached_sessions_drop_nothing(void **state)
{
	(void)state;
	target_sends(10000);
	give(0);
	serve_uncover(&s);
	serve_lost(&s, 0);
	assert_int_equal(target_sends(10000), 0);
	assert_int_equal(s.s2c.base, 0);
}

static void detach_keeps_nothing(void **state)
{
	struct ses_frame f = {.type = SES_F_DETACH};

	(void)state;
	target_sends(700);
	give(0);
	serve_frame(&s, &f);
	assert_int_equal(ring_used(&s.s2c), 0);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(target_sends(RING), RING);
		assert_false(serve_wants_ack(&s));
		give(0);
	}
}

static void a_limit_is_kept(void **state)
{
	(void)state;
	s.s2c_limit = 300;
	assert_int_equal(target_sends(10000), 300);
	assert_true(serve_full(&s));
	give(0);
	assert_true(serve_wants_ack(&s));
	/* Lowered below what is there: nothing is lost, nothing more is taken. */
	s.s2c_limit = 100;
	assert_int_equal(target_sends(10000), 0);
	ack(250);
	assert_int_equal(target_sends(10000), 50);
}

/* Bytes from the client, as many as are taken, at most so many. */
static size_t client_sends(int conn, size_t most)
{
	size_t done = 0, n;
	void *p;

	while (done < most && (n = serve_from_client(&s, conn, &p))) {
		n = n < most - done ? n : most - done;
		memset(p, 2, n);
		serve_client_added(&s, n);
		done += n;
	}
	return done;
}

static void target_takes(size_t most)
{
	const void *p;
	size_t n;
	bool urgent;

	while (most && (n = serve_to_target(&s, &p, &urgent))) {
		n = n < most ? n : most;
		serve_target_sent(&s, n);
		most -= n;
	}
}

static void an_end_is_an_end(void **state)
{
	struct ses_frame eof = {.type = SES_F_EOF, .end = 300},
	                 other = {.type = SES_F_EOF, .end = 400};
	struct ses_attempt t;
	void *p;

	(void)state;
	client_sends(0, 200);
	serve_frame(&s, &eof);
	/* Said once. */
	serve_frame(&s, &other);
	assert_int_equal(s.c2s_end, 300);
	assert_false(serve_client_complete(&s));
	target_takes(1000);
	assert_false(serve_target_done(&s));
	/* Bytes beyond it are forgotten. */
	assert_true(serve_from_client(&s, 0, &p) >= 150);
	serve_client_added(&s, 150);
	assert_int_equal(s.c2s.tail, 300);
	assert_true(serve_client_complete(&s));
	assert_false(serve_target_done(&s));
	target_takes(1000);
	assert_true(serve_target_done(&s));
	/* A COMMIT of more than that is a lie. */
	int conn = resume(&t, 0, 300);

	assert_true(conn > 0);
	assert_int_equal(commit(conn, &t, 0, 301), -EBADMSG);
}

static void false_commits(void **state)
{
	struct ses_attempt t;

	(void)state;
	client_sends(0, 200);
	target_sends(100);
	give(0);
	int conn = resume(&t, 0, SES_NO_END);

	assert_int_equal(t.peer_count, 200);
	assert_int_equal(commit(conn, &t, 101, 200), -EBADMSG);
	ses.epoch_committed = 0;
	assert_int_equal(commit(conn, &t, 100, 199), -EBADMSG);
	ses.epoch_committed = 0;
	assert_int_equal(commit(0, &t, 100, 200), -EBADMSG);
	ses.epoch_committed = 0;
	assert_int_equal(commit(conn, &t, 100, 200), 0);
	/* Once. */
	ses.epoch_committed = 0;
	assert_int_equal(commit(conn, &t, 100, 200), -EBADMSG);
}

/* Claims of having read what is still here would count as confirmations. */
static void what_was_not_given_was_not_read(void **state)
{
	struct ses_frame detach = {.type = SES_F_DETACH};
	struct ses_attempt t;

	(void)state;
	target_sends(200);
	assert_int_equal(resume(&t, 1, SES_NO_END), -SES_GONE);
	int conn = resume(&t, 0, SES_NO_END);

	assert_true(conn > 0);
	assert_int_equal(commit(conn, &t, 1, 0), -EBADMSG);
	ses.epoch_committed = 0;
	give(conn);
	assert_int_equal(commit(conn, &t, 200, 0), 0);
	serve_frame(&s, &detach);
	assert_int_equal(s.confirmed, 200);
}

/* A replay is taken although the target reads nothing. */
static void a_replay_does_not_wait_for_the_target(void **state)
{
	static uint8_t big[4 * SERVE_BACKLOG];
	struct ses_attempt t;

	(void)state;
	serve_init(&s, &server, ses.sid, s2c, RING, big, sizeof(big));
	assert_in_range(client_sends(0, sizeof(big)), SERVE_BACKLOG, sizeof(big));
	uint64_t have = s.c2s.tail;

	s.c2s.tail = have = SERVE_BACKLOG;
	assert_int_equal(client_sends(0, 100), 0);
	int conn = resume(&t, 0, SES_NO_END);

	assert_int_equal(commit(conn, &t, 0, have + SERVE_BACKLOG), 0);
	assert_true(client_sends(conn, SERVE_BACKLOG) == SERVE_BACKLOG);
	assert_int_equal(client_sends(conn, 1), 0);
}

static void closed_clients_are_sent_nothing(void **state)
{
	struct ses_frame f = {.type = SES_F_CLOSE, .end = 0};
	const void *p;
	void *in;
	bool urgent;

	(void)state;
	target_sends(100);
	serve_frame(&s, &f);
	assert_int_equal(serve_to_client(&s, 0, &p, &urgent), 0);
	assert_int_equal(serve_from_target(&s, &in), 0);
	assert_true(serve_target_done(&s));
}

/* The urgent byte goes alone, and in its place; only the last one is. */
static void urgent_bytes_keep_their_place(void **state)
{
	struct ses_attempt t;
	const void *p;
	bool urgent;

	(void)state;
	target_sends(10);
	serve_target_urgent(&s);
	target_sends(1);
	target_sends(20);
	serve_target_urgent(&s);
	target_sends(1);
	target_sends(5);
	assert_int_equal(serve_to_client(&s, 0, &p, &urgent), 31);
	assert_false(urgent);
	serve_client_sent(&s, 0, 31);
	/* It can still be brought by another connection. */
	int conn = resume(&t, 8, SES_NO_END);

	assert_in_range(conn, 1, SERVE_CONNS - 1);
	assert_int_equal(serve_to_client(&s, conn, &p, &urgent), 23);
	serve_client_sent(&s, conn, 23);
	assert_int_equal(serve_to_client(&s, conn, &p, &urgent), 1);
	assert_true(urgent);
	serve_urgent(&s);
	serve_client_sent(&s, conn, 1);
	assert_int_equal(serve_to_client(&s, conn, &p, &urgent), 5);
	assert_false(urgent);
	/* And not again. */
	assert_int_equal(resume(&t, 8, SES_NO_END), -SES_GONE);
}

static void urgent_bytes_of_the_client(void **state)
{
	struct ses_attempt t;
	const void *p;
	bool urgent;

	(void)state;
	client_sends(0, 3);
	serve_client_urgent(&s);
	client_sends(0, 1);
	client_sends(0, 3);
	assert_int_equal(serve_to_target(&s, &p, &urgent), 3);
	assert_false(urgent);
	serve_target_sent(&s, 3);
	assert_int_equal(serve_to_target(&s, &p, &urgent), 1);
	assert_true(urgent);
	serve_target_sent(&s, 1);
	assert_int_equal(serve_to_target(&s, &p, &urgent), 3);
	assert_false(urgent);
	assert_int_equal(resume(&t, 0, SES_NO_END), -SES_GONE);
}

/* COMMIT tells how much the program had written: a process that ends before is short of it. */
static void who_ends_while_replaying_is_short(void **state)
{
	struct ses_attempt t;
	void *p;

	(void)state;
	assert_false(serve_client_short(&s));
	int conn = resume(&t, 0, SES_NO_END);

	assert_int_equal(commit(conn, &t, 0, 100), 0);
	assert_true(serve_client_short(&s));
	assert_true(serve_from_client(&s, conn, &p) >= 100);
	serve_client_added(&s, 99);
	assert_true(serve_client_short(&s));
	serve_client_added(&s, 1);
	assert_false(serve_client_short(&s));
	/* So is one that has announced more. */
	struct ses_frame f = {.type = SES_F_EOF, .end = 101};

	serve_frame(&s, &f);
	assert_true(serve_client_short(&s));
}

static void a_fifth_connection_replaces_the_oldest_attempt(void **state)
{
	struct ses_attempt t[6];
	uint8_t msg[SES_MSG_MAX], out[SES_MSG_MAX];
	int len, replaced;

	(void)state;
	for (int i = 0; i < SERVE_CONNS - 1; i++)
		assert_int_equal(resume(&t[i], 0, SES_NO_END), i + 1);
	int n = ses_resume(&ses, &t[4], 0, SES_NO_END, 0, msg);

	assert_int_equal(serve_resume(&s, msg, (size_t)n, out, &len, &replaced), 1);
	assert_int_equal(replaced, 1);
	/* The same message again takes its own place, never the committed one's. */
	assert_int_equal(serve_resume(&s, msg, (size_t)n, out, &len, &replaced), 1);
	assert_int_equal(replaced, 1);
	assert_int_equal(s.committed, 0);
	assert_true(s.conn[0].used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(session_ids_are_used_once, begin),
	    cmocka_unit_test_setup(attach_window, begin),
	    cmocka_unit_test_setup(standby_window, begin),
	    cmocka_unit_test_setup(full_means_wait, begin),
	    cmocka_unit_test_setup(asks_from_a_quarter_on, begin),
	    cmocka_unit_test_setup(unbelievable_counts, begin),
	    cmocka_unit_test_setup(confirmation_waits_for_tentative_ones, begin),
	    cmocka_unit_test_setup(confirmed_while_detached, begin),
	    cmocka_unit_test_setup(uncovered_flows_on, begin),
	    cmocka_unit_test_setup(a_commit_covers_what_is_held, begin),
	    cmocka_unit_test_setup(detached_sessions_drop_nothing, begin),
	    cmocka_unit_test_setup(detach_keeps_nothing, begin),
	    cmocka_unit_test_setup(a_limit_is_kept, begin),
	    cmocka_unit_test_setup(an_end_is_an_end, begin),
	    cmocka_unit_test_setup(false_commits, begin),
	    cmocka_unit_test_setup(what_was_not_given_was_not_read, begin),
	    cmocka_unit_test_setup(a_replay_does_not_wait_for_the_target, begin),
	    cmocka_unit_test_setup(closed_clients_are_sent_nothing, begin),
	    cmocka_unit_test_setup(urgent_bytes_keep_their_place, begin),
	    cmocka_unit_test_setup(urgent_bytes_of_the_client, begin),
	    cmocka_unit_test_setup(who_ends_while_replaying_is_short, begin),
	    cmocka_unit_test_setup(a_fifth_connection_replaces_the_oldest_attempt, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
