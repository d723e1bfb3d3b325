/* SPDX-License-Identifier: MIT */
#include "policy/value.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* Decimal, nothing before and nothing behind. */
static bool number(const char *s, long max, long *out)
{
	long n = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		n = n * 10 + (*s - '0');
		if (n > max)
			return false;
	}
	*out = n;
	return true;
}

bool value_prefer(const char *text, int *prefer)
{
	long n;

	if (!number(text, 1000000, &n))
		return false;
	*prefer = (int)n;
	return true;
}

bool value_bool(const char *text, bool *b)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

	for (int i = 0; i < 6; i++)
		if (strcmp(text, words[i]) == 0) {
			*b = i % 2;
			return true;
		}
	return false;
}

bool value_continuity(const char *text, enum pol_continuity *c)
{
	for (int i = POL_AUTO; i <= POL_SESSION; i++)
		if (strcmp(text, pol_continuity_name((enum pol_continuity)i)) == 0) {
			*c = (enum pol_continuity)i;
			return true;
		}
	return false;
}

bool value_replay(const char *text, enum pol_replay *r)
{
	for (int i = POL_REPLAY_NONE; i <= POL_REPLAY_LENGTH_PREFIX; i++)
		if (strcmp(text, pol_replay_name((enum pol_replay)i)) == 0) {
			*r = (enum pol_replay)i;
			return true;
		}
	return false;
}

bool value_relay(const char *text, char **host, uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	char buf[INET6_ADDRSTRLEN + 2];
	uint8_t ip[16];
	size_t len;
	long n;

	if (!colon || !number(colon + 1, 65535, &n) || n == 0)
		return false;
	len = (size_t)(colon - text);
	if (len >= sizeof(buf))
		return false;
	memcpy(buf, text, len);
	buf[len] = 0;

	char *address = buf;
	bool same = strcmp(buf, "same-host") == 0;

	if (!same && buf[0] == '[' && buf[len - 1] == ']') {
		buf[len - 1] = 0;
		address = buf + 1;
		if (inet_pton(AF_INET6, address, ip) != 1)
			return false;
	} else if (!same && inet_pton(AF_INET, buf, ip) != 1) {
		return false;
	}
	*host = same ? NULL : strdup(address);
	*port = (uint16_t)n;
	return same || *host;
}
