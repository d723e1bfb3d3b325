/* SPDX-License-Identifier: MIT */
/*
 * Has a connection that should be speaking fallen silent? Pure: what the kernel counts comes in,
 * the clock is the caller's.
 *
 * Two signs, both of a connection in use: what was sent is not acknowledged in the time that the
 * path has taken so far, or a stream that has been arriving stops. The first is a reason to doubt
 * the path; the second may be the peer's own rest, so the relay is asked before. A program that
 * reads what came long ago has made room for more: that nothing follows is the second, too. A
 * transfer is asked about once more before its rest, for its reader may be waiting; so is what was
 * sent last and had no answer. A connection at rest is not looked at.
 */
#ifndef PRELOAD_SILENCE_H
#define PRELOAD_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

/* What TCP_INFO says. */
struct silence_facts {
	int64_t now_ms;
	uint64_t acked, received; /* bytes, since the connection began */
	uint32_t unacked;         /* segments on their way */
	int ack_age_ms;           /* since anything that acknowledges came */
	int data_age_ms;          /* since bytes came */
	int sent_age_ms;          /* since bytes were sent */
	int rtt_us, var_us;       /* 0: not measured yet */
};

/* A smooth stream that stops for an eighth of a round trip has stopped. One that comes by fits and
 * starts, as over a busy Wi-Fi, is only known by a longer lull. */
#define SILENCE_LULLS 2

struct silence {
	bool begun;
	uint64_t acked, received; /* when it was looked at last */
	int64_t owed_ms;          /* since when an acknowledgement is waited for; 0: it is not */
	int64_t came_ms;          /* when bytes came last */
	struct {
		int64_t since_ms; /* they have come without such a lull; 0: they have not */
		bool over;
	} run[SILENCE_LULLS];
	int64_t moved_ms; /* when anything was new last */
	bool asked;       /* about this lull */
	uint64_t base;    /* received when it began, or when it was asked at the end */
	bool awaited;     /* asked for want of an answer */
	bool late;        /* what was read when it began had come long before */
};

enum silence_verdict {
	SILENCE_NONE,  /* all is well, or too early to tell */
	SILENCE_REST,  /* nothing is under way: not to be looked at before the next bytes */
	SILENCE_ASK,   /* bytes have stopped coming: does the path still work? Said once a lull */
	SILENCE_DOUBT, /* nothing comes back */
};

/*
 * Looks, and says when to look again (absolute; unless it is at rest). `*moved`: something was new
 * since the last look.
 */
enum silence_verdict silence_look(struct silence *s, const struct silence_facts *f,
                                  int64_t *next_ms, bool *moved);

/* How long an answer may take on a path that is as it was, in ms; `alone`: to a single segment,
 * which the far end may acknowledge late. */
int silence_patience(int rtt_us, int var_us, bool alone);

#endif
