/* SPDX-License-Identifier: MIT */
#include "policy/nat64.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t well_known[12] = {0x00, 0x64, 0xff, 0x9b};

bool nat64_parse(const char *text, struct nat64_prefix *p)
{
	static const char *const lengths[] = {"32", "40", "48", "56", "64", "96"};
	static const uint8_t bits[] = {32, 40, 48, 56, 64, 96};
	const char *slash = strchr(text, '/');
	struct nat64_prefix q = {.bits = 0};
	char ip[INET6_ADDRSTRLEN];

	if (!slash || (size_t)(slash - text) >= sizeof(ip))
		return false;
	snprintf(ip, sizeof(ip), "%.*s", (int)(slash - text), text);
	for (int i = 0; i < 6; i++)
		if (strcmp(slash + 1, lengths[i]) == 0)
			q.bits = bits[i];
	if (!q.bits || inet_pton(AF_INET6, ip, q.ip) != 1)
		return false;
	for (int i = q.bits / 8; i < 16; i++)
		if (q.ip[i])
			return false;
	/* Bits 64 to 71 are zero in every such address, inside a prefix, too. */
	if (q.ip[8])
		return false;
	*p = q;
	return true;
}

/* RFC 6890: what is not to be met on the Internet. */
static bool is_public(const uint8_t a[4])
{
	return a[0] != 0 && a[0] != 10 && a[0] != 127 && a[0] < 224 &&
	       !(a[0] == 100 && (a[1] & 0xc0) == 64) && !(a[0] == 169 && a[1] == 254) &&
	       !(a[0] == 172 && (a[1] & 0xf0) == 16) && !(a[0] == 192 && a[1] == 168);
}

bool nat64_embed(const struct nat64_prefix *p, const uint8_t v4[4], uint8_t out[16])
{
	int at = p->bits / 8;

	if (!p->bits ||
	    (p->bits == 96 && memcmp(p->ip, well_known, sizeof(well_known)) == 0 && !is_public(v4)))
		return false;
	memcpy(out, p->ip, 16);
	for (int i = 0; i < 4; i++) {
		/* The ninth byte is left out. */
		if (at == 8)
			at++;
		out[at++] = v4[i];
	}
	return true;
}
