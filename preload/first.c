/* SPDX-License-Identifier: MIT */
#include "preload/first.h"

#include <stdbool.h>
#include <string.h>

static bool begins(const uint8_t *p, size_t n, const char *with)
{
	size_t len = strlen(with);

	return n >= len && memcmp(p, with, len) == 0;
}

/* A handshake record of SSL 3 or TLS, as all of them call it, that begins with a ClientHello. */
static bool client_hello(const uint8_t *p, size_t n)
{
	size_t record;

	if (n < 9 || p[0] != 22 || p[1] != 3 || p[2] > 4 || p[5] != 1)
		return false;
	record = (size_t)p[3] << 8 | p[4];
	/* Type, length, version and 32 random bytes at the least; no record is longer than this. */
	return record >= 38 && record <= 16384 + 256 && p[6] == 0;
}

/* What follows a method: a path, everything, an absolute URI or, of a tunnel, a host. */
static bool request_line(const uint8_t *p, size_t n)
{
	static const char *const methods[] = {
	    "GET ",   "HEAD ",     "POST ",   "PUT ",   "DELETE ", "OPTIONS ", "PATCH ",
	    "TRACE ", "PROPFIND ", "REPORT ", "MKCOL ", "COPY ",   "MOVE ",    "LOCK ",
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		size_t len = strlen(methods[i]);

		if (!begins(p, n, methods[i]))
			continue;
		p += len;
		n -= len;
		return (n && (*p == '/' || *p == '*')) || begins(p, n, "http://");
	}
	return false;
}

enum first first_of(const uint8_t *p, size_t n)
{
	if (begins(p, n, "SSH-2.0-") || begins(p, n, "SSH-1.99-"))
		return FIRST_SSH;
	if (client_hello(p, n))
		return FIRST_TLS;
	return request_line(p, n) ? FIRST_HTTP : FIRST_UNKNOWN;
}

const char *first_name(enum first f)
{
	return f == FIRST_HTTP ? "HTTP" : f == FIRST_TLS ? "TLS" : f == FIRST_SSH ? "SSH" : "";
}
