/* SPDX-License-Identifier: MIT */
/*
 * What the files of a flow under way share: move.c has the table and the phases, move_race.c the
 * connections that are made and asked, move_open.c what is particular to a new session, move_over.c
 * the change from one connection to another. For them alone.
 */
#ifndef PRELOAD_MOVE_PRIVATE_H
#define PRELOAD_MOVE_PRIVATE_H

#include "preload/choose.h"
#include "preload/dial.h"
#include "preload/move.h"
#include "session/client.h"

#define STAGGER_MS 250 /* RFC 8305 */
#define RUNNERS 3      /* a quick one, a plain one beside it, the next path's */

enum kind { MOVE_OPEN, MOVE_RESUME, MOVE_REDIAL };
enum phase { RACING, PARKING, OPENING, SKIPPING, REPLAYING };

struct runner {
	struct dial dial;
	struct ses_attempt attempt;
	bool asked;
	bool again; /* MOVE_OPEN: what was asked is a RESUME of the session opened before */
	/*
	 * Asked before it was known whether anybody is there: on a connection that was held ready,
	 * or in the SYN. The plain one beside it says nothing as long as the answer to that one may
	 * be on its way.
	 */
	bool quick, beside;
	bool seconded; /* a quick one: the plain one was begun */
	int64_t asked_ms, hold_ms;
};

struct move {
	struct flow *flow; /* NULL: free */
	enum kind kind;
	enum phase phase;
	bool gentle;
	bool urgent;    /* gentle, but the old connection has fallen silent */
	int left;       /* the interface it leaves */
	bool blameless; /* what stopped it says nothing of the path */
	bool disturbed; /* the network changed since it began */
	uint64_t sid;   /* MOVE_OPEN: asked for, and not answered yet */
	bool met;       /* MOVE_OPEN: the relay, or a box before it, took a connection */
	int again;      /* MOVE_OPEN: dialled anew after such a one was reset */
	struct runner run[RUNNERS];
	int winner;
	const char *how; /* a round trip was saved; for the log */
	struct mif_path paths[PATHS_MAX], path;
	int npaths, next;
	unsigned round; /* which of the far end's addresses `next` is about */
	int64_t begun_ms, next_ms, since_ms;

	int fd; /* the new connection, once a runner has won */
	int slot;
	uint64_t read;                /* what the program has read in the end */
	uint64_t skip;                /* bytes to throw away */
	uint64_t replay;              /* next count to send again */
	struct opening_again opening; /* OPENING: how far it has come */
	/* HTTP: the rest goes through a pair (feed.h), whose ends these are once there is one; -1
	 */
	bool framed;
	int app, far;
};

/* A move for a flow that has none. NULL: too much is under way. */
struct move *move_new(struct flow *f, enum kind kind);

/* The end of a move, one way or the other: all it has is closed, the flow is looked at again. */
void move_free(struct move *m);

/* It did not work: the flow goes back to where it was, or waits. */
void move_fail(struct move *m, const char *why);

/* --- move_race.c --- */

/* A step of the race; one that has an answer is PARKING then. May end the move. */
void move_race(struct move *m, struct waits *w);

/* When it is to be called even if nothing arrives. */
int64_t move_race_due(const struct move *m);

/* The runner's connection is the one to go on with. */
void move_won(struct move *m, int runner);

/* --- move_open.c: a new session --- */

/* Asks for the session on the runner's connection: OPEN, or RESUME where the answer to one was
 * lost. Message length or negative errno. */
int open_ask(struct move *m, struct runner *r, uint8_t *msg);

/* Connected: false if OPEN cannot go out on it (yet). */
bool open_connected(struct move *m, struct runner *r);

/* The relay's answer of `len` bytes is in the runner's dial. May end the move. */
void open_answered(struct move *m, struct runner *r, int len);

/* Other dials, time limits. May end the move. */
void open_race(struct move *m);

/* No session: the program's connect() goes straight to the peer. Ends the move. */
void open_failed(struct move *m, const char *why);

/* PARKING: puts the open session onto the program's descriptor. Ends the move, or is to be called
 * again. */
void open_put(struct move *m);

/* --- move_over.c: from one connection to another --- */

/* The flow is where the move's new connection is. */
void move_finish(struct move *m);

/* --- reopen.c --- */

/* The phase OPENING: goes on as far as it can. May end the move. */
void over_reopen(struct move *m);

/* Has it something to say, rather than to hear? */
bool over_says(const struct move *m);

/* --- move_over.c --- */

/* The phases PARKING, SKIPPING and REPLAYING: each goes on as far as it can. May end the move. */
void over_commit(struct move *m);
void over_skip(struct move *m);
void over_replay(struct move *m);

#endif
