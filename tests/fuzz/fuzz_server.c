/* SPDX-License-Identifier: MIT */
/*
 * What the relay takes from the network, against one association and one session of it. The
 * fuzzer's bytes say what happens and become the plain fields; seals and macs are made here, with
 * the right keys, so that what lies behind them is met too.
 */
#include <errno.h>
#include <sodium.h>

#include "common/bytes.h"
#include "session/server.h"
#include "tests/fuzz/input.h"

#define RING 256 /* small, so that it wraps */
#define STEPS 400
#define SIDS 64

static struct ses_identity key, someone;
static struct server_assoc fresh;
static uint8_t s2c[RING], c2s[RING];

static struct {
	struct input in;
	struct server_assoc a;
	struct ses_cipher tx; /* the client's half of a.rx */
	uint64_t sid[SIDS];   /* taken so far */
	unsigned sids;
	struct serve s;
	bool ended;
} now;

/* --- what must hold after every step --- */

static uint8_t s2c_byte(uint64_t at)
{
	return (uint8_t)(at * 59 + (at >> 6) + 2);
}

static uint8_t c2s_byte(uint64_t at)
{
	return (uint8_t)(at * 167 + (at >> 7) + 1);
}

static void ring_sound(const struct ring *r, const struct ring *before)
{
	must(r->base <= r->tail, "a ring's base is beyond its tail");
	must(r->tail - r->base <= r->cap, "a ring holds more than it has room for");
	must(r->base >= before->base && r->tail >= before->tail, "a ring's count went back");
}

static void session_sound(const struct serve *before)
{
	const struct serve *s = &now.s;

	ring_sound(&s->s2c, &before->s2c);
	ring_sound(&s->c2s, &before->c2s);
	must(s->confirmed >= before->confirmed && s->given >= before->given,
	     "a confirmation or what was given was taken back");
	must(s->epoch_committed >= before->epoch_committed && s->epoch_seen >= before->epoch_seen,
	     "an epoch went back");
	must(s->given <= s->s2c.tail, "more was given than there is");
	must(s->confirmed <= s->given, "more is confirmed than was given");
	must(before->c2s_end == SES_NO_END || s->c2s_end == before->c2s_end, "c2s end changed");
	must(before->s2c_end == SES_NO_END || s->s2c_end == before->s2c_end, "s2c end changed");
	must(s->c2s.tail <= s->c2s_end, "bytes beyond the client's end");
	must(s->s2c.tail <= s->s2c_end, "bytes beyond the target's end");
	must(s->committed >= -1 && s->committed < SERVE_CONNS, "no such connection");
	must(s->committed < 0 || s->conn[s->committed].used, "committed to a lost connection");
	for (int i = 0; i < SERVE_CONNS; i++) {
		if (!s->conn[i].used)
			continue;
		must(s->conn[i].sent >= s->s2c.base, "dropped what a connection is to be given");
		must(s->conn[i].sent <= s->s2c.tail, "a connection is ahead of the stream");
		must(i == s->committed || s->conn[i].epoch > s->epoch_committed,
		     "an attempt behind the committed epoch lives");
	}
	must(!s->covered || s->s2c.base <= s->confirmed,
	     "called covered, though unconfirmed bytes were dropped");
}

/* What the relay asks of a session after every step. */
static void answers_sound(void)
{
	const struct serve *s = &now.s;
	struct ses_frame ack = serve_ack(s, 1);

	must(ack.count == s->c2s.tail && ack.end == s->s2c_end, "an ACK says what is not so");
	must(!serve_wants_ack(s) || (s->committed >= 0 && !s->detached_for_good),
	     "asks where nobody answers");
	must(serve_full(s) == (s->s2c.tail - s->s2c.base >= s->s2c_limit), "full, or not");
	must(!serve_client_complete(s) || s->c2s.tail == s->c2s_end, "complete without its end");
	must(!serve_target_done(s) || s->c2s.base == s->c2s_end, "done before the end");
	for (int i = 0; i < SERVE_CONNS; i++)
		must(!serve_client_done(s, i) ||
		         (i == s->committed && s->conn[i].sent == s->s2c_end),
		     "a FIN before the end of the stream");
}

/* --- messages --- */

static void raw(void)
{
	uint8_t bytes[SES_MSG_MAX], out[SES_MSG_MAX];
	size_t len = take_u16(&now.in) % (SES_MSG_MAX + 1);
	struct server_assoc a = now.a;
	struct ses_cipher rx = a.rx;
	struct server_request request;
	struct ses_frame f;
	unsigned losers;
	int n, replaced;

	take_bytes(&now.in, bytes, len);
	uint8_t *p = exactly(bytes, len);

	n = ses_msg_size(p, len);
	must(n == -EBADMSG || n == 0 || (n > SES_HEADER && n <= SES_MSG_MAX),
	     "a size beyond the limit");
	must(msg_type(p, len) < 0 || (size_t)n == len, "a message of another size");
	n = ses_record_size(p, len);
	must(n == -EBADMSG || n == 0 || (n > 2 && n <= SES_RECORD_MAX),
	     "a record beyond the limit");
	must(ses_record_open(&rx, p, len, &f) < 0, "a record without a key");
	/* A HELLO needs no key. */
	if (msg_type(p, len) != MSG_HELLO)
		must(server_hello(&key, NULL, 0, p, len, &a, out) < 0, "no HELLO");
	must(server_attach(&a, p, len, out) < 0, "an ATTACH without a key");
	must(server_standby(&a, p, len, out) < 0, "a STANDBY without a key");
	must(server_open(&a, &key, p, len, &request) < 0, "an OPEN without a key");
	must(serve_resume(&now.s, p, len, out, &n, &replaced) < 0, "a RESUME without a key");
	for (int i = 0; i < SERVE_CONNS; i++)
		must(serve_commit(&now.s, i, p, len, &losers) < 0, "a COMMIT without a key");
	free(p);
}

static void hello(void)
{
	uint8_t msg[SES_HEADER + NOISE_MSG1], out[SES_MSG_MAX];
	struct server_assoc a;

	take_bytes(&now.in, msg_begin(msg, MSG_HELLO, NOISE_MSG1), NOISE_MSG1);
	uint8_t *p = exactly(msg, sizeof(msg));
	struct ses_addr home[SES_RELAY_ADDRS] = {{.family = 4, .port = 1}};
	int n = server_hello(&key, home, take_u8(&now.in) % (SES_RELAY_ADDRS + 1), p, sizeof(msg),
	                     &a, out);

	must(n < 0 || (n <= SES_MSG_MAX && msg_type(out, (size_t)n) == MSG_WELCOME),
	     "an answer to HELLO that is no WELCOME");
	free(p);
}

static void attach(void)
{
	uint8_t msg[SES_HEADER + SES_TOKEN + 4 + KDF_MAC], out[SES_MSG_MAX], k[SES_KEY];
	uint8_t *body = msg_begin(msg, MSG_ATTACH, SES_TOKEN + 4 + KDF_MAC);
	uint32_t before = now.a.attached;
	uint32_t n = (uint32_t)take_near(&now.in, before, before + SERVER_ATTACH_AHEAD);

	server_attach_token(&now.a, n, body);
	put_be32(body + SES_TOKEN, n);
	kdf(now.a.secret, "ctl-mac", n, k, sizeof(k));
	kdf_mac(k, NULL, 0, msg, sizeof(msg) - KDF_MAC, msg + sizeof(msg) - KDF_MAC);
	bool damaged = take_damage(&now.in, msg, sizeof(msg));
	uint8_t *p = exactly(msg, sizeof(msg));
	int r = server_attach(&now.a, p, sizeof(msg), out);

	free(p);
	must(r < 0 || !damaged, "a damaged ATTACH was taken");
	must(r < 0 || (n > before && n - before <= SERVER_ATTACH_AHEAD && now.a.attached == n),
	     "an ATTACH outside of the window was taken");
	must(r > 0 || now.a.attached == before, "a refused ATTACH counts");
	if (r < 0)
		return;
	must(msg_authentic(out, (size_t)r, NULL, k), "ATTACHED has no mac");
	must(now.a.rx.nonce == 0 && now.a.tx.nonce == 0, "old counters under new keys");
	now.tx = now.a.rx;
}

static void standby(void)
{
	uint8_t msg[SES_HEADER + SES_TOKEN + 4 + KDF_MAC], out[SES_MSG_MAX], k[SES_KEY];
	uint8_t *body = msg_begin(msg, MSG_STANDBY, SES_TOKEN + 4 + KDF_MAC);
	struct server_assoc before = now.a;
	uint32_t n =
	    (uint32_t)take_near(&now.in, before.stood, before.stood + SERVER_STANDBY_AHEAD);

	server_standby_token(&now.a, n, body);
	put_be32(body + SES_TOKEN, n);
	kdf(now.a.secret, "standby-mac", n, k, sizeof(k));
	kdf_mac(k, NULL, 0, msg, sizeof(msg) - KDF_MAC, msg + sizeof(msg) - KDF_MAC);
	bool damaged = take_damage(&now.in, msg, sizeof(msg));
	uint8_t *p = exactly(msg, sizeof(msg));
	int r = server_standby(&now.a, p, sizeof(msg), out);

	free(p);
	must(r < 0 || !damaged, "a damaged STANDBY was taken");
	must(r < 0 ||
	         (n > before.stood && n - before.stood <= SERVER_STANDBY_AHEAD && now.a.stood == n),
	     "a STANDBY outside of the window was taken");
	must(r < 0 ||
	         (msg_type(out, (size_t)r) == MSG_READY && msg_authentic(out, (size_t)r, NULL, k)),
	     "the answer is no READY");
	/* Nothing else comes of it. */
	now.a.stood = r < 0 ? now.a.stood : before.stood;
	must(memcmp(&before, &now.a, sizeof(before)) == 0, "a STANDBY has another effect");
	if (r >= 0)
		now.a.stood = n;
}

/* A sealed request of any length and content. */
static void open_session(void)
{
	uint8_t msg[SES_MSG_MAX], k[SES_KEY], plain[REQUEST_LEN + 8];
	uint64_t top = now.a.sid_top, sid;
	struct server_request got;

	sid = take_near(&now.in, top > SERVER_SIDS ? top - SERVER_SIDS : 0, top);
	/* Mostly the length that is expected. */
	uint8_t shape = take_u8(&now.in);
	size_t len = shape < 240 ? REQUEST_LEN : shape - 240u + REQUEST_LEN - 8;
	size_t size = OPEN_HEAD + len + SEAL_TAG;
	uint8_t *body = msg_begin(msg, MSG_OPEN, size - SES_HEADER);

	take_bytes(&now.in, plain, len);
	/* Who has a client's key may send whatever it likes beside it. */
	bool proven = len == REQUEST_LEN && take_u8(&now.in) % 2;

	if (proven) {
		plain[23] |= REQUEST_HAS_CLIENT;
		memcpy(plain + REQUEST_CLIENT, someone.public, SES_KEY);
		must(identity_common(&someone, key.public, k), "no common key");
		request_proof(plain, now.a.secret, sid, k, plain + REQUEST_PROOF);
	}
	memcpy(body, now.a.id, 16);
	put_be64(body + 16, sid);
	kdf(now.a.secret, "open-c2s", sid, k, sizeof(k));
	seal(k, 0, msg, OPEN_HEAD, plain, len, msg + OPEN_HEAD);
	bool damaged = take_damage(&now.in, msg, size);
	uint8_t *p = exactly(msg, size);
	int r = server_open(&now.a, &key, p, size, &got);

	free(p);
	must(now.a.sid_top >= top, "the highest session id went back");
	if (r < 0)
		return;
	must(!damaged, "a damaged OPEN was taken");
	must(got.sid == sid && sid, "another session id");
	must((got.target.family == 4 || got.target.family == 6) && got.target.port,
	     "a target that is none");
	must(got.proven == proven, "a client's key without a proof, or a proof not seen");
	for (size_t i = 0; got.name[i]; i++)
		must(i < SES_NAME_MAX && got.name[i] > ' ' && got.name[i] <= '~',
		     "a name that is none");
	for (unsigned i = 0; i < now.sids; i++)
		must(now.sid[i] != sid, "a session id was taken twice");
	if (now.sids < SIDS)
		now.sid[now.sids++] = sid;
}

static void resume(void)
{
	struct serve *s = &now.s, before = *s;
	struct msg_resume m = {.flags = take_u8(&now.in)};
	uint8_t msg[SES_MSG_MAX], out[SES_MSG_MAX], k[SES_KEY];
	struct msg_resumed answer;
	int len, replaced;

	m.epoch = (uint32_t)take_near(&now.in, s->epoch_committed + 1, s->epoch_seen + 1);
	m.count = take_near(&now.in, s->s2c.base, s->s2c.tail);
	m.end = take_u8(&now.in) % 4 ? SES_NO_END : take_near(&now.in, s->c2s.base, s->c2s.tail);
	serve_token(s, m.epoch, m.token);
	kdf(s->root, "resume", m.epoch, k, sizeof(k));
	size_t n = (size_t)resume_write(&m, k, msg);
	bool damaged = take_damage(&now.in, msg, n);
	uint8_t *p = exactly(msg, n);
	int slot = serve_resume(s, p, n, out, &len, &replaced);

	free(p);
	must(replaced >= -1 && replaced < SERVE_CONNS, "replaced what does not exist");
	if (slot < 0) {
		must(-slot >= SES_MALFORMED && -slot <= SES_GONE, "refused without a reason");
		must(memcmp(&before, s, sizeof(before)) == 0, "a refused RESUME has an effect");
		return;
	}
	must(!damaged, "a damaged RESUME was taken");
	must(slot < SERVE_CONNS && slot != before.committed, "RESUME took the committed place");
	must(!before.conn[slot].used || replaced == slot, "a connection was pushed out unsaid");
	must(ring_holds(&before.s2c, m.count) && m.count <= s->given,
	     "resumed at what is not held, or was never given");
	must(m.epoch > before.epoch_committed, "resumed behind the committed epoch");
	must(msg_type(out, (size_t)len) == MSG_RESUMED && msg_authentic(out, (size_t)len, NULL, k),
	     "the answer is no RESUMED");
	resumed_read(out, &answer);
	must(answer.epoch == m.epoch && answer.count == s->c2s.tail && answer.end == s->s2c_end,
	     "RESUMED says what is not so");
}

static void commit(void)
{
	struct serve *s = &now.s, before = *s;
	int conn = take_u8(&now.in) % SERVE_CONNS;
	struct msg_commit m;
	uint8_t msg[SES_MSG_MAX], k[SES_KEY];
	unsigned losers;

	m.epoch = s->conn[conn].epoch + (take_u8(&now.in) == 255);
	m.count = take_near(&now.in, s->conn[conn].sent, s->s2c.tail);
	m.tail = take_near(&now.in, s->c2s.tail, s->c2s.tail + RING);
	kdf(s->root, "resume", m.epoch, k, sizeof(k));
	size_t n = (size_t)commit_write(&m, s->conn[conn].nonce, k, msg);
	bool damaged = take_damage(&now.in, msg, n);
	uint8_t *p = exactly(msg, n);
	int r = serve_commit(s, conn, p, n, &losers);

	free(p);
	if (r < 0) {
		must(!losers && memcmp(&before, s, sizeof(before)) == 0,
		     "a refused COMMIT has an effect");
		return;
	}
	must(!damaged, "a damaged COMMIT was taken");
	must(before.conn[conn].used && conn != before.committed && s->committed == conn,
	     "COMMIT on a connection that is no attempt");
	must(s->epoch_committed == m.epoch && m.epoch > before.epoch_committed, "an old epoch won");
	must(m.count <= s->given && m.tail >= s->c2s.tail && m.tail <= s->c2s_end,
	     "a COMMIT that cannot be true");
	for (int i = 0; i < SERVE_CONNS; i++) {
		must(s->conn[i].used == (i == conn), "a loser lives on");
		must(!(losers & 1u << i) == !(before.conn[i].used && i != conn),
		     "the wrong losers were named");
	}
}

/* A frame of the fuzzer's bytes, sealed; what opens is fed to the session. */
static void record(void)
{
	static const uint8_t lengths[] = {1, 9, 26, 9, 17, 13, 17, 9, 9, 9, 1};
	uint8_t plain[SES_RECORD_MAX], rec[SES_RECORD_MAX], kind = take_u8(&now.in);
	struct ses_cipher before = now.a.rx;
	struct ses_frame f;
	size_t len = kind < sizeof(lengths) ? lengths[kind] : take_u8(&now.in) % 64 + 1;

	take_bytes(&now.in, plain, len);
	if (kind < sizeof(lengths))
		plain[0] = kind;
	/* Counts at the edges of what there is, mostly. */
	if (len >= 17 && take_u8(&now.in) % 4)
		put_be64(plain + 9, kind == SES_F_ACK
		                        ? take_near(&now.in, now.s.s2c.base, now.s.given)
		                        : take_near(&now.in, now.s.c2s.base, now.s.c2s.tail));
	put_be16(rec, (uint16_t)(len + SEAL_TAG));
	seal(now.tx.key, now.tx.nonce, NULL, 0, plain, len, rec + 2);
	bool damaged = take_damage(&now.in, rec, len + SEAL_TAG + 2);
	uint8_t *p = exactly(rec, len + SEAL_TAG + 2);
	int r = ses_record_open(&now.a.rx, p, len + SEAL_TAG + 2, &f);

	free(p);
	must(r == 0 || r == 1 || r == -EBADMSG, "neither opened nor refused");
	if (damaged) {
		must(r == -EBADMSG, "a damaged record was opened");
		/* The relay would close the connection; a new one begins. */
		now.a.rx = before;
		return;
	}
	must(now.a.rx.nonce == before.nonce + 1, "the nonce did not move on");
	now.tx.nonce++;
	if (r != 0)
		return;
	must(f.type >= SES_F_ACK && f.type <= SES_F_URGENT, "a frame of no kind");
	serve_frame(&now.s, &f);
}

/* --- the bytes of the session --- */

static void from_target(void)
{
	size_t most = take_u8(&now.in) + 1u, n;
	uint8_t *at;
	void *p;

	if (most > 240)
		serve_target_urgent(&now.s);
	while (most && (n = serve_from_target(&now.s, &p))) {
		must(n <= ring_room(&now.s.s2c), "room that is none");
		n = n < most ? n : most;
		at = p;
		for (size_t i = 0; i < n; i++)
			at[i] = s2c_byte(now.s.s2c.tail + i);
		serve_target_added(&now.s, n);
		most -= n;
	}
}

static void to_client(void)
{
	int conn = take_u8(&now.in) % SERVE_CONNS;
	size_t most = take_u8(&now.in) + 1u, n;
	const void *p;
	bool urgent;

	while (most && (n = serve_to_client(&now.s, conn, &p, &urgent))) {
		const uint8_t *at = p;

		must(!urgent || n == 1, "more than one urgent byte");
		if (urgent)
			serve_urgent(&now.s);

		n = n < most ? n : most;
		for (size_t i = 0; i < n; i++)
			must(at[i] == s2c_byte(now.s.conn[conn].sent + i),
			     "a wrong byte to the client");
		serve_client_sent(&now.s, conn, n);
		most -= n;
	}
}

static void from_client(void)
{
	int conn = take_u8(&now.in) % SERVE_CONNS;
	size_t most = take_u8(&now.in) + 1u, n;
	uint8_t *at;
	void *p;

	if (most > 240)
		serve_client_urgent(&now.s);
	while (most && (n = serve_from_client(&now.s, conn, &p))) {
		must(n <= ring_room(&now.s.c2s), "room that is none");
		n = n < most ? n : most;
		at = p;
		for (size_t i = 0; i < n; i++)
			at[i] = c2s_byte(now.s.c2s.tail + i);
		serve_client_added(&now.s, n);
		most -= n;
	}
}

static void to_target(void)
{
	size_t most = take_u8(&now.in) + 1u, n;
	const void *p;
	bool urgent;

	while (most && (n = serve_to_target(&now.s, &p, &urgent))) {
		const uint8_t *at = p;

		must(!urgent || n == 1, "more than one urgent byte");

		n = n < most ? n : most;
		for (size_t i = 0; i < n; i++)
			must(at[i] == c2s_byte(now.s.c2s.base + i), "a wrong byte to the target");
		serve_target_sent(&now.s, n);
		most -= n;
	}
}

static void target_end(void)
{
	if (now.ended)
		return;
	now.ended = true;
	now.s.target_reset = take_u8(&now.in) & 1;
	serve_target_end(&now.s);
}

static void lost(void)
{
	serve_lost(&now.s, take_u8(&now.in) % SERVE_CONNS);
}

static void uncover(void)
{
	serve_uncover(&now.s);
}

static void limit(void)
{
	now.s.s2c_limit = take_u8(&now.in) + 1u;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct noise client;
	uint8_t msg[SES_HEADER + NOISE_MSG1], out[SES_MSG_MAX];

	(void)argc;
	(void)argv;
	memset(key.secret, 3, sizeof(key.secret));
	identity_complete(&key);
	memset(someone.secret, 5, sizeof(someone.secret));
	identity_complete(&someone);
	noise_begin(&client, "mifcont/1", 9);
	must(noise_fresh_ephemeral(&client), "randomness");
	noise_write1(&client, NULL, 0, msg_begin(msg, MSG_HELLO, NOISE_MSG1));
	must(server_hello(&key, NULL, 0, msg, sizeof(msg), &fresh, out) > 0, "a HELLO is refused");
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* tests/fuzz/seeds.py knows this order. */
	static void (*const step[])(void) = {
	    raw,       hello,       attach,    open_session, resume, commit,  record, from_target,
	    to_client, from_client, to_target, target_end,   lost,   uncover, limit,  standby,
	};

	memset(&now, 0, sizeof(now));
	now.in = (struct input){data, size};
	now.a = fresh;
	now.tx = now.a.rx;
	serve_init(&now.s, &now.a, 1, s2c, RING, c2s, RING);
	for (int i = 0; i < STEPS && now.in.left; i++) {
		struct serve before = now.s;

		step[take_u8(&now.in) % (sizeof(step) / sizeof(*step))]();
		session_sound(&before);
		answers_sound();
	}
	return 0;
}
