/* SPDX-License-Identifier: MIT */
#include "monitor/resolv.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD 320

/* --- a text, cut up --- */

struct cut {
	const char *p, *end;
};

static bool among(char c, const char *set)
{
	return c && strchr(set, c);
}

/* What is before the next of `ends`, which is passed over. False: nothing is left. */
static bool next_piece(struct cut *c, const char *ends, struct cut *piece)
{
	if (c->p >= c->end)
		return false;
	piece->p = c->p;
	while (c->p < c->end && *c->p && !among(*c->p, ends))
		c->p++;
	piece->end = c->p;
	if (c->p < c->end)
		c->p++;
	return true;
}

/* The next word; too long a one is as if it were not there. */
static bool next_word(struct cut *c, const char *spaces, char word[WORD])
{
	struct cut piece;

	while (next_piece(c, spaces, &piece)) {
		size_t n = (size_t)(piece.end - piece.p);

		if (!n || n >= WORD)
			continue;
		memcpy(word, piece.p, n);
		word[n] = 0;
		return true;
	}
	return false;
}

/* --- items --- */

static void put(struct resolv *r, const struct pvd_item *item)
{
	if (r->n < PVD_ITEMS)
		r->item[r->n++] = *item;
}

static bool loopback(const struct pvd_item *i)
{
	static const uint8_t one[16] = {[15] = 1};

	return i->family == AF_INET ? i->ip[0] == 127 : memcmp(i->ip, one, sizeof(one)) == 0;
}

static bool zero(const struct pvd_item *i)
{
	static const uint8_t none[16];

	return memcmp(i->ip, none, sizeof(none)) == 0;
}

/* ADDRESS, [ADDRESS]:PORT, IPV4:PORT; behind it %INTERFACE and #SERVER-NAME, which say nothing new
 * or cannot be used here. */
static void server(struct resolv *r, char *word)
{
	struct pvd_item i = {.info = PVD_DNS_SERVER, .until = PVD_FOREVER};
	char *host = word, *port = NULL, *cut;

	cut = strchr(word, '#');
	if (cut)
		*cut = 0;
	if (*word == '[') {
		host = word + 1;
		cut = strchr(host, ']');
		if (!cut)
			return;
		*cut = 0;
		if (cut[1] == ':')
			port = cut + 2;
	} else if (strchr(word, '.') && strchr(word, ':') == strrchr(word, ':') &&
	           strchr(word, ':')) {
		port = strchr(word, ':') + 1;
		port[-1] = 0;
	}
	cut = port ? strchr(port, '%') : NULL;
	if (cut)
		*cut = 0;
	cut = strchr(host, '%');
	if (cut)
		*cut = 0;
	if (port) {
		char *end;
		long n = strtol(port, &end, 10);

		if (*end || n < 1 || n > 65535)
			return;
		i.port = (uint16_t)n;
	}
	i.family = strchr(host, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(i.family, host, i.ip) == 1 && !loopback(&i) && !zero(&i))
		put(r, &i);
}

/* A suffix for short names; "~" before it only says where questions go, and "." alone nothing. */
static void suffix(struct resolv *r, const char *word)
{
	struct pvd_item i = {.info = PVD_SEARCH_DOMAIN, .until = PVD_FOREVER};
	size_t n = strlen(word);

	if (n && word[n - 1] == '.')
		n--;
	if (!n || n >= sizeof(i.text) || word[0] == '~')
		return;
	for (size_t k = 0; k < n; k++)
		if ((unsigned char)word[k] <= ' ' || (unsigned char)word[k] == 0x7f)
			return;
	memcpy(i.text, word, n);
	put(r, &i);
}

static void drop_suffixes(struct resolv *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++)
		if (r->item[i].info != PVD_SEARCH_DOMAIN)
			r->item[n++] = r->item[i];
	r->n = n;
}

/* --- the formats --- */

void resolv_conf(struct resolv *r, const char *text, size_t len)
{
	struct cut c = {text, text + len}, line;

	while (next_piece(&c, "\n", &line)) {
		char word[WORD];

		if (!next_word(&line, " \t\r", word) || word[0] == '#' || word[0] == ';')
			continue;
		if (strcmp(word, "nameserver") == 0) {
			if (next_word(&line, " \t\r", word))
				server(r, word);
		} else if (strcmp(word, "search") == 0 || strcmp(word, "domain") == 0) {
			drop_suffixes(r); /* the last such line counts */
			while (next_word(&line, " \t\r", word) && word[0] != '#')
				suffix(r, word);
		}
	}
}

static bool listed(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(name, *list) == 0)
			return true;
	return false;
}

static void keys(struct resolv *r, const char *text, size_t len, const char *const *servers,
                 const char *const *suffixes)
{
	struct cut c = {text, text + len}, line;

	while (next_piece(&c, "\n", &line)) {
		struct cut key;
		char name[WORD], word[WORD];

		if (!next_piece(&line, "=", &key) || !next_word(&key, " \t", name))
			continue;
		if (listed(name, servers))
			while (next_word(&line, " \t\r", word))
				server(r, word);
		else if (listed(name, suffixes))
			while (next_word(&line, " \t\r", word))
				suffix(r, word);
	}
}

void resolv_keys(struct resolv *r, const char *text, size_t len)
{
	static const char *const servers[] = {"DNS", "SERVERS", NULL};
	static const char *const suffixes[] = {"DOMAINS", "DOMAINNAME", "DOMAIN_SEARCH_LIST", NULL};

	keys(r, text, len, servers, suffixes);
}

void resolv_device(struct resolv *r, const char *text, size_t len, sa_family_t family)
{
	static const char *const servers4[] = {"dhcp4.domain_name_servers", NULL};
	static const char *const suffixes4[] = {"dhcp4.domain_name", "dhcp4.domain_search", NULL};
	static const char *const servers6[] = {"dhcp6.dhcp6_name_servers", NULL};
	static const char *const suffixes6[] = {"dhcp6.dhcp6_domain_search", NULL};

	if (family == AF_INET)
		keys(r, text, len, servers4, suffixes4);
	else
		keys(r, text, len, servers6, suffixes6);
}

static void lease_option(struct resolv *r, struct cut *line)
{
	char name[WORD], word[WORD];

	if (!next_word(line, " \t", name))
		return;
	if (strcmp(name, "domain-name-servers") == 0)
		while (next_word(line, " \t,\"", word))
			server(r, word);
	else if (strcmp(name, "domain-name") == 0 || strcmp(name, "domain-search") == 0)
		while (next_word(line, " \t,\"", word))
			suffix(r, word);
}

void resolv_leases(struct resolv *r, const char *text, size_t len, const char *interface)
{
	struct cut c = {text, text + len}, line;
	unsigned before = r->n, kept = before;
	bool ours = false;

	/* Later leases take the place of earlier ones; whose one is, it says inside. */
	while (next_piece(&c, ";{}", &line)) {
		char end = c.p[-1], word[WORD];

		if (end == '}') {
			if (ours) {
				unsigned n = r->n - kept;

				memmove(&r->item[before], &r->item[kept], n * sizeof(r->item[0]));
				kept = before + n;
			}
			r->n = kept;
			ours = false;
			continue;
		}
		if (!next_word(&line, " \t\r\n", word))
			continue;
		if (end == '{')
			ours = strncmp(word, "lease", 5) == 0;
		else if (strcmp(word, "interface") == 0)
			ours &= next_word(&line, " \t\"", word) && strcmp(word, interface) == 0;
		else if (ours && strcmp(word, "option") == 0)
			lease_option(r, &line);
	}
	r->n = kept;
}
