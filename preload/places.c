/* SPDX-License-Identifier: MIT */
#include "preload/places.h"

#include <arpa/inet.h>
#include <string.h>

#include "preload/dial.h"
#include "preload/link.h"
#include "preload/names.h"
#include "preload/learned.h"
#include "preload/process.h"
#include "preload/own.h"
#include "preload/raw.h"
#include "preload/there.h"

static bool same_ip(const union flow_address *a, const union flow_address *b)
{
	sa_family_t fa, fb;
	const void *ia = address_ip(a, &fa), *ib = address_ip(b, &fb);

	return fa == fb && memcmp(ia, ib, fa == AF_INET6 ? 16 : 4) == 0;
}

static void set_port(union flow_address *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET6)
		a->in6.sin6_port = htons(port);
	else
		a->in.sin_port = htons(port);
}

static void append(struct places *p, const union flow_address *a, int only)
{
	if (p->n == PLACES_MAX)
		return;
	p->at[p->n] = *a;
	p->translated[p->n] = false;
	p->only[p->n] = only;
	if (!address_port(a) && p->n)
		set_port(&p->at[p->n], address_port(&p->at[0]));
	p->n++;
}

void places_add(struct places *p, const union flow_address *a)
{
	for (unsigned i = 0; i < p->n; i++)
		if (!p->only[i] && same_ip(&p->at[i], a))
			return;
	append(p, a, 0);
}

void places_add_there(struct places *p, const union flow_address *a, int ifindex)
{
	append(p, a, ifindex);
}

static bool translate(const union flow_address *a, const struct nat64_prefix *prefix,
                      union flow_address *out)
{
	sa_family_t family;
	const void *ip = address_ip(a, &family);

	memset(out, 0, sizeof(*out));
	if (family != AF_INET || !prefix || !nat64_embed(prefix, ip, out->in6.sin6_addr.s6_addr))
		return false;
	out->in6.sin6_family = AF_INET6;
	out->in6.sin6_port = htons(address_port(a));
	return true;
}

/* The first `had` places as the prefix's translator reaches them. */
static void translate_all(struct places *p, unsigned had, const struct nat64_prefix *prefix)
{
	for (unsigned i = 0; i < had; i++) {
		union flow_address a;
		unsigned n = p->n;

		if (p->only[i] || !translate(&p->at[i], prefix, &a))
			continue;
		places_add(p, &a);
		if (p->n > n)
			p->translated[n] = true;
	}
}

void places_translate(struct places *p)
{
	const struct nat64_prefix *prefix;
	struct nat64_prefix learned;
	unsigned had = p->n;
	int ifindex;

	for (unsigned k = 0; pol_nat64_at(process_policy(), k, &prefix); k++)
		translate_all(p, had, prefix);
	for (unsigned k = 0; learned_nat64(k, &ifindex, &learned); k++)
		translate_all(p, had, &learned);
}

/* Is the address what a translator behind the interface makes of one of the first places? */
static bool translated_by(const struct places *p, const union flow_address *address,
                          const struct nat64_prefix *prefix)
{
	for (unsigned k = 0; k < p->n && !p->translated[k]; k++) {
		union flow_address a;

		if (translate(&p->at[k], prefix, &a) && same_ip(&a, address))
			return true;
	}
	return false;
}

bool places_leads(const struct places *p, unsigned i, const struct mif_path *path)
{
	struct nat64_prefix learned;
	int ifindex;

	if (p->only[i])
		return p->only[i] == path->ifindex;
	for (unsigned k = 0; k < p->n; k++)
		if (p->only[k] == path->ifindex)
			return false;
	if (!p->translated[i])
		return true;
	if (translated_by(p, &p->at[i],
	                  pol_nat64(process_policy(), path->name, mif_kind_name(path->kind))))
		return true;
	for (unsigned k = 0; learned_nat64(k, &ifindex, &learned); k++)
		if (ifindex == path->ifindex && translated_by(p, &p->at[i], &learned))
			return true;
	return false;
}

/* TCP alone: a datagram socket keeps the family it has. */
static void add_named(const struct flow *f, struct places *p)
{
	union flow_address other[PLACES_MAX];
	sa_family_t family;
	const void *ip = address_ip(&f->peer, &family);
	char name[NAME_MAX_LEN + 1];

	if (!names_find(family, ip, name))
		return;
	unsigned n = names_addresses(name, other, PLACES_MAX);

	for (unsigned i = 0; i < n; i++) {
		struct pol_peer peer = {
		    .port = address_port(&f->peer), .protocol = IPPROTO_TCP, .host = name};

		process_describe(&peer);
		ip = address_ip(&other[i], &family);
		peer.family = family;
		memcpy(peer.ip, ip, family == AF_INET6 ? 16 : 4);
		if (pol_match(process_policy(), &peer) == f->rule)
			places_add(p, &other[i]);
	}
}

void places_of(const struct flow *f, struct places *p)
{
	p->n = 0;
	if (f->kind != FLOW_SESSION) {
		places_add(p, &f->peer);
		there_places(f, p);
		if (f->kind != FLOW_UDP)
			add_named(f, p);
		if (f->kind != FLOW_UDP)
			places_translate(p);
		return;
	}
	link_places(f->link, p);
	for (unsigned i = 0; i < f->ses.relays; i++) {
		union flow_address a = address_of(&f->ses.relay[i]);

		places_add(p, &a);
	}
	places_translate(p);
}

bool places_pick(const struct places *p, const struct mif_path *path, unsigned round,
                 union flow_address *to)
{
	sa_family_t family;

	for (unsigned i = 0; i < p->n; i++) {
		address_ip(&p->at[i], &family);
		if (family != path->source.family || !places_leads(p, i, path) || round--)
			continue;
		*to = p->at[i];
		return true;
	}
	return false;
}

void places_dress(union flow_address *a, sa_family_t family)
{
	union flow_address v4 = *a;

	if (family != AF_INET6 || a->sa.sa_family != AF_INET)
		return;
	memset(a, 0, sizeof(*a));
	a->in6.sin6_family = AF_INET6;
	a->in6.sin6_port = v4.in.sin_port;
	a->in6.sin6_addr.s6_addr[10] = a->in6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&a->in6.sin6_addr.s6_addr[12], &v4.in.sin_addr, 4);
}

/* The source address the host's routing gives to this peer. */
static bool routed_source(const union flow_address *peer, union flow_address *source)
{
	socklen_t len = sizeof(*source);
	int fd = own_socket(peer->sa.sa_family, SOCK_DGRAM, 0);
	bool is = fd >= 0 && raw_connect(fd, &peer->sa, address_len(peer)) == 0 &&
	          raw_getsockname(fd, &source->sa, &len) == 0;

	own_close(fd);
	return is;
}

union flow_address places_shown(const union flow_address *own, const union flow_address *peer)
{
	union flow_address a = *own;

	places_dress(&a, peer->sa.sa_family);
	if (a.sa.sa_family == peer->sa.sa_family)
		return a;
	memset(&a, 0, sizeof(a));
	if (!routed_source(peer, &a)) {
		a.in.sin_family = AF_INET;
		a.in.sin_addr.s_addr = htonl(0xc0000001);
	}
	set_port(&a, address_port(own));
	return a;
}
