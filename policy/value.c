/* SPDX-License-Identifier: MIT */
#include "policy/value.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
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

bool value_time(const char *text, int *ms)
{
	long n;

	if (!number(text, 3600000, &n))
		return false;
	*ms = (int)n;
	return true;
}

const char *value_type(const char *text)
{
	static const char *const words[][2] = {{"ethernet", "ethernet"},
	                                       {"wifi", "wifi"},
	                                       {"cellular", "cellular"},
	                                       {"vpn", "tunnel"},
	                                       {"other", "other"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(text, words[i][0]) == 0)
			return words[i][1];
	return NULL;
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
	for (int i = POL_AUTO; i <= POL_MPTCP; i++)
		if (strcmp(text, pol_continuity_name((enum pol_continuity)i)) == 0) {
			*c = (enum pol_continuity)i;
			return true;
		}
	return false;
}

bool value_resolve(const char *text, bool *path)
{
	*path = strcmp(text, "path") == 0;
	return *path || strcmp(text, "host") == 0;
}

bool value_standby(const char *text, enum pol_standby *s)
{
	for (int i = POL_STANDBY_NO; i <= POL_STANDBY_METERED; i++)
		if (strcmp(text, pol_standby_name((enum pol_standby)i)) == 0) {
			*s = (enum pol_standby)i;
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

bool value_records(const char *text, enum pol_records *r)
{
	for (int i = POL_RECORDS_LINE; i <= POL_RECORDS_RESP; i++)
		if (strcmp(text, pol_records_name((enum pol_records)i)) == 0) {
			*r = (enum pol_records)i;
			return true;
		}
	return false;
}

bool value_opening(const char *text)
{
	return strcmp(text, "recorded") == 0;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 "

static bool words_of(const char *text, const char *accepted)
{
	return text[strspn(text, " ")] && text[strspn(text, accepted)] == 0 && strlen(text) <= 200;
}

bool value_words(const char *text)
{
	return words_of(text, LETTERS);
}

bool value_ends(const char *text)
{
	return words_of(text, LETTERS "#");
}

bool value_step(const char *text)
{
	return *text && strlen(text) <= POL_STEP_MAX;
}

bool value_offset(const char *text, int *offset)
{
	long n;

	if (!number(text, POL_OFFSET_MAX, &n))
		return false;
	*offset = (int)n;
	return true;
}

bool value_width(const char *text, int *width)
{
	bool varint = strcmp(text, "varint") == 0, decimal = strcmp(text, "decimal") == 0;
	long n = 0;

	if (!varint && !decimal && (!number(text, 8, &n) || n == 0))
		return false;
	*width = varint ? POL_WIDTH_VARINT : decimal ? POL_WIDTH_DECIMAL : (int)n;
	return true;
}

bool value_order(const char *text, bool *little)
{
	*little = strcmp(text, "little") == 0;
	return *little || strcmp(text, "big") == 0;
}

bool value_counts(const char *text, enum pol_counts *c)
{
	static const char *const words[] = {"payload", "field", "record"};

	for (int i = POL_COUNTS_PAYLOAD; i <= POL_COUNTS_RECORD; i++)
		if (strcmp(text, words[i]) == 0) {
			*c = (enum pol_counts)i;
			return true;
		}
	return false;
}

/* What could be a host's name, and is no address with a mistake in it. */
static bool host_name(const char *s)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char digits[] = "0123456789";
	char accepted[80];

	snprintf(accepted, sizeof(accepted), "%s%s.-_", letters, digits);
	const char *last = strrchr(s, '.');

	last = last ? last + 1 : s;
	return *s && *s != '.' && *s != '-' && s[strspn(s, accepted)] == 0 &&
	       strpbrk(last, letters);
}

bool value_relay(const char *text, char **host, uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	char buf[256];
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
	} else if (!same && inet_pton(AF_INET, buf, ip) != 1 && !host_name(buf)) {
		return false;
	}
	*host = same ? NULL : strdup(address);
	*port = (uint16_t)n;
	return same || *host;
}

/* What may stand in a request line as it is. */
static bool url_path(const char *s)
{
	if (*s != '/' || strlen(s) > 200)
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s >= 0x7f || *s == '#')
			return false;
	return true;
}

bool value_url(const char *text, char **host, uint16_t *port, char **path)
{
	const char *at = strncmp(text, "http://", 7) == 0 ? text + 7 : NULL;
	const char *slash = at ? strchr(at, '/') : NULL;
	char buf[300];

	if (!slash || (size_t)(slash - at) > 256 || !url_path(slash))
		return false;
	bool ported = slash[-1] != ']' && memchr(at, ':', (size_t)(slash - at));

	snprintf(buf, sizeof(buf), "%.*s%s", (int)(slash - at), at, ported ? "" : ":80");
	if (strncmp(buf, "same-host:", 10) == 0 || !value_relay(buf, host, port))
		return false;
	*path = strdup(slash);
	return true;
}

bool value_nat64(const char *text, struct nat64_prefix *p, bool *network)
{
	*network = strcmp(text, "network") == 0;
	return *network || nat64_parse(text, p);
}

bool value_relay_key(const char *text, uint8_t key[32])
{
	uint8_t k[32];
	const char *end;
	size_t n;

	if (strlen(text) != 44 ||
	    sodium_base642bin(k, sizeof(k), text, 44, NULL, &n, &end,
	                      sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    n != sizeof(k) || end != text + 44)
		return false;
	memcpy(key, k, sizeof(k));
	return true;
}

bool value_identity(const char *text)
{
	return text[0] == '/' && strlen(text) < 4096;
}
