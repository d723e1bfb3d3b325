/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "common/bytes.h"
#include "session/server.h"

int server_hello(const struct ses_identity *key, const struct ses_addr *home, unsigned homes,
                 const void *msg, size_t len, struct server_assoc *a, uint8_t *out)
{
	struct noise s;
	struct noise_keys k;
	uint8_t nothing[1], payload[HOMES_MAX];
	size_t n = 0, more = homes_write(home, homes, payload);

	if (msg_type(msg, len) != MSG_HELLO)
		return -EBADMSG;
	noise_begin(&s, "mifcont/1", 9);
	if (noise_read1(&s, (const uint8_t *)msg + SES_HEADER, len - SES_HEADER, nothing) &&
	    noise_fresh_ephemeral(&s))
		n = noise_write2(&s, key->secret, key->public, payload, more,
		                 msg_begin(out, MSG_WELCOME, NOISE_MSG2 + more));
	if (n) {
		noise_split(&s, &k);
		memset(a, 0, sizeof(*a));
		memcpy(a->secret, k.secret, SES_KEY);
		memcpy(a->rx.key, k.c2s, SES_KEY);
		memcpy(a->tx.key, k.s2c, SES_KEY);
		kdf(a->secret, "assoc", 0, a->id, sizeof(a->id));
		wipe(&k, sizeof(k));
	}
	wipe(&s, sizeof(s));
	return n ? (int)(SES_HEADER + n) : -EBADMSG;
}

void server_attach_token(const struct server_assoc *a, uint32_t n, uint8_t token[SES_TOKEN])
{
	kdf(a->secret, "ctl-token", n, token, SES_TOKEN);
}

void server_standby_token(const struct server_assoc *a, uint32_t n, uint8_t token[SES_TOKEN])
{
	kdf(a->secret, "standby-token", n, token, SES_TOKEN);
}

/* Message and answer of a kind that is numbered: at most `ahead` may be lost in a row. The answer's
 * length or -EBADMSG. */
static int numbered(const struct server_assoc *a, uint32_t *last, uint32_t ahead, const char *mac,
                    const uint8_t *msg, size_t len, enum msg_type answer, uint8_t *out)
{
	uint32_t n = get_be32(msg + SES_HEADER + SES_TOKEN);
	uint8_t k[SES_KEY];
	int r = -EBADMSG;

	if (n <= *last || n - *last > ahead)
		return r;
	kdf(a->secret, mac, n, k, sizeof(k));
	if (msg_authentic(msg, len, NULL, k)) {
		uint8_t *body = msg_begin(out, answer, 4 + KDF_MAC);

		put_be32(body, n);
		kdf_mac(k, NULL, 0, out, SES_HEADER + 4, body + 4);
		*last = n;
		r = SES_HEADER + 4 + KDF_MAC;
	}
	wipe(k, sizeof(k));
	return r;
}

int server_attach(struct server_assoc *a, const void *msg, size_t len, uint8_t *out)
{
	int r = msg_type(msg, len) != MSG_ATTACH ? -EBADMSG
	                                         : numbered(a, &a->attached, SERVER_ATTACH_AHEAD,
	                                                    "ctl-mac", msg, len, MSG_ATTACHED, out);

	if (r < 0)
		return r;
	kdf(a->secret, "ctl-c2s", a->attached, a->rx.key, SES_KEY);
	kdf(a->secret, "ctl-s2c", a->attached, a->tx.key, SES_KEY);
	a->rx.nonce = a->tx.nonce = 0;
	return r;
}

int server_standby(struct server_assoc *a, const void *msg, size_t len, uint8_t *out)
{
	return msg_type(msg, len) != MSG_STANDBY
	           ? -EBADMSG
	           : numbered(a, &a->stood, SERVER_STANDBY_AHEAD, "standby-mac", msg, len,
	                      MSG_READY, out);
}

/* Marks the id as used; false: it was, or is too old to tell. */
static bool take_sid(struct server_assoc *a, uint64_t sid)
{
	if (sid == 0)
		return false;
	if (sid > a->sid_top) {
		if (sid - a->sid_top >= SERVER_SIDS)
			memset(a->sid_seen, 0, sizeof(a->sid_seen));
		else
			/* Counted from above: the client may have chosen the very last number. */
			for (uint64_t n = sid; n != a->sid_top; n--)
				a->sid_seen[n % SERVER_SIDS / 64] &= ~(1ull << (n % 64));
		a->sid_top = sid;
	} else if (a->sid_top - sid >= SERVER_SIDS ||
	           a->sid_seen[sid % SERVER_SIDS / 64] >> (sid % 64) & 1) {
		return false;
	}
	a->sid_seen[sid % SERVER_SIDS / 64] |= 1ull << (sid % 64);
	return true;
}

/* A name goes to a resolver and to logs. */
static bool read_name(const uint8_t *p, char *name)
{
	for (unsigned i = 0; i < p[0]; i++)
		if (p[1 + i] <= ' ' || p[1 + i] > '~')
			return false;
	memcpy(name, p + 1, p[0]);
	name[p[0]] = 0;
	return true;
}

static bool read_client(const struct server_assoc *a, const struct ses_identity *key,
                        const uint8_t *plain, struct server_request *r)
{
	uint8_t k[SES_KEY], proof[KDF_MAC];

	if (!(plain[23] & REQUEST_HAS_CLIENT))
		return true;
	memcpy(r->client, plain + REQUEST_CLIENT, SES_KEY);
	if (!identity_common(key, r->client, k))
		return false;
	request_proof(plain, a->secret, r->sid, k, proof);
	wipe(k, sizeof(k));
	r->proven = kdf_same(proof, plain + REQUEST_PROOF, sizeof(proof));
	return r->proven;
}

int server_open(struct server_assoc *a, const struct ses_identity *key, const void *msg, size_t len,
                struct server_request *r)
{
	const uint8_t *m = msg;
	uint8_t plain[REQUEST_LEN + SEAL_TAG], k[SES_KEY];
	bool good;

	memset(r, 0, sizeof(*r));
	if (msg_type(msg, len) != MSG_OPEN)
		return -EBADMSG;
	r->sid = get_be64(m + SES_HEADER + 16);
	kdf(a->secret, "open-c2s", r->sid, k, sizeof(k));
	good = unseal(k, 0, m, OPEN_HEAD, m + OPEN_HEAD, len - OPEN_HEAD, plain);
	wipe(k, sizeof(k));
	/* Only an authentic message uses an id up. */
	if (!good || addr_read(plain, &r->target) < 0 ||
	    !read_name(plain + REQUEST_NAME, r->name) || !read_client(a, key, plain, r))
		return -EBADMSG;
	r->ring = get_be32(plain + 19);
	return take_sid(a, r->sid) ? 0 : -EALREADY;
}

void server_void(struct server_assoc *a, uint64_t sid)
{
	take_sid(a, sid);
}

int server_opened(const struct server_assoc *a, uint64_t sid, uint32_t err, uint32_t ring,
                  const struct ses_addr *addr, unsigned naddr, uint8_t *out)
{
	uint8_t plain[ANSWER_MAX], k[SES_KEY];

	if (naddr > SES_RELAY_ADDRS)
		naddr = SES_RELAY_ADDRS;
	size_t n = 9 + naddr * 19;
	uint8_t *p = msg_begin(out, MSG_OPENED, 8 + n + SEAL_TAG);

	put_be64(p, sid);
	put_be32(plain, err);
	put_be32(plain + 4, ring);
	plain[8] = (uint8_t)naddr;
	for (unsigned i = 0; i < naddr; i++)
		addr_write(&addr[i], plain + 9 + i * 19);
	kdf(a->secret, "open-s2c", sid, k, sizeof(k));
	seal(k, 0, out, OPENED_HEAD, plain, n, out + OPENED_HEAD);
	wipe(k, sizeof(k));
	return (int)(OPENED_HEAD + n + SEAL_TAG);
}
