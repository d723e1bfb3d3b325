/* SPDX-License-Identifier: MIT */
#include "relay/access.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "policy/pattern.h"

#define PATTERNS_MAX 64 /* of --allow, or of one client */
#define FILE_MAX (4u << 20)
#define BLANK " \t\r"

struct client {
	uint8_t key[SES_KEY];
	struct pattern *pattern;
	unsigned patterns; /* 0: what --allow says */
	UT_hash_handle hh;
};

struct access {
	bool port[65536];
	unsigned ports;
	struct pattern pattern[PATTERNS_MAX];
	unsigned patterns;
	bool listed_only;
	struct client *clients;
};

struct access *access_new(void)
{
	return calloc(1, sizeof(struct access));
}

static void free_clients(struct client *list)
{
	struct client *c, *next;

	HASH_ITER(hh, list, c, next)
	{
		HASH_DEL(list, c);
		free(c->pattern);
		free(c);
	}
}

void access_free(struct access *a)
{
	if (a)
		free_clients(a->clients);
	free(a);
}

bool access_allow(struct access *a, const char *text, const char **why)
{
	char *end;
	long port = strtol(text, &end, 10);

	if (*end == 0 && end != text) {
		*why = "a port from 1 to 65535";
		if (port < 1 || port > 65535 || *text == '+' || *text == ' ')
			return false;
		a->port[port] = true;
		a->ports++;
		return true;
	}
	*why = "at most 64 patterns";
	if (a->patterns == PATTERNS_MAX)
		return false;
	*why = "a port, or a pattern with one, as 10.0.0.0/8:22 or *.example:443";
	if (!strchr(text, ':'))
		return false;
	if (!pattern_parse(text, &a->pattern[a->patterns], why))
		return false;
	a->patterns++;
	return true;
}

bool access_beyond(const struct access *a)
{
	return a->patterns > 0;
}

bool access_any(const struct access *a)
{
	return a->ports || a->patterns;
}

unsigned access_count(const struct access *a)
{
	return HASH_COUNT(a->clients);
}

/* --- the file of clients --- */

static struct client *find(const struct client *list, const uint8_t key[SES_KEY])
{
	struct client *c;

	HASH_FIND(hh, list, key, SES_KEY, c);
	return c;
}

/* KEY [PATTERN ...] [# comment]; NULL in *why: good. */
static struct client *parse_line(char *line, const char **why)
{
	struct client *c = calloc(1, sizeof(*c));
	char *save, *word = strtok_r(line, BLANK, &save);

	*why = "memory";
	if (!c || !(c->pattern = calloc(PATTERNS_MAX, sizeof(*c->pattern))))
		goto bad;
	*why = "a client's public key, 44 characters as `mifcont keygen` prints it";
	if (!key_from_text(word, strlen(word), c->key))
		goto bad;
	while ((word = strtok_r(NULL, BLANK, &save))) {
		*why = "at most 64 patterns in a line";
		if (c->patterns == PATTERNS_MAX ||
		    !pattern_parse(word, &c->pattern[c->patterns], why))
			goto bad;
		c->patterns++;
	}
	*why = NULL;
	return c;
bad:
	if (c)
		free(c->pattern);
	free(c);
	return NULL;
}

static struct client *parse(char *text, const char *file, char *err, size_t room, bool *good)
{
	struct client *list = NULL, *c;
	unsigned line = 0;

	*good = false;
	for (char *next; text; text = next) {
		const char *why;

		line++;
		next = strchr(text, '\n');
		if (next)
			*next++ = 0;
		text[strcspn(text, "#")] = 0;
		text += strspn(text, BLANK);
		if (!*text)
			continue;
		c = parse_line(text, &why);
		if (c && find(list, c->key)) {
			free(c->pattern);
			free(c);
			c = NULL;
			why = "each key once";
		}
		if (!c) {
			snprintf(err, room, "%s:%u: not understood; expected %s", file, line, why);
			free_clients(list);
			return NULL;
		}
		HASH_ADD(hh, list, key, SES_KEY, c);
	}
	*good = true;
	return list;
}

static char *read_file(const char *file, char *err, size_t room)
{
	struct stat st;
	char *text = NULL;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, &st) < 0) {
		snprintf(err, room, "%s: %s", file, strerror(errno));
	} else if (!S_ISREG(st.st_mode) || st.st_size > (off_t)FILE_MAX) {
		snprintf(err, room, "%s: expected a regular file of at most 4 MiB", file);
	} else if (st.st_mode & 022) {
		snprintf(err, room, "%s: writable by others (mode %03o); expected mode 644 or less",
		         file, (unsigned)st.st_mode & 0777);
	} else if ((text = calloc(1, (size_t)st.st_size + 1))) {
		if (read(fd, text, (size_t)st.st_size) != st.st_size ||
		    strlen(text) != (size_t)st.st_size) {
			snprintf(err, room, "%s: cannot be read, or is not text", file);
			free(text);
			text = NULL;
		}
	}
	if (fd >= 0)
		close(fd);
	return text;
}

bool access_clients(struct access *a, const char *file, char *err, size_t err_len)
{
	char *text;
	bool good;

	snprintf(err, err_len, "%s: no memory", file);
	text = read_file(file, err, err_len);
	if (!text)
		return false;
	struct client *list = parse(text, file, err, err_len, &good);

	free(text);
	if (!good)
		return false;
	free_clients(a->clients);
	a->clients = list;
	a->listed_only = true;
	return true;
}

/* --- judging --- */

static bool same_host(const struct ses_addr *a, const struct ses_addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

/* Addresses that mean something else here than where the client is. */
static bool ours_alone(const struct ses_addr *to)
{
	struct in6_addr v6;

	memcpy(&v6, to->ip, sizeof(v6));
	if (to->family == 6)
		return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6) ||
		       IN6_IS_ADDR_LINKLOCAL(&v6) || IN6_IS_ADDR_MULTICAST(&v6) ||
		       IN6_IS_ADDR_V4MAPPED(&v6) || IN6_IS_ADDR_V4COMPAT(&v6);
	return to->ip[0] == 0 || to->ip[0] == 127 || (to->ip[0] == 169 && to->ip[1] == 254) ||
	       to->ip[0] >= 224;
}

/* The patterns that hold for this client. */
static const struct pattern *patterns_of(const struct access *a, const struct server_request *r,
                                         unsigned *n)
{
	struct client *c = r->proven ? find(a->clients, r->client) : NULL;

	*n = 0;
	if (!c)
		return NULL;
	*n = c->patterns ? c->patterns : a->patterns;
	return c->patterns ? c->pattern : a->pattern;
}

static bool matches(const struct access *a, const struct server_request *r,
                    const struct ses_addr *to, const char *name, bool literally)
{
	struct pol_peer peer = {.port = r->target.port, .protocol = IPPROTO_TCP, .host = name};
	unsigned n;
	const struct pattern *p = patterns_of(a, r, &n);

	if (to) {
		peer.family = to->family == 6 ? AF_INET6 : AF_INET;
		memcpy(peer.ip, to->ip, sizeof(peer.ip));
	}
	for (unsigned i = 0; i < n; i++)
		if ((!literally || p[i].family) && pattern_match(&p[i], &peer))
			return true;
	return false;
}

enum access_verdict access_judge(const struct access *a, const struct server_request *r,
                                 const struct ses_addr *here)
{
	struct client *c = r->proven ? find(a->clients, r->client) : NULL;

	if (a->listed_only && !c)
		return ACCESS_STRANGER;
	/* A client with a list of its own has that, and not the ports for all. */
	if (same_host(&r->target, here) && a->port[r->target.port] && !(c && c->patterns))
		return ACCESS_ADDRESS;
	if (!c)
		return ACCESS_DENIED;
	if (same_host(&r->target, here) &&
	    matches(a, r, &r->target, r->name[0] ? r->name : NULL, false))
		return ACCESS_ADDRESS;
	if (r->name[0] && matches(a, r, NULL, r->name, false))
		return ACCESS_NAME;
	return access_address(a, r, &r->target) && matches(a, r, &r->target, NULL, false)
	           ? ACCESS_ADDRESS
	           : ACCESS_DENIED;
}

bool access_address(const struct access *a, const struct server_request *r,
                    const struct ses_addr *to)
{
	return !ours_alone(to) || matches(a, r, to, NULL, true);
}
