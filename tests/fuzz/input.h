/* SPDX-License-Identifier: MIT */
/*
 * The fuzzer's bytes as a source of decisions, and what the targets share. A target that finds a
 * promise broken calls must(), which ends it as a crash would.
 */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer calls these two; the first may be left out. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *p;
	size_t left;
};

static inline void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "broken promise: %s\n", what);
	abort();
}

/* Zeros when nothing is left. */
static inline uint8_t take_u8(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static inline uint16_t take_u16(struct input *in)
{
	uint16_t high = take_u8(in);

	return (uint16_t)(high << 8 | take_u8(in));
}

static inline uint32_t take_u32(struct input *in)
{
	uint32_t high = take_u16(in);

	return high << 16 | take_u16(in);
}

static inline uint64_t take_u64(struct input *in)
{
	uint64_t high = take_u32(in);

	return high << 32 | take_u32(in);
}

static inline void take_bytes(struct input *in, void *out, size_t len)
{
	size_t n = len < in->left ? len : in->left;

	memset(out, 0, len);
	if (n)
		memcpy(out, in->p, n);
	in->p += n;
	in->left -= n;
}

/* A number that is likely to be at an edge of [low, high]. */
static inline uint64_t take_near(struct input *in, uint64_t low, uint64_t high)
{
	switch (take_u8(in) % 8) {
	case 0:
		return low;
	case 1:
		return high;
	case 2:
		return low + (high - low ? take_u16(in) % (high - low) : 0);
	case 3:
		return low - take_u8(in);
	case 4:
		return high + take_u8(in);
	case 5:
		return high + take_u16(in);
	case 6:
		return UINT64_MAX - take_u8(in);
	default:
		return take_u64(in);
	}
}

/* In memory of exactly that size, so that a sanitizer sees a byte too much. Never NULL. */
static inline uint8_t *exactly(const void *data, size_t len)
{
	uint8_t *p = malloc(len ? len : 1);

	must(p != NULL, "memory");
	if (len)
		memcpy(p, data, len);
	return p;
}

/* One time in sixteen a bit of the message is turned over: true, and nobody may believe it then. */
static inline bool take_damage(struct input *in, uint8_t *msg, size_t len)
{
	if (take_u8(in) % 16 != 15 || !len)
		return false;
	uint16_t bit = take_u16(in);

	msg[bit / 8 % len] ^= (uint8_t)(1 << bit % 8);
	return true;
}

#endif
