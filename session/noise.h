/* SPDX-License-Identifier: MIT */
/*
 * Noise_NX_25519_ChaChaPoly_BLAKE2b: the responder shows and proves its static key, the initiator
 * stays unknown.
 *
 *   -> e
 *   <- e, ee, s, es
 */
#ifndef SESSION_NOISE_H
#define SESSION_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOISE_KEY 32
#define NOISE_HASH 64
#define NOISE_MSG1 32 /* with an empty payload */
#define NOISE_MSG2 96

struct noise {
	uint8_t ck[NOISE_HASH], h[NOISE_HASH];
	uint8_t k[NOISE_KEY];
	bool keyed;
	uint64_t n;
	uint8_t e[NOISE_KEY], e_public[NOISE_KEY]; /* ours */
	uint8_t re[NOISE_KEY], rs[NOISE_KEY];      /* the other side's */
};

/* What Split() gives, and a third output for keys of our own. */
struct noise_keys {
	uint8_t c2s[NOISE_KEY], s2c[NOISE_KEY], secret[NOISE_KEY];
};

void noise_begin(struct noise *s, const void *prologue, size_t len);

/* Gives the ephemeral key instead of a random one being made: for test vectors. */
void noise_ephemeral(struct noise *s, const uint8_t secret[NOISE_KEY]);

/* False: no randomness. */
bool noise_fresh_ephemeral(struct noise *s);

/* Initiator: writes message 1 (payload in clear behind e), reads message 2. Lengths include the
 * payload. */
size_t noise_write1(struct noise *s, const void *payload, size_t len, uint8_t *out);
bool noise_read2(struct noise *s, const uint8_t *msg, size_t len, uint8_t *payload);

/* Responder. */
bool noise_read1(struct noise *s, const uint8_t *msg, size_t len, uint8_t *payload);
size_t noise_write2(struct noise *s, const uint8_t static_secret[NOISE_KEY],
                    const uint8_t static_public[NOISE_KEY], const void *payload, size_t len,
                    uint8_t *out);

void noise_split(const struct noise *s, struct noise_keys *keys);

#endif
