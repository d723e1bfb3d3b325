/* SPDX-License-Identifier: MIT */
/*
 * Key pairs (X25519) and how they are written down; the proof by which a client shows, inside OPEN,
 * that it owns its key (docs/protocol.md, section 3).
 */
#ifndef SESSION_IDENTITY_H
#define SESSION_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session/kdf.h"

struct ses_identity {
	uint8_t secret[KDF_KEY], public[KDF_KEY];
};

/* A fresh pair; false: no randomness. */
bool identity_make(struct ses_identity *id);

/* Fills in the public half. */
void identity_complete(struct ses_identity *id);

/*
 * The key that only the owners of these two pairs can compute: the proof is made and checked with
 * it. False: `theirs` is no point that gives a secret.
 */
bool identity_common(const struct ses_identity *mine, const uint8_t theirs[KDF_KEY],
                     uint8_t common[KDF_KEY]);

/* Keys as text: base64, 44 characters. */
#define KEY_TEXT 45 /* with the zero at the end */
void key_to_text(const uint8_t key[KDF_KEY], char text[KEY_TEXT]);

/* Exactly `len` characters; false: not a key. */
bool key_from_text(const char *text, size_t len, uint8_t key[KDF_KEY]);

#endif
