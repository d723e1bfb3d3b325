/* SPDX-License-Identifier: MIT */
#include "session/client.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/bytes.h"
#include "session/wire.h"

static const char prologue[] = "mifcont/1";

/* How far ahead of the newest answered epoch the relay looks for tokens; we stay one inside. */
#define EPOCHS_AHEAD 15

static_assert(sizeof(struct noise) <= SES_HELLO_SIZE, "the handshake must fit the caller's memory");

int ses_hello(struct ses_hello *h, uint8_t *out)
{
	struct noise *s = (struct noise *)h;

	noise_begin(s, prologue, sizeof(prologue) - 1);
	if (!noise_fresh_ephemeral(s))
		return -EAGAIN;
	noise_write1(s, NULL, 0, msg_begin(out, MSG_HELLO, NOISE_MSG1));
	return SES_HEADER + NOISE_MSG1;
}

int ses_welcome(struct ses_hello *h, const void *msg, size_t len, struct ses_assoc *a)
{
	struct noise *s = (struct noise *)h;
	struct ses_addr home[SES_RELAY_ADDRS];
	struct noise_keys keys;
	uint8_t payload[HOMES_MAX];
	int homes = -EBADMSG;

	if (msg_type(msg, len) == MSG_WELCOME &&
	    noise_read2(s, (const uint8_t *)msg + SES_HEADER, len - SES_HEADER, payload))
		homes = homes_read(payload, len - SES_HEADER - NOISE_MSG2, home);
	if (homes < 0) {
		wipe(s, sizeof(*s));
		return -EBADMSG;
	}
	noise_split(s, &keys);
	memset(a, 0, sizeof(*a));
	memcpy(a->secret, keys.secret, SES_KEY);
	memcpy(a->tx.key, keys.c2s, SES_KEY);
	memcpy(a->rx.key, keys.s2c, SES_KEY);
	memcpy(a->relay_key, s->rs, SES_KEY);
	kdf(a->secret, "assoc", 0, a->id, sizeof(a->id));
	memcpy(a->home, home, (size_t)homes * sizeof(*home));
	a->homes = (unsigned)homes;
	a->next_sid = 1;
	wipe(&keys, sizeof(keys));
	wipe(s, sizeof(*s));
	return 0;
}

/* ATTACH and STANDBY: the number of its kind, and a proof that it is ours. */
static int numbered(const struct ses_assoc *a, enum msg_type type, const char *token,
                    const char *mac, uint32_t n, uint8_t *out)
{
	uint8_t *p = msg_begin(out, type, SES_TOKEN + 4 + KDF_MAC), k[SES_KEY];

	kdf(a->secret, token, n, p, SES_TOKEN);
	put_be32(p + SES_TOKEN, n);
	kdf(a->secret, mac, n, k, sizeof(k));
	kdf_mac(k, NULL, 0, out, SES_HEADER + SES_TOKEN + 4, p + SES_TOKEN + 4);
	wipe(k, sizeof(k));
	return SES_HEADER + SES_TOKEN + 4 + KDF_MAC;
}

/* Is it the answer to number n? */
static bool numbered_answer(const struct ses_assoc *a, enum msg_type type, const char *mac,
                            uint32_t n, const void *msg, size_t len)
{
	uint8_t k[SES_KEY];

	if (msg_type(msg, len) != (int)type || get_be32((const uint8_t *)msg + SES_HEADER) != n)
		return false;
	kdf(a->secret, mac, n, k, sizeof(k));
	bool good = msg_authentic(msg, len, NULL, k);

	wipe(k, sizeof(k));
	return good;
}

int ses_attach(struct ses_assoc *a, uint8_t *out)
{
	return numbered(a, MSG_ATTACH, "ctl-token", "ctl-mac", ++a->attach, out);
}

int ses_attached(struct ses_assoc *a, const void *msg, size_t len)
{
	if (!numbered_answer(a, MSG_ATTACHED, "ctl-mac", a->attach, msg, len))
		return -EBADMSG;
	kdf(a->secret, "ctl-c2s", a->attach, a->tx.key, SES_KEY);
	kdf(a->secret, "ctl-s2c", a->attach, a->rx.key, SES_KEY);
	a->tx.nonce = a->rx.nonce = 0;
	return 0;
}

int ses_standby(struct ses_assoc *a, uint8_t *out)
{
	return numbered(a, MSG_STANDBY, "standby-token", "standby-mac", ++a->standby, out);
}

int ses_ready(const struct ses_assoc *a, const void *msg, size_t len)
{
	return numbered_answer(a, MSG_READY, "standby-mac", a->standby, msg, len) ? 0 : -EBADMSG;
}

void ses_assoc_wipe(struct ses_assoc *a)
{
	wipe(a, sizeof(*a));
}

int ses_open(struct ses_assoc *a, struct ses_client *c, const struct ses_request *r, uint8_t *out)
{
	uint8_t plain[REQUEST_LEN] = {0}, k[SES_KEY];
	uint8_t *p = msg_begin(out, MSG_OPEN, 16 + 8 + REQUEST_LEN + SEAL_TAG);
	size_t name = r->name ? strlen(r->name) : 0;

	if (name > SES_NAME_MAX)
		return -EINVAL;
	memset(c, 0, sizeof(*c));
	c->sid = a->next_sid++;
	kdf(a->secret, "session", c->sid, c->root, SES_KEY);
	memcpy(p, a->id, 16);
	put_be64(p + 16, c->sid);
	addr_write(&r->target, plain);
	put_be32(plain + 19, r->ring);
	plain[23] = r->who ? REQUEST_HAS_CLIENT : 0;
	plain[REQUEST_NAME] = (uint8_t)name;
	if (name)
		memcpy(plain + REQUEST_NAME + 1, r->name, name);
	if (r->who) {
		if (!identity_common(r->who, a->relay_key, k))
			return -EINVAL;
		memcpy(plain + REQUEST_CLIENT, r->who->public, SES_KEY);
		request_proof(plain, a->secret, c->sid, k, plain + REQUEST_PROOF);
	}
	kdf(a->secret, "open-c2s", c->sid, k, sizeof(k));
	seal(k, 0, out, OPEN_HEAD, plain, sizeof(plain), out + OPEN_HEAD);
	wipe(k, sizeof(k));
	return OPEN_HEAD + REQUEST_LEN + SEAL_TAG;
}

int ses_opened(const struct ses_assoc *a, struct ses_client *c, const void *msg, size_t len)
{
	uint8_t plain[SES_MSG_MAX], k[SES_KEY];
	const uint8_t *m = msg;
	size_t n = len - OPENED_HEAD - SEAL_TAG;
	bool good;

	if (msg_type(msg, len) != MSG_OPENED || get_be64(m + SES_HEADER) != c->sid)
		return -EBADMSG;
	kdf(a->secret, "open-s2c", c->sid, k, sizeof(k));
	good = unseal(k, 0, m, OPENED_HEAD, m + OPENED_HEAD, len - OPENED_HEAD, plain);
	wipe(k, sizeof(k));
	if (!good || plain[8] > SES_RELAY_ADDRS || n != 9u + plain[8] * 19u)
		return -EBADMSG;
	uint32_t err = get_be32(plain);

	/* No Linux has such an error number; and it must not turn into 0 or a negative on its way
	 * to errno. */
	if (err > 4095)
		return -EBADMSG;
	c->relay_ring = get_be32(plain + 4);
	c->relays = 0;
	for (unsigned i = 0; i < plain[8]; i++)
		if (addr_read(plain + 9 + i * 19, &c->relay[c->relays]) == 0)
			c->relays++;
	return (int)err;
}

static void epoch_key(const struct ses_client *c, uint32_t epoch, uint8_t k[SES_KEY])
{
	kdf(c->root, "resume", epoch, k, SES_KEY);
}

int ses_resume(struct ses_client *c, struct ses_attempt *t, uint64_t count, uint64_t end,
               uint8_t flags, uint8_t *out)
{
	struct msg_resume m = {.count = count, .end = end, .flags = flags};
	uint8_t k[SES_KEY];
	int n;

	if (c->epoch_used < c->epoch_answered + EPOCHS_AHEAD)
		c->epoch_used++;
	memset(t, 0, sizeof(*t));
	t->epoch = m.epoch = c->epoch_used;
	t->count = count;
	kdf(c->root, "token", m.epoch, m.token, SES_TOKEN);
	epoch_key(c, m.epoch, k);
	n = resume_write(&m, k, out);
	wipe(k, sizeof(k));
	return n;
}

int ses_resumed(struct ses_client *c, struct ses_attempt *t, const void *msg, size_t len)
{
	struct msg_resumed m;
	uint8_t k[SES_KEY];
	bool good;

	if (msg_type(msg, len) != MSG_RESUMED)
		return -EBADMSG;
	resumed_read(msg, &m);
	epoch_key(c, t->epoch, k);
	good = m.epoch == t->epoch && msg_authentic(msg, len, NULL, k);
	wipe(k, sizeof(k));
	if (!good)
		return -EBADMSG;
	if (m.epoch > c->epoch_answered)
		c->epoch_answered = m.epoch;
	/* Behind what was committed since: a late answer to an old attempt. */
	if (m.epoch <= c->epoch_committed)
		return -EPROTO;
	memcpy(t->nonce, m.nonce, sizeof(t->nonce));
	t->peer_count = m.count;
	t->peer_end = m.end;
	t->peer_flags = m.flags;
	return 0;
}

int ses_commit(struct ses_client *c, const struct ses_attempt *t, uint64_t read, uint64_t tail,
               uint8_t *out)
{
	struct msg_commit m = {.epoch = t->epoch, .count = read, .tail = tail};
	uint8_t k[SES_KEY];
	int n;

	if (t->epoch <= c->epoch_committed || read < t->count)
		return -EPROTO;
	epoch_key(c, t->epoch, k);
	n = commit_write(&m, t->nonce, k, out);
	wipe(k, sizeof(k));
	c->epoch_committed = t->epoch;
	return n;
}

void ses_client_wipe(struct ses_client *c)
{
	wipe(c, sizeof(*c));
}
