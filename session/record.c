/* SPDX-License-Identifier: MIT */
/* Control records: a length, and a frame sealed under the connection's running nonce. */
#include <errno.h>

#include "common/bytes.h"
#include "session/wire.h"

int ses_record_seal(struct ses_cipher *tx, const struct ses_frame *f, uint8_t *out)
{
	uint8_t plain[FRAME_MAX];
	int n = frame_write(f, plain);

	put_be16(out, (uint16_t)(n + SEAL_TAG));
	seal(tx->key, tx->nonce++, NULL, 0, plain, (size_t)n, out + 2);
	return 2 + n + SEAL_TAG;
}

int ses_record_size(const void *buf, size_t len)
{
	if (len < 2)
		return 0;
	size_t n = get_be16(buf);

	return n > SEAL_TAG && n <= SES_RECORD_MAX - 2 ? (int)(2 + n) : -EBADMSG;
}

int ses_record_open(struct ses_cipher *rx, const void *rec, size_t len, struct ses_frame *f)
{
	uint8_t plain[SES_RECORD_MAX];

	int size = ses_record_size(rec, len);

	if (size <= 0 || (size_t)size != len)
		return -EBADMSG;
	if (!unseal(rx->key, rx->nonce++, NULL, 0, (const uint8_t *)rec + 2, len - 2, plain))
		return -EBADMSG;
	return frame_read(plain, len - 2 - SEAL_TAG, f);
}
