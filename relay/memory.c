/* SPDX-License-Identifier: MIT */
/*
 * The rings' memory: reserved generously, paid for only where it was touched, and bounded over all
 * sessions.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "relay/relay.h"

#define ENOUGH (256u << 10) /* what a session may keep when memory is short */
#define WORTH_IT (1u << 20) /* pages are given back when they are at least so many bytes */

static size_t total;

size_t memory_total(void)
{
	return total;
}

bool memory_take(struct session *s, size_t s2c, size_t c2s)
{
	void *p = mmap(NULL, s2c + c2s, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	s->memory = p == MAP_FAILED ? NULL : p;
	return s->memory;
}

void memory_return(struct session *s)
{
	munmap(s->memory, s->s.s2c.cap + s->s.c2s.cap);
	total -= s->touched;
	s->memory = NULL;
	s->touched = 0;
}

/* Everything written since pages were last given back; no page counts twice. */
static size_t touched(const struct ring *r, uint64_t since)
{
	uint64_t n = r->tail - since;

	return n < r->cap ? (size_t)n : r->cap;
}

void memory_account(struct session *s)
{
	size_t now = touched(&s->s.s2c, s->s2c_since) + touched(&s->s.c2s, s->c2s_since);

	total += now - s->touched;
	s->touched = now;
	/*
	 * At the bound a session keeps what it has, asks for confirmations, and goes uncovered if
	 * it gets none.
	 */
	if (total < config.max_memory) {
		s->s.s2c_limit = s->s.s2c.cap;
	} else if (s->s.s2c_limit == s->s.s2c.cap) {
		size_t used = ring_used(&s->s.s2c), least = min_size(ENOUGH, s->s.s2c.cap);

		s->s.s2c_limit = used > least ? used : least;
	}
}

static void give_back(const struct ring *r, uint64_t from, uint64_t to)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	from = (from + page - 1) & ~(page - 1);
	to &= ~(page - 1);
	while (from < to) {
		size_t at = (size_t)from & (r->cap - 1), n = min_size(r->cap - at, to - from);

		madvise(r->mem + at, n, MADV_DONTNEED);
		from += n;
	}
}

static void trim(const struct ring *r, uint64_t *since)
{
	if (touched(r, *since) < ring_used(r) + WORTH_IT)
		return;
	/* The part of the ring that holds nothing. */
	give_back(r, r->tail, r->base + r->cap);
	*since = r->base;
}

void memory_trim(struct session *s)
{
	uint64_t moved = s->s.s2c.tail + s->s.c2s.tail;

	/* A stream at full speed would want them again at once. */
	if (moved == s->moved || total >= config.max_memory) {
		trim(&s->s.s2c, &s->s2c_since);
		trim(&s->s.c2s, &s->c2s_since);
		memory_account(s);
	}
	s->moved = moved;
}
