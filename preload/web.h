/* SPDX-License-Identifier: MIT */
/*
 * Flows of HTTP/1: connections straight to the peer whose requests can be made again, and whose
 * downloads are gone on with where they are, over another path.
 *
 * The hooks tell http/stream.h of every byte. At a handover the agent makes the request anew on the
 * new connection, before anything is taken from the old one, and reads there what the program has
 * read already: head, and the last bytes of the body it has. What remains is spliced as it is.
 */
#ifndef PRELOAD_WEB_H
#define PRELOAD_WEB_H

#include <sys/types.h>
#include <sys/uio.h>

#include "http/frame.h"
#include "http/plan.h"
#include "http/resume.h"
#include "preload/flow.h"
#include "preload/splice.h"

/* A request made on a new connection, and its answer so far. Agent only. */
struct web_ask {
	enum http_way way;
	int by;          /* the runner that has asked; -1: none */
	uint64_t answer; /* the answer under way: where it begins in what is read */
	uint64_t next;   /* what the new connection's next byte is in what is read, in the end */
	struct http_rest rest;
	uint64_t first;   /* the first byte asked for */
	uint64_t discard; /* bytes of the body before it */
	uint64_t got;     /* bytes of the body that were read when it was asked */
	/* Old answer or new one come in chunks: it is read, and written anew, as in feed.h. */
	bool framed;
	struct http_source source;
	struct http_frame frame;
	uint64_t skip; /* what was read since: not in `frame` */
	bool head_over;
	http_parser parser;
	bool head_done;
	size_t expected, compared; /* of `expect`: what was read before and has to come again */
	size_t old_len, len;
	uint8_t old[HTTP_HEAD_MAX];  /* the old answer's head */
	uint8_t head[HTTP_HEAD_MAX]; /* the new one's */
	uint8_t expect[HTTP_HEAD_MAX];
	uint64_t refused; /* answer + 1 for which the server's word is that it cannot be; 0 */
	const char *refusal;
	uint64_t costly;  /* answer + 1 of which the server sends the whole again; 0 */
	uint64_t failing; /* answer + 1 for which connections were lost before they had it */
	int failures;
};

struct web {
	struct http_stream stream;
	_Atomic uint32_t reader; /* the thread in a receiving call; 0 */
	_Atomic bool noting;     /* a writer is telling the stream */
	struct web_ask ask;
	uint64_t sent; /* agent only: from here on no server has seen what was written */
};

/*
 * Makes the flow, of which nothing was written or read yet, one of HTTP. What then turns out not to
 * be HTTP is treated as under `auto`. False: no memory, it is as it was. For the program's thread,
 * with the write lock or before the connection is anybody's; async-signal-safe.
 */
bool web_begin(struct flow *f);

/* --- hooks --- */

/* The program has written this. */
void web_wrote(struct flow *f, const struct iovec *iov, size_t count, size_t from, size_t len);

/* Around a receiving call, between call_enter() and call_leave(). Bytes that come otherwise are
 * noticed by the kernel's counts. */
void web_receives(struct flow *f);
void web_received(struct flow *f, const struct iovec *iov, size_t count, ssize_t n, int flags);

/* Could a path's loss be hidden from the program? */
bool web_hopeful(const struct flow *f);

/* --- agent --- */

/* What can be done now. False: the program is in the middle of something; look again soon. */
bool web_plan(struct flow *f, struct http_plan *p, struct stream_counts *c);

/* Of a download under way: how much is still to come; HTTP_UNKNOWN: nobody knows. */
uint64_t web_left(const struct flow *f);

/* How much of it has come, without what is around chunks. */
uint64_t web_got(const struct flow *f);

/* Has the last answer been read to its end? Has the program asked for more than the answer that it
 * reads, or read last? Does the server's word end the connection with that? */
bool web_between(const struct flow *f);
bool web_pending(const struct flow *f);
bool web_closes(const struct flow *f);

/* Is nothing at all under way, in either direction? */
bool web_idle(const struct flow *f);

/* Is the program waiting for more of an answer's body? */
bool web_awaits(struct flow *f);

/* Is it one of which all would come again? Then it is moved only if it has to be. */
bool web_costly(const struct flow *f);

/* For people: what a handover would do now. False: it would lose something. */
bool web_describe(struct flow *f, char *to, size_t size);

/* --- a handover (move_web.c) --- */

struct move;
struct runner;

/* The runner is connected. 1: go on with it; 0: asked; -EAGAIN: not now; else it cannot be. */
int web_ask(struct move *m, struct runner *r);

/* Something came, or the connection ended. 1: it is where the program is; 0: not yet; negative
 * errno: -EPROTO if that is the server's word. */
int web_answer(struct move *m, struct runner *r);

/* Is a runner waiting for an answer? */
bool web_asked(const struct move *m);

/* Every thread has left the old connection: sets m->skip and m->replay. NULL: go on; else why not.
 */
const char *web_commit(struct move *m, const struct stream_counts *c);

/* m->framed: makes the pair that goes onto the descriptor, once. Negative errno: there is none. */
int web_pair(struct move *m);

/* The descriptor has been exchanged. */
void web_put(struct move *m);

/* m->framed: the new connection feeds the pair from now on. */
void web_feed(struct move *m);

#endif
