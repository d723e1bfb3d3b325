/* SPDX-License-Identifier: MIT */
#include "monitor/paths.h"

#include <linux/if_addr.h>
#include <stdlib.h>
#include <string.h>

static bool covers(const struct route_key *r, sa_family_t family, const uint8_t *ip)
{
	unsigned bytes = r->dst_len / 8, bits = r->dst_len % 8;

	if (r->family != family || memcmp(r->dst, ip, bytes) != 0)
		return false;
	return !bits || (r->dst[bytes] ^ ip[bytes]) >> (8 - bits) == 0;
}

static bool link_local(const struct mif_address *a)
{
	return a->family == AF_INET6 ? a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80
				     : a->ip[0] == 169 && a->ip[1] == 254;
}

/* How good an address is as a source; < 0: not at all. */
static int quality(const struct mif_address *a)
{
	if (a->flags & IFA_F_DADFAILED)
		return -1;
	if (a->flags & IFA_F_TENTATIVE && !(a->flags & IFA_F_OPTIMISTIC))
		return -1;
	if (link_local(a))
		return -1;
	if (a->flags & IFA_F_DEPRECATED)
		return 1;
	if (a->flags & (IFA_F_OPTIMISTIC | IFA_F_SECONDARY))
		return 2;
	return 3;
}

static unsigned common_prefix(const uint8_t *a, const uint8_t *b, unsigned bytes)
{
	unsigned n = 0;

	while (n < bytes * 8 && !((a[n / 8] ^ b[n / 8]) >> (7 - n % 8) & 1))
		n++;
	return n;
}

static const struct mif_address *best_source(const struct link *l, sa_family_t family,
					     const uint8_t *peer)
{
	const struct mif_address *best = NULL;

	for (const struct address *a = l->addresses; a; a = a->next) {
		unsigned bytes = family == AF_INET6 ? 16 : 4;

		if (a->a.family != family || quality(&a->a) < 0)
			continue;
		if (!best || quality(&a->a) > quality(best) ||
		    (quality(&a->a) == quality(best) &&
		     common_prefix(a->a.ip, peer, bytes) > common_prefix(best->ip, peer, bytes)))
			best = &a->a;
	}
	return best;
}

static int order(const void *a, const void *b)
{
	const struct mif_path *x = a, *y = b;

	if (x->metric != y->metric)
		return x->metric < y->metric ? -1 : 1;
	return x->ifindex - y->ifindex;
}

int table_paths(const struct table *t, const struct sockaddr *peer, struct mif_path *out, int max)
{
	struct link *l, *next;
	uint8_t ip[16] = {0};
	int n = 0;

	if (peer->sa_family == AF_INET)
		memcpy(ip, &((const struct sockaddr_in *)peer)->sin_addr, 4);
	else if (peer->sa_family == AF_INET6)
		memcpy(ip, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
	else
		return 0;
	HASH_ITER(hh, t->links, l, next) {
		const struct mif_address *source;
		const struct route *r, *best = NULL;

		if (!l->usable || n == max || !(source = best_source(l, peer->sa_family, ip)))
			continue;
		for (r = t->routes; r; r = r->hh.next)
			if (r->key.ifindex == l->ifindex && covers(&r->key, peer->sa_family, ip) &&
			    (!best || r->key.dst_len > best->key.dst_len ||
			     (r->key.dst_len == best->key.dst_len &&
			      r->key.metric < best->key.metric)))
				best = r;
		if (!best)
			continue;
		struct mif_path *p = &out[n++];

		memset(p, 0, sizeof(*p));
		p->ifindex = l->ifindex;
		memcpy(p->name, l->name, sizeof(p->name));
		p->kind = l->kind;
		p->source = *source;
		p->metric = best->key.metric;
	}
	qsort(out, (size_t)n, sizeof(*out), order);
	return n;
}

static const struct address *find(const struct table *t, sa_family_t family, const void *ip,
				  const struct link **on)
{
	struct link *l, *next;
	size_t len = family == AF_INET6 ? 16 : 4;

	HASH_ITER(hh, t->links, l, next) {
		for (const struct address *a = l->addresses; a; a = a->next)
			if (a->a.family == family && memcmp(a->a.ip, ip, len) == 0) {
				*on = l;
				return a;
			}
	}
	return NULL;
}

int table_interface_of(const struct table *t, sa_family_t family, const void *ip)
{
	const struct link *l;

	return find(t, family, ip, &l) ? l->ifindex : 0;
}

bool table_address_usable(const struct table *t, sa_family_t family, const void *ip)
{
	const struct link *l;
	const struct address *a = find(t, family, ip, &l);

	return a && l->usable && !(a->a.flags & IFA_F_DADFAILED);
}
