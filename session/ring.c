/* SPDX-License-Identifier: MIT */
#include "session/ring.h"

#include <string.h>

void ring_init(struct ring *r, void *mem, size_t cap)
{
	*r = (struct ring){.mem = mem, .cap = cap};
}

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

void ring_put(struct ring *r, const void *data, size_t len)
{
	const uint8_t *from = data;

	if (len > r->cap) {
		/* Only the end of it can stay. */
		from += len - r->cap;
		r->tail += len - r->cap;
		len = r->cap;
	}
	size_t at = (size_t)r->tail & (r->cap - 1), first = min(len, r->cap - at);

	memcpy(r->mem + at, from, first);
	if (len > first)
		memcpy(r->mem, from + first, len - first);
	r->tail += len;
	if (r->tail - r->base > r->cap)
		r->base = r->tail - r->cap;
}

void ring_confirm(struct ring *r, uint64_t count)
{
	if (count > r->tail)
		count = r->tail;
	if (count > r->base)
		r->base = count;
}

bool ring_holds(const struct ring *r, uint64_t count)
{
	return count >= r->base && count <= r->tail;
}

size_t ring_peek(const struct ring *r, uint64_t count, const void **p)
{
	size_t at = (size_t)count & (r->cap - 1);

	*p = r->mem + at;
	return min((size_t)(r->tail - count), r->cap - at);
}

void ring_double(struct ring *r)
{
	const void *from;

	/* The half that is added is free: bytes stay, or move up by what there was. */
	for (uint64_t at = r->base; at < r->tail;) {
		size_t n = ring_peek(r, at, &from);

		if (at & r->cap)
			memcpy(r->mem + r->cap + (at & (r->cap - 1)), from, n);
		at += n;
	}
	r->cap *= 2;
}

size_t ring_space(struct ring *r, void **p)
{
	size_t at = (size_t)r->tail & (r->cap - 1);

	*p = r->mem + at;
	return min(ring_room(r), r->cap - at);
}

void ring_added(struct ring *r, size_t len)
{
	r->tail += len;
}
