/* SPDX-License-Identifier: MIT */
#include "monitor/ra_items.h"

#include <string.h>

static int64_t end(uint32_t seconds, int64_t now)
{
	return seconds == RA_FOREVER ? PVD_FOREVER : now + seconds * INT64_C(1000);
}

static enum pvd_info info(enum ra_kind k)
{
	static const enum pvd_info infos[] = {
	    [RA_PREFIX] = PVD_PREFIX,
	    [RA_ROUTE] = PVD_ROUTE,
	    [RA_MTU] = PVD_MTU,
	    [RA_DNS_SERVER] = PVD_DNS_SERVER,
	    [RA_DNS_SUFFIX] = PVD_SEARCH_DOMAIN,
	    [RA_PORTAL] = PVD_CAPTIVE_PORTAL,
	    [RA_PREF64] = PVD_NAT64_PREFIX,
	};

	return infos[k];
}

static struct pvd_item *add(struct pvd_item *out, enum pvd_info what, const uint8_t router[16],
                            int64_t until)
{
	memset(out, 0, sizeof(*out));
	out->info = what;
	out->until = until;
	memcpy(out->origin, router, sizeof(out->origin));
	return out;
}

unsigned ra_items(const struct ra *ra, const uint8_t router[16], int64_t now, struct pvd_item *out,
                  unsigned max)
{
	unsigned n = 0;

	for (; n < ra->count && n < max; n++) {
		const struct ra_element *e = &ra->element[n];
		struct pvd_item *i = add(&out[n], info(e->kind), router, end(e->valid_s, now));

		i->number = e->mtu;
		memcpy(i->text, e->text, sizeof(i->text));
		if (e->kind == RA_MTU || e->kind == RA_DNS_SUFFIX || e->kind == RA_PORTAL)
			continue;
		i->family = AF_INET6;
		/* A server is an address, nothing in front of one. */
		i->prefix_len = e->kind == RA_DNS_SERVER ? 0 : e->prefix_len;
		memcpy(i->ip, e->ip, sizeof(i->ip));
	}
	return n;
}

static bool lasting(enum pvd_info i)
{
	return i == PVD_MTU || i == PVD_CAPTIVE_PORTAL;
}

unsigned ra_advertised(const struct ra *ra, const uint8_t router[16], int64_t now,
                       struct pvd_item *out, unsigned max)
{
	unsigned n = ra_items(ra, router, now, out, max);
	int64_t last = end(ra->router_s, now);

	/* What has no lifetime of its own lasts as long as anything of the advertisement does. */
	for (unsigned i = 0; i < n; i++)
		if (!lasting(out[i].info) && out[i].until > last)
			last = out[i].until;
	for (unsigned i = 0; i < n; i++)
		if (lasting(out[i].info))
			out[i].until = last;
	if (n < max) {
		struct pvd_item *i = add(&out[n++], PVD_GATEWAY, router, end(ra->router_s, now));

		i->family = AF_INET6;
		memcpy(i->ip, router, sizeof(i->ip));
	}
	if (n < max && ra->pvd.id[0]) {
		struct pvd_item *i =
		    add(&out[n++], PVD_DHCPV4_BOUND, router, ra->pvd.legacy ? last : now);

		i->number = 1;
	}
	return n;
}
