/* SPDX-License-Identifier: MIT */
#include "policy/reply.h"

#include <string.h>
#include <strings.h>

#define LINE_LEAST 12 /* HTTP/1.1 204 */

/* -1: not HTTP/1. */
static int status_of(const char *text)
{
	int n = 0;

	if (memcmp(text, "HTTP/1.", 7) != 0 || text[8] != ' ')
		return -1;
	for (int i = 9; i < 12; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		n = n * 10 + (text[i] - '0');
	}
	return n;
}

/* Behind the empty line; NULL: not there yet. */
static const char *body_of(const char *text, size_t len)
{
	const char *end = memmem(text, len, "\r\n\r\n", 4);

	return end ? end + 4 : NULL;
}

/* Does a header line say that there is no body? */
static bool says_empty(const char *text, const char *body)
{
	static const char name[] = "\r\nContent-Length:";
	size_t n = sizeof(name) - 1;

	for (const char *p = text; (size_t)(body - p) > n; p++) {
		if (strncasecmp(p, name, n) != 0)
			continue;
		for (p += n; *p == ' ' || *p == '\t'; p++)
			;
		return *p == '0' && (p[1] == '\r' || p[1] == ' ');
	}
	return false;
}

static enum pol_connectivity body_says(const char *text, size_t len, bool end, const char *expect)
{
	const char *body = body_of(text, len);
	size_t want = expect ? strlen(expect) : 0, have = body ? (size_t)(text + len - body) : 0;

	end = end || len >= REPLY_MAX;
	if (!body)
		return end ? POL_NET_PORTAL : POL_NET_UNKNOWN;
	if (!expect) {
		if (says_empty(text, body))
			return POL_NET_FULL;
		if (have)
			return POL_NET_PORTAL;
		return end ? POL_NET_FULL : POL_NET_UNKNOWN;
	}
	if (memcmp(body, expect, have < want ? have : want) != 0)
		return POL_NET_PORTAL;
	if (have >= want)
		return POL_NET_FULL;
	return end ? POL_NET_PORTAL : POL_NET_UNKNOWN;
}

enum pol_connectivity reply_says(const char *text, size_t len, bool end, const char *expect)
{
	int status;

	if (len < LINE_LEAST) {
		if (memcmp(text, "HTTP/1.", len < 7 ? len : 7) != 0)
			return POL_NET_PORTAL;
		return end ? POL_NET_LIMITED : POL_NET_UNKNOWN;
	}
	status = status_of(text);
	if (status == 204 && !expect)
		return POL_NET_FULL;
	if (status == 200)
		return body_says(text, len, end, expect);
	/* 511: RFC 6585, by portals that say so. */
	return status < 400 || status == 511 ? POL_NET_PORTAL : POL_NET_LIMITED;
}

const char *pol_connectivity_name(enum pol_connectivity c)
{
	static const char *const names[] = {"unknown", "none", "portal", "limited", "full"};

	return names[c];
}
