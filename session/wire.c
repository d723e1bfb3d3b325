/* SPDX-License-Identifier: MIT */
#include "session/wire.h"

#include <errno.h>
#include <string.h>

#include "common/bytes.h"

#define VERSION 1

/* Body lengths: exact, or a range for the two that carry a list or a payload. */
static bool length_fits(int type, size_t body)
{
	switch (type) {
	case MSG_HELLO:
		return body == NOISE_MSG1;
	case MSG_ATTACH:
	case MSG_STANDBY:
		return body == SES_TOKEN + 4 + KDF_MAC;
	case MSG_OPEN:
		return body == 16 + 8 + REQUEST_LEN + SEAL_TAG;
	case MSG_RESUME:
		return body == SES_TOKEN + 4 + 8 + 8 + 1 + KDF_MAC;
	case MSG_COMMIT:
		return body == 4 + 8 + 8 + KDF_MAC;
	case MSG_WELCOME:
		return body > NOISE_MSG2 && body <= NOISE_MSG2 + HOMES_MAX &&
		       (body - NOISE_MSG2) % 19 == 1;
	case MSG_ATTACHED:
	case MSG_READY:
		return body == 4 + KDF_MAC;
	case MSG_OPENED:
		return body >= 8 + 9 + SEAL_TAG && body <= 8 + ANSWER_MAX + SEAL_TAG;
	case MSG_RESUMED:
		return body == 4 + 16 + 8 + 8 + 1 + KDF_MAC;
	case MSG_REFUSED:
		return body == 1;
	}
	return false;
}

static bool is_type(int type)
{
	return (type >= MSG_HELLO && type <= MSG_STANDBY) ||
	       (type >= MSG_WELCOME && type <= MSG_RESUMED) || type == MSG_READY ||
	       type == MSG_REFUSED;
}

int ses_msg_size(const void *buf, size_t len)
{
	const uint8_t *p = buf;

	if (len >= 1 && !is_type(p[0]))
		return -EBADMSG;
	if (len >= 2 && p[1] != VERSION)
		return -EBADMSG;
	if (len < SES_HEADER)
		return 0;
	size_t body = get_be16(p + 2);

	return length_fits(p[0], body) ? (int)(SES_HEADER + body) : -EBADMSG;
}

int msg_type(const uint8_t *msg, size_t len)
{
	int size = ses_msg_size(msg, len);

	return size > 0 && (size_t)size == len ? msg[0] : -EBADMSG;
}

uint8_t *msg_begin(uint8_t *out, enum msg_type type, size_t body)
{
	out[0] = (uint8_t)type;
	out[1] = VERSION;
	put_be16(out + 2, (uint16_t)body);
	return out + SES_HEADER;
}

static int finish(uint8_t *out, uint8_t *mac, const uint8_t *prefix, const uint8_t k[SES_KEY])
{
	kdf_mac(k, prefix, prefix ? 16 : 0, out, (size_t)(mac - out), mac);
	return (int)(mac - out) + KDF_MAC;
}

bool msg_authentic(const uint8_t *msg, size_t len, const uint8_t *prefix, const uint8_t k[SES_KEY])
{
	uint8_t mac[KDF_MAC];

	kdf_mac(k, prefix, prefix ? 16 : 0, msg, len - KDF_MAC, mac);
	return kdf_same(mac, msg + len - KDF_MAC, KDF_MAC);
}

int resume_write(const struct msg_resume *m, const uint8_t k[SES_KEY], uint8_t *out)
{
	uint8_t *p = msg_begin(out, MSG_RESUME, SES_TOKEN + 4 + 8 + 8 + 1 + KDF_MAC);

	memcpy(p, m->token, SES_TOKEN);
	put_be32(p + 16, m->epoch);
	put_be64(p + 20, m->count);
	put_be64(p + 28, m->end);
	p[36] = m->flags;
	return finish(out, p + 37, NULL, k);
}

void resume_read(const uint8_t *msg, struct msg_resume *m)
{
	const uint8_t *p = msg + SES_HEADER;

	memcpy(m->token, p, SES_TOKEN);
	m->epoch = get_be32(p + 16);
	m->count = get_be64(p + 20);
	m->end = get_be64(p + 28);
	m->flags = p[36];
}

int resumed_write(const struct msg_resumed *m, const uint8_t k[SES_KEY], uint8_t *out)
{
	uint8_t *p = msg_begin(out, MSG_RESUMED, 4 + 16 + 8 + 8 + 1 + KDF_MAC);

	put_be32(p, m->epoch);
	memcpy(p + 4, m->nonce, 16);
	put_be64(p + 20, m->count);
	put_be64(p + 28, m->end);
	p[36] = m->flags;
	return finish(out, p + 37, NULL, k);
}

void resumed_read(const uint8_t *msg, struct msg_resumed *m)
{
	const uint8_t *p = msg + SES_HEADER;

	m->epoch = get_be32(p);
	memcpy(m->nonce, p + 4, 16);
	m->count = get_be64(p + 20);
	m->end = get_be64(p + 28);
	m->flags = p[36];
}

int commit_write(const struct msg_commit *m, const uint8_t nonce[16], const uint8_t k[SES_KEY],
                 uint8_t *out)
{
	uint8_t *p = msg_begin(out, MSG_COMMIT, 4 + 8 + 8 + KDF_MAC);

	put_be32(p, m->epoch);
	put_be64(p + 4, m->count);
	put_be64(p + 12, m->tail);
	return finish(out, p + 20, nonce, k);
}

void commit_read(const uint8_t *msg, struct msg_commit *m)
{
	const uint8_t *p = msg + SES_HEADER;

	m->epoch = get_be32(p);
	m->count = get_be64(p + 4);
	m->tail = get_be64(p + 12);
}

int refused_write(enum ses_refusal why, uint8_t *out)
{
	*msg_begin(out, MSG_REFUSED, 1) = (uint8_t)why;
	return SES_HEADER + 1;
}

int ses_refused(const void *msg, size_t len)
{
	return msg_type(msg, len) == MSG_REFUSED ? ((const uint8_t *)msg)[SES_HEADER] : 0;
}

/* --- frames --- */

int frame_write(const struct ses_frame *f, uint8_t *out)
{
	out[0] = (uint8_t)f->type;
	if (f->type == SES_F_GOAWAY)
		return 1;
	put_be64(out + 1, f->sid);
	switch (f->type) {
	case SES_F_ACK:
		put_be64(out + 9, f->count);
		put_be64(out + 17, f->end);
		out[25] = f->flags;
		return 26;
	case SES_F_EOF:
	case SES_F_CLOSE:
		put_be64(out + 9, f->end);
		return 17;
	case SES_F_RESET:
		put_be32(out + 9, f->err);
		return 13;
	default:
		return 9;
	}
}

static size_t frame_length(int type)
{
	switch (type) {
	case SES_F_ACK:
		return 26;
	case SES_F_EOF:
	case SES_F_CLOSE:
		return 17;
	case SES_F_RESET:
		return 13;
	case SES_F_ASK:
	case SES_F_DETACH:
	case SES_F_PING:
	case SES_F_PONG:
	case SES_F_URGENT:
		return 9;
	case SES_F_GOAWAY:
		return 1;
	}
	return 0;
}

int frame_read(const uint8_t *p, size_t len, struct ses_frame *f)
{
	size_t want = len ? frame_length(p[0]) : 0;

	memset(f, 0, sizeof(*f));
	if (!len)
		return -EBADMSG;
	if (!want)
		return 1;
	if (len != want)
		return -EBADMSG;
	f->type = (enum ses_frame_type)p[0];
	f->end = SES_NO_END;
	if (want >= 9)
		f->sid = get_be64(p + 1);
	if (f->type == SES_F_ACK) {
		f->count = get_be64(p + 9);
		f->end = get_be64(p + 17);
		f->flags = p[25];
	} else if (want == 17) {
		f->end = get_be64(p + 9);
	} else if (want == 13) {
		f->err = get_be32(p + 9);
	}
	return 0;
}

size_t homes_write(const struct ses_addr *home, unsigned n, uint8_t *out)
{
	out[0] = (uint8_t)n;
	for (unsigned i = 0; i < n; i++)
		addr_write(&home[i], out + 1 + i * 19);
	return 1 + n * 19;
}

int homes_read(const uint8_t *p, size_t len, struct ses_addr *home)
{
	unsigned n = 0;

	if (!len || p[0] > SES_RELAY_ADDRS || len != 1u + p[0] * 19u)
		return -EBADMSG;
	for (unsigned i = 0; i < p[0]; i++)
		if (addr_read(p + 1 + i * 19, &home[n]) == 0)
			n++;
	return (int)n;
}

void request_proof(const uint8_t *plain, const uint8_t secret[SES_KEY], uint64_t sid,
                   const uint8_t common[SES_KEY], uint8_t proof[KDF_MAC])
{
	uint8_t k[SES_KEY];

	/* Of this very session: good for no other relay, association or OPEN. */
	kdf(secret, "client", sid, k, sizeof(k));
	kdf_mac(common, k, sizeof(k), plain, REQUEST_PROOF, proof);
	wipe(k, sizeof(k));
}

void addr_write(const struct ses_addr *a, uint8_t out[19])
{
	out[0] = a->family;
	memcpy(out + 1, a->ip, 16);
	put_be16(out + 17, a->port);
}

int addr_read(const uint8_t p[19], struct ses_addr *a)
{
	memset(a, 0, sizeof(*a));
	a->family = p[0];
	memcpy(a->ip, p + 1, 16);
	a->port = get_be16(p + 17);
	return (a->family == 4 || a->family == 6) && a->port ? 0 : -EBADMSG;
}
