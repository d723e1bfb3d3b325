/* SPDX-License-Identifier: MIT */
#include "session/identity.h"

#include <sodium.h>

bool identity_make(struct ses_identity *id)
{
	if (!random_fill(id->secret, KDF_KEY))
		return false;
	identity_complete(id);
	return true;
}

void identity_complete(struct ses_identity *id)
{
	crypto_scalarmult_curve25519_base(id->public, id->secret);
}

bool identity_common(const struct ses_identity *mine, const uint8_t theirs[KDF_KEY],
                     uint8_t common[KDF_KEY])
{
	uint8_t shared[KDF_KEY];
	/* Fails for the points of small order, whose result anybody knows. */
	bool ok = crypto_scalarmult_curve25519(shared, mine->secret, theirs) == 0;

	if (ok)
		kdf(shared, "client", 0, common, KDF_KEY);
	wipe(shared, sizeof(shared));
	return ok;
}

void key_to_text(const uint8_t key[KDF_KEY], char text[KEY_TEXT])
{
	sodium_bin2base64(text, KEY_TEXT, key, KDF_KEY, sodium_base64_VARIANT_ORIGINAL);
}

bool key_from_text(const char *text, size_t len, uint8_t key[KDF_KEY])
{
	const char *end;
	size_t n;

	return len == KEY_TEXT - 1 &&
	       sodium_base642bin(key, KDF_KEY, text, len, NULL, &n, &end,
	                         sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       n == KDF_KEY && end == text + len;
}
