/* SPDX-License-Identifier: MIT */
/*
 * Writing structures to bytes and reading them back, by one description for both: a field that is
 * forgotten is forgotten on both sides, and shows in the first test. Nothing is read or written
 * beyond the end; then `bad` is set and stays.
 */
#ifndef RELAY_CODEC_H
#define RELAY_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/bytes.h"

struct codec {
	bool reading, bad;
	uint8_t *at, *end;
};

static inline void code_bytes(struct codec *c, void *p, size_t len)
{
	if (c->bad || (size_t)(c->end - c->at) < len) {
		c->bad = true;
		return;
	}
	if (c->reading)
		memcpy(p, c->at, len);
	else
		memcpy(c->at, p, len);
	c->at += len;
}

static inline void code_u64(struct codec *c, uint64_t *v)
{
	uint8_t b[8];

	put_be64(b, *v);
	code_bytes(c, b, sizeof(b));
	if (c->reading && !c->bad)
		*v = get_be64(b);
}

static inline void code_i64(struct codec *c, int64_t *v)
{
	uint64_t u = (uint64_t)*v;

	code_u64(c, &u);
	*v = (int64_t)u;
}

static inline void code_u32(struct codec *c, uint32_t *v)
{
	uint64_t u = *v;

	code_u64(c, &u);
	*v = (uint32_t)u;
}

static inline void code_int(struct codec *c, int *v)
{
	int64_t i = *v;

	code_i64(c, &i);
	*v = (int)i;
}

static inline void code_size(struct codec *c, size_t *v)
{
	uint64_t u = *v;

	code_u64(c, &u);
	*v = (size_t)u;
}

static inline void code_bool(struct codec *c, bool *v)
{
	uint8_t b = *v;

	code_bytes(c, &b, 1);
	*v = b != 0;
}

#endif
