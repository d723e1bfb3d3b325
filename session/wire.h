/* SPDX-License-Identifier: MIT */
/* The messages of docs/protocol.md as structures. Pure; decoding trusts nothing. */
#ifndef SESSION_WIRE_H
#define SESSION_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "session/client.h"
#include "session/kdf.h"
#include "session/noise.h"

enum msg_type {
	MSG_HELLO = 0x01,
	MSG_ATTACH = 0x02,
	MSG_OPEN = 0x03,
	MSG_RESUME = 0x04,
	MSG_COMMIT = 0x05,
	MSG_STANDBY = 0x06,
	MSG_WELCOME = 0x81,
	MSG_ATTACHED = 0x82,
	MSG_OPENED = 0x83,
	MSG_RESUMED = 0x84,
	MSG_READY = 0x86,
	MSG_REFUSED = 0xff,
};

/*
 * OPEN's sealed request always has this length: what it holds, a name or a client's key, does not
 * show.
 */
#define REQUEST_NAME 24 /* where the name's length and the name begin */
#define REQUEST_CLIENT (REQUEST_NAME + 1 + SES_NAME_MAX)
#define REQUEST_PROOF (REQUEST_CLIENT + SES_KEY)
#define REQUEST_LEN (REQUEST_PROOF + KDF_MAC)
#define REQUEST_HAS_CLIENT 1 /* flag */
#define ANSWER_MAX (4 + 4 + 1 + SES_RELAY_ADDRS * 19)
#define HOMES_MAX (1 + SES_RELAY_ADDRS * 19) /* WELCOME's payload */
#define OPEN_HEAD (SES_HEADER + 16 + 8)      /* what precedes the sealed request */
#define OPENED_HEAD (SES_HEADER + 8)

/* The message's type if it is whole and has the length of its type, else -EBADMSG. */
int msg_type(const uint8_t *msg, size_t len);

/* Writes the header; returns where the body begins. */
uint8_t *msg_begin(uint8_t *out, enum msg_type type, size_t body);

struct msg_resume {
	uint8_t token[SES_TOKEN];
	uint32_t epoch;
	uint64_t count, end;
	uint8_t flags;
};

struct msg_resumed {
	uint32_t epoch;
	uint8_t nonce[16];
	uint64_t count, end;
	uint8_t flags;
};

struct msg_commit {
	uint32_t epoch;
	uint64_t count, tail;
};

/* Each writes a whole message with its mac under `k` and returns its length. */
int resume_write(const struct msg_resume *m, const uint8_t k[SES_KEY], uint8_t *out);
int resumed_write(const struct msg_resumed *m, const uint8_t k[SES_KEY], uint8_t *out);
int commit_write(const struct msg_commit *m, const uint8_t nonce[16], const uint8_t k[SES_KEY],
                 uint8_t *out);

/* Reads fields only (the length is msg_type's business); the macs are checked by the second
 * function. */
void resume_read(const uint8_t *msg, struct msg_resume *m);
void resumed_read(const uint8_t *msg, struct msg_resumed *m);
void commit_read(const uint8_t *msg, struct msg_commit *m);

/* Is the mac at the end of the message right? `prefix` is COMMIT's nonce or NULL. */
bool msg_authentic(const uint8_t *msg, size_t len, const uint8_t *prefix, const uint8_t k[SES_KEY]);

int refused_write(enum ses_refusal why, uint8_t *out);

/* A frame in the clear: at most FRAME_MAX bytes; returns the length. Read: 0, 1 (unknown kind) or
 * -EBADMSG. */
#define FRAME_MAX 32
int frame_write(const struct ses_frame *f, uint8_t *out);
int frame_read(const uint8_t *p, size_t len, struct ses_frame *f);

/* WELCOME's payload, of at most HOMES_MAX bytes: the length written; the number read, or -EBADMSG.
 */
size_t homes_write(const struct ses_addr *home, unsigned n, uint8_t *out);
int homes_read(const uint8_t *p, size_t len, struct ses_addr *home);

/* The proof at the end of a plain request. */
void request_proof(const uint8_t *plain, const uint8_t secret[SES_KEY], uint64_t sid,
                   const uint8_t common[SES_KEY], uint8_t proof[KDF_MAC]);

void addr_write(const struct ses_addr *a, uint8_t out[19]);
int addr_read(const uint8_t p[19], struct ses_addr *a);

#endif
