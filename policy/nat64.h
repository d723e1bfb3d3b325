/* SPDX-License-Identifier: MIT */
/* IPv4 addresses inside IPv6 ones, as a NAT64 translates them (RFC 6052). Pure. */
#ifndef POLICY_NAT64_H
#define POLICY_NAT64_H

#include <stdbool.h>
#include <stdint.h>

/* `bits` is 32, 40, 48, 56, 64 or 96, the only ones there are; 0: no prefix. */
struct nat64_prefix {
	uint8_t ip[16];
	uint8_t bits;
};

/* "64:ff9b::/96". False: not a prefix of such a length, or one with bits behind its length. */
bool nat64_parse(const char *text, struct nat64_prefix *p);

/*
 * The IPv6 address by which the prefix's translator reaches the IPv4 address (both in network
 * order). False: no prefix, or the well-known prefix and an address that is not a public one, which
 * no translator takes (RFC 6052, 3.1).
 */
bool nat64_embed(const struct nat64_prefix *p, const uint8_t v4[4], uint8_t out[16]);

#endif
