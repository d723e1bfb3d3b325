/* SPDX-License-Identifier: MIT */
#include "preload/answers.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LISTS 256     /* in use at a time */
#define ENTRIES 0xffu /* of one */

struct entry {
	struct addrinfo info;
	struct sockaddr_storage addr;
};

struct list {
	atomic_uint left; /* entries not freed yet */
	char *name;
	struct entry entry[];
};

/* Where each begins, and in the upper 16 bits, which no address has, its number of entries: read as
 * one, for others come and go meanwhile. 0: none. */
static _Atomic uint64_t lists[LISTS];
static atomic_uint in_use;

#define COUNT_SHIFT 48

static struct entry *first_of(uint64_t l)
{
	return (struct entry *)(uintptr_t)(l & ((1ull << COUNT_SHIFT) - 1));
}

static unsigned count_of(uint64_t l)
{
	return (unsigned)(l >> COUNT_SHIFT);
}

static bool within(uint64_t l, const struct addrinfo *i)
{
	uintptr_t first = (uintptr_t)first_of(l), at = (uintptr_t)i;

	return l && at >= first && at < first + count_of(l) * sizeof(struct entry);
}

static bool enter(struct list *l, unsigned count)
{
	uint64_t now = (uint64_t)(uintptr_t)l->entry | (uint64_t)count << COUNT_SHIFT;

	for (int i = 0; i < LISTS; i++) {
		uint64_t none = 0;

		if (atomic_compare_exchange_strong(&lists[i], &none, now)) {
			atomic_fetch_add(&in_use, 1);
			return true;
		}
	}
	return false;
}

static void copy(struct list *l, unsigned at, const struct addrinfo *from)
{
	struct entry *e = &l->entry[at];

	e->info = *from;
	e->info.ai_canonname = NULL;
	e->info.ai_next = NULL;
	e->info.ai_addr = (struct sockaddr *)&e->addr;
	memcpy(&e->addr, from->ai_addr,
	       from->ai_addrlen < sizeof(e->addr) ? from->ai_addrlen : sizeof(e->addr));
	if (at)
		l->entry[at - 1].info.ai_next = &e->info;
}

static void destroy(struct list *l)
{
	free(l->name);
	free(l);
}

struct addrinfo *answers_join(struct addrinfo *const *from, unsigned n, const char *name)
{
	unsigned count = 0, at = 0;
	struct list *l;

	for (unsigned i = 0; i < n; i++)
		for (const struct addrinfo *a = from[i]; a; a = a->ai_next)
			count++;
	if (!count || count > ENTRIES)
		return NULL;
	l = calloc(1, sizeof(*l) + count * sizeof(struct entry));
	if (!l)
		return NULL;
	for (unsigned i = 0; i < n; i++)
		for (const struct addrinfo *a = from[i]; a; a = a->ai_next)
			copy(l, at++, a);
	l->name = name ? strdup(name) : NULL;
	l->entry[0].info.ai_canonname = l->name;
	atomic_init(&l->left, count);
	if ((name && !l->name) || !enter(l, count)) {
		destroy(l);
		return NULL;
	}
	return &l->entry[0].info;
}

bool answers_free(struct addrinfo *from)
{
	unsigned n = 0;

	if (!from || !atomic_load(&in_use))
		return false;
	for (int i = 0; i < LISTS; i++) {
		uint64_t one = atomic_load(&lists[i]);
		struct list *l;

		if (!within(one, from))
			continue;
		for (const struct addrinfo *a = from; within(one, a); a = a->ai_next)
			n++;
		l = (struct list *)((char *)first_of(one) - offsetof(struct list, entry));
		if (atomic_fetch_sub(&l->left, n) == n) {
			atomic_store(&lists[i], 0);
			atomic_fetch_sub(&in_use, 1);
			destroy(l);
		}
		return true;
	}
	return false;
}
