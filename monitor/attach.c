/* SPDX-License-Identifier: MIT */
#include "monitor/attach.h"

#include <stdio.h>
#include <string.h>

/* --- comparing --- */

enum same { DIFFERENT, PERHAPS, SAME };

static const struct attach_router *router_at(const struct attach_network *n,
                                             const struct attach_router *r)
{
	for (unsigned i = 0; i < n->routers; i++)
		if (n->router[i].family == r->family &&
		    memcmp(n->router[i].ip, r->ip, sizeof(r->ip)) == 0)
			return &n->router[i];
	return NULL;
}

static bool common_prefix(const struct attach_network *a, const struct attach_network *b)
{
	for (unsigned i = 0; i < a->prefixes; i++)
		for (unsigned k = 0; k < b->prefixes; k++)
			if (memcmp(&a->prefix[i], &b->prefix[k], sizeof(a->prefix[i])) == 0)
				return true;
	return false;
}

/* Do both have a router that is the same device, whatever its addresses are now? */
static bool common_device(const struct attach_network *a, const struct attach_network *b)
{
	for (unsigned i = 0; i < a->routers; i++)
		for (unsigned k = 0; k < b->routers; k++)
			if (a->router[i].lladdr_len &&
			    a->router[i].lladdr_len == b->router[k].lladdr_len &&
			    memcmp(a->router[i].lladdr, b->router[k].lladdr,
			           a->router[i].lladdr_len) == 0)
				return true;
	return false;
}

static bool link_local(const struct attach_router *r)
{
	return r->ip[0] == 0xfe && (r->ip[1] & 0xc0) == 0x80;
}

/* fe80::1 and the like are given by hand, everywhere; else the address has an interface identifier.
 */
static bool telling(const struct attach_router *r)
{
	static const uint8_t none[6];

	return link_local(r) && memcmp(r->ip + 8, none, sizeof(none)) != 0;
}

static enum same compare(const struct attach_network *a, const struct attach_network *b)
{
	bool router = false, sure = false;

	if (common_device(a, b))
		return SAME;
	for (unsigned i = 0; i < a->routers; i++) {
		const struct attach_router *r = &a->router[i], *o = router_at(b, r);

		if (!o)
			continue;
		if (r->lladdr_len && o->lladdr_len)
			return DIFFERENT; /* the same address, another device */
		router = true;
		sure |= telling(r);
	}
	if (sure)
		return SAME;
	if (a->routers && b->routers && !router)
		return DIFFERENT;
	return common_prefix(a, b) ? PERHAPS : DIFFERENT;
}

/* --- identifiers --- */

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	while (n--) {
		h ^= *b++;
		h *= 0x100000001b3ULL;
	}
	return h;
}

/*
 * What an identifier is made of must be the same in every process that looks at the same time,
 * whatever order the kernel tells it in, so what belongs together is summed up; and it must not
 * hang on what only some have seen, so link-layer addresses are left out unless they decide.
 */
static void name_it(char id[ATTACH_ID], const struct attach_network *n, const char *salt,
                    const char *name, bool lladdrs)
{
	uint64_t sum = 0, h = 0xcbf29ce484222325ULL;

	for (unsigned i = 0; i < n->routers; i++) {
		const struct attach_router *r = &n->router[i];
		uint64_t one = mix(mix(h, &r->family, 1), r->ip, sizeof(r->ip));

		sum += lladdrs ? mix(one, r->lladdr, r->lladdr_len) : one;
	}
	for (unsigned i = 0; i < n->prefixes; i++)
		sum += mix(h, &n->prefix[i], sizeof(n->prefix[i]));
	h = mix(h, salt, strlen(salt) + 1);
	h = mix(h, name, strlen(name) + 1);
	h = mix(h, &sum, sizeof(sum));
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdULL;
	h ^= h >> 33;
	snprintf(id, ATTACH_ID, "implicit-%016llx", (unsigned long long)h);
}

/* Link-layer addresses learned before, of routers that are still there. */
static void keep_lladdrs(const struct attach_network *before, struct attach_network *n)
{
	for (unsigned i = 0; i < n->routers; i++) {
		const struct attach_router *o = router_at(before, &n->router[i]);

		if (o && !n->router[i].lladdr_len) {
			n->router[i].lladdr_len = o->lladdr_len;
			memcpy(n->router[i].lladdr, o->lladdr, sizeof(o->lladdr));
		}
	}
}

static void remember(struct attachment *a)
{
	struct attach_network n = a->now;
	unsigned i;

	for (i = 0; i < a->known; i++)
		if (strcmp(a->memory[i].id, a->id) == 0)
			break;
	if (i < a->known) {
		keep_lladdrs(&a->memory[i].network, &n);
	} else {
		if (a->known < ATTACH_NETWORKS) {
			a->known++;
		} else {
			i = a->oldest;
			a->oldest = (a->oldest + 1) % ATTACH_NETWORKS;
		}
	}
	memcpy(a->memory[i].id, a->id, sizeof(a->id));
	a->memory[i].network = n;
}

static bool taken(const struct attachment *a, const char *id)
{
	for (unsigned i = 0; i < a->known; i++)
		if (strcmp(a->memory[i].id, id) == 0)
			return true;
	return false;
}

static void identify(struct attachment *a, const char *salt, const char *name)
{
	int perhaps = -1;

	for (unsigned i = 0; i < a->known; i++) {
		enum same s = compare(&a->now, &a->memory[i].network);

		if (s == SAME) {
			memcpy(a->id, a->memory[i].id, sizeof(a->id));
			return;
		}
		if (s == PERHAPS && perhaps < 0)
			perhaps = (int)i;
	}
	if (perhaps >= 0) {
		memcpy(a->id, a->memory[perhaps].id, sizeof(a->id));
		return;
	}
	name_it(a->id, &a->now, salt, name, false);
	/* Addressed alike, and known not to be the same: the routers' own addresses decide. */
	if (taken(a, a->id))
		name_it(a->id, &a->now, salt, name, true);
}

bool attach_seen(struct attachment *a, const struct attach_network *n, const char *salt,
                 const char *name)
{
	struct attach_network before = a->now;
	bool fresh = !a->id[0];

	a->now = *n;
	if (!fresh)
		keep_lladdrs(&before, &a->now);
	else
		identify(a, salt, name);
	remember(a);
	return fresh;
}

void attach_lost(struct attachment *a)
{
	a->id[0] = 0;
	memset(&a->now, 0, sizeof(a->now));
}

bool attach_lladdr(struct attachment *a, uint8_t family, const uint8_t ip[16],
                   const uint8_t *lladdr, size_t len, const char *salt, const char *name)
{
	char before[ATTACH_ID];
	struct attach_network seen;
	struct attach_router *r = NULL;

	if (!a->id[0] || !len || len > ATTACH_LLADDR)
		return false;
	for (unsigned i = 0; i < a->now.routers && !r; i++)
		if (a->now.router[i].family == family &&
		    memcmp(a->now.router[i].ip, ip, sizeof(a->now.router[i].ip)) == 0)
			r = &a->now.router[i];
	/* A router that is replaced by another while we are attached is the same network's. */
	if (!r || r->lladdr_len)
		return false;
	r->lladdr_len = (uint8_t)len;
	memcpy(r->lladdr, lladdr, len);
	memcpy(before, a->id, sizeof(before));
	seen = a->now;
	for (unsigned i = 0; i < a->known; i++) {
		if (strcmp(a->memory[i].id, a->id) != 0)
			continue;
		/* What is remembered of this network has its address from an earlier attachment. */
		const struct attach_router *o = router_at(&a->memory[i].network, r);

		if (o && o->lladdr_len &&
		    (o->lladdr_len != len || memcmp(o->lladdr, lladdr, len) != 0) &&
		    !common_device(&seen, &a->memory[i].network)) {
			a->id[0] = 0;
			identify(a, salt, name);
		}
		break;
	}
	remember(a);
	return strcmp(before, a->id) != 0;
}
