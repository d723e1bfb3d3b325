/* SPDX-License-Identifier: MIT */
/*
 * Both ends of a session over a hostile network, without sockets or clocks: connections die at any
 * moment and let some of their bytes arrive late, several resumes are under way at once, answers
 * and commits are lost, the control connection comes and goes. Every byte is compared as it
 * arrives; in the end both streams must be whole.
 *
 * Everything but the nonces follows from the seed. SIM_SEED=n runs one seed, SIM_SEEDS=n that many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/server.h"

#define S2C_RING 1024
#define CLIENT_RING 512
#define C2S_RING                                                                                   \
	(2 * CLIENT_RING) /* the relay can take the client's whole ring beside its backlog */
#define FLIGHT 300
#define LINKS 8
#define CALM_AFTER 4000 /* steps; from then on nothing breaks any more */
#define STEPS 60000

static uint64_t seed, rng;

static uint32_t draw(uint32_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return below ? (uint32_t)(rng >> 16) % below : 0;
}

static bool chance(uint32_t one_in)
{
	return draw(one_in) == 0;
}

static void fail_seed(const char *what)
{
	print_error("seed %llu: %s (SIM_SEED=%llu runs it alone)\n", (unsigned long long)seed, what,
	            (unsigned long long)seed);
	fail();
}

static void check(bool ok, const char *what)
{
	if (!ok)
		fail_seed(what);
}

static uint8_t c2s_byte(uint64_t at)
{
	return (uint8_t)(at * 167 + (at >> 7) + 1);
}

static uint8_t s2c_byte(uint64_t at)
{
	return (uint8_t)(at * 59 + (at >> 6) + 2);
}

/* --- the network --- */

struct pipe {
	uint8_t bytes[FLIGHT];
	size_t len;
	bool fin, lost; /* lost: what is in flight may still arrive, then an error; what is written
	                   now vanishes */
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t pipe_write(struct pipe *p, const void *data, size_t len)
{
	if (p->lost)
		return len;
	len = least(len, FLIGHT - p->len);
	memcpy(p->bytes + p->len, data, len);
	p->len += len;
	return len;
}

static size_t pipe_read(struct pipe *p, void *data, size_t len)
{
	len = least(len, p->len);
	memcpy(data, p->bytes, len);
	p->len -= len;
	memmove(p->bytes, p->bytes + len, p->len);
	return len;
}

enum client_role { C_NONE, C_ASKED, C_ANSWERED, C_LIVE };
enum relay_role { R_NONE, R_NEW, R_SESSION };

struct link {
	struct pipe up, down;
	enum client_role client;
	enum relay_role relay;
	struct ses_attempt attempt;
	uint8_t client_in[SES_MSG_MAX], relay_in[SES_MSG_MAX];
	size_t client_got, relay_got;
	int index; /* at the relay */
	bool fin_sent;
};

static struct link links[LINKS];

/* Nothing written from now on arrives, and of what is in flight only the beginning. */
static void cut(struct link *l)
{
	if (!l->up.lost)
		l->up.len = draw((uint32_t)l->up.len + 1);
	if (!l->down.lost)
		l->down.len = draw((uint32_t)l->down.len + 1);
	l->up.lost = l->down.lost = true;
	l->up.fin = l->down.fin = false;
}

/* --- the two ends --- */

static struct ses_assoc ca;
static struct server_assoc sa;

static struct {
	struct ses_client ses;
	struct ring ring;
	uint8_t mem[CLIENT_RING];
	uint64_t read, total, skip, replay, end;
	int live; /* link in use, -1: none */
	bool half_closed, eof, end_said;
} client;

static struct {
	struct serve s;
	uint8_t s2c[S2C_RING], c2s[C2S_RING];
	uint64_t total, taken;
	int link[SERVE_CONNS];
} relay;

/* The control connection: records in flight, in order, lost all at once. */
struct queue {
	uint8_t rec[16][SES_RECORD_MAX];
	int len[16], n;
};
static struct queue to_relay, to_client;
static bool control_up;

static void control_lost(void)
{
	control_up = false;
	to_relay.n = to_client.n = 0;
}

static void say(struct queue *q, struct ses_cipher *tx, const struct ses_frame *f)
{
	if (!control_up)
		return;
	if (q->n == 16) {
		control_lost();
		return;
	}
	q->len[q->n] = ses_record_seal(tx, f, q->rec[q->n]);
	q->n++;
}

static void client_says(enum ses_frame_type type, uint64_t count, uint64_t end, uint8_t flags)
{
	struct ses_frame f = {
	    .type = type, .sid = client.ses.sid, .count = count, .end = end, .flags = flags};

	say(&to_relay, &ca.tx, &f);
}

static void relay_says(const struct ses_frame *f)
{
	say(&to_client, &sa.tx, f);
}

static void begin_session(void)
{
	static struct ses_identity key;
	_Alignas(16) uint8_t hello[SES_HELLO_SIZE];
	struct ses_addr target = {.family = 4, .ip = {127, 0, 0, 1}, .port = 1};
	struct server_request got;
	uint8_t a[SES_MSG_MAX], b[SES_MSG_MAX];
	int n;

	memset(links, 0, sizeof(links));
	memset(&client, 0, sizeof(client));
	memset(&relay, 0, sizeof(relay));
	control_lost();
	memset(key.secret, 9, sizeof(key.secret));
	crypto_scalarmult_curve25519_base(key.public, key.secret);
	n = ses_hello((struct ses_hello *)hello, a);
	n = server_hello(&key, NULL, 0, a, (size_t)n, &sa, b);
	check(ses_welcome((struct ses_hello *)hello, b, (size_t)n, &ca) == 0, "no association");
	control_up = true;
	n = ses_open(&ca, &client.ses, &(struct ses_request){.target = target, .ring = S2C_RING},
	             a);
	check(server_open(&sa, &key, a, (size_t)n, &got) == 0, "OPEN refused");
	n = server_opened(&sa, got.sid, 0, S2C_RING, &got.target, 1, b);
	check(ses_opened(&ca, &client.ses, b, (size_t)n) == 0, "OPENED refused");
	serve_init(&relay.s, &sa, got.sid, relay.s2c, S2C_RING, relay.c2s, C2S_RING);
	ring_init(&client.ring, client.mem, CLIENT_RING);
	client.end = SES_NO_END;
	/* Now and then enough to go round the rings many times. */
	client.total = draw(chance(4) ? 30000 : 4000);
	relay.total = draw(chance(4) ? 30000 : 4000);
	memset(relay.link, -1, sizeof(relay.link));
	relay.link[0] = client.live = 0;
	links[0].client = C_LIVE;
	links[0].relay = R_SESSION;
}

/* --- the client --- */

static void client_drops(struct link *l)
{
	if (client.live == (int)(l - links))
		client.live = -1;
	l->client = C_NONE;
	/* Its reset may come at once or after everything in flight. */
	cut(l);
}

static void client_learns_end(uint64_t end)
{
	if (end == SES_NO_END)
		return;
	check(end == relay.total, "a wrong end of s2c");
	client.end = end;
}

static void client_reads(struct link *l)
{
	uint8_t buf[FLIGHT];
	size_t want = 1 + draw(200);

	if (client.skip)
		want = least(want, (size_t)client.skip);
	size_t n = pipe_read(&l->down, buf, want);

	if (client.skip) {
		client.skip -= n;
	} else {
		for (size_t i = 0; i < n; i++)
			check(buf[i] == s2c_byte(client.read + i),
			      "a wrong byte reached the program");
		client.read += n;
	}
	check(client.read <= relay.total, "more than the target sent reached the program");
	if (n || l->down.len)
		return;
	if (l->down.fin && client.end == client.read) {
		client.eof = true;
	} else if (l->down.lost && chance(4)) {
		client_drops(l);
	} else if (l->down.fin && chance(20)) {
		/* A FIN that nobody announced is a lost path. */
		client_drops(l);
	}
}

static void client_writes(struct link *l)
{
	uint8_t buf[FLIGHT];

	if (client.replay < client.ring.tail) {
		const void *p;
		size_t n = ring_peek(&client.ring, client.replay, &p);

		client.replay += pipe_write(&l->up, p, least(n, 1 + draw(100)));
		return;
	}
	/* Only what the ring keeps is covered. */
	size_t n = least(ring_room(&client.ring), 1 + draw(150));

	n = least(n, (size_t)(client.total - client.ring.tail));
	for (size_t i = 0; i < n; i++)
		buf[i] = c2s_byte(client.ring.tail + i);
	n = pipe_write(&l->up, buf, n);
	ring_put(&client.ring, buf, n);
	client.replay = client.ring.tail;
	if (client.ring.tail == client.total && (client.half_closed || chance(8))) {
		client.half_closed = true;
		if (!l->up.lost)
			l->up.fin = true;
	}
	if (ring_used(&client.ring) > CLIENT_RING / 4 && chance(6))
		client_says(SES_F_ASK, 0, 0, 0);
	if (client.half_closed && !client.end_said) {
		client_says(SES_F_EOF, 0, client.total, 0);
		client.end_said = control_up;
	}
}

static void client_attempts(void)
{
	struct link *l = NULL;
	int under_way = 0;
	uint8_t msg[SES_MSG_MAX];

	for (int i = 0; i < LINKS; i++) {
		if (links[i].client == C_ASKED || links[i].client == C_ANSWERED)
			under_way++;
		if (links[i].client == C_NONE && links[i].relay == R_NONE)
			l = &links[i];
	}
	if (!l || under_way == 3)
		return;
	memset(l, 0, sizeof(*l));
	int n = ses_resume(&client.ses, &l->attempt, client.read,
	                   client.half_closed ? client.total : SES_NO_END, 0, msg);

	l->client = C_ASKED;
	l->relay = R_NEW;
	pipe_write(&l->up, msg, (size_t)n);
}

static void client_commits(struct link *l)
{
	uint8_t msg[SES_MSG_MAX];
	struct ses_attempt *t = &l->attempt;

	if (t->peer_count < client.ring.base) {
		/* More was confirmed since: the relay has forgotten this attempt and gone on
		 * without it. */
		client_drops(l);
		return;
	}
	int n = ses_commit(&client.ses, t, client.read, client.ring.tail, msg);

	if (n < 0) {
		/* A later one was committed meanwhile. */
		client_drops(l);
		return;
	}
	check(ring_holds(&client.ring, t->peer_count), "the relay has more than was written");
	check(client.read >= t->count, "the program un-read bytes");
	for (int i = 0; i < LINKS; i++)
		if (&links[i] != l && links[i].client != C_NONE)
			client_drops(&links[i]);
	client.live = (int)(l - links);
	l->client = C_LIVE;
	client.skip = client.read - t->count;
	client.replay = t->peer_count;
	pipe_write(&l->up, msg, (size_t)n);
}

static void client_link(struct link *l)
{
	if (l->client == C_LIVE) {
		if (chance(2))
			client_reads(l);
		else
			client_writes(l);
	} else if (l->client == C_ASKED) {
		for (;;) {
			int size = ses_msg_size(l->client_in, l->client_got);

			check(size >= 0, "no message where RESUMED should be");
			size_t want = size ? (size_t)size : SES_HEADER;
			size_t n =
			    pipe_read(&l->down, l->client_in + l->client_got, want - l->client_got);

			l->client_got += n;
			if (size && l->client_got == (size_t)size)
				break;
			if (!n) {
				if (l->down.lost || l->down.fin)
					client_drops(l);
				return;
			}
		}
		if (ses_refused(l->client_in, l->client_got)) {
			check(ses_refused(l->client_in, l->client_got) != SES_GONE,
			      "refused as gone though covered");
			client_drops(l);
			return;
		}
		if (ses_resumed(&client.ses, &l->attempt, l->client_in, l->client_got) < 0) {
			client_drops(l);
			return;
		}
		client_learns_end(l->attempt.peer_end);
		l->client = C_ANSWERED;
	} else if (l->client == C_ANSWERED) {
		/* Often another attempt overtakes it, sometimes it is given up. */
		if (chance(5))
			client_commits(l);
		else if (chance(40))
			client_drops(l);
	}
}

/* While a resume is under way nothing beyond its count is confirmed: the relay must still have it.
 */
static uint64_t confirmable(void)
{
	uint64_t count = client.read;

	for (int i = 0; i < LINKS; i++)
		if ((links[i].client == C_ASKED || links[i].client == C_ANSWERED) &&
		    links[i].attempt.count < count)
			count = links[i].attempt.count;
	return count;
}

static void client_hears(const struct ses_frame *f)
{
	switch (f->type) {
	case SES_F_ACK:
		check(f->count <= client.ring.tail, "the relay has more than was written");
		ring_confirm(&client.ring, f->count);
		client_learns_end(f->end);
		break;
	case SES_F_ASK:
		client_says(SES_F_ACK, confirmable(),
		            client.half_closed ? client.total : SES_NO_END, 0);
		break;
	case SES_F_EOF:
		client_learns_end(f->end);
		break;
	default:
		fail_seed("an unexpected frame");
	}
}

/* --- the relay --- */

static void relay_drops(struct link *l)
{
	if (l->relay == R_SESSION && l->index >= 0) {
		relay.link[l->index] = -1;
		serve_lost(&relay.s, l->index);
	}
	l->relay = R_NONE;
	cut(l);
}

/* Losers and replaced ones: the session has let go of them already. */
static void relay_closes(int index)
{
	struct link *l = &links[relay.link[index]];

	relay.link[index] = -1;
	l->index = -1;
	l->relay = R_NONE;
	cut(l);
}

static bool relay_message(struct link *l)
{
	for (;;) {
		int size = ses_msg_size(l->relay_in, l->relay_got);

		check(size >= 0, "no message where one should be");
		size_t want = size ? (size_t)size : SES_HEADER;
		size_t n = pipe_read(&l->up, l->relay_in + l->relay_got, want - l->relay_got);

		l->relay_got += n;
		if (size && l->relay_got == (size_t)size)
			return true;
		if (!n)
			return false;
	}
}

static void relay_resumes(struct link *l)
{
	uint8_t out[SES_MSG_MAX], token[SES_TOKEN];
	int len, replaced;
	bool found = false;

	if (!relay_message(l)) {
		if (l->up.lost)
			relay_drops(l);
		return;
	}
	for (uint32_t e = relay.s.epoch_committed + 1; e <= relay.s.epoch_seen + SERVE_AHEAD; e++) {
		serve_token(&relay.s, e, token);
		found |= memcmp(token, l->relay_in + SES_HEADER, SES_TOKEN) == 0;
	}
	int slot = found ? serve_resume(&relay.s, l->relay_in, l->relay_got, out, &len, &replaced)
	                 : -SES_UNKNOWN;

	l->relay_got = 0;
	if (!found)
		check(l->attempt.epoch <= relay.s.epoch_committed, "a token ahead is not known");
	if (slot < 0) {
		pipe_write(&l->down, out, (size_t)refused_write((enum ses_refusal) - slot, out));
		l->down.fin = true;
		l->relay = R_NONE;
		return;
	}
	if (replaced >= 0)
		relay_closes(replaced);
	l->relay = R_SESSION;
	l->index = slot;
	relay.link[slot] = (int)(l - links);
	pipe_write(&l->down, out, (size_t)len);
}

static void relay_session(struct link *l)
{
	bool urgent;
	bool committed = relay.s.committed == l->index;
	unsigned losers;
	const void *out;
	void *in;
	size_t n;

	if (!committed && relay_message(l)) {
		int r = serve_commit(&relay.s, l->index, l->relay_in, l->relay_got, &losers);

		l->relay_got = 0;
		check(r == 0, "a true COMMIT refused");
		for (int i = 0; i < SERVE_CONNS; i++)
			if (losers >> i & 1)
				relay_closes(i);
		committed = true;
	}
	n = committed ? serve_from_client(&relay.s, l->index, &in) : 0;
	if (n) {
		n = pipe_read(&l->up, in, least(n, 1 + draw(200)));
		serve_client_added(&relay.s, n);
	}
	n = serve_to_client(&relay.s, l->index, &out, &urgent);
	if (n)
		serve_client_sent(&relay.s, l->index,
		                  pipe_write(&l->down, out, least(n, 1 + draw(200))));
	if (serve_client_done(&relay.s, l->index) && !l->fin_sent && !l->down.lost) {
		l->fin_sent = true;
		l->down.fin = true;
	}
	if (l->up.len || serve_paused(&relay.s, l->index))
		return;
	/* FIN without the announcement, after a while; an error; the time limit of a tentative one.
	 */
	if (l->up.fin && committed && !serve_client_complete(&relay.s) && chance(30))
		relay_drops(l);
	else if (l->up.lost && chance(10))
		relay_drops(l);
	else if (!committed && chance(60))
		relay_drops(l);
}

static void relay_link(struct link *l)
{
	if (l->relay == R_NEW)
		relay_resumes(l);
	else if (l->relay == R_SESSION)
		relay_session(l);
}

static void relay_target(void)
{
	bool urgent;
	struct ses_frame f = {.type = SES_F_EOF, .sid = client.ses.sid};
	const void *out;
	void *in;
	size_t n = serve_from_target(&relay.s, &in);

	if (n && relay.s.s2c.tail < relay.total) {
		n = least(least(n, 1 + draw(200)), (size_t)(relay.total - relay.s.s2c.tail));
		for (size_t i = 0; i < n; i++)
			((uint8_t *)in)[i] = s2c_byte(relay.s.s2c.tail + i);
		serve_target_added(&relay.s, n);
	} else if (n && chance(5)) {
		serve_target_end(&relay.s);
		f.end = relay.s.s2c_end;
		relay_says(&f);
	}
	n = serve_to_target(&relay.s, &out, &urgent);
	n = least(n, 1 + draw(200));
	for (size_t i = 0; i < n; i++)
		check(((const uint8_t *)out)[i] == c2s_byte(relay.taken + i),
		      "a wrong byte reached the target");
	serve_target_sent(&relay.s, n);
	relay.taken += n;
	check(relay.taken <= client.total, "more than the program sent reached the target");
	check(!serve_target_done(&relay.s) || relay.taken == client.total,
	      "the target was ended early");
	f = (struct ses_frame){.type = SES_F_ASK, .sid = client.ses.sid};
	if (serve_wants_ack(&relay.s) || (!ring_room(&relay.s.s2c) && chance(10))) {
		if (relay.s.committed >= 0)
			relay.s.asked = relay.s.conn[relay.s.committed].sent;
		relay_says(&f);
	}
}

static void control_step(bool calm)
{
	struct ses_frame f;

	if (!control_up) {
		uint8_t a[SES_MSG_MAX], b[SES_MSG_MAX];

		if (!chance(20))
			return;
		int n = ses_attach(&ca, a);

		if (!calm && chance(3))
			return;
		n = server_attach(&sa, a, (size_t)n, b);
		check(n > 0, "ATTACH refused");
		if (!calm && chance(3))
			return;
		check(ses_attached(&ca, b, (size_t)n) == 0, "ATTACHED refused");
		control_up = true;
		client.end_said = false;
		client_says(SES_F_ASK, 0, 0, 0);
		return;
	}
	if (to_relay.n && chance(2)) {
		check(ses_record_open(&sa.rx, to_relay.rec[0], (size_t)to_relay.len[0], &f) == 0,
		      "a record did not open");
		to_relay.n--;
		memmove(to_relay.rec, to_relay.rec + 1, (size_t)to_relay.n * SES_RECORD_MAX);
		memmove(to_relay.len, to_relay.len + 1, (size_t)to_relay.n * sizeof(int));
		if (f.type == SES_F_ASK) {
			f = serve_ack(&relay.s, f.sid);
			relay_says(&f);
		} else {
			serve_frame(&relay.s, &f);
		}
	} else if (to_client.n) {
		check(ses_record_open(&ca.rx, to_client.rec[0], (size_t)to_client.len[0], &f) == 0,
		      "a record did not open");
		to_client.n--;
		memmove(to_client.rec, to_client.rec + 1, (size_t)to_client.n * SES_RECORD_MAX);
		memmove(to_client.len, to_client.len + 1, (size_t)to_client.n * sizeof(int));
		client_hears(&f);
	}
}

/* --- a run --- */

static void invariants(void)
{
	const struct serve *s = &relay.s;

	check(s->covered, "covered no more");
	check(ring_used(&s->s2c) <= S2C_RING && ring_used(&s->c2s) <= C2S_RING,
	      "a ring overflowed");
	for (int i = 0; i < SERVE_CONNS; i++)
		if (s->conn[i].used)
			check(ring_holds(&s->s2c, s->conn[i].sent), "a cursor outside the ring");
	check(s->s2c.base <= client.read || client.read == relay.total,
	      "dropped what the program has not read");
	check(ring_holds(&client.ring, s->c2s.tail),
	      "the client dropped what the relay does not have");
}

static bool finished(void)
{
	return client.eof && serve_target_done(&relay.s);
}

static unsigned resumes, steps_taken;

static void run(void)
{
	rng = seed * 0x9e3779b97f4a7c15ull + 1;
	draw(1);

	/* How often things break: in some runs at every turn, in others hardly ever. */
	unsigned misfortune = chance(3) ? 1000 + draw(5000) : 20 + draw(400);

	begin_session();
	for (unsigned step = 0; step < STEPS && !finished(); step++) {
		bool calm = step > CALM_AFTER;

		steps_taken++;
		for (int i = 0; i < LINKS; i++) {
			if (links[i].client != C_NONE && chance(2))
				client_link(&links[i]);
			if (links[i].relay != R_NONE && chance(2))
				relay_link(&links[i]);
			/* Half a link is nothing to the one who has gone, but its bytes may still
			 * arrive. */
			if (!calm && chance(misfortune))
				cut(&links[i]);
		}
		relay_target();
		control_step(calm);
		invariants();
		if (!calm && chance(misfortune))
			control_lost();
		if (client.live < 0 ? chance(6) : !calm && chance(misfortune))
			client_attempts();
		/* A path that is silent, though nobody says that it is dead. */
		if (client.live >= 0 && links[client.live].up.lost && chance(50))
			client_drops(&links[client.live]);
	}
	check(finished(), "not finished");
	check(client.read == relay.total && relay.taken == client.total, "streams not whole");
	resumes += relay.s.epoch_committed;
	if (control_up) {
		struct ses_frame f = {
		    .type = SES_F_CLOSE, .sid = client.ses.sid, .end = client.total};

		serve_frame(&relay.s, &f);
		check(relay.s.client_closed, "CLOSE not taken");
	}
}

static void thousands_of_seeds(void **state)
{
	const char *one = getenv("SIM_SEED"), *many = getenv("SIM_SEEDS");
	uint64_t first = one ? strtoull(one, NULL, 10) : 1;
	uint64_t count = one ? 1 : many ? strtoull(many, NULL, 10) : 3000;

	(void)state;
	for (seed = first; seed < first + count; seed++)
		run();
	print_message("%llu seeds, %u resumes, %u steps\n", (unsigned long long)count, resumes,
	              steps_taken);
	/* A simulator that never breaks anything would prove nothing. */
	if (!one)
		assert_true(resumes > count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(thousands_of_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
