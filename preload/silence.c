/* SPDX-License-Identifier: MIT */
#include "preload/silence.h"

#define UNMEASURED_US 250000
#define VARIES_US 30000 /* a connection of few round trips does not know how little they vary */
#define SLACK_MS 30     /* both hosts' own delays, and a queue that has just begun to grow */
#define DELAYED_MS 60   /* a lone segment's acknowledgement may be put off by 40 ms or more */
#define REST_MS 1000
#define STEADY_MS 100 /* bytes have come for so long: a transfer, not an answer */
#define LULL_MS 20
#define LATE_MS 200
#define TRANSFER 65536
#define LEAST_MS 5

int silence_patience(int rtt_us, int var_us, bool alone)
{
	int64_t rtt = rtt_us > 0 ? rtt_us : UNMEASURED_US;
	int64_t var = 4 * (int64_t)(var_us > 0 ? var_us : 0);
	int64_t most = rtt / 4 > VARIES_US ? rtt / 4 : VARIES_US;
	int64_t us = rtt + rtt / 8 + (var < most ? var : most);

	return (int)(us / 1000) + SLACK_MS + (alone ? DELAYED_MS : 0);
}

/* The time without bytes after which a transfer of either kind is taken to have stopped. */
static int lull(const struct silence_facts *f, int kind)
{
	int part = (f->rtt_us > 0 ? f->rtt_us : UNMEASURED_US) / 8000;

	if (kind)
		return silence_patience(f->rtt_us, f->var_us, false);
	return part > LULL_MS ? part : LULL_MS;
}

static void sooner(int64_t *next, int64_t ms)
{
	if (ms < *next)
		*next = ms;
}

static void note(struct silence *s, const struct silence_facts *f, bool acked, bool came)
{
	if (came) {
		int64_t at = f->now_ms - f->data_age_ms;

		/* Looks are rarer than bytes: only what was noticed as a lull ends a run. */
		for (int k = 0; k < SILENCE_LULLS; k++) {
			if (!s->run[k].since_ms || s->run[k].over)
				s->run[k].since_ms = at;
			s->run[k].over = false;
		}
		s->came_ms = at;
		s->asked = false;
	}
	if (acked || came) {
		s->moved_ms = f->now_ms;
		s->awaited = false;
	}
	if (!f->unacked)
		s->owed_ms = 0;
	else if (acked)
		s->owed_ms = f->now_ms - f->ack_age_ms;
	else if (!s->owed_ms)
		s->owed_ms = f->now_ms;
	s->acked = f->acked;
	s->received = f->received;
}

enum silence_verdict silence_look(struct silence *s, const struct silence_facts *f,
                                  int64_t *next_ms, bool *moved)
{
	bool acked = s->begun && f->acked != s->acked,
	     came = s->begun && f->received != s->received;
	int64_t now = f->now_ms;

	if (!s->begun)
		*s = (struct silence){.begun = true,
		                      .moved_ms = now,
		                      .base = f->received,
		                      .late = f->received && f->data_age_ms > LATE_MS};
	note(s, f, acked, came);
	*moved = acked || came;
	int patience = silence_patience(f->rtt_us, f->var_us, f->unacked < 2);

	/* Nobody tells when bytes are sent or come while it is looked at. */
	*next_ms = now + patience;
	sooner(next_ms, s->moved_ms + REST_MS);
	if (f->unacked) {
		int64_t silent = now - s->owed_ms;

		/* What comes without acknowledging more, as a duplicate does, still comes. */
		if (f->ack_age_ms < silent)
			silent = f->ack_age_ms;
		if (silent >= patience) {
			/* Less and less often: it may last for hours. */
			*next_ms = now + (silent / 4 < 2000 ? silent / 4 : 2000);
			return SILENCE_DOUBT;
		}
		*next_ms = now + patience - silent;
	} else if (now - s->moved_ms >= REST_MS) {
		bool transfer = f->received - s->base >= TRANSFER;
		/* The kernel's ages are coarse: what is equal was an answer if anything came since.
		 */
		bool later = f->sent_age_ms < f->data_age_ms ||
		             (f->sent_age_ms == f->data_age_ms && f->received == s->base);
		bool awaits = later && !s->awaited;

		s->base = f->received;
		s->awaited = true;
		*next_ms = now + patience;
		if (transfer || awaits)
			return SILENCE_ASK;
		*s = (struct silence){0};
		return SILENCE_REST;
	}
	if (s->late && (acked || came)) {
		s->late = false;
	} else if (s->late && now - s->moved_ms >= patience) {
		s->late = false;
		return SILENCE_ASK;
	}
	for (int k = 0; k < SILENCE_LULLS; k++) {
		int64_t due = s->came_ms + lull(f, k);

		if (!s->run[k].since_ms || s->run[k].over)
			continue;
		if (now < due) {
			sooner(next_ms, due);
			continue;
		}
		s->run[k].over = true;
		if (!s->asked && s->came_ms - s->run[k].since_ms >= STEADY_MS) {
			s->asked = true;
			return SILENCE_ASK;
		}
	}
	if (*next_ms < now + LEAST_MS)
		*next_ms = now + LEAST_MS;
	return SILENCE_NONE;
}
