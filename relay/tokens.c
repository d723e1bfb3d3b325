/* SPDX-License-Identifier: MIT */
/* The tokens of the epochs that may come next, and the tombstones of sessions that are over. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "relay/relay.h"

#define TOMBSTONE_MS 60000
#define TOMBSTONES_MAX 65536

static struct token *table;
static struct token *graves; /* in order of time */
static unsigned ngraves;

static void forget(struct token *t)
{
	HASH_DEL(table, t);
	free(t);
}

struct token *token_find(const uint8_t token[SES_TOKEN])
{
	struct token *t;

	HASH_FIND(hh, table, token, SES_TOKEN, t);
	return t;
}

void tokens_refresh(struct session *s)
{
	uint32_t first = s->s.epoch_committed + 1, last = s->s.epoch_seen + SERVE_AHEAD;
	struct token *t, *next;

	DL_FOREACH_SAFE(s->tokens, t, next)
	{
		if (t->epoch >= first)
			continue;
		DL_DELETE(s->tokens, t);
		forget(t);
	}
	/* In order of epochs: the head's predecessor is the last. */
	for (uint32_t e = s->tokens ? s->tokens->prev->epoch + 1 : first; e <= last; e++) {
		t = calloc(1, sizeof(*t));
		if (!t)
			return;
		t->session = s;
		t->epoch = e;
		serve_token(&s->s, e, t->token);
		HASH_ADD(hh, table, token, SES_TOKEN, t);
		DL_APPEND(s->tokens, t);
	}
}

void tokens_bury(struct session *s)
{
	struct token *t, *next;

	DL_FOREACH_SAFE(s->tokens, t, next)
	{
		DL_DELETE(s->tokens, t);
		if (ngraves == TOMBSTONES_MAX) {
			forget(t);
			continue;
		}
		t->session = NULL;
		t->until_ms = loop_now() + TOMBSTONE_MS;
		DL_APPEND(graves, t);
		ngraves++;
	}
}

void tokens_adopt_grave(const uint8_t token[SES_TOKEN], int64_t until_ms)
{
	struct token *t = ngraves < TOMBSTONES_MAX ? calloc(1, sizeof(*t)) : NULL;

	if (!t)
		return;
	memcpy(t->token, token, SES_TOKEN);
	t->until_ms = until_ms;
	HASH_ADD(hh, table, token, SES_TOKEN, t);
	DL_APPEND(graves, t);
	ngraves++;
}

bool tokens_each_grave(bool (*what)(const uint8_t token[SES_TOKEN], int64_t until, void *arg),
                       void *arg)
{
	struct token *t;

	DL_FOREACH(graves, t)
	{
		if (!what(t->token, t->until_ms, arg))
			return false;
	}
	return true;
}

void tokens_sweep(int64_t now)
{
	while (graves && now >= graves->until_ms) {
		struct token *t = graves;

		DL_DELETE(graves, t);
		ngraves--;
		forget(t);
	}
}
