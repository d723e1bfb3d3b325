/* SPDX-License-Identifier: MIT */
#include "policy/pattern.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "policy/glob.h"

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ADDRESS DIGITS "abcdefABCDEF.:"
#define WILDCARDS "*?[]!"

/* Not isdigit() and its like: they follow the program's locale. */
static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool only(const char *s, const char *accepted)
{
	return s[strspn(s, accepted)] == 0;
}

static bool number(const char **s, unsigned max, unsigned *out)
{
	const char *p = *s;
	uint64_t n = 0;

	if (!digit(*p))
		return false;
	for (; digit(*p); p++) {
		n = n * 10 + (unsigned)(*p - '0');
		if (n > max)
			return false;
	}
	*s = p;
	*out = (unsigned)n;
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

	if (!slash || digit(slash[1]))
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

/* `len` is what stands behind the '/', or NULL. */
static bool parse_address(int family, const char *host, const char *len, struct pattern *p)
{
	unsigned max = family == AF_INET ? 32 : 128;

	if (inet_pton(family, host, p->ip) != 1)
		return false;
	p->family = (sa_family_t)family;
	p->prefix_len = max;
	return !len || (number(&len, max, &p->prefix_len) && *len == 0);
}

/* [ADDRESS], [ADDRESS]/LEN, [ADDRESS/LEN] or [GLOB], and perhaps a port. */
static bool parse_bracketed(char *text, struct pattern *p, const char **port, const char **why)
{
	char *host = text + 1, *end = strchr(host, ']');

	*why = "']' behind an IPv6 address";
	if (!end)
		return false;
	*end++ = 0;

	char *inside = strchr(host, '/'), *colon = strchr(end, ':');

	if (inside)
		*inside++ = 0;
	if (colon) {
		*colon = 0;
		*port = colon + 1;
	}
	*why = "[ADDRESS]/LENGTH";
	if (*end && (*end != '/' || inside))
		return false;

	const char *len = *end ? end + 1 : inside;

	*why = "an IPv6 address or prefix in the brackets, as [2001:db8::/32]";
	if (!len && strpbrk(host, "*?") && only(host, ADDRESS "*?")) {
		memcpy(p->glob, host, strlen(host) + 1);
		return true;
	}
	return parse_address(AF_INET6, host, len, p);
}

static bool parse_plain(char *host, struct pattern *p, const char **port, const char **why)
{
	char *colon = strchr(host, ':'), *slash;

	*why = "an IPv6 address in brackets, as [2001:db8::1]:22";
	if (colon && strchr(colon + 1, ':'))
		return false;
	if (colon) {
		*colon++ = 0;
		*port = colon;
	}
	*why = "a host before the port; * is any";
	if (!*host)
		return false;
	if (strcmp(host, "*") == 0)
		return true;
	slash = strchr(host, '/');
	if (slash || only(host, DIGITS ".")) {
		*why = "an IPv4 address, or a prefix as 10.0.0.0/8";
		if (slash)
			*slash++ = 0;
		return parse_address(AF_INET, host, slash, p);
	}
	*why = "a host of letters, digits, '.', '-', '_' and the wildcards * ? [ ]";
	if (!only(host, LETTERS DIGITS ".-_" WILDCARDS))
		return false;
	memcpy(p->glob, host, strlen(host) + 1);
	return true;
}

/* "program:NAME " or "user:NAME ", and the blanks behind it. False: one of them, but wrong. */
static bool parse_who(const char **text, struct pattern *p, const char **why)
{
	for (;;) {
		const char *word = *text;
		size_t skip = strncmp(word, "program:", 8) == 0 ? 8
		              : strncmp(word, "user:", 5) == 0  ? 5
		                                                : 0;
		char *to = skip == 8 ? p->program : p->user;
		size_t room = skip == 8 ? sizeof(p->program) : sizeof(p->user);
		size_t len = strcspn(word + skip, " ");

		/* Without a blank it is a host of that name, and its port. */
		if (!skip || !word[skip + len])
			return true;
		*why = skip == 8 ? "program:NAME and a blank before the host, once"
		                 : "user:NAME or user:NUMBER and a blank before the host, once";
		if (len == 0 || len >= room || *to || (skip == 5 && p->by_user))
			return false;
		memcpy(to, word + skip, len);
		if (skip == 5) {
			const char *digits = p->user;
			unsigned uid;

			p->by_user = true;
			if (digit(*digits)) {
				if (!number(&digits, 4294967294u, &uid) || *digits)
					return false;
				p->uid = uid;
				p->user[0] = 0;
			}
		}
		*text = word + skip + len;
		*text += strspn(*text, " ");
	}
}

bool pattern_parse(const char *text, struct pattern *p, const char **why)
{
	const char *port = NULL;
	char buf[sizeof(p->glob)];

	memset(p, 0, sizeof(*p));
	if (!parse_who(&text, p, why))
		return false;
	*why = "HOST[:PORT][/tcp|/udp] of at most 127 characters";
	if (strlen(text) >= sizeof(buf) || !*text)
		return false;
	memcpy(buf, text, strlen(text) + 1);
	*why = "/tcp or /udp at the end";
	if (!parse_protocol(buf, p))
		return false;
	if (!(buf[0] == '[' ? parse_bracketed : parse_plain)(buf, p, &port, why))
		return false;
	*why = "a port, a range 1000-2000 or a list 80,443 of at most 8";
	return !port || strcmp(port, "*") == 0 || parse_ports(port, p);
}

static bool host_matches(const struct pattern *p, sa_family_t family, const uint8_t *ip,
                         const char *host)
{
	char text[INET6_ADDRSTRLEN];

	if (p->glob[0]) {
		if (host && glob_match(p->glob, host, true))
			return true;
		return family && inet_ntop(family, ip, text, sizeof(text)) &&
		       glob_match(p->glob, text, true);
	}
	if (!p->family)
		return true;
	unsigned bytes = p->prefix_len / 8, bits = p->prefix_len % 8;

	if (p->family != family || memcmp(p->ip, ip, bytes) != 0)
		return false;
	return !bits || (p->ip[bytes] ^ ip[bytes]) >> (8 - bits) == 0;
}

static bool who_matches(const struct pattern *p, const struct pol_peer *peer)
{
	const char *program = peer->program ? peer->program : "", *slash;

	if (p->by_user && (p->user[0] || p->uid != peer->uid))
		return false;
	if (!p->program[0])
		return true;
	slash = strchr(p->program, '/') ? NULL : strrchr(program, '/');
	return glob_match(p->program, slash ? slash + 1 : program, false);
}

bool pattern_match(const struct pattern *p, const struct pol_peer *peer)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	sa_family_t family = peer->family;
	const uint8_t *ip = peer->ip;
	bool port = p->ports == 0;

	for (unsigned i = 0; i < p->ports; i++)
		if (peer->port >= p->port[i].first && peer->port <= p->port[i].last)
			port = true;
	if (!port || (p->protocol && p->protocol != peer->protocol) || !who_matches(p, peer))
		return false;
	/* An IPv4 peer of an IPv6 socket is an IPv4 peer. */
	if (family == AF_INET6 && memcmp(ip, mapped, sizeof(mapped)) == 0) {
		family = AF_INET;
		ip += sizeof(mapped);
	}
	return host_matches(p, family, ip, peer->host);
}

bool pattern_names(const struct pattern *p)
{
	return p->glob[0] && !only(p->glob, ADDRESS WILDCARDS "-");
}
