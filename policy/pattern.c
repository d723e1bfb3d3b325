/* SPDX-License-Identifier: MIT */
#include "policy/pattern.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool number(const char **s, unsigned max, unsigned *out)
{
	unsigned n = 0;
	const char *p = *s;

	if (!isdigit((unsigned char)*p))
		return false;
	for (; isdigit((unsigned char)*p); p++) {
		n = n * 10 + (unsigned)(*p - '0');
		if (n > max)
			return false;
	}
	*s = p;
	*out = n;
	return true;
}

static bool parse_ports(const char *s, struct pattern *p)
{
	for (;;) {
		unsigned first, last;

		if (p->ports == PATTERN_PORTS || !number(&s, 65535, &first))
			return false;
		last = first;
		if (*s == '-') {
			s++;
			if (!number(&s, 65535, &last))
				return false;
		}
		if (first == 0 || last < first)
			return false;
		p->port[p->ports].first = (uint16_t)first;
		p->port[p->ports++].last = (uint16_t)last;
		if (*s == 0)
			return true;
		if (*s++ != ',')
			return false;
	}
}

/* Cuts a "/tcp" or "/udp" off the end; false: another word stands there. A number is a prefix
 * length and stays. */
static bool parse_protocol(char *text, struct pattern *p)
{
	char *slash = strrchr(text, '/');

	if (!slash || isdigit((unsigned char)slash[1]))
		return true;
	if (strcmp(slash, "/tcp") == 0)
		p->protocol = IPPROTO_TCP;
	else if (strcmp(slash, "/udp") == 0)
		p->protocol = IPPROTO_UDP;
	else
		return false;
	*slash = 0;
	return true;
}

static bool parse_prefix(const char *s, unsigned max, struct pattern *p)
{
	p->prefix_len = max;
	return !*s || (*s++ == '/' && number(&s, max, &p->prefix_len) && !*s);
}

static bool parse_address(char *host, struct pattern *p, const char **why)
{
	char *slash = strchr(host, '/');
	char len[8] = "";

	if (slash) {
		strncpy(len, slash, sizeof(len) - 1);
		*slash = 0;
	}
	if (inet_pton(AF_INET, host, p->ip) == 1) {
		p->family = AF_INET;
		*why = "a prefix length from 0 to 32";
		return parse_prefix(len, 32, p);
	}
	if (inet_pton(AF_INET6, host, p->ip) == 1) {
		p->family = AF_INET6;
		*why = "a prefix length from 0 to 128";
		return parse_prefix(len, 128, p);
	}
	*why = "an address before the prefix length";
	if (slash)
		return false;
	*why = "a host of letters, digits, '.', '-', ':', '_' and the wildcards * ? [ ]";
	for (const char *c = host; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr(".-:_*?[]", *c))
			return false;
	snprintf(p->glob, sizeof(p->glob), "%s", host);
	return *host != 0;
}

bool pattern_parse(const char *text, struct pattern *p, const char **why)
{
	char buf[sizeof(p->glob)], *host = buf, *port = NULL;

	memset(p, 0, sizeof(*p));
	*why = "HOST[:PORT][/tcp|/udp] of at most 127 characters";
	if (strlen(text) >= sizeof(buf) || !*text)
		return false;
	strcpy(buf, text);
	*why = "/tcp or /udp at the end";
	if (!parse_protocol(buf, p))
		return false;
	if (*host == '[') {
		/* [v6], [v6]/len, [v6/len], each with or without :port */
		char *end = strchr(host, ']');

		*why = "']' after an IPv6 address";
		if (!end)
			return false;
		host++;
		*end++ = 0;
		char *colon = strchr(end, ':');

		if (colon) {
			*colon = 0;
			port = colon + 1;
		}
		if (*end) {
			/* the length stands outside the brackets: put it behind the address */
			*why = "[ADDRESS]/LENGTH";
			if (*end != '/' || strchr(host, '/'))
				return false;
			memmove(host + strlen(host), end, strlen(end) + 1);
		}
	} else {
		char *colon = strchr(host, ':');

		/* More than one colon is an IPv6 address without brackets, and so without a port.
		 */
		if (colon && !strchr(colon + 1, ':')) {
			*colon = 0;
			port = colon + 1;
		}
	}
	if (strcmp(host, "*") != 0 && !parse_address(host, p, why))
		return false;
	*why = "a port, a range 1000-2000 or a list 80,443";
	return !port || strcmp(port, "*") == 0 || parse_ports(port, p);
}

static bool host_matches(const struct pattern *p, const struct pol_peer *peer)
{
	char text[INET6_ADDRSTRLEN];

	if (p->glob[0]) {
		if (peer->host && fnmatch(p->glob, peer->host, FNM_CASEFOLD) == 0)
			return true;
		return peer->family && inet_ntop(peer->family, peer->ip, text, sizeof(text)) &&
		       fnmatch(p->glob, text, FNM_CASEFOLD) == 0;
	}
	if (!p->family)
		return true;
	unsigned bytes = p->prefix_len / 8, bits = p->prefix_len % 8;

	if (p->family != peer->family || memcmp(p->ip, peer->ip, bytes) != 0)
		return false;
	return !bits || (p->ip[bytes] ^ peer->ip[bytes]) >> (8 - bits) == 0;
}

bool pattern_match(const struct pattern *p, const struct pol_peer *peer)
{
	bool port = p->ports == 0;

	for (unsigned i = 0; i < p->ports; i++)
		if (peer->port >= p->port[i].first && peer->port <= p->port[i].last)
			port = true;
	return port && (!p->protocol || p->protocol == peer->protocol) && host_matches(p, peer);
}
