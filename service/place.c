/* SPDX-License-Identifier: MIT */
#include "service/place.h"

#include <linux/if_addr.h>
#include <netinet/in.h>
#include <string.h>

static bool find_domain(const struct domains *d, int ifindex, const char *name, struct domain *out)
{
	struct domain of[DOMAINS_OF_INTERFACE];
	unsigned n = domains_of(d, ifindex, of);

	for (unsigned i = 0; i < n; i++)
		if (*name ? !of[i].implicit && strcmp(of[i].id, name) == 0 : of[i].implicit) {
			*out = of[i];
			return true;
		}
	return false;
}

static int rank(const struct if_address *a)
{
	int r = a->key.family == AF_INET6 ? 8 : 0;

	if (!(a->flags & IFA_F_DEPRECATED))
		r += 4;
	/* What one address is seen to do tells nothing of the others. */
	if (a->key.family == AF_INET6 && (a->flags & IFA_F_TEMPORARY))
		r += 1;
	return r;
}

static bool link_local(const struct if_address *a)
{
	return a->key.family == AF_INET6 ? a->key.ip[0] == 0xfe && (a->key.ip[1] & 0xc0) == 0x80
	                                 : a->key.ip[0] == 169 && a->key.ip[1] == 254;
}

/* Of the family that the best address has. */
static void servers(const struct domain *dom, struct fetch_how *how)
{
	const struct pvd_item *items[PVD_ITEMS];
	unsigned n = pvd_items(dom->known, PVD_SOURCES, PVD_DNS_SERVER, items);

	how->servers = 0;
	for (unsigned i = 0; i < n && how->servers < FETCH_SERVERS; i++) {
		struct fetch_address *to = &how->server[how->servers];

		if (items[i]->family != how->source.family)
			continue;
		to->family = items[i]->family;
		memcpy(to->ip, items[i]->ip, sizeof(to->ip));
		how->servers++;
	}
}

bool place_find(const struct iftable *t, const struct domains *d, int ifindex, const char *name,
                struct fetch_how *how)
{
	const struct if_link *l = iftable_link(t, ifindex);
	struct domain dom;
	int best = -1;

	if (!l || !iftable_link_usable(l) || !find_domain(d, ifindex, name, &dom))
		return false;
	memset(how, 0, sizeof(*how));
	memcpy(how->interface, l->name, sizeof(how->interface));
	for (const struct if_address *a = t->addresses; a; a = a->hh.next) {
		struct fetch_how try = *how;

		if (a->key.ifindex != ifindex || !iftable_address_valid(a) || link_local(a) ||
		    rank(a) <= best || !domains_has(d, &dom, a))
			continue;
		try.source.family = a->key.family;
		memcpy(try.source.ip, a->key.ip, sizeof(try.source.ip));
		servers(&dom, &try);
		if (!try.servers)
			continue;
		*how = try;
		best = rank(a);
	}
	return best >= 0;
}
