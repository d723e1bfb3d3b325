/* SPDX-License-Identifier: MIT */
/*
 * The un-confirmed bytes of one direction, addressed by absolute stream counts.
 *
 * The ring holds [base, tail). Putting in more than fits drops the oldest bytes: the stream goes
 * on, only its cover shrinks (`ring_holds` tells). Not locked: the caller serialises.
 */
#ifndef SESSION_RING_H
#define SESSION_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	uint8_t *mem;
	size_t cap; /* a power of two */
	uint64_t base, tail;
};

/* `mem` is the caller's, `cap` a power of two. The ring starts empty at count 0. */
void ring_init(struct ring *r, void *mem, size_t cap);

/* Appends; never fails. Bytes beyond `cap` push the oldest out. */
void ring_put(struct ring *r, const void *data, size_t len);

/* Forgets everything below `count`; a count outside [base, tail] is clipped to it. */
void ring_confirm(struct ring *r, uint64_t count);

/* Can the stream be replayed from `count`? */
bool ring_holds(const struct ring *r, uint64_t count);

/*
 * The longest contiguous piece from `count` on: its length, 0 at the tail. `count` must be held.
 */
size_t ring_peek(const struct ring *r, uint64_t count, const void **p);

/*
 * Room to receive into without a copy: where it is, and how long the contiguous piece is.
 * ring_added() then takes over what was put there.
 */
size_t ring_space(struct ring *r, void **p);
void ring_added(struct ring *r, size_t len);

/*
 * Doubles it in place: what is held moves to where it belongs in twice the memory, which the caller
 * has behind it. A ring that begins small touches no more memory than it needs.
 */
void ring_double(struct ring *r);

static inline size_t ring_used(const struct ring *r)
{
	return (size_t)(r->tail - r->base);
}

static inline size_t ring_room(const struct ring *r)
{
	return r->cap - ring_used(r);
}

#endif
