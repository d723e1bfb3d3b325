/* SPDX-License-Identifier: MIT */
#include "preload/opening.h"

#include <errno.h>
#include <string.h>

#include "policy/glob.h"

#define LINES 64 /* of an answer, before the one that is expected */

void opening_begin(struct opening *o, const struct pol_rule *rule)
{
	o->rule = rule;
	/* A script stands in the policy: of the program's own beginning nothing is needed. */
	if (rule->opening != POL_OPENING_RECORDED)
		atomic_store(&o->state, OPENING_OVER);
}

void opening_lose(struct opening *o, const char *why)
{
	atomic_store(&o->why, why);
	atomic_store(&o->state, OPENING_LOST);
	explicit_bzero(o->bytes, o->used);
}

/* Is the upper-case word one of those between blanks, or a number where "#" is one? */
static bool among(const char *word, const char *words)
{
	size_t len = strlen(word);

	for (const char *at = words; len && at && *at;) {
		size_t n = strcspn(at, " ");

		if (n == len && strncasecmp(at, word, len) == 0)
			return true;
		if (n == 1 && *at == '#' && strspn(word, "0123456789") == len)
			return true;
		at += n + (at[n] == ' ');
	}
	return false;
}

static bool remember(struct opening *o, bool ours, const uint8_t *p, size_t n)
{
	struct opening_turn *t = o->turns ? &o->turn[o->turns - 1] : NULL;

	if (!t || t->ours != ours) {
		if (o->turns == OPENING_TURNS)
			return false;
		t = &o->turn[o->turns++];
		*t = (struct opening_turn){.ours = ours};
	}
	if (n > sizeof(o->bytes) - o->used)
		return false;
	memcpy(o->bytes + o->used, p, n);
	o->used += (uint32_t)n;
	t->len += (uint32_t)n;
	return true;
}

/* The record that is not decided upon does not belong to it: it is over. */
static void over(struct opening *o)
{
	struct opening_turn *t = o->turns ? &o->turn[o->turns - 1] : NULL;

	if (t && t->ours && o->pending) {
		t->len -= o->pending;
		o->used -= o->pending;
		explicit_bzero(o->bytes + o->used, o->pending);
		o->turns -= t->len == 0;
	}
	o->pending = 0;
	t = o->turns ? &o->turn[o->turns - 1] : NULL;
	if (t && t->ours)
		opening_lose(o, "the answers to its opening were not awaited");
	else if (!records_whole(&o->in))
		opening_lose(o, "the answers to its opening cannot be told from what follows");
	else
		atomic_store(&o->state, OPENING_OVER);
}

static void record_over(struct opening *o)
{
	const struct pol_rule *r = o->rule;
	bool listed = among(o->out.word, r->opening_words);

	atomic_fetch_add(&o->requests, 1);
	if (atomic_load(&o->state) == OPENING_RUNS) {
		/* The first that ends after the opening is over is what has ended it. */
		if (r->opening_words ? listed : o->end == 0) {
			o->end = o->out.at;
			o->pending = 0;
			return;
		}
		over(o);
	} else if (listed) {
		opening_lose(o, "a word of its opening came again later");
	}
	if (among(o->out.word, r->binding_words))
		opening_lose(o, "a word that binds it to its connection");
}

static void wrote(struct opening *o, const uint8_t *p, size_t n)
{
	const struct pol_rule *r = o->rule;

	while (n && atomic_load(&o->state) != OPENING_LOST) {
		size_t k = r->records == POL_RECORDS_NONE
		               ? n
		               : records_take(&o->out, r->records, &r->length, p, n);

		if (atomic_load(&o->state) == OPENING_RUNS) {
			if (remember(o, true, p, k))
				o->pending += (uint32_t)k;
			else
				over(o);
		}
		if (r->records == POL_RECORDS_NONE)
			o->out.at += k;
		else if (o->out.bad)
			opening_lose(o, "the stream is not of the records it should be");
		else if (records_whole(&o->out))
			record_over(o);
		p += k;
		n -= k;
	}
}

void opening_wrote(struct opening *o, const void *p, size_t n)
{
	/* A signal handler that writes in the middle of this. */
	if (atomic_exchange(&o->noting, true)) {
		opening_lose(o, "two writes at once");
		return;
	}
	wrote(o, p, n);
	atomic_store(&o->asked, true);
	atomic_store(&o->noting, false);
}

static void heard(struct opening *o, const uint8_t *p, size_t n)
{
	const struct pol_rule *r = o->rule;

	while (n && atomic_load(&o->state) != OPENING_LOST) {
		size_t k = r->records == POL_RECORDS_NONE
		               ? n
		               : records_take(&o->in, r->records, &r->length, p, n);

		if (atomic_load(&o->state) == OPENING_RUNS && !remember(o, false, p, k))
			opening_lose(o, "its opening is too long");
		if (r->records == POL_RECORDS_NONE)
			o->in.at += k;
		else if (o->in.bad)
			opening_lose(o, "the answers are not of the records they should be");
		else if (records_whole(&o->in) && o->in.first != '>')
			atomic_fetch_add(&o->answers, 1);
		if (r->answer_ends && !o->in.bad)
			atomic_store(&o->open,
			             !records_whole(&o->in) || !among(o->in.word, r->answer_ends));
		p += k;
		n -= k;
	}
}

void opening_read(struct opening *o, const void *p, size_t n)
{
	if (atomic_exchange(&o->reading, true)) {
		opening_lose(o, "two reads at once");
		return;
	}
	/* Only while both sides are recorded do they share anything. */
	bool both = atomic_load(&o->state) == OPENING_RUNS;

	if (both && atomic_exchange(&o->noting, true)) {
		opening_lose(o, "a read and a write at once");
	} else {
		heard(o, p, n);
		atomic_store(&o->answered, o->out.at);
		atomic_store(&o->asked, false);
		if (both)
			atomic_store(&o->noting, false);
	}
	atomic_store(&o->reading, false);
}

const char *opening_stands(struct opening *o, uint64_t read, uint64_t written)
{
	const struct pol_rule *r = o->rule;
	uint32_t state = atomic_load(&o->state);

	if (state == OPENING_LOST)
		return atomic_load(&o->why);
	if (atomic_load(&o->noting) || atomic_load(&o->reading))
		return "the program is just reading or writing";
	/* Recorded, and answered: nothing else may have come. */
	bool complete = o->end && !o->pending && o->turns && !o->turn[o->turns - 1].ours;

	if (state == OPENING_RUNS && !complete)
		return "its opening is not over";
	if (o->in.at != read || o->out.at != written)
		return "bytes that no hook saw";
	if (r->records != POL_RECORDS_NONE && !records_whole(&o->in))
		return "the program has read a part of an answer";
	if (atomic_load(&o->open))
		return "an answer is not over";
	if (r->records == POL_RECORDS_RESP && atomic_load(&o->requests) != atomic_load(&o->answers))
		return "a request is not answered";
	if (r->records != POL_RECORDS_RESP && r->replay == POL_REPLAY_NONE &&
	    atomic_load(&o->asked))
		return "what was written last is not answered";
	return NULL;
}

/* --- on a new connection --- */

static bool scripted(const struct opening *o)
{
	return o->rule->opening == POL_OPENING_SCRIPT;
}

const void *opening_say(const struct opening *o, const struct opening_again *a, size_t *len)
{
	*len = 0;
	if (opening_done(o, a))
		return NULL;
	if (scripted(o)) {
		const struct pol_step *s = &o->rule->step[a->step];

		*len = s->send ? strlen(s->text) - a->at : 0;
		return s->send ? s->text + a->at : NULL;
	}
	if (!o->turn[a->step].ours)
		return NULL;
	*len = o->turn[a->step].len - a->at;
	return o->bytes + a->from + a->at;
}

static void next(const struct opening *o, struct opening_again *a)
{
	if (!scripted(o))
		a->from += o->turn[a->step].len;
	a->step++;
	a->at = 0;
	a->lines = 0;
}

void opening_said(const struct opening *o, struct opening_again *a, size_t n)
{
	size_t len;

	a->at += (uint32_t)n;
	opening_say(o, a, &len);
	if (!len)
		next(o, a);
}

/* A line that the pattern is for, or one before it. */
static int hear_line(const struct opening *o, struct opening_again *a, const uint8_t *p, size_t n)
{
	const uint8_t *end = memchr(p, '\n', n);
	size_t took = end ? (size_t)(end - p) + 1 : n;

	for (size_t i = 0; i < took; i++)
		if (a->have < sizeof(a->line) - 1 && p[i] != '\n' && p[i] != '\r')
			a->line[a->have++] = p[i] ? (char)p[i] : '?';
	if (!end)
		return (int)took;
	a->line[a->have] = 0;
	a->have = 0;
	if (glob_match(o->rule->step[a->step].text, a->line, false))
		next(o, a);
	else if (++a->lines == LINES)
		return -EPROTO;
	return (int)took;
}

/* Is the record that has just come of the kind of the one that came then? */
static bool alike(const struct opening *o, const struct records *was, const struct records *is)
{
	switch (o->rule->records) {
	case POL_RECORDS_LINE:
		return was->first == is->first && strcmp(was->word, is->word) == 0;
	case POL_RECORDS_LENGTH:
		/* What lies between may tell of a session that is there already. */
		return was->have == is->have && memcmp(was->header, is->header, is->have) == 0 &&
		       was->last == is->last;
	case POL_RECORDS_RESP:
		return was->first == is->first;
	case POL_RECORDS_NONE:
		break;
	}
	return false;
}

int opening_hear(const struct opening *o, struct opening_again *a, const uint8_t *p, size_t n)
{
	const struct pol_rule *r = o->rule;

	if (scripted(o))
		return hear_line(o, a, p, n);
	size_t took = records_take(&a->is, r->records, &r->length, p, n);

	if (a->is.bad)
		return -EPROTO;
	if (!records_whole(&a->is))
		return (int)took;
	/* The one that came in its place then. */
	uint32_t len = o->turn[a->step].len;

	a->at += (uint32_t)records_take(&a->was, r->records, &r->length, o->bytes + a->from + a->at,
	                                len - a->at);
	if (!alike(o, &a->was, &a->is))
		return -EPROTO;
	if (a->at == len)
		next(o, a);
	return (int)took;
}
