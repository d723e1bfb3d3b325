/* SPDX-License-Identifier: MIT */
#include "monitor/ra.h"

#include <errno.h>
#include <string.h>

#include "common/bytes.h"

#define ADVERTISEMENT 134
#define HEADER 16

enum option {
	OPTION_PREFIX = 3,
	OPTION_MTU = 5,
	OPTION_PVD = 21,
	OPTION_ROUTE = 24,
	OPTION_RDNSS = 25,
	OPTION_DNSSL = 31,
	OPTION_PORTAL = 37,
	OPTION_PREF64 = 38,
};

/* For one element more, or NULL. */
static struct ra_element *add(struct ra *ra, enum ra_kind kind, uint32_t valid_s)
{
	struct ra_element *e;

	if (ra->count == RA_ELEMENTS) {
		ra->more = true;
		return NULL;
	}
	e = &ra->element[ra->count++];
	memset(e, 0, sizeof(*e));
	e->kind = kind;
	e->valid_s = e->preferred_s = valid_s;
	return e;
}

/* The first `bits` of an address of which `have` bytes are there; the rest is zero. */
static void prefix(struct ra_element *e, const uint8_t *ip, size_t have, uint8_t bits)
{
	size_t whole = bits / 8;

	e->prefix_len = bits;
	memcpy(e->ip, ip, have < sizeof(e->ip) ? have : sizeof(e->ip));
	if (whole < sizeof(e->ip)) {
		e->ip[whole] &= (uint8_t)(0xff00 >> bits % 8);
		memset(e->ip + whole + 1, 0, sizeof(e->ip) - whole - 1);
	}
}

static bool preference(uint8_t flags, int8_t *out)
{
	static const int8_t value[] = {0, 1, 2, -1};

	*out = value[flags >> 3 & 3];
	return *out != 2;
}

/* --- names --- */

static int letter(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 'a';
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ? c : -1;
}

/*
 * A name in the form of DNS messages, uncompressed; only such as host names are made of, for it
 * goes into logs and URLs. How many bytes it took; 0: it is no such thing.
 */
static size_t name(const uint8_t *p, size_t len, char out[RA_TEXT])
{
	size_t at = 0, n = 0;

	while (at < len && p[at]) {
		size_t label = p[at++];

		if (label > 63 || label >= len - at || n + (n > 0) + label > 253)
			return 0;
		if (n)
			out[n++] = '.';
		for (; label; label--, at++, n++) {
			int c = letter(p[at]);

			if (c < 0)
				return 0;
			out[n] = (char)c;
		}
	}
	out[n] = 0;
	return at < len && n ? at + 1 : 0;
}

/* --- options; `p` is at the option's own first byte, `len` is what it says it has --- */

static void prefix_information(struct ra *ra, const uint8_t *p, size_t len)
{
	uint32_t valid, preferred;
	struct ra_element *e;

	if (len != 32 || p[2] > 128)
		return;
	valid = get_be32(p + 4);
	preferred = get_be32(p + 8);
	/* Of link-local addresses, or contradicting itself. */
	if (preferred > valid || (p[16] == 0xfe && (p[17] & 0xc0) == 0x80))
		return;
	e = add(ra, RA_PREFIX, valid);
	if (!e)
		return;
	e->preferred_s = preferred;
	e->flags = (p[3] & 0x80 ? RA_ON_LINK : 0) | (p[3] & 0x40 ? RA_AUTONOMOUS : 0);
	prefix(e, p + 16, 16, p[2]);
}

static void route(struct ra *ra, const uint8_t *p, size_t len)
{
	struct ra_element *e;
	int8_t how;

	if (len > 24 || p[2] > 128 || len < 8 + (p[2] + 63u) / 64 * 8 || !preference(p[3], &how))
		return;
	e = add(ra, RA_ROUTE, get_be32(p + 4));
	if (!e)
		return;
	e->preference = how;
	prefix(e, p + 8, len - 8, p[2]);
}

static void mtu(struct ra *ra, const uint8_t *p, size_t len)
{
	struct ra_element *e;

	/* Less than IPv6 has to have is nonsense. */
	if (len != 8 || get_be32(p + 4) < 1280)
		return;
	e = add(ra, RA_MTU, RA_FOREVER);
	if (e)
		e->mtu = get_be32(p + 4);
}

static void servers(struct ra *ra, const uint8_t *p, size_t len)
{
	if (len < 24 || len % 16 != 8)
		return;
	for (size_t at = 8; at < len; at += 16) {
		struct ra_element *e;

		/* Neither unspecified nor multicast ones are asked. */
		if (p[at] == 0xff || !memcmp(p + at, (const uint8_t[16]){0}, 16))
			continue;
		e = add(ra, RA_DNS_SERVER, get_be32(p + 4));
		if (e)
			prefix(e, p + at, 16, 128);
	}
}

static void suffixes(struct ra *ra, const uint8_t *p, size_t len)
{
	char text[RA_TEXT];

	if (len < 16)
		return;
	for (size_t at = 8, n; at < len && p[at]; at += n) {
		struct ra_element *e;

		n = name(p + at, len - at, text);
		if (!n)
			return;
		e = add(ra, RA_DNS_SUFFIX, get_be32(p + 4));
		if (e)
			memcpy(e->text, text, sizeof(text));
	}
}

static void portal(struct ra *ra, const uint8_t *p, size_t len)
{
	size_t n = len - 2;
	struct ra_element *e;

	/* Filled up with zeros; for the rest a URI is of printable ASCII. */
	while (n && !p[2 + n - 1])
		n--;
	if (!n || n >= RA_TEXT)
		return;
	for (size_t i = 0; i < n; i++)
		if (p[2 + i] <= ' ' || p[2 + i] >= 0x7f)
			return;
	e = add(ra, RA_PORTAL, RA_FOREVER);
	if (e)
		memcpy(e->text, p + 2, n);
}

static void pref64(struct ra *ra, const uint8_t *p, size_t len)
{
	static const uint8_t bits[] = {96, 64, 56, 48, 40, 32};
	struct ra_element *e;
	unsigned plc;

	if (len != 16)
		return;
	plc = p[3] & 7;
	if (plc >= sizeof(bits))
		return;
	e = add(ra, RA_PREF64, get_be16(p + 2) & 0xfff8u); /* 13 bits, of eight seconds each */
	if (e)
		prefix(e, p + 4, 12, bits[plc]);
}

static bool options(struct ra *ra, const uint8_t *p, size_t len, bool inner);

static void header(struct ra *ra, const uint8_t *p)
{
	ra->managed = p[5] & 0x80;
	ra->other = p[5] & 0x40;
	ra->router_s = get_be16(p + 6);
	if (!preference(p[5], &ra->preference))
		ra->preference = 0;
}

/* False: what is in it would make an advertisement be thrown away. */
static bool domain(struct ra *ra, const uint8_t *p, size_t len)
{
	char id[RA_TEXT];
	size_t at = 6, n;
	bool inner_header;

	/* The first one counts, and only that. */
	if (ra->pvd.id[0])
		return true;
	n = len > at ? name(p + at, len - at, id) : 0;
	if (!n)
		return true;
	at = (at + n + 7) & ~(size_t)7;
	inner_header = p[2] & 0x20;
	if (inner_header && (at > len || len - at < HEADER))
		return true;
	memcpy(ra->pvd.id, id, strlen(id) + 1);
	ra->pvd.http = p[2] & 0x80;
	ra->pvd.legacy = p[2] & 0x40;
	ra->pvd.delay = p[3] & 15;
	ra->pvd.sequence = get_be16(p + 4);
	if (inner_header) {
		header(ra, p + at);
		at += HEADER;
	}
	return at >= len || options(ra, p + at, len - at, true);
}

static bool options(struct ra *ra, const uint8_t *p, size_t len, bool inner)
{
	while (len) {
		size_t n = len >= 2 ? p[1] * 8u : 0;

		if (!n || n > len)
			return false;
		switch (p[0]) {
		case OPTION_PREFIX:
			prefix_information(ra, p, n);
			break;
		case OPTION_MTU:
			mtu(ra, p, n);
			break;
		case OPTION_PVD:
			if (!inner && !domain(ra, p, n))
				return false;
			break;
		case OPTION_ROUTE:
			route(ra, p, n);
			break;
		case OPTION_RDNSS:
			servers(ra, p, n);
			break;
		case OPTION_DNSSL:
			suffixes(ra, p, n);
			break;
		case OPTION_PORTAL:
			portal(ra, p, n);
			break;
		case OPTION_PREF64:
			pref64(ra, p, n);
			break;
		}
		p += n;
		len -= n;
	}
	return true;
}

int ra_parse_options(const void *p, size_t len, struct ra *out)
{
	memset(out, 0, offsetof(struct ra, element));
	return options(out, p, len, false) ? 0 : -EBADMSG;
}

int ra_parse(const void *icmp, size_t len, struct ra *out)
{
	const uint8_t *p = icmp;

	memset(out, 0, offsetof(struct ra, element));
	if (len < HEADER || p[0] != ADVERTISEMENT || p[1] != 0)
		return -EBADMSG;
	/* First the outer header: the one within the domain's option is to override it. */
	header(out, p);
	return options(out, p + HEADER, len - HEADER, false) ? 0 : -EBADMSG;
}
