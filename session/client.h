/* SPDX-License-Identifier: MIT */
/*
 * The client's half of the session protocol (docs/protocol.md), without I/O: it makes the
 * messages to send and judges those received. Sockets, clocks and threads are the caller's.
 *
 * Nothing here allocates, locks or touches errno. Functions that can fail return a negative
 * errno: -EBADMSG for what is malformed or not authentic, -EPROTO for what is authentic but out of
 * turn.
 */
#ifndef SESSION_CLIENT_H
#define SESSION_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session/identity.h"

#define SES_PORT 7343
#define SES_NO_END UINT64_MAX
#define SES_HEADER 4       /* bytes of a message header */
#define SES_MSG_MAX 512    /* no message is longer, header included */
#define SES_RECORD_MAX 256 /* no control record is longer, its length field included */
#define SES_TOKEN 16
#define SES_KEY 32
#define SES_NAME_MAX 255 /* of a host */
#define SES_RELAY_ADDRS 8

enum ses_refusal {
	SES_MALFORMED = 1,
	SES_UNKNOWN = 2,
	SES_UNAUTHENTIC = 3,
	SES_NOT_ALLOWED = 4,
	SES_TOO_MANY = 5,
	SES_TOO_OLD = 6,
	SES_GONE = 7,
	SES_LEAVING = 8,
};

struct ses_addr {
	uint8_t family; /* 4 or 6 */
	uint8_t ip[16]; /* IPv4 in the first four bytes, the rest zero */
	uint16_t port;  /* host order */
};

/*
 * How long the message at the head of `buf` is, header included.
 * 0: not enough bytes yet to know. -EBADMSG: not a message of this protocol, or too long.
 * Lets a caller read exactly one message and leave the stream behind it in the kernel.
 */
int ses_msg_size(const void *buf, size_t len);

/* REFUSED's reason if `msg` is one, else 0. */
int ses_refused(const void *msg, size_t len);

/* --- association --- */

struct ses_cipher {
	uint8_t key[SES_KEY];
	uint64_t nonce;
};

struct ses_assoc {
	uint8_t id[16];
	uint8_t secret[SES_KEY];
	uint8_t relay_key[SES_KEY]; /* the relay's static public key, to pin */
	uint64_t next_sid;
	uint32_t attach;  /* number of the last ATTACH made */
	uint32_t standby; /* and of the last STANDBY */
	struct ses_addr
	    home[SES_RELAY_ADDRS]; /* where the relay wants OPEN and ATTACH; from WELCOME */
	unsigned homes;
	struct ses_cipher tx, rx;
};

struct ses_hello; /* a handshake in progress; SES_HELLO_SIZE bytes of the caller's */
#define SES_HELLO_SIZE 512

/* First contact: writes HELLO to `out` (SES_MSG_MAX bytes) and returns its length. */
int ses_hello(struct ses_hello *h, uint8_t *out);

/*
 * Reads WELCOME. On success `a` is a working association whose keys protect this connection.
 * The caller compares a->relay_key with what it has pinned before it uses it. `h` is wiped.
 */
int ses_welcome(struct ses_hello *h, const void *msg, size_t len, struct ses_assoc *a);

/* A further control connection: writes ATTACH, then judges ATTACHED; the keys are fresh ones. */
int ses_attach(struct ses_assoc *a, uint8_t *out);
int ses_attached(struct ses_assoc *a, const void *msg, size_t len);

/*
 * A connection to be held ready: writes STANDBY, then judges READY. After that it says nothing
 * until it begins as any other, with its first message.
 */
int ses_standby(struct ses_assoc *a, uint8_t *out);
int ses_ready(const struct ses_assoc *a, const void *msg, size_t len);

void ses_assoc_wipe(struct ses_assoc *a);

/* --- control frames --- */

enum ses_frame_type {
	SES_F_ACK = 1,
	SES_F_ASK = 2,
	SES_F_EOF = 3,
	SES_F_RESET = 4,
	SES_F_CLOSE = 5,
	SES_F_DETACH = 6,
	SES_F_PING = 7,
	SES_F_PONG = 8,
	SES_F_GOAWAY = 9,
	SES_F_URGENT = 10,
};

#define SES_FLAG_RESET 1
#define SES_FLAG_CLOSED 2
#define SES_FLAG_HEARD 4 /* ACK: the receiver's CLOSE has arrived */

struct ses_frame {
	enum ses_frame_type type;
	uint64_t sid;   /* or PING's number */
	uint64_t count; /* ACK */
	uint64_t end;   /* ACK, EOF, CLOSE */
	uint32_t err;   /* RESET */
	uint8_t flags;  /* ACK */
};

/* Seals `f` into `out` (SES_RECORD_MAX bytes) as one record; returns its length. */
int ses_record_seal(struct ses_cipher *tx, const struct ses_frame *f, uint8_t *out);

/* Like ses_msg_size, for records. */
int ses_record_size(const void *buf, size_t len);

/*
 * Opens one whole record. 0: `f` is filled in. 1: authentic, but a frame this version does not
 * know; ignore it. -EBADMSG: close the control connection.
 */
int ses_record_open(struct ses_cipher *rx, const void *rec, size_t len, struct ses_frame *f);

/* --- one session --- */

struct ses_client {
	uint64_t sid;
	uint8_t root[SES_KEY];
	uint32_t epoch_used;     /* newest epoch a RESUME left with */
	uint32_t epoch_answered; /* newest the relay answered */
	uint32_t epoch_committed;
	struct ses_addr relay[SES_RELAY_ADDRS]; /* where it may be resumed, from OPENED */
	unsigned relays;
	uint32_t relay_ring; /* bytes the relay keeps for us */
};

/* What a session is opened for. */
struct ses_request {
	struct ses_addr target;
	const char *name;               /* by which the program knows the target; NULL: none */
	uint32_t ring;                  /* bytes the relay is asked to keep for us */
	const struct ses_identity *who; /* the client's own key; NULL: it shows none */
};

/*
 * Takes the association's next session id, derives the root, writes OPEN. -EINVAL: the name is too
 * long, or the relay's key good for nothing.
 */
int ses_open(struct ses_assoc *a, struct ses_client *c, const struct ses_request *r, uint8_t *out);

/*
 * Judges OPENED. 0: open. Positive: the errno of the relay's connect (EACCES: not allowed there).
 */
int ses_opened(const struct ses_assoc *a, struct ses_client *c, const void *msg, size_t len);

/* One attempt to resume, on one connection. Several may be under way at once. */
struct ses_attempt {
	uint32_t epoch;
	uint64_t count; /* C: where the relay's stream will begin */
	/* from RESUMED: */
	uint8_t nonce[16];
	uint64_t peer_count; /* R: where ours must begin */
	uint64_t peer_end;   /* end of the s2c stream, or SES_NO_END */
	uint8_t peer_flags;
};

/*
 * Writes RESUME for the next epoch. `count`: bytes the program has read. `end`: length of the c2s
 * stream if the program has half-closed, else SES_NO_END. Call it when the connection is
 * established and the message can leave at once: the epoch counts as used.
 */
int ses_resume(struct ses_client *c, struct ses_attempt *t, uint64_t count, uint64_t end,
               uint8_t flags, uint8_t *out);

/* Judges RESUMED for this attempt. */
int ses_resumed(struct ses_client *c, struct ses_attempt *t, const void *msg, size_t len);

/*
 * Writes COMMIT: `read` is F, what the program has read in the end; `tail` T, what it has written.
 * After this the older connections must never be used again.
 */
int ses_commit(struct ses_client *c, const struct ses_attempt *t, uint64_t read, uint64_t tail,
               uint8_t *out);

void ses_client_wipe(struct ses_client *c);

#endif
