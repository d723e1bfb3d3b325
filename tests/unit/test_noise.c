/* SPDX-License-Identifier: MIT */
/*
 * The handshake against the published vectors for Noise_NX_25519_ChaChaPoly_BLAKE2b: those of
 * cacophony and those of noise-c. Both ends are checked byte by byte, then each against the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <string.h>

#include "session/kdf.h"
#include "session/noise.h"

struct vector {
	const char *name, *prologue, *hash;
	const char *payload[6], *ciphertext[6];
};

static const char init_ephemeral[] =
    "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a";
static const char resp_ephemeral[] =
    "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b";
static const char resp_static[] =
    "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893";

#define PAYLOADS                                                                                   \
	{                                                                                          \
		"4c756477696720766f6e204d69736573", "4d757272617920526f746862617264",              \
		    "462e20412e20486179656b", "4361726c204d656e676572",                            \
		    "4a65616e2d426170746973746520536179",                                          \
		    "457567656e2042f6686d20766f6e2042617765726b"                                   \
	}
#define MESSAGE1                                                                                   \
	"ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944"                         \
	"4c756477696720766f6e204d69736573"
#define TRANSPORT                                                                                  \
	"bbedcc446e8aea8a083113d1b32a290ba453cbdb7f18b3cbdc9e84",                                  \
	    "a1a6f9f34b07e415516191df57e5dbc7c7e520e59077cf2b8bcd5f",                              \
	    "b570f24ec64f2f1edc98a361c1e67e8df01e0c2267a59481ad41bb4ad0cbac11de",                  \
	    "4492601a1fde255be23a84a895cf8581ede55d853e1e9e9a98930b8119b117dc6442d86252"

static const struct vector vectors[] = {
    {
        .name = "cacophony",
        .prologue = "4a6f686e2047616c74",
        .hash = "3ff872f53b259bc2261e0dd9acf12e7d2b2c22a32ebafc0474e26c47826d533f"
                "d0b744fc10bc9f5892d450059aa234c23f65818d647bcad3f8681a652157da34",
        .payload = PAYLOADS,
        .ciphertext = {MESSAGE1,
                       "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"
                       "fdaf85de47075ed5e21615917ab0102033d6d1386f48638b4a85564f1241fc97"
                       "24442a45c3a4593c2807c7535264cb7c9e9cb8f278497efc16ced9b2105e10b8"
                       "9323f13d60f847508a32c040a993a5",
                       TRANSPORT},
    },
    {
        .name = "noise-c",
        .prologue = "50726f6c6f677565313233",
        .hash = "33eabd4fcb103f61a849b3073324934d31da1ae482814292c40415098458f59b"
                "ac8e8c14b2729bf447abbbbf3ec0a0c1ee49cf2ded3838b19dc4701c2e7a50ee",
        .payload = PAYLOADS,
        .ciphertext = {MESSAGE1,
                       "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"
                       "fdaf85de47075ed5e21615917ab0102033d6d1386f48638b4a85564f1241fc97"
                       "81c782b05b868dd767a953cdcd69bf069e9cb8f278497efc16ced9b2105e1041"
                       "d2fdcfdc697c92cc857afff31f9a76",
                       TRANSPORT},
    },
};

static size_t unhex(const char *hex, uint8_t *out, size_t max)
{
	size_t n;

	assert_int_equal(sodium_hex2bin(out, max, hex, strlen(hex), NULL, &n, NULL), 0);
	return n;
}

struct key_pair {
	uint8_t secret[32], public[32];
};

static struct key_pair pair(const char *hex)
{
	struct key_pair k;

	unhex(hex, k.secret, sizeof(k.secret));
	crypto_scalarmult_curve25519_base(k.public, k.secret);
	return k;
}

static void begin(struct noise *s, const struct vector *v, const char *ephemeral)
{
	uint8_t prologue[64], e[32];
	size_t n = unhex(v->prologue, prologue, sizeof(prologue));

	noise_begin(s, prologue, n);
	unhex(ephemeral, e, sizeof(e));
	noise_ephemeral(s, e);
}

static void follow(const struct vector *v)
{
	struct key_pair fixed = pair(resp_static);
	struct noise i, r;
	struct noise_keys ki, kr;
	uint8_t payload[256], want[256], out[256], got[256];
	size_t len, n;

	begin(&i, v, init_ephemeral);
	begin(&r, v, resp_ephemeral);

	len = unhex(v->payload[0], payload, sizeof(payload));
	n = unhex(v->ciphertext[0], want, sizeof(want));
	assert_int_equal(noise_write1(&i, payload, len, out), n);
	assert_memory_equal(out, want, n);
	assert_true(noise_read1(&r, want, n, got));
	assert_memory_equal(got, payload, len);

	len = unhex(v->payload[1], payload, sizeof(payload));
	n = unhex(v->ciphertext[1], want, sizeof(want));
	assert_int_equal(noise_write2(&r, fixed.secret, fixed.public, payload, len, out), n);
	assert_memory_equal(out, want, n);
	assert_true(noise_read2(&i, want, n, got));
	assert_memory_equal(got, payload, len);
	assert_memory_equal(i.rs, fixed.public, 32);

	unhex(v->hash, want, sizeof(want));
	assert_memory_equal(i.h, want, NOISE_HASH);
	assert_memory_equal(r.h, want, NOISE_HASH);

	noise_split(&i, &ki);
	noise_split(&r, &kr);
	assert_memory_equal(&ki, &kr, sizeof(ki));
	for (int m = 2; m < 6; m++) {
		len = unhex(v->payload[m], payload, sizeof(payload));
		n = unhex(v->ciphertext[m], want, sizeof(want));
		seal(m % 2 ? ki.s2c : ki.c2s, (uint64_t)(m - 2) / 2, NULL, 0, payload, len, out);
		assert_int_equal(n, len + SEAL_TAG);
		assert_memory_equal(out, want, n);
	}
}

static void published_vectors(void **state)
{
	(void)state;
	for (size_t v = 0; v < sizeof(vectors) / sizeof(vectors[0]); v++) {
		print_message("%s\n", vectors[v].name);
		follow(&vectors[v]);
	}
}

/* Every bit of message 2 matters to the initiator. */
static void any_flipped_bit_is_refused(void **state)
{
	struct key_pair fixed = pair(resp_static);
	struct noise i, r, copy;
	uint8_t m1[64], m2[128], got[8];

	(void)state;
	begin(&i, &vectors[0], init_ephemeral);
	begin(&r, &vectors[0], resp_ephemeral);
	size_t n = noise_write1(&i, NULL, 0, m1);

	assert_int_equal(n, NOISE_MSG1);
	assert_true(noise_read1(&r, m1, n, got));
	n = noise_write2(&r, fixed.secret, fixed.public, NULL, 0, m2);
	assert_int_equal(n, NOISE_MSG2);
	for (size_t bit = 0; bit < n * 8; bit++) {
		/* X25519 ignores the top bit of a public key, but the hash does not. */
		m2[bit / 8] ^= (uint8_t)(1 << bit % 8);
		copy = i;
		assert_false(noise_read2(&copy, m2, n, got));
		m2[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < n; len++) {
		copy = i;
		assert_false(noise_read2(&copy, m2, len, got));
	}
	copy = i;
	assert_true(noise_read2(&copy, m2, n, got));
}

static void another_prologue_is_refused(void **state)
{
	struct key_pair fixed = pair(resp_static);
	struct noise i, r;
	uint8_t m1[64], m2[128], got[8];

	(void)state;
	begin(&i, &vectors[0], init_ephemeral);
	begin(&r, &vectors[1], resp_ephemeral);
	noise_write1(&i, NULL, 0, m1);
	assert_true(noise_read1(&r, m1, NOISE_MSG1, got));
	noise_write2(&r, fixed.secret, fixed.public, NULL, 0, m2);
	assert_false(noise_read2(&i, m2, NOISE_MSG2, got));
}

/* A point of small order would make the common key one that everybody knows. */
static void small_order_points_are_refused(void **state)
{
	struct key_pair fixed = pair(resp_static);
	struct noise r;
	uint8_t m1[NOISE_MSG1] = {0}, m2[128], got[8];

	(void)state;
	for (uint8_t first = 0; first < 2; first++) {
		m1[0] = first;
		begin(&r, &vectors[0], resp_ephemeral);
		assert_true(noise_read1(&r, m1, NOISE_MSG1, got));
		assert_int_equal(noise_write2(&r, fixed.secret, fixed.public, NULL, 0, m2), 0);
	}
}

static void fresh_keys_differ(void **state)
{
	struct noise a, b;

	(void)state;
	noise_begin(&a, "x", 1);
	noise_begin(&b, "x", 1);
	assert_true(noise_fresh_ephemeral(&a));
	assert_true(noise_fresh_ephemeral(&b));
	assert_memory_not_equal(a.e_public, b.e_public, NOISE_KEY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(published_vectors),
	    cmocka_unit_test(any_flipped_bit_is_refused),
	    cmocka_unit_test(another_prologue_is_refused),
	    cmocka_unit_test(small_order_points_are_refused),
	    cmocka_unit_test(fresh_keys_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
