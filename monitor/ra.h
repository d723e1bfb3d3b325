/* SPDX-License-Identifier: MIT */
/*
 * Router advertisements (RFC 4861) and what of them configures a provisioning domain: prefixes,
 * routes (4191), name servers and suffixes (8106), the captive portal's URI (8910), the NAT64
 * prefix (8781), and the option that gives the domain a name (8801). Pure: a function over a
 * buffer, nothing in which is trusted. Whether the sender may be listened to (hop limit 255,
 * link-local source) is for the caller to see to.
 */
#ifndef MONITOR_RA_H
#define MONITOR_RA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RA_ELEMENTS 64 /* of one advertisement; more are left out */
#define RA_TEXT 256
#define RA_FOREVER UINT32_MAX

enum ra_kind {
	RA_PREFIX,     /* ip, prefix_len, flags, both lifetimes */
	RA_ROUTE,      /* ip, prefix_len, preference */
	RA_MTU,        /* mtu; has no lifetime of its own: RA_FOREVER */
	RA_DNS_SERVER, /* ip */
	RA_DNS_SUFFIX, /* text: a name without the last dot, in lower case */
	RA_PORTAL,     /* text: the URI of the captive portal's API; RA_FOREVER as well */
	RA_PREF64,     /* ip, prefix_len: 96, 64, 56, 48, 40 or 32 */
};

#define RA_ON_LINK 1    /* flags of a prefix */
#define RA_AUTONOMOUS 2 /* addresses may be made of it */

struct ra_element {
	enum ra_kind kind;
	uint8_t prefix_len, flags;
	int8_t preference; /* -1, 0 or 1 */
	uint8_t ip[16];
	uint32_t valid_s, preferred_s; /* 0: no longer so; RA_FOREVER: no end */
	uint32_t mtu;
	char text[RA_TEXT];
};

/* The name of the domain; everything else in the advertisement is of that domain then. */
struct ra_pvd {
	char
	    id[RA_TEXT]; /* in lower case, without the last dot; "": the advertisement names none */
	bool http;       /* there is more about it under https://ID/.well-known/pvd */
	bool legacy;     /* DHCPv4's answers are of this domain, too */
	uint8_t delay;   /* before it is fetched: at most 2^(10 + delay) ms */
	uint16_t sequence;
};

struct ra {
	uint16_t router_s; /* lifetime as a default router; 0: is none */
	int8_t preference;
	bool managed, other; /* DHCPv6 has addresses; has the rest */
	struct ra_pvd pvd;
	unsigned count;
	bool more; /* some found no room */
	struct ra_element element[RA_ELEMENTS];
};

/*
 * A whole ICMPv6 message. -EBADMSG: no advertisement, or one that RFC 4861 wants thrown away whole.
 * Options that are wrong in themselves, or unknown, are passed over.
 */
int ra_parse(const void *icmp, size_t len, struct ra *out);

/* Options alone, as the kernel passes them on; all the rest of `out` is zero. */
int ra_parse_options(const void *options, size_t len, struct ra *out);

#endif
