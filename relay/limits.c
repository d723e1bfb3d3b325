/* SPDX-License-Identifier: MIT */
#include "relay/limits.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

#define NAME 32

struct bucket {
	uint8_t name[NAME];
	int64_t left; /* thousandths of a token */
	int64_t seen_ms;
	struct bucket *prev, *next; /* in order of last use */
	UT_hash_handle hh;
};

struct limits {
	int64_t rate, burst;
	unsigned sources, n;
	struct bucket *table, *oldest;
	struct bucket shared;
};

struct limits *limits_new(unsigned rate, unsigned burst, unsigned sources)
{
	struct limits *l = calloc(1, sizeof(*l));

	if (l) {
		l->rate = rate;
		l->burst = (int64_t)burst * 1000;
		l->sources = sources;
		l->shared.left = l->burst;
	}
	return l;
}

void limits_free(struct limits *l)
{
	struct bucket *b, *next;

	if (!l)
		return;
	HASH_ITER(hh, l->table, b, next)
	{
		HASH_DEL(l->table, b);
		free(b);
	}
	free(l);
}

/* As much as has come since; thousandths of a token come `rate` per millisecond. */
static void fill(const struct limits *l, struct bucket *b, int64_t now_ms)
{
	int64_t since = now_ms - b->seen_ms;

	if (since > l->burst / l->rate + 1)
		b->left = l->burst;
	else
		b->left += since * l->rate;
	if (b->left > l->burst)
		b->left = l->burst;
	b->seen_ms = now_ms;
}

static struct bucket *fresh(struct limits *l, int64_t now_ms)
{
	struct bucket *b = l->oldest;

	if (l->n < l->sources && (b = calloc(1, sizeof(*b)))) {
		l->n++;
		return b;
	}
	/* One that has come to rest says no more than a new one would. */
	if (!b || now_ms - b->seen_ms <= l->burst / l->rate)
		return NULL;
	HASH_DEL(l->table, b);
	DL_DELETE(l->oldest, b);
	return b;
}

bool limits_take(struct limits *l, const void *source, size_t len, int64_t now_ms)
{
	uint8_t name[NAME] = {0};
	struct bucket *b;

	memcpy(name, source, len < NAME ? len : NAME);
	HASH_FIND(hh, l->table, name, NAME, b);
	if (b) {
		DL_DELETE(l->oldest, b);
	} else if ((b = fresh(l, now_ms))) {
		memset(b, 0, sizeof(*b));
		memcpy(b->name, name, NAME);
		b->left = l->burst;
		b->seen_ms = now_ms;
		HASH_ADD(hh, l->table, name, NAME, b);
	}
	if (b)
		DL_APPEND(l->oldest, b);
	else
		b = &l->shared;
	fill(l, b, now_ms);
	if (b->left < 1000)
		return false;
	b->left -= 1000;
	return true;
}
