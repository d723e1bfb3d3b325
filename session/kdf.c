/* SPDX-License-Identifier: MIT */
#include "session/kdf.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void kdf(const uint8_t key[KDF_KEY], const char *label, uint64_t n, uint8_t *out, size_t len)
{
	crypto_generichash_blake2b_state s;
	uint8_t be[9] = {0};

	for (int i = 0; i < 8; i++)
		be[1 + i] = (uint8_t)(n >> (56 - 8 * i));
	crypto_generichash_blake2b_init(&s, key, KDF_KEY, len);
	crypto_generichash_blake2b_update(&s, (const uint8_t *)label, strlen(label));
	crypto_generichash_blake2b_update(&s, be, sizeof(be));
	crypto_generichash_blake2b_final(&s, out, len);
	sodium_memzero(&s, sizeof(s));
}

void kdf_mac(const uint8_t key[KDF_KEY], const uint8_t *prefix, size_t prefix_len,
             const uint8_t *data, size_t len, uint8_t mac[KDF_MAC])
{
	crypto_generichash_blake2b_state s;

	crypto_generichash_blake2b_init(&s, key, KDF_KEY, KDF_MAC);
	if (prefix)
		crypto_generichash_blake2b_update(&s, prefix, prefix_len);
	crypto_generichash_blake2b_update(&s, data, len);
	crypto_generichash_blake2b_final(&s, mac, KDF_MAC);
	sodium_memzero(&s, sizeof(s));
}

bool kdf_same(const uint8_t *a, const uint8_t *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}

static void noise_nonce(uint64_t n, uint8_t out[12])
{
	memset(out, 0, 4);
	for (int i = 0; i < 8; i++)
		out[4 + i] = (uint8_t)(n >> (8 * i));
}

void seal(const uint8_t key[KDF_KEY], uint64_t nonce, const uint8_t *ad, size_t ad_len,
          const uint8_t *plain, size_t len, uint8_t *out)
{
	uint8_t n[12];

	noise_nonce(nonce, n);
	crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain, len, ad, ad_len, NULL, n, key);
}

bool unseal(const uint8_t key[KDF_KEY], uint64_t nonce, const uint8_t *ad, size_t ad_len,
            const uint8_t *box, size_t len, uint8_t *out)
{
	uint8_t n[12];

	if (len < SEAL_TAG)
		return false;
	noise_nonce(nonce, n);
	return crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, box, len, ad, ad_len, n,
	                                                 key) == 0;
}

void wipe(void *p, size_t len)
{
	sodium_memzero(p, len);
}

bool random_fill(void *p, size_t len)
{
	int saved = errno;
	/* Not sodium's own generator: it opens files and ends the process when it cannot. */
	bool ok = syscall(SYS_getrandom, p, len, 0) == (long)len;

	errno = saved;
	return ok;
}
