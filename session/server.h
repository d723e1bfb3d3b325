/* SPDX-License-Identifier: MIT */
/*
 * The relay's half of the session protocol (docs/protocol.md), without I/O, memory or clocks of its
 * own.
 *
 * `struct serve` is one session: what comes in from its connections, its target and the control
 * connection goes in, what may be read and must be sent comes out.
 */
#ifndef SESSION_SERVER_H
#define SESSION_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session/client.h"
#include "session/ring.h"
#include "session/wire.h"

/* --- association --- */

/* A client whose ATTACH goes unanswered uses the next number; so many in a row may be lost. */
#define SERVER_ATTACH_AHEAD 64
#define SERVER_STANDBY_AHEAD 8 /* a client makes few of them, and may do without */
#define SERVER_SIDS 1024       /* session ids may arrive out of order by this much */

struct server_assoc {
	uint8_t id[16], secret[SES_KEY];
	struct ses_cipher tx, rx;
	uint32_t attached; /* newest ATTACH taken */
	uint32_t stood;    /* newest STANDBY taken */
	uint64_t sid_top;  /* highest session id seen, and which of those below were */
	uint64_t sid_seen[SERVER_SIDS / 64];
};

/*
 * HELLO in, WELCOME out (its length), a fresh association. Negative: -EBADMSG. `home`: the
 * addresses at which the client is to open and attach from now on; none (n = 0) means where it came
 * to.
 */
int server_hello(const struct ses_identity *key, const struct ses_addr *home, unsigned n,
                 const void *msg, size_t len, struct server_assoc *a, uint8_t *out);

/* The token that ATTACH number n carries. */
void server_attach_token(const struct server_assoc *a, uint32_t n, uint8_t token[SES_TOKEN]);

/* ATTACH for this association in, ATTACHED out; the control keys are new from here on. */
int server_attach(struct server_assoc *a, const void *msg, size_t len, uint8_t *out);

/* The same for STANDBY: no keys come of it. READY out. */
void server_standby_token(const struct server_assoc *a, uint32_t n, uint8_t token[SES_TOKEN]);
int server_standby(struct server_assoc *a, const void *msg, size_t len, uint8_t *out);

/* What an OPEN asks for. */
struct server_request {
	uint64_t sid;
	struct ses_addr target;
	char name[SES_NAME_MAX + 1]; /* "": none. Printable, without spaces */
	uint32_t ring;
	bool proven; /* the client has shown that it owns the key `client` */
	uint8_t client[SES_KEY];
};

/*
 * OPEN in. -EBADMSG: not authentic, or a client's proof is wrong; -EALREADY: the id was used before
 * (a replay). r->sid is set in any case but a malformed message.
 */
int server_open(struct server_assoc *a, const struct ses_identity *key, const void *msg, size_t len,
                struct server_request *r);

/* The client has given this id up: an OPEN with it that is still on its way comes too late. */
void server_void(struct server_assoc *a, uint64_t sid);

/* Writes OPENED. `err`: a positive errno or 0. */
int server_opened(const struct server_assoc *a, uint64_t sid, uint32_t err, uint32_t ring,
                  const struct ses_addr *addr, unsigned naddr, uint8_t *out);

/* --- one session --- */

#define SERVE_CONNS 4
#define SERVE_AHEAD 16
/* Read from the client while less than this waits for the target; a replay may exceed it. */
#define SERVE_BACKLOG (1u << 20)

struct serve_conn {
	bool used;
	uint32_t epoch; /* 0: the connection that opened the session */
	uint64_t sent;  /* s2c count up to which it was given */
	uint8_t nonce[16];
};

struct serve {
	uint8_t root[SES_KEY];
	struct ring s2c; /* base: needed no more below; tail: read from the target */
	struct ring c2s; /* base: given to the target; tail: read from the client */
	uint64_t s2c_end, c2s_end;
	bool target_reset, client_reset, client_closed;
	uint64_t confirmed; /* the program has read this much of s2c */
	uint64_t given;     /* the most any connection was given of it: nobody can have read more */
	size_t s2c_limit;   /* keep no more than this, at most the ring's size; the owner may change
	                       it */
	bool covered;       /* nothing that the program has not confirmed was dropped */
	bool detached_for_good; /* DETACH: no confirmations will come */
	uint64_t swallow;       /* c2s up to here is taken without regard to the backlog */
	struct serve_conn conn[SERVE_CONNS];
	int committed; /* index, -1: detached */
	uint32_t epoch_seen, epoch_committed;
	/* The last urgent byte of each direction, as long as it is in the ring; SES_NO_END: none.
	 * Older ones are bytes like any other, as with every TCP. */
	uint64_t s2c_urgent, c2s_urgent;
	bool urgent;    /* there was some on a connection of the client's: it cannot be resumed */
	uint64_t asked; /* what the connection had been given when the last ASK was sent */
};

/* The memory of the rings (powers of two) is the caller's. Connection 0 is the one that opened. */
void serve_init(struct serve *s, const struct server_assoc *a, uint64_t sid, void *s2c_mem,
                size_t s2c_cap, void *c2s_mem, size_t c2s_cap);

void serve_token(const struct serve *s, uint32_t epoch, uint8_t token[SES_TOKEN]);

/*
 * RESUME for this session. On success the index of the tentative connection, and RESUMED in `out`
 * with its length in *out_len; *replaced is the index of an earlier tentative connection to close,
 * or -1. Negative: minus the ses_refusal to answer.
 */
int serve_resume(struct serve *s, const void *msg, size_t len, uint8_t *out, int *out_len,
                 int *replaced);

/*
 * COMMIT on a tentative connection: it becomes the session's. *losers gets a bit for every other
 * connection to close. -EBADMSG: not valid, drop this connection.
 */
int serve_commit(struct serve *s, int conn, const void *msg, size_t len, unsigned *losers);

/* A connection is gone or forgotten. What it was given stays in the ring until it is confirmed. */
void serve_lost(struct serve *s, int conn);

/* While a tentative connection lives, the committed one rests. */
bool serve_paused(const struct serve *s, int conn);

/*
 * From the client: where to read to and how much; 0: do not read now. Bytes beyond the end that the
 * client has announced are read and forgotten.
 */
size_t serve_from_client(struct serve *s, int conn, void **p);
void serve_client_added(struct serve *s, size_t n);
void serve_client_urgent(struct serve *s); /* the next byte to be added is */

/* To the client. *urgent: it is one byte, to be sent as urgent data; serve_urgent() before. */
size_t serve_to_client(const struct serve *s, int conn, const void **p, bool *urgent);
void serve_urgent(struct serve *s); /* from here on no resume */
void serve_client_sent(struct serve *s, int conn, size_t n);
/* Everything was given to this connection, and there will be no more: FIN is due. */
bool serve_client_done(const struct serve *s, int conn);

/* From the target, likewise. An uncovered session drops its oldest bytes to make room, so that it
 * flows on. */
size_t serve_from_target(struct serve *s, void **p);
void serve_target_added(struct serve *s, size_t n);
void serve_target_urgent(struct serve *s);
void serve_target_end(struct serve *s);

size_t serve_to_target(const struct serve *s, const void **p, bool *urgent);
void serve_target_sent(struct serve *s, size_t n);
/* The client's stream has ended and all of it is in our memory: an ACK that says so is due. */
bool serve_client_complete(const struct serve *s);
/* It has said that it wrote more than has come: the end of its process is no end of its stream. */
bool serve_client_short(const struct serve *s);
/* The client's stream has ended, and all of it was given to the target. */
bool serve_target_done(const struct serve *s);

/* ACK, EOF, CLOSE, RESET, DETACH. */
void serve_frame(struct serve *s, const struct ses_frame *f);

/* The ACK that tells the client what we have, and the end of our stream if known. */
struct ses_frame serve_ack(const struct serve *s, uint64_t sid);

/* Nothing more may be read from the target until something is confirmed. */
bool serve_full(const struct serve *s);

/* Is it time to ask for a confirmation? */
bool serve_wants_ack(const struct serve *s);

/*
 * Flow before cover: from now on bytes that the connection was given may be dropped unconfirmed
 * when the ring is full. An ACK or a COMMIT that reaches what the ring still holds covers the
 * session again.
 */
void serve_uncover(struct serve *s);

#endif
