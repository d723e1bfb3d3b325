/* SPDX-License-Identifier: MIT */
#include "session/noise.h"

#include <sodium.h>
#include <string.h>

#include "session/kdf.h"

#define BLOCK 128 /* of BLAKE2b, for HMAC */

static void hash(const void *a, size_t alen, const void *b, size_t blen, uint8_t out[NOISE_HASH])
{
	crypto_generichash_blake2b_state s;

	crypto_generichash_blake2b_init(&s, NULL, 0, NOISE_HASH);
	crypto_generichash_blake2b_update(&s, a, alen);
	if (blen)
		crypto_generichash_blake2b_update(&s, b, blen);
	crypto_generichash_blake2b_final(&s, out, NOISE_HASH);
}

/* Noise asks for HMAC even with a hash that has keys of its own. Keys here are never longer than a
 * block. */
static void hmac(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
                 uint8_t out[NOISE_HASH])
{
	uint8_t pad[BLOCK] = {0}, inner[NOISE_HASH];

	memcpy(pad, key, key_len);
	for (int i = 0; i < BLOCK; i++)
		pad[i] ^= 0x36;
	hash(pad, BLOCK, data, len, inner);
	for (int i = 0; i < BLOCK; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	hash(pad, BLOCK, inner, NOISE_HASH, out);
	wipe(pad, sizeof(pad));
	wipe(inner, sizeof(inner));
}

static void hkdf(const uint8_t ck[NOISE_HASH], const uint8_t *input, size_t len, int outputs,
                 uint8_t out[][NOISE_HASH])
{
	uint8_t temp[NOISE_HASH], data[NOISE_HASH + 1];

	hmac(ck, NOISE_HASH, input, len, temp);
	for (int i = 0; i < outputs; i++) {
		size_t n = 0;

		if (i) {
			memcpy(data, out[i - 1], NOISE_HASH);
			n = NOISE_HASH;
		}
		data[n] = (uint8_t)(i + 1);
		hmac(temp, NOISE_HASH, data, n + 1, out[i]);
	}
	wipe(temp, sizeof(temp));
	wipe(data, sizeof(data));
}

static void mix_hash(struct noise *s, const void *data, size_t len)
{
	uint8_t out[NOISE_HASH];

	hash(s->h, NOISE_HASH, data, len, out);
	memcpy(s->h, out, NOISE_HASH);
}

static void mix_key(struct noise *s, const uint8_t dh[NOISE_KEY])
{
	uint8_t out[2][NOISE_HASH];

	hkdf(s->ck, dh, NOISE_KEY, 2, out);
	memcpy(s->ck, out[0], NOISE_HASH);
	memcpy(s->k, out[1], NOISE_KEY);
	s->keyed = true;
	s->n = 0;
	wipe(out, sizeof(out));
}

static bool mix_dh(struct noise *s, const uint8_t secret[NOISE_KEY],
                   const uint8_t public[NOISE_KEY])
{
	uint8_t dh[NOISE_KEY];
	/* Refuses points of small order: their result would be known to everybody. */
	bool ok = crypto_scalarmult_curve25519(dh, secret, public) == 0;

	if (ok)
		mix_key(s, dh);
	wipe(dh, sizeof(dh));
	return ok;
}

static size_t encrypt_and_hash(struct noise *s, const void *plain, size_t len, uint8_t *out)
{
	size_t n = len;

	if (s->keyed) {
		seal(s->k, s->n++, s->h, NOISE_HASH, plain, len, out);
		n += SEAL_TAG;
	} else if (len) {
		memcpy(out, plain, len);
	}
	mix_hash(s, out, n);
	return n;
}

static bool decrypt_and_hash(struct noise *s, const uint8_t *box, size_t len, uint8_t *out)
{
	uint8_t before[NOISE_HASH];

	memcpy(before, s->h, NOISE_HASH);
	mix_hash(s, box, len);
	if (!s->keyed) {
		if (len)
			memcpy(out, box, len);
		return true;
	}
	return unseal(s->k, s->n++, before, NOISE_HASH, box, len, out);
}

void noise_begin(struct noise *s, const void *prologue, size_t len)
{
	static const char name[] = "Noise_NX_25519_ChaChaPoly_BLAKE2b";

	memset(s, 0, sizeof(*s));
	/* Shorter than a hash: used as it is, padded with zeros. */
	memcpy(s->h, name, sizeof(name) - 1);
	memcpy(s->ck, s->h, NOISE_HASH);
	mix_hash(s, prologue, len);
}

void noise_ephemeral(struct noise *s, const uint8_t secret[NOISE_KEY])
{
	memcpy(s->e, secret, NOISE_KEY);
	crypto_scalarmult_curve25519_base(s->e_public, s->e);
}

bool noise_fresh_ephemeral(struct noise *s)
{
	uint8_t secret[NOISE_KEY];

	if (!random_fill(secret, sizeof(secret)))
		return false;
	noise_ephemeral(s, secret);
	wipe(secret, sizeof(secret));
	return true;
}

size_t noise_write1(struct noise *s, const void *payload, size_t len, uint8_t *out)
{
	memcpy(out, s->e_public, NOISE_KEY);
	mix_hash(s, s->e_public, NOISE_KEY);
	return NOISE_KEY + encrypt_and_hash(s, payload, len, out + NOISE_KEY);
}

bool noise_read1(struct noise *s, const uint8_t *msg, size_t len, uint8_t *payload)
{
	if (len < NOISE_KEY)
		return false;
	memcpy(s->re, msg, NOISE_KEY);
	mix_hash(s, s->re, NOISE_KEY);
	return decrypt_and_hash(s, msg + NOISE_KEY, len - NOISE_KEY, payload);
}

size_t noise_write2(struct noise *s, const uint8_t static_secret[NOISE_KEY],
                    const uint8_t static_public[NOISE_KEY], const void *payload, size_t len,
                    uint8_t *out)
{
	size_t n = NOISE_KEY;

	memcpy(out, s->e_public, NOISE_KEY);
	mix_hash(s, s->e_public, NOISE_KEY);
	if (!mix_dh(s, s->e, s->re))
		return 0;
	n += encrypt_and_hash(s, static_public, NOISE_KEY, out + n);
	if (!mix_dh(s, static_secret, s->re))
		return 0;
	return n + encrypt_and_hash(s, payload, len, out + n);
}

bool noise_read2(struct noise *s, const uint8_t *msg, size_t len, uint8_t *payload)
{
	if (len < NOISE_MSG2)
		return false;
	memcpy(s->re, msg, NOISE_KEY);
	mix_hash(s, s->re, NOISE_KEY);
	if (!mix_dh(s, s->e, s->re) ||
	    !decrypt_and_hash(s, msg + NOISE_KEY, NOISE_KEY + SEAL_TAG, s->rs) ||
	    !mix_dh(s, s->e, s->rs))
		return false;
	size_t at = 2 * NOISE_KEY + SEAL_TAG;

	return decrypt_and_hash(s, msg + at, len - at, payload);
}

void noise_split(const struct noise *s, struct noise_keys *keys)
{
	uint8_t out[3][NOISE_HASH];

	hkdf(s->ck, NULL, 0, 3, out);
	memcpy(keys->c2s, out[0], NOISE_KEY);
	memcpy(keys->s2c, out[1], NOISE_KEY);
	memcpy(keys->secret, out[2], NOISE_KEY);
	wipe(out, sizeof(out));
}
