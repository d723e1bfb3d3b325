/* SPDX-License-Identifier: MIT */
#include "preload/names.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "preload/flow.h"
#include "preload/futex.h"

#define NAMES 256
#define WAIT_MS 20

/* Pages of it are touched only by programs that resolve names. */
static struct entry {
	sa_family_t family; /* 0: free */
	uint8_t ip[16];
	char name[NAME_MAX_LEN + 1];
} table[NAMES];
static unsigned next;
static struct flock_word lock;

static size_t ip_of(const struct sockaddr *addr, const void **ip)
{
	if (addr->sa_family == AF_INET) {
		*ip = &((const struct sockaddr_in *)addr)->sin_addr;
		return 4;
	}
	*ip = &((const struct sockaddr_in6 *)addr)->sin6_addr;
	return addr->sa_family == AF_INET6 ? 16 : 0;
}

static struct entry *find(sa_family_t family, const void *ip, size_t len)
{
	for (int i = 0; i < NAMES; i++)
		if (table[i].family == family && memcmp(table[i].ip, ip, len) == 0)
			return &table[i];
	return NULL;
}

void names_note(const char *name, const struct sockaddr *addr)
{
	const void *ip;
	size_t len = ip_of(addr, &ip), n = strnlen(name, NAME_MAX_LEN + 1);

	if (!len || !n || n > NAME_MAX_LEN || !lock_take(&lock, thread_id(), WAIT_MS))
		return;
	/* The root's dot is no part of what patterns are written for. */
	if (n > 1 && name[n - 1] == '.')
		n--;
	struct entry *e = find(addr->sa_family, ip, len);

	if (!e) {
		e = &table[next];
		next = (next + 1) % NAMES;
	}
	e->family = addr->sa_family;
	memcpy(e->ip, ip, len);
	memcpy(e->name, name, n);
	e->name[n] = 0;
	lock_release(&lock);
}

bool names_find(sa_family_t family, const void *ip, char out[NAME_MAX_LEN + 1])
{
	struct entry *e;

	/* A handler that has interrupted a note finds no name rather than half of one. */
	if (lock_owner(&lock) == thread_id() || !lock_take(&lock, thread_id(), WAIT_MS))
		return false;
	e = find(family, ip, family == AF_INET6 ? 16 : 4);
	if (e)
		memcpy(out, e->name, sizeof(e->name));
	lock_release(&lock);
	return e != NULL;
}

unsigned names_addresses(const char *name, union flow_address *out, unsigned max)
{
	unsigned n = 0;

	if (!lock_take(&lock, thread_id(), WAIT_MS))
		return 0;
	for (int i = 0; i < NAMES && n < max; i++) {
		const struct entry *e = &table[i];
		union flow_address a;

		if (!e->family || strcmp(e->name, name) != 0)
			continue;
		memset(&a, 0, sizeof(a));
		a.sa.sa_family = e->family;
		if (e->family == AF_INET6)
			memcpy(&a.in6.sin6_addr, e->ip, 16);
		else
			memcpy(&a.in.sin_addr, e->ip, 4);
		out[n++] = a;
	}
	lock_release(&lock);
	return n;
}

void names_forked(void)
{
	atomic_store(&lock.word, 0);
}
