/* SPDX-License-Identifier: MIT */
/* Keys, macs and sealed boxes of the session protocol (docs/protocol.md, sections 2 to 4). */
#ifndef SESSION_KDF_H
#define SESSION_KDF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KDF_KEY 32
#define KDF_MAC 16
#define SEAL_TAG 16

/* BLAKE2b(key, label | 0 | n), `len` bytes (at most 64). */
void kdf(const uint8_t key[KDF_KEY], const char *label, uint64_t n, uint8_t *out, size_t len);

/* BLAKE2b(key, prefix | data) of 16 bytes. `prefix` may be NULL. */
void kdf_mac(const uint8_t key[KDF_KEY], const uint8_t *prefix, size_t prefix_len,
             const uint8_t *data, size_t len, uint8_t mac[KDF_MAC]);

/* Compares in constant time. */
bool kdf_same(const uint8_t *a, const uint8_t *b, size_t len);

/* ChaCha20-Poly1305 with a Noise nonce: `out` gets len + SEAL_TAG bytes. */
void seal(const uint8_t key[KDF_KEY], uint64_t nonce, const uint8_t *ad, size_t ad_len,
          const uint8_t *plain, size_t len, uint8_t *out);

/* `len` counts the tag. False: not authentic. */
bool unseal(const uint8_t key[KDF_KEY], uint64_t nonce, const uint8_t *ad, size_t ad_len,
            const uint8_t *box, size_t len, uint8_t *out);

void wipe(void *p, size_t len);

/* From the kernel's generator; false if it fails (never blocks a running system). */
bool random_fill(void *p, size_t len);

#endif
