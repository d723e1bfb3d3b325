/* SPDX-License-Identifier: MIT */
/*
 * What the client takes from a relay, or from whoever answers in its place: the fuzzer's bytes
 * become the plain fields, sealed and with macs as the right relay would make them.
 */
#include <errno.h>
#include <sodium.h>

#include "common/bytes.h"
#include "session/client.h"
#include "session/wire.h"
#include "tests/fuzz/input.h"

#define STEPS 200
#define ATTEMPTS 4
#define AHEAD 15 /* epochs that may go unanswered */

static uint8_t relay_secret[SES_KEY], relay_public[SES_KEY];
static struct ses_assoc fresh;

static struct {
	struct input in;
	struct ses_assoc a;
	struct ses_cipher tx; /* the relay's half of a.rx */
	struct ses_client c;
	struct ses_attempt attempt[ATTEMPTS];
	unsigned welcomes;
} now;

/* The client's HELLO answered by a relay whose WELCOME carries `payload`; the length written. */
static size_t welcome_for(const uint8_t *hello, const uint8_t *payload, size_t len, uint8_t *out)
{
	struct noise s;
	uint8_t nothing[1];

	noise_begin(&s, "mifcont/1", 9);
	must(noise_read1(&s, hello + SES_HEADER, NOISE_MSG1, nothing) && noise_fresh_ephemeral(&s),
	     "a HELLO that is none");
	return SES_HEADER + noise_write2(&s, relay_secret, relay_public, payload, len,
	                                 msg_begin(out, MSG_WELCOME, NOISE_MSG2 + len));
}

static void raw(void)
{
	uint8_t bytes[SES_MSG_MAX];
	size_t len = take_u16(&now.in) % (SES_MSG_MAX + 1);
	struct ses_attempt t = now.attempt[0];
	struct ses_cipher rx = now.a.rx;
	struct ses_frame f;

	take_bytes(&now.in, bytes, len);
	uint8_t *p = exactly(bytes, len);
	int type = msg_type(p, len), why = ses_refused(p, len);

	must(type == MSG_REFUSED ? why == p[SES_HEADER] : why == 0, "a refusal that is none");
	must(ses_attached(&now.a, p, len) < 0, "an ATTACHED without a key");
	must(ses_ready(&now.a, p, len) < 0, "a READY without a key");
	must(ses_opened(&now.a, &now.c, p, len) < 0, "an OPENED without a key");
	must(ses_resumed(&now.c, &t, p, len) < 0, "a RESUMED without a key");
	must(ses_record_open(&rx, p, len, &f) < 0, "a record without a key");
	free(p);
}

/* Costs more than all the rest, so not often. */
static void welcome(void)
{
	_Alignas(16) uint8_t h[SES_HELLO_SIZE];
	uint8_t hello[SES_MSG_MAX], msg[SES_MSG_MAX],
	    payload[SES_MSG_MAX - SES_HEADER - NOISE_MSG2];
	/* Mostly a list of addresses, whatever these are. */
	bool list = take_u8(&now.in) % 4;
	uint8_t homes = take_u8(&now.in) % (SES_RELAY_ADDRS + 1);
	size_t len = list ? 1 + 19u * homes : take_u16(&now.in) % (sizeof(payload) + 1);
	struct ses_assoc a;

	take_bytes(&now.in, payload, len);
	if (list)
		payload[0] = homes;
	if (now.welcomes++ >= 2)
		return;
	must(ses_hello((struct ses_hello *)h, hello) > 0, "no HELLO");
	size_t n = welcome_for(hello, payload, len, msg);
	bool damaged = take_damage(&now.in, msg, n);
	uint8_t *p = exactly(msg, n);
	int r = ses_welcome((struct ses_hello *)h, p, n, &a);

	free(p);
	must(r == 0 || r == -EBADMSG, "an error of no kind");
	must(r < 0 || !damaged, "a damaged WELCOME was taken");
	must(r == 0 || damaged || !list, "a WELCOME was refused");
	must(r < 0 || a.homes <= SES_RELAY_ADDRS, "more addresses than there is room for");
	if (r == 0)
		must(a.next_sid == 1 && memcmp(a.relay_key, relay_public, SES_KEY) == 0,
		     "WELCOME from another relay");
	for (size_t i = 0; i < sizeof(struct noise); i++)
		must(h[i] == 0, "the handshake was not wiped");
}

static void attached(void)
{
	uint8_t out[SES_MSG_MAX], msg[SES_HEADER + 4 + KDF_MAC], k[SES_KEY];
	uint8_t *body = msg_begin(msg, MSG_ATTACHED, 4 + KDF_MAC);

	if (take_u8(&now.in) % 4)
		ses_attach(&now.a, out);
	uint32_t n = now.a.attach;

	if (take_u8(&now.in) % 4 == 0)
		n = (uint32_t)take_near(&now.in, n, n + 1);
	put_be32(body, n);
	kdf(now.a.secret, "ctl-mac", n, k, sizeof(k));
	kdf_mac(k, NULL, 0, msg, SES_HEADER + 4, body + 4);
	bool damaged = take_damage(&now.in, msg, sizeof(msg));
	uint8_t *p = exactly(msg, sizeof(msg));
	int r = ses_attached(&now.a, p, sizeof(msg));

	free(p);
	must((r == 0) == (!damaged && n == now.a.attach), "the wrong ATTACHED was taken");
	if (r < 0)
		return;
	must(now.a.rx.nonce == 0 && now.a.tx.nonce == 0, "old counters under new keys");
	now.tx = now.a.rx;
}

static void ready(void)
{
	uint8_t out[SES_MSG_MAX], msg[SES_HEADER + 4 + KDF_MAC], k[SES_KEY];
	uint8_t *body = msg_begin(msg, MSG_READY, 4 + KDF_MAC);

	if (take_u8(&now.in) % 4)
		ses_standby(&now.a, out);
	uint32_t n = now.a.standby;

	if (take_u8(&now.in) % 4 == 0)
		n = (uint32_t)take_near(&now.in, n, n + 1);
	put_be32(body, n);
	kdf(now.a.secret, "standby-mac", n, k, sizeof(k));
	kdf_mac(k, NULL, 0, msg, SES_HEADER + 4, body + 4);
	bool damaged = take_damage(&now.in, msg, sizeof(msg));
	uint8_t *p = exactly(msg, sizeof(msg));

	must((ses_ready(&now.a, p, sizeof(msg)) == 0) == (!damaged && n == now.a.standby),
	     "the wrong READY was taken");
	free(p);
}

/* A sealed answer of any length and content. */
static void opened(void)
{
	uint8_t msg[SES_MSG_MAX + 64], k[SES_KEY], plain[ANSWER_MAX + 32];
	uint8_t shape = take_u8(&now.in), naddr = shape % (SES_RELAY_ADDRS + 2);
	size_t len = shape < 200 ? 9 + naddr * 19u : take_u8(&now.in) % sizeof(plain);
	uint64_t sid = now.c.sid + (take_u8(&now.in) == 255);
	size_t size = OPENED_HEAD + len + SEAL_TAG;

	take_bytes(&now.in, plain, len);
	if (shape < 200) {
		plain[0] = plain[1] = 0; /* an errno is small */
		plain[8] = naddr;
		for (size_t at = 9; at < len; at += 19)
			plain[at] = plain[at] % 8 ? 4 + (plain[at] & 2) : plain[at];
	}
	put_be64(msg_begin(msg, MSG_OPENED, size - SES_HEADER), sid);
	kdf(now.a.secret, "open-s2c", sid, k, sizeof(k));
	seal(k, 0, msg, OPENED_HEAD, plain, len, msg + OPENED_HEAD);
	bool damaged = take_damage(&now.in, msg, size);
	uint8_t *p = exactly(msg, size);
	int r = ses_opened(&now.a, &now.c, p, size);

	free(p);
	must(r == -EBADMSG || (r >= 0 && r <= 4095), "an error number that is none");
	must(now.c.relays <= SES_RELAY_ADDRS, "more relays than there is room for");
	for (unsigned i = 0; i < now.c.relays; i++)
		must((now.c.relay[i].family == 4 || now.c.relay[i].family == 6) &&
		         now.c.relay[i].port,
		     "an address that is none");
	must(r < 0 || (!damaged && sid == now.c.sid), "the wrong OPENED was taken");
	must(r < 0 || len == 9u + plain[8] * 19u, "an OPENED of another length than it says");
}

static void resume(void)
{
	struct ses_attempt *t = &now.attempt[take_u8(&now.in) % ATTEMPTS];
	uint8_t out[SES_MSG_MAX];
	uint64_t count = take_u16(&now.in);
	int n = ses_resume(&now.c, t, count, SES_NO_END, 0, out);

	must(n > 0 && msg_type(out, (size_t)n) == MSG_RESUME, "no RESUME");
	must(t->epoch == now.c.epoch_used && t->epoch > 0, "an epoch that is not ours");
}

static void resumed(void)
{
	struct ses_attempt *t = &now.attempt[take_u8(&now.in) % ATTEMPTS], before = *t;
	uint32_t committed = now.c.epoch_committed;
	struct msg_resumed m = {.epoch = t->epoch, .flags = take_u8(&now.in)};
	uint8_t msg[SES_MSG_MAX], k[SES_KEY];

	if (take_u8(&now.in) % 8 == 0)
		m.epoch = (uint32_t)take_near(&now.in, committed, now.c.epoch_used);
	m.count = take_near(&now.in, 0, 1000);
	m.end = take_near(&now.in, 0, 1000);
	take_bytes(&now.in, m.nonce, sizeof(m.nonce));
	kdf(now.c.root, "resume", m.epoch, k, sizeof(k));
	size_t n = (size_t)resumed_write(&m, k, msg);
	bool damaged = take_damage(&now.in, msg, n);
	uint8_t *p = exactly(msg, n);
	int r = ses_resumed(&now.c, t, p, n);

	free(p);
	if (r < 0) {
		must(memcmp(&before, t, sizeof(before)) == 0, "a refused RESUMED has an effect");
		return;
	}
	must(!damaged && m.epoch == t->epoch && m.epoch > committed, "the wrong RESUMED was taken");
	must(t->peer_count == m.count && t->peer_end == m.end && t->count == before.count &&
	         memcmp(t->nonce, m.nonce, sizeof(m.nonce)) == 0,
	     "RESUMED was read wrongly");
}

static void commit(void)
{
	const struct ses_attempt *t = &now.attempt[take_u8(&now.in) % ATTEMPTS];
	uint32_t committed = now.c.epoch_committed;
	uint64_t read = take_near(&now.in, t->count, t->count + 100);
	uint8_t out[SES_MSG_MAX];
	int n = ses_commit(&now.c, t, read, take_u16(&now.in), out);

	must(n == -EPROTO || msg_type(out, (size_t)n) == MSG_COMMIT, "no COMMIT");
	must((n > 0) == (t->epoch > committed && read >= t->count), "a COMMIT out of turn");
	must(now.c.epoch_committed == (n > 0 ? t->epoch : committed), "another epoch is committed");
}

static void record(void)
{
	static const uint8_t lengths[] = {1, 9, 26, 9, 17, 13, 17, 9, 9, 9, 1};
	uint8_t plain[SES_RECORD_MAX], rec[SES_RECORD_MAX + 64], kind = take_u8(&now.in);
	struct ses_cipher before = now.a.rx;
	size_t len = kind < sizeof(lengths) ? lengths[kind] : take_u8(&now.in);
	size_t size = 2 + len + SEAL_TAG;
	struct ses_frame f;

	take_bytes(&now.in, plain, len);
	if (kind < sizeof(lengths))
		plain[0] = kind;
	put_be16(rec, (uint16_t)(len + SEAL_TAG));
	seal(now.tx.key, now.tx.nonce, NULL, 0, plain, len, rec + 2);
	bool damaged = take_damage(&now.in, rec, size);
	uint8_t *p = exactly(rec, size);
	int r = ses_record_open(&now.a.rx, p, size, &f);

	free(p);
	must(r == 0 || r == 1 || r == -EBADMSG, "neither opened nor refused");
	must(r < 0 || (!damaged && len && size <= SES_RECORD_MAX), "the wrong record was opened");
	must(r != 0 || f.type == (enum ses_frame_type)plain[0], "a frame of another kind");
	if (r < 0)
		now.a.rx = before; /* a new connection in its place */
	else
		now.tx.nonce++;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	_Alignas(16) uint8_t h[SES_HELLO_SIZE];
	uint8_t hello[SES_MSG_MAX], msg[SES_MSG_MAX];

	(void)argc;
	(void)argv;
	memset(relay_secret, 3, sizeof(relay_secret));
	crypto_scalarmult_curve25519_base(relay_public, relay_secret);
	must(ses_hello((struct ses_hello *)h, hello) > 0, "no HELLO");
	size_t n = welcome_for(hello, (const uint8_t[]){0}, 1, msg);

	must(ses_welcome((struct ses_hello *)h, msg, n, &fresh) == 0, "a WELCOME is refused");
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* tests/fuzz/seeds.py knows this order. */
	static void (*const step[])(void) = {
	    raw, welcome, attached, opened, resume, resumed, commit, record, ready,
	};
	const struct ses_addr target = {.family = 4, .ip = {127, 0, 0, 1}, .port = 22};
	uint8_t out[SES_MSG_MAX];

	memset(&now, 0, sizeof(now));
	now.in = (struct input){data, size};
	now.a = fresh;
	now.tx = now.a.rx;
	ses_open(&now.a, &now.c, &(struct ses_request){.target = target, .ring = 1024}, out);
	for (int i = 0; i < STEPS && now.in.left; i++) {
		struct ses_client before = now.c;

		step[take_u8(&now.in) % (sizeof(step) / sizeof(*step))]();
		must(now.c.sid == before.sid && memcmp(now.c.root, before.root, SES_KEY) == 0,
		     "the session became another");
		must(now.c.epoch_used >= before.epoch_used &&
		         now.c.epoch_answered >= before.epoch_answered &&
		         now.c.epoch_committed >= before.epoch_committed,
		     "an epoch went back");
		must(now.c.epoch_used <= now.c.epoch_answered + AHEAD,
		     "an epoch that the relay does not look for");
		must(now.c.epoch_answered <= now.c.epoch_used &&
		         now.c.epoch_committed <= now.c.epoch_used,
		     "an epoch that was never used");
	}
	return 0;
}
