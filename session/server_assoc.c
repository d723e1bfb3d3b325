/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "common/bytes.h"
#include "session/server.h"

int server_hello(const struct server_key *key, const void *msg, size_t len, struct server_assoc *a,
                 uint8_t *out)
{
	struct noise s;
	struct noise_keys k;
	uint8_t nothing[1];
	size_t n = 0;

	if (msg_type(msg, len) != MSG_HELLO)
		return -EBADMSG;
	noise_begin(&s, "mifcont/1", 9);
	if (noise_read1(&s, (const uint8_t *)msg + SES_HEADER, len - SES_HEADER, nothing) &&
	    noise_fresh_ephemeral(&s))
		n = noise_write2(&s, key->secret, key->public, NULL, 0,
		                 msg_begin(out, MSG_WELCOME, NOISE_MSG2));
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

int server_attach(struct server_assoc *a, const void *msg, size_t len, uint8_t *out)
{
	const uint8_t *p = (const uint8_t *)msg + SES_HEADER;
	uint8_t k[SES_KEY];
	int r = -EBADMSG;

	if (msg_type(msg, len) != MSG_ATTACH)
		return r;
	uint32_t n = get_be32(p + SES_TOKEN);

	if (n <= a->attached || n > a->attached + SERVER_ATTACH_AHEAD)
		return r;
	kdf(a->secret, "ctl-mac", n, k, sizeof(k));
	if (msg_authentic(msg, len, NULL, k)) {
		uint8_t *body = msg_begin(out, MSG_ATTACHED, 4 + KDF_MAC);

		put_be32(body, n);
		kdf_mac(k, NULL, 0, out, SES_HEADER + 4, body + 4);
		a->attached = n;
		kdf(a->secret, "ctl-c2s", n, a->rx.key, SES_KEY);
		kdf(a->secret, "ctl-s2c", n, a->tx.key, SES_KEY);
		a->rx.nonce = a->tx.nonce = 0;
		r = SES_HEADER + 4 + KDF_MAC;
	}
	wipe(k, sizeof(k));
	return r;
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

int server_open(struct server_assoc *a, const void *msg, size_t len, uint64_t *sid,
                struct ses_addr *target, uint32_t *ring)
{
	const uint8_t *m = msg;
	uint8_t plain[REQUEST_LEN + SEAL_TAG], k[SES_KEY];
	bool good;

	if (msg_type(msg, len) != MSG_OPEN)
		return -EBADMSG;
	*sid = get_be64(m + SES_HEADER + 16);
	kdf(a->secret, "open-c2s", *sid, k, sizeof(k));
	good = unseal(k, 0, m, OPEN_HEAD, m + OPEN_HEAD, len - OPEN_HEAD, plain);
	wipe(k, sizeof(k));
	/* Only an authentic message uses an id up. */
	if (!good || addr_read(plain, target) < 0)
		return -EBADMSG;
	*ring = get_be32(plain + 19);
	return take_sid(a, *sid) ? 0 : -EALREADY;
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
