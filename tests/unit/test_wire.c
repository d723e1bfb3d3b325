/* SPDX-License-Identifier: MIT */
/* Messages, records and frames: round trips, every truncation, every flipped bit, garbage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "session/server.h"

/* Field by field: what lies between them is not said. */
static void assert_same_address(const struct ses_addr *a, const struct ses_addr *b)
{
	assert_int_equal(a->family, b->family);
	assert_memory_equal(a->ip, b->ip, sizeof(a->ip));
	assert_int_equal(a->port, b->port);
}

static struct ses_identity relay;
static struct ses_assoc client;
static struct server_assoc server;
static uint8_t commit_nonce[16]; /* what the COMMIT among the specimens answers */

/* An association made by the real handshake. */
static int associate(void **state)
{
	_Alignas(16) uint8_t hello[SES_HELLO_SIZE];
	uint8_t m1[SES_MSG_MAX], m2[SES_MSG_MAX];

	(void)state;
	memset(relay.secret, 7, sizeof(relay.secret));
	crypto_scalarmult_curve25519_base(relay.public, relay.secret);
	int n = ses_hello((struct ses_hello *)hello, m1);

	assert_int_equal(n, SES_HEADER + 32);
	n = server_hello(&relay, NULL, 0, m1, (size_t)n, &server, m2);
	assert_int_equal(n, SES_HEADER + 97);
	assert_int_equal(ses_welcome((struct ses_hello *)hello, m2, (size_t)n, &client), 0);
	return 0;
}

static void handshake_agrees(void **state)
{
	static const uint8_t zero[SES_HELLO_SIZE];
	_Alignas(16) uint8_t hello[SES_HELLO_SIZE] = {0};
	uint8_t m1[SES_MSG_MAX], m2[SES_MSG_MAX];
	struct ses_assoc a;

	(void)state;
	assert_memory_equal(client.id, server.id, 16);
	assert_memory_equal(client.secret, server.secret, SES_KEY);
	assert_memory_equal(client.relay_key, relay.public, SES_KEY);
	assert_memory_equal(&client.tx, &server.rx, sizeof(client.tx));
	assert_memory_equal(&client.rx, &server.tx, sizeof(client.rx));
	/* A handshake that failed leaves nothing behind. */
	int n = ses_hello((struct ses_hello *)hello, m1);

	n = server_hello(&relay, NULL, 0, m1, (size_t)n, &server, m2);
	m2[n - 1] ^= 1;
	assert_int_equal(ses_welcome((struct ses_hello *)hello, m2, (size_t)n, &a), -EBADMSG);
	assert_memory_equal(hello, zero, sizeof(struct noise));
}

/* One valid message of each type. Returns how many. */
static int specimens(uint8_t msg[][SES_MSG_MAX], int *len)
{
	_Alignas(16) uint8_t hello[SES_HELLO_SIZE];
	struct ses_addr target = {.family = 4, .ip = {192, 0, 2, 1}, .port = 22}, addr[8];
	struct server_request got;
	struct ses_client c;
	struct ses_attempt t;
	struct server_assoc a;
	static uint8_t s2c[1024], c2s[1024];
	struct serve s;
	unsigned losers;
	int n = 0, replaced;

	for (int i = 0; i < 8; i++)
		addr[i] = (struct ses_addr){.family = 6, .ip = {0x20, 1, (uint8_t)i}, .port = 7343};
	len[n] = ses_hello((struct ses_hello *)hello, msg[n]);
	n++;
	len[n] = server_hello(&relay, NULL, 0, msg[n - 1], (size_t)len[n - 1], &a, msg[n]);
	n++;
	len[n] = ses_attach(&client, msg[n]);
	n++;
	len[n] = server_attach(&server, msg[n - 1], (size_t)len[n - 1], msg[n]);
	assert_int_equal(ses_attached(&client, msg[n], (size_t)len[n]), 0);
	n++;
	len[n] =
	    ses_open(&client, &c, &(struct ses_request){.target = target, .ring = 1 << 20}, msg[n]);
	assert_int_equal(server_open(&server, &relay, msg[n], (size_t)len[n], &got), 0);
	assert_int_equal(got.sid, c.sid);
	assert_same_address(&got.target, &target);
	assert_int_equal(got.ring, 1 << 20);
	assert_false(got.proven);
	n++;
	len[n] = server_opened(&server, got.sid, 0, 4096, addr, 8, msg[n]);
	assert_int_equal(ses_opened(&client, &c, msg[n], (size_t)len[n]), 0);
	/* Twice is no reason to write beyond the eight. */
	assert_int_equal(ses_opened(&client, &c, msg[n], (size_t)len[n]), 0);
	assert_int_equal(c.relays, 8);
	assert_int_equal(c.relay_ring, 4096);
	assert_memory_equal(c.relay, addr, sizeof(addr));
	n++;
	serve_init(&s, &server, got.sid, s2c, sizeof(s2c), c2s, sizeof(c2s));
	assert_memory_equal(s.root, c.root, SES_KEY);
	len[n] = ses_resume(&c, &t, 0, SES_NO_END, 0, msg[n]);
	n++;
	int conn = serve_resume(&s, msg[n - 1], (size_t)len[n - 1], msg[n], &len[n], &replaced);

	assert_true(conn > 0);
	assert_int_equal(replaced, -1);
	assert_int_equal(ses_resumed(&c, &t, msg[n], (size_t)len[n]), 0);
	n++;
	memcpy(commit_nonce, t.nonce, sizeof(commit_nonce));
	len[n] = ses_commit(&c, &t, 0, 5, msg[n]);
	assert_int_equal(serve_commit(&s, conn, msg[n], (size_t)len[n], &losers), 0);
	assert_int_equal(losers, 1);
	n++;
	len[n] = ses_standby(&client, msg[n]);
	n++;
	len[n] = server_standby(&server, msg[n - 1], (size_t)len[n - 1], msg[n]);
	assert_int_equal(ses_ready(&client, msg[n], (size_t)len[n]), 0);
	n++;
	len[n] = refused_write(SES_GONE, msg[n]);
	assert_int_equal(ses_refused(msg[n], (size_t)len[n]), SES_GONE);
	n++;
	return n;
}

static void every_message_and_every_truncation(void **state)
{
	uint8_t msg[16][SES_MSG_MAX];
	int len[16], n = specimens(msg, len);

	(void)state;
	assert_int_equal(n, 12);
	for (int i = 0; i < n; i++) {
		assert_in_range(len[i], 1, SES_MSG_MAX);
		assert_int_equal(ses_msg_size(msg[i], (size_t)len[i]), len[i]);
		for (int l = 0; l < SES_HEADER; l++)
			assert_int_equal(ses_msg_size(msg[i], (size_t)l), 0);
		for (int l = SES_HEADER; l < len[i]; l++) {
			/* From the header on the length is known; a message that is not whole has
			 * no type. */
			assert_int_equal(ses_msg_size(msg[i], (size_t)l), len[i]);
			assert_int_equal(msg_type(msg[i], (size_t)l), -EBADMSG);
		}
		assert_int_equal(msg_type(msg[i], (size_t)len[i] + 1), -EBADMSG);
		/* Another version, another length. */
		msg[i][1]++;
		assert_int_equal(ses_msg_size(msg[i], 2), -EBADMSG);
		msg[i][1]--;
		put_be16(msg[i] + 2, (uint16_t)(len[i] - SES_HEADER + 1));
		assert_int_equal(ses_msg_size(msg[i], (size_t)len[i]), -EBADMSG);
	}
}

/* What a receiver makes of message i, on copies of its state. */
static int judge(int i, const uint8_t *msg, size_t len)
{
	uint8_t out[SES_MSG_MAX];
	struct server_assoc a = server;
	struct ses_assoc c = client;
	struct ses_client one = {.sid = 1};
	struct ses_attempt t = {.epoch = 1};
	struct server_request got;
	static uint8_t s2c[1024], c2s[1024];
	struct serve s;
	unsigned losers;
	int out_len, replaced;

	switch (i) {
	case 2:
		a.attached = 0;
		return server_attach(&a, msg, len, out);
	case 3:
		return ses_attached(&c, msg, len);
	case 4:
		a.sid_top = 0;
		memset(a.sid_seen, 0, sizeof(a.sid_seen));
		return server_open(&a, &relay, msg, len, &got);
	case 9:
		a.stood = 0;
		return server_standby(&a, msg, len, out);
	case 10:
		return ses_ready(&c, msg, len);
	case 5:
		return ses_opened(&c, &one, msg, len);
	}
	serve_init(&s, &server, 1, s2c, sizeof(s2c), c2s, sizeof(c2s));
	memcpy(one.root, s.root, SES_KEY);
	if (i == 6)
		return serve_resume(&s, msg, len, out, &out_len, &replaced);
	if (i == 7)
		return ses_resumed(&one, &t, msg, len);
	s.conn[1] = (struct serve_conn){.used = true, .epoch = 1};
	memcpy(s.conn[1].nonce, commit_nonce, sizeof(commit_nonce));
	return serve_commit(&s, 1, msg, len, &losers);
}

static void every_flipped_bit_is_noticed(void **state)
{
	uint8_t msg[16][SES_MSG_MAX];
	int len[16];

	(void)state;
	client.next_sid = 1;
	client.attach = client.standby = 0;
	specimens(msg, len);
	for (int i = 2; i < 11; i++) {
		assert_true(judge(i, msg[i], (size_t)len[i]) >= 0);
		for (int bit = 0; bit < len[i] * 8; bit++) {
			msg[i][bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_true(judge(i, msg[i], (size_t)len[i]) < 0);
			msg[i][bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (int l = 0; l < len[i]; l++)
			assert_true(judge(i, msg[i], (size_t)l) < 0);
	}
	/* COMMIT belongs to one RESUMED. */
	commit_nonce[3] ^= 1;
	assert_int_equal(judge(8, msg[8], (size_t)len[8]), -EBADMSG);
}

static void opened_carries_the_errno(void **state)
{
	uint8_t msg[SES_MSG_MAX];
	struct ses_addr target = {.family = 6, .ip = {0x20, 1}, .port = 80};
	struct ses_client c;
	int n;

	(void)state;
	ses_open(&client, &c, &(struct ses_request){.target = target}, msg);
	n = server_opened(&server, c.sid, ECONNREFUSED, 0, NULL, 0, msg);
	assert_int_equal(ses_opened(&client, &c, msg, (size_t)n), ECONNREFUSED);
	assert_int_equal(c.relays, 0);
	/* Numbers that would be 0, or negative, once they are an errno. */
	n = server_opened(&server, c.sid, 0x1000, 0, NULL, 0, msg);
	assert_int_equal(ses_opened(&client, &c, msg, (size_t)n), -EBADMSG);
	n = server_opened(&server, c.sid, 0x80000000, 0, NULL, 0, msg);
	assert_int_equal(ses_opened(&client, &c, msg, (size_t)n), -EBADMSG);
}

static void records_and_frames(void **state)
{
	static const struct ses_frame frames[] = {
	    {.type = SES_F_ACK, .sid = 1, .count = 1ull << 40, .end = SES_NO_END, .flags = 3},
	    {.type = SES_F_ASK, .sid = 2, .end = SES_NO_END},
	    {.type = SES_F_EOF, .sid = UINT64_MAX, .end = 77},
	    {.type = SES_F_RESET, .sid = 4, .end = SES_NO_END, .err = ECONNRESET},
	    {.type = SES_F_CLOSE, .sid = 5, .end = 0},
	    {.type = SES_F_DETACH, .sid = 6, .end = SES_NO_END},
	    {.type = SES_F_PING, .sid = 7, .end = SES_NO_END},
	    {.type = SES_F_PONG, .sid = 8, .end = SES_NO_END},
	    {.type = SES_F_GOAWAY, .end = SES_NO_END},
	    {.type = SES_F_URGENT, .sid = 9, .end = SES_NO_END},
	};
	struct ses_cipher tx = {.key = {1, 2, 3}}, rx = tx, copy;
	uint8_t rec[SES_RECORD_MAX];
	struct ses_frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		int n = ses_record_seal(&tx, &frames[i], rec);

		assert_in_range(n, 1, SES_RECORD_MAX);
		assert_int_equal(ses_record_size(rec, 0), 0);
		assert_int_equal(ses_record_size(rec, 1), 0);
		assert_int_equal(ses_record_size(rec, 2), n);
		for (int l = 0; l < n; l++) {
			copy = rx;
			assert_int_equal(ses_record_open(&copy, rec, (size_t)l, &f), -EBADMSG);
		}
		for (int bit = 0; bit < n * 8; bit++) {
			rec[bit / 8] ^= (uint8_t)(1 << bit % 8);
			copy = rx;
			assert_int_equal(ses_record_open(&copy, rec, (size_t)n, &f), -EBADMSG);
			rec[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		assert_int_equal(ses_record_open(&rx, rec, (size_t)n, &f), 0);
		assert_int_equal(f.type, frames[i].type);
		assert_int_equal(f.sid, frames[i].sid);
		assert_int_equal(f.count, frames[i].count);
		assert_int_equal(f.end, frames[i].end);
		assert_int_equal(f.err, frames[i].err);
		assert_int_equal(f.flags, frames[i].flags);
		/* The same record again is a replay. */
		copy = rx;
		assert_int_equal(ses_record_open(&copy, rec, (size_t)n, &f), -EBADMSG);
	}
	/* Authentic, but of a later version: ignored. */
	uint8_t strange[20] = {0x70};

	put_be16(rec, sizeof(strange) + SEAL_TAG);
	seal(tx.key, tx.nonce++, NULL, 0, strange, sizeof(strange), rec + 2);
	assert_int_equal(ses_record_open(&rx, rec, 2 + sizeof(strange) + SEAL_TAG, &f), 1);
	/* Known, but of another length. */
	strange[0] = SES_F_EOF;
	seal(tx.key, tx.nonce++, NULL, 0, strange, sizeof(strange), rec + 2);
	assert_int_equal(ses_record_open(&rx, rec, 2 + sizeof(strange) + SEAL_TAG, &f), -EBADMSG);
	/* Lengths that no record has. */
	put_be16(rec, SEAL_TAG);
	assert_int_equal(ses_record_size(rec, 2), -EBADMSG);
	put_be16(rec, SES_RECORD_MAX - 1);
	assert_int_equal(ses_record_size(rec, 2), -EBADMSG);
}

static void garbage(void **state)
{
	uint8_t buf[SES_MSG_MAX];
	struct ses_frame f;

	(void)state;
	srand(2);
	for (int round = 0; round < 200000; round++) {
		size_t len = (size_t)rand() % 64;

		for (size_t i = 0; i < len; i++)
			buf[i] = (uint8_t)rand();
		if (round & 1 && len > 2)
			buf[1] = 1; /* past the version */
		int n = ses_msg_size(buf, len);

		assert_true(n == 0 || n == -EBADMSG || (n >= SES_HEADER && n <= SES_MSG_MAX));
		n = ses_record_size(buf, len);
		assert_true(n == 0 || n == -EBADMSG || (n > 0 && n <= SES_RECORD_MAX));
		n = frame_read(buf, len, &f);
		assert_true(n == 0 || n == 1 || n == -EBADMSG);
		if (n == 0) {
			uint8_t out[FRAME_MAX];

			assert_int_equal(frame_write(&f, out), len);
			assert_memory_equal(out, buf, len);
		}
	}
}

static void addresses(void **state)
{
	struct ses_addr a = {.family = 6, .port = 1}, b;
	uint8_t raw[19];

	(void)state;
	for (int i = 0; i < 16; i++)
		a.ip[i] = (uint8_t)(i + 1);
	addr_write(&a, raw);
	assert_int_equal(addr_read(raw, &b), 0);
	assert_same_address(&a, &b);
	raw[0] = 5;
	assert_int_equal(addr_read(raw, &b), -EBADMSG);
	a.port = 0;
	addr_write(&a, raw);
	assert_int_equal(addr_read(raw, &b), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(handshake_agrees, associate),
	    cmocka_unit_test_setup(every_message_and_every_truncation, associate),
	    cmocka_unit_test_setup(every_flipped_bit_is_noticed, associate),
	    cmocka_unit_test_setup(opened_carries_the_errno, associate),
	    cmocka_unit_test(records_and_frames),
	    cmocka_unit_test(garbage),
	    cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
