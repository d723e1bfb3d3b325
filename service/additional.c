/* SPDX-License-Identifier: MIT */
#include "service/additional.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static json_t *object(const char *text, size_t len)
{
	/* I-JSON (RFC 7493): no key twice. */
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(o))
		return o;
	json_decref(o);
	return NULL;
}

/* --- values --- */

/* RFC 3339: 2026-11-29T06:00:00Z, perhaps with a fraction, perhaps another offset. */
static bool date(const char *text, int64_t *ms)
{
	struct tm t = {0};
	const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &t);
	unsigned hours, minutes;
	int64_t offset = 0;
	char sign, rest;

	if (!p)
		return false;
	if (*p == '.') {
		size_t digits = strspn(++p, "0123456789");

		if (!digits)
			return false;
		p += digits;
	}
	if (sscanf(p, "%c%2u:%2u%c", &sign, &hours, &minutes, &rest) == 3 && strlen(p) == 6 &&
	    (sign == '+' || sign == '-') && hours < 24 && minutes < 60)
		offset = (int64_t)(hours * 60 + minutes) * (sign == '+' ? 60 : -60);
	else if (strcasecmp(p, "Z") != 0)
		return false;
	*ms = ((int64_t)timegm(&t) - offset) * 1000;
	return true;
}

static bool prefix(const char *text, struct additional_prefix *out)
{
	const char *slash = strchr(text, '/');
	char ip[INET6_ADDRSTRLEN], *end;
	unsigned long len;

	if (!slash || (size_t)(slash - text) >= sizeof(ip) || slash[1] < '0' || slash[1] > '9')
		return false;
	memcpy(ip, text, (size_t)(slash - text));
	ip[slash - text] = 0;
	len = strtoul(slash + 1, &end, 10);
	if (*end || len > 128 || inet_pton(AF_INET6, ip, out->ip) != 1)
		return false;
	out->len = (uint8_t)len;
	return true;
}

static bool host(const char *text, char out[ADDITIONAL_TEXT])
{
	size_t n = strlen(text);

	if (n && text[n - 1] == '.')
		n--;
	if (!n || n > 253)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c + 32);
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
		      c == '.'))
			return false;
		out[i] = c;
	}
	out[n] = 0;
	return true;
}

/* Only what can go on a line of a terminal. */
static bool url(const json_t *v, bool plain, char out[ADDITIONAL_TEXT])
{
	const char *text = json_string_value(v);
	size_t n = text ? strlen(text) : 0;

	if (!n || n >= ADDITIONAL_TEXT)
		return false;
	if (strncasecmp(text, "https://", 8) != 0 &&
	    !(plain && strncasecmp(text, "http://", 7) == 0))
		return false;
	for (size_t i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return false;
	memcpy(out, text, n + 1);
	return true;
}

/* --- the additional information of a domain --- */

static const char *prefixes(const json_t *list, struct additional *out)
{
	size_t i;
	json_t *v;

	if (!json_is_array(list))
		return "no prefixes";
	if (json_array_size(list) > ADDITIONAL_PREFIXES)
		return "too many prefixes";
	json_array_foreach(list, i, v)
	{
		if (!json_is_string(v) ||
		    !prefix(json_string_value(v), &out->prefix[out->prefixes]))
			return "a prefix that is none";
		out->prefixes++;
	}
	return NULL;
}

static void zones(const json_t *list, struct additional *out)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v)
	{
		if (out->zones < ADDITIONAL_ZONES && json_is_string(v) &&
		    host(json_string_value(v), out->zone[out->zones]))
			out->zones++;
	}
}

static const char *read_additional(const json_t *o, const char *id, int64_t now,
                                   struct additional *out)
{
	const char *who = json_string_value(json_object_get(o, "identifier"));
	const char *expires = json_string_value(json_object_get(o, "expires"));
	const json_t *internet = json_object_get(o, "noInternet");
	const json_t *list = json_object_get(o, "dnsZones");
	char name[ADDITIONAL_TEXT];
	const char *why;

	if (!who || !host(who, name) || strcasecmp(name, id) != 0)
		return "the identifier of another domain, or none";
	if (!expires || !date(expires, &out->expires))
		return "no time at which it expires";
	if (out->expires <= now)
		return "expired";
	why = prefixes(json_object_get(o, "prefixes"), out);
	if (why)
		return why;
	if ((internet && !json_is_boolean(internet)) || (list && !json_is_array(list)))
		return "a value of the wrong type";
	out->no_internet = json_is_true(internet);
	zones(list, out);
	return NULL;
}

const char *additional_parse(const char *text, size_t len, const char *id, int64_t now,
                             struct additional *out)
{
	json_t *o = object(text, len);
	const char *why;

	memset(out, 0, sizeof(*out));
	if (!o)
		return "no JSON object";
	why = read_additional(o, id, now, out);
	json_decref(o);
	return why;
}

bool additional_covers(const struct additional *a, const uint8_t ip[16], uint8_t len)
{
	for (unsigned i = 0; i < a->prefixes; i++) {
		const struct additional_prefix *p = &a->prefix[i];
		unsigned whole = p->len / 8, rest = p->len % 8;

		if (p->len <= len && memcmp(p->ip, ip, whole) == 0 &&
		    (!rest || !((p->ip[whole] ^ ip[whole]) >> (8 - rest))))
			return true;
	}
	return false;
}

/* --- the captive portal's answer --- */

const char *portal_parse(const char *text, size_t len, struct portal_answer *out)
{
	json_t *o = object(text, len);
	const json_t *captive = json_object_get(o, "captive");
	const json_t *seconds = json_object_get(o, "seconds-remaining");

	memset(out, 0, sizeof(*out));
	if (!json_is_boolean(captive)) {
		json_decref(o);
		return o ? "does not say whether it is captive" : "no JSON object";
	}
	out->captive = json_is_true(captive);
	url(json_object_get(o, "user-portal-url"), false, out->page);
	url(json_object_get(o, "venue-info-url"), true, out->venue);
	if (json_is_integer(seconds) && json_integer_value(seconds) >= 0) {
		json_int_t n = json_integer_value(seconds);

		out->ends = true;
		out->seconds = n > INT32_MAX ? INT32_MAX : (uint32_t)n;
	}
	json_decref(o);
	return NULL;
}
