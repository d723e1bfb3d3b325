/* SPDX-License-Identifier: MIT */
/*
 * How much one client may ask for in a time: a bucket of tokens for each source, in a table of
 * fixed size. Pure: the clock is the caller's.
 */
#ifndef RELAY_LIMITS_H
#define RELAY_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limits;

/*
 * `rate` tokens come in a second, at most `burst` are kept. `sources` different ones are told
 * apart; when more are active at the same time, the further ones share a bucket, so that a flood of
 * addresses fills no memory and locks nobody out who was there before. NULL: no memory.
 */
struct limits *limits_new(unsigned rate, unsigned burst, unsigned sources);
void limits_free(struct limits *l);

/* Takes one token of the source (at most 32 bytes name it); false: there is none. */
bool limits_take(struct limits *l, const void *source, size_t len, int64_t now_ms);

#endif
