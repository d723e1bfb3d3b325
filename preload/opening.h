/* SPDX-License-Identifier: MIT */
/*
 * How a connection of a protocol with a greeting or a login begins, so that another can begin as it
 * did. Pure: what the program writes and reads comes in; what is to be said on a new connection,
 * and whether the answers are of the same kind, comes out.
 *
 * Recorded is what the program writes from the beginning as long as its records begin with one of
 * the policy's words, or its first record if there are none, and what it reads before, between and
 * after them, until it writes something else. The answers have to be whole records by then. Where
 * the policy knows of no opening but of answers, only these are followed.
 */
#ifndef PRELOAD_OPENING_H
#define PRELOAD_OPENING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"
#include "preload/records.h"

#define OPENING_ROOM 12288
#define OPENING_TURNS 32

enum opening_state {
	OPENING_RUNS,
	OPENING_OVER,
	OPENING_LOST, /* cannot be repeated, and why */
};

struct opening_turn {
	bool ours;
	uint32_t len;
};

struct opening {
	const struct pol_rule *rule;
	_Atomic uint32_t state;
	const char *_Atomic why; /* OPENING_LOST */
	_Atomic bool noting, reading;

	/* --- the recording --- */
	struct opening_turn turn[OPENING_TURNS];
	unsigned turns;
	uint32_t used, pending; /* of `bytes`; of these, of a record not decided upon */
	uint64_t end;           /* how much of what was written belongs to it */

	/* --- of the whole connection --- */
	struct records out, in;
	_Atomic uint64_t requests, answers; /* whole records, but for what is pushed */
	_Atomic bool asked;                 /* written since something was read */
	_Atomic bool open;                  /* the line that was read last is no answer's end */
	_Atomic uint64_t answered;          /* how much was written when something was read last */

	uint8_t bytes[OPENING_ROOM]; /* may hold secrets */
};

/* Of zeroed memory. */
void opening_begin(struct opening *o, const struct pol_rule *rule);

/* The program has written or read this. */
void opening_wrote(struct opening *o, const void *p, size_t n);
void opening_read(struct opening *o, const void *p, size_t n);

void opening_lose(struct opening *o, const char *why);

/*
 * Can another connection take the place of one of which the program has read and written so much?
 * NULL: it can; else why not, as a constant.
 */
const char *opening_stands(struct opening *o, uint64_t read, uint64_t written);

/* --- on a new connection --- */

struct opening_again {
	unsigned step;
	uint32_t at;   /* of the step's bytes: said, or compared with */
	uint32_t from; /* where in `bytes` the step begins */
	struct records was, is;
	unsigned lines;
	size_t have;
	char line[POL_STEP_MAX];
};

/* What is to be said next, NULL if an answer is to be heard first, or all is over (*len 0). */
const void *opening_say(const struct opening *o, const struct opening_again *a, size_t *len);
void opening_said(const struct opening *o, struct opening_again *a, size_t n);

static inline bool opening_done(const struct opening *o, const struct opening_again *a)
{
	return a->step >= (o->rule->opening == POL_OPENING_SCRIPT ? o->rule->steps : o->turns);
}

/*
 * Of what has arrived, how much belongs to the answer that is waited for; nothing behind that may
 * be taken from the connection. -EPROTO: it is not of the kind it was.
 */
int opening_hear(const struct opening *o, struct opening_again *a, const uint8_t *p, size_t n);

#endif
