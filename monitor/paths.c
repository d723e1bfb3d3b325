/* SPDX-License-Identifier: MIT */
#include "monitor/paths.h"

#include <linux/if_addr.h>
#include <string.h>

#define COVERS 64 /* interfaces with a route to one peer */

struct peer {
	uint8_t family;
	uint8_t ip[16];
	int scope; /* interface a link-local address belongs to; 0: any */
};

/* The routes of one interface that cover the peer. */
struct cover {
	int ifindex;
	uint32_t metric; /* the lowest */
	const struct if_route
	    *longest; /* the one the kernel would take, and its metric decides among equals */
};

/* --- addresses --- */

enum scope { SCOPE_GLOBAL, SCOPE_UNIQUE_LOCAL, SCOPE_LINK };

static enum scope scope_of(uint8_t family, const uint8_t *ip)
{
	if (family == AF_INET)
		return ip[0] == 169 && ip[1] == 254 ? SCOPE_LINK : SCOPE_GLOBAL;
	if (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80)
		return SCOPE_LINK;
	return (ip[0] & 0xfe) == 0xfc ? SCOPE_UNIQUE_LOCAL : SCOPE_GLOBAL;
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	if (memcmp(a, b, bytes) != 0)
		return false;
	return !rest || ((a[bytes] ^ b[bytes]) >> (8 - rest)) == 0;
}

static bool zero(const uint8_t *p, size_t n)
{
	while (n--)
		if (p[n])
			return false;
	return true;
}

/* False for what no interface leads to: nothing, loopback, groups, broadcast. */
static bool read_peer(const struct sockaddr *sa, struct peer *p)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	memset(p, 0, sizeof(*p));
	p->family = (uint8_t)sa->sa_family;
	if (sa->sa_family == AF_INET) {
		memcpy(p->ip, &((const struct sockaddr_in *)sa)->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

		memcpy(p->ip, &in6->sin6_addr, 16);
		p->scope = (int)in6->sin6_scope_id;
		if (memcmp(p->ip, mapped, sizeof(mapped)) == 0) {
			memmove(p->ip, p->ip + 12, 4);
			memset(p->ip + 4, 0, 12);
			p->family = AF_INET;
			p->scope = 0;
		}
	} else {
		return false;
	}
	if (p->family == AF_INET)
		return p->ip[0] != 0 && p->ip[0] != 127 && p->ip[0] < 224;
	if (scope_of(AF_INET6, p->ip) == SCOPE_LINK)
		return p->scope > 0; /* without its interface such an address means nothing */
	p->scope = 0;
	return p->ip[0] != 0xff && !(zero(p->ip, 15) && p->ip[15] <= 1);
}

static int score(const struct if_address *a, const struct cover *c, const struct peer *p)
{
	const struct if_route *r = c->longest;
	enum scope mine = scope_of(a->key.family, a->key.ip), theirs = scope_of(p->family, p->ip);
	bool v6 = a->key.family == AF_INET6;
	int n = 1;

	if (mine == SCOPE_LINK && theirs != SCOPE_LINK)
		return 0;
	if (!(a->flags & IFA_F_DEPRECATED))
		n += 128;
	if (r->has_source && memcmp(r->source, a->key.ip, 16) == 0)
		n += 64;
	if (mine == theirs)
		n += 32;
	if (same_prefix(a->key.ip, zero(r->key.gateway, 16) ? p->ip : r->key.gateway,
	                a->key.prefix_len) ||
	    same_prefix(a->key.ip, p->ip, a->key.prefix_len))
		n += 16;
	/* One bit with two meanings: a second IPv4 address of a subnet, an IPv6 privacy address. */
	if (v6 ? !(a->flags & IFA_F_OPTIMISTIC) : !(a->flags & IFA_F_SECONDARY))
		n += 8;
	if (v6 && (a->flags & IFA_F_TEMPORARY))
		n += 4;
	return n;
}

static const struct if_address *best_source(const struct iftable *t, const struct cover *c,
                                            const struct peer *p)
{
	const struct if_address *a, *best = NULL;
	int most = 0;

	for (a = iftable_addresses(t, c->ifindex); a; a = a->next) {
		int n;

		if (a->key.family != p->family || !iftable_address_valid(a))
			continue;
		n = score(a, c, p);
		if (n > most) {
			most = n;
			best = a;
		}
	}
	return best;
}

bool paths_router(const struct iftable *t, int ifindex, sa_family_t family, const uint8_t *ip)
{
	for (const struct if_route *r = iftable_routes(t, ifindex); r; r = r->next)
		if (!r->mark.gone && r->key.family == family && r->key.prefix_len == 0 &&
		    memcmp(r->key.gateway, ip, 16) == 0)
			return true;
	return false;
}

int paths_owner(const struct iftable *t, sa_family_t family, const void *ip, bool usable)
{
	const struct if_address *a;
	uint8_t key[16] = {0};

	if (family != AF_INET && family != AF_INET6)
		return 0;
	memcpy(key, ip, family == AF_INET ? 4 : 16);
	for (a = t->addresses; a; a = a->hh.next) {
		const struct if_link *l;

		if (a->mark.gone || a->key.family != family || memcmp(a->key.ip, key, 16) != 0)
			continue;
		if (!usable)
			return a->key.ifindex;
		l = iftable_link(t, a->key.ifindex);
		if (l && iftable_link_usable(l) && iftable_address_valid(a))
			return a->key.ifindex;
	}
	return 0;
}

bool paths_home(const struct iftable *t, sa_family_t family, const void *ip)
{
	for (const struct if_address *a = family == AF_INET6 ? t->addresses : NULL; a;
	     a = a->hh.next)
		if (!a->mark.gone && a->flags & IFA_F_HOMEADDRESS && a->key.family == family &&
		    memcmp(a->key.ip, ip, 16) == 0)
			return true;
	return false;
}

bool paths_usable(const struct iftable *t, sa_family_t family, const void *ip, int ifindex)
{
	const struct if_link *l = iftable_link(t, ifindex);
	const struct if_address *a;
	bool usable = false, has = false;
	uint8_t key[16] = {0};

	if (family != AF_INET && family != AF_INET6)
		return false;
	memcpy(key, ip, family == AF_INET ? 4 : 16);
	/* The same address may stand there twice, with two prefixes. */
	for (a = l ? iftable_addresses(t, ifindex) : NULL; a; a = a->next) {
		if (a->mark.gone || a->key.family != family || memcmp(a->key.ip, key, 16) != 0)
			continue;
		has = true;
		usable = usable || (iftable_link_usable(l) && iftable_address_valid(a));
	}
	return has ? usable : paths_owner(t, family, ip, true) != 0;
}

/* --- routes --- */

static bool longer(const struct if_route *a, const struct if_route *b)
{
	if (!b || a->key.prefix_len != b->key.prefix_len)
		return !b || a->key.prefix_len > b->key.prefix_len;
	return a->key.metric < b->key.metric;
}

static bool leads_out(const struct iftable *t, int ifindex)
{
	const struct if_link *l = iftable_link(t, ifindex);

	return l && l->kind != MIF_LOOPBACK && iftable_link_usable(l);
}

static struct cover *cover_for(struct cover covers[COVERS], int *n, int ifindex)
{
	for (int i = 0; i < *n; i++)
		if (covers[i].ifindex == ifindex)
			return &covers[i];
	if (*n == COVERS)
		return NULL;
	covers[*n] = (struct cover){ifindex, UINT32_MAX, NULL};
	return &covers[(*n)++];
}

/* `only` 0: of all interfaces */
static int find_covers(const struct iftable *t, const struct peer *p, int only,
                       struct cover covers[COVERS])
{
	const struct if_route *r, *reject = NULL;
	int n = 0, kept = 0;

	for (r = t->routes; r; r = r->hh.next) {
		struct cover *c;

		if (r->mark.gone || r->key.family != p->family ||
		    !same_prefix(r->key.destination, p->ip, r->key.prefix_len))
			continue;
		if (!r->key.ifindex) {
			if (longer(r, reject))
				reject = r;
			continue;
		}
		if ((p->scope && r->key.ifindex != p->scope) || (only && r->key.ifindex != only) ||
		    !leads_out(t, r->key.ifindex))
			continue;
		c = cover_for(covers, &n, r->key.ifindex);
		if (!c)
			continue;
		if (r->key.metric < c->metric)
			c->metric = r->key.metric;
		if (longer(r, c->longest))
			c->longest = r;
	}
	/* A host that rejects a destination rejects it on every interface whose route is less
	 * specific. */
	for (int i = 0; i < n; i++)
		if (!reject || longer(covers[i].longest, reject))
			covers[kept++] = covers[i];
	return kept;
}

static bool before(const struct cover *a, const struct cover *b)
{
	return a->metric != b->metric ? a->metric < b->metric : a->ifindex < b->ifindex;
}

int paths_to(const struct iftable *t, const struct sockaddr *sa, struct mif_path *out, int max)
{
	struct cover covers[COVERS];
	struct peer p;
	int n, written = 0;

	if (!read_peer(sa, &p) || paths_owner(t, p.family, p.ip, false))
		return 0;
	n = find_covers(t, &p, 0, covers);
	for (int i = 1; i < n; i++)
		for (int k = i; k > 0 && before(&covers[k], &covers[k - 1]); k--) {
			struct cover c = covers[k];

			covers[k] = covers[k - 1];
			covers[k - 1] = c;
		}
	for (int i = 0; i < n && written < max; i++) {
		const struct if_address *a = best_source(t, &covers[i], &p);
		const struct if_link *l = iftable_link(t, covers[i].ifindex);
		struct mif_path *path = &out[written];

		if (!a || !l)
			continue;
		memset(path, 0, sizeof(*path));
		path->ifindex = l->ifindex;
		memcpy(path->name, l->name, sizeof(path->name));
		path->kind = l->kind;
		path->metric = covers[i].metric;
		path->source.family = a->key.family;
		path->source.prefix_len = a->key.prefix_len;
		memcpy(path->source.ip, a->key.ip, sizeof(path->source.ip));
		path->source.flags = a->flags;
		path->source.valid_s = a->valid_s;
		path->source.preferred_s = a->preferred_s;
		written++;
	}
	return written;
}

int paths_sources(const struct iftable *t, int ifindex, const struct sockaddr *sa,
                  const struct if_address **out, int max)
{
	struct cover covers[COVERS];
	struct peer p;
	int n = 0;

	if (!read_peer(sa, &p) || paths_owner(t, p.family, p.ip, false) ||
	    find_covers(t, &p, ifindex, covers) != 1)
		return 0;
	for (const struct if_address *a = iftable_addresses(t, ifindex); a; a = a->next) {
		int points, at;

		if (a->key.family != p.family || !iftable_address_valid(a))
			continue;
		points = score(a, &covers[0], &p);
		if (!points || (n == max && points <= score(out[n - 1], &covers[0], &p)))
			continue;
		if (n < max)
			n++;
		for (at = n - 1; at > 0 && score(out[at - 1], &covers[0], &p) < points; at--)
			out[at] = out[at - 1];
		out[at] = a;
	}
	return n;
}
