/* SPDX-License-Identifier: MIT */
/* mifcont policy: check FILE; explain HOST:PORT[/udp]. */
#include <getopt.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/explain.h"
#include "policy/user.h"

#define ADDRESSES 4

static const char usage[] = "usage: mifcont policy check FILE\n"
                            "       mifcont policy explain [--policy FILE] [--program PATH] "
                            "[--user USER] HOST:PORT[/udp]\n";

static int check(const char *file)
{
	char err[512];
	struct pol *p = pol_load(file, err, sizeof(err));

	if (!p) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	printf("%s: OK, %u interface and %u peer sections\n", file, p->interfaces, p->peers);
	for (unsigned i = 0; i < p->peers; i++) {
		const struct pol_rule *r = &p->peer[i].rule;

		if (p->peer[i].pattern.user[0])
			printf("%s:%d: note: user \"%s\" is not in /etc/passwd; the rule is "
			       "nobody's\n",
			       file, r->line, p->peer[i].pattern.user);
		if (pattern_names(&p->peer[i].pattern))
			printf("%s:%d: note: peer \"%s\" is over host names; it applies "
			       "where the program resolves the name with the C library\n",
			       file, r->line, r->pattern);
	}
	pol_free(p);
	return 0;
}

/* --- explain -------------------------------------------------------------------------------- */

struct target {
	char host[256];
	int port;
	bool udp;
};

/* HOST:PORT, HOST:PORT/udp or /tcp; an IPv6 address in brackets. */
static bool parse_target(const char *text, struct target *t)
{
	const char *end = strrchr(text, '/'), *port, *host = text;
	size_t len;
	char *rest;
	long n;

	if (end && strcmp(end, "/udp") != 0 && strcmp(end, "/tcp") != 0)
		return false;
	t->udp = end && end[1] == 'u';
	end = end ? end : text + strlen(text);
	port = memrchr(text, ':', (size_t)(end - text));
	if (!port || port[1] < '0' || port[1] > '9')
		return false;
	n = strtol(port + 1, &rest, 10);
	if (rest != end || n < 1 || n > 65535)
		return false;
	t->port = (int)n;
	len = (size_t)(port - host);
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	} else if (memchr(host, ':', len)) {
		return false;
	}
	if (len == 0 || len >= sizeof(t->host))
		return false;
	memcpy(t->host, host, len);
	t->host[len] = 0;
	return true;
}

/* The table is all that is wanted. */
static void ignore(void *ctx, const struct mif_event *ev)
{
	(void)ctx;
	(void)ev;
}

static void explain_all(const struct pol *p, const char *file, const struct pol_peer *asked,
                        const struct addrinfo *list)
{
	struct mif_monitor *m = NULL;
	int shown = 0, r = mif_monitor_open(&m, ignore, NULL, true);

	if (r < 0) {
		fprintf(stderr, "mifcont: no paths to show: %s\n", strerror(-r));
		m = NULL;
	}
	for (const struct addrinfo *a = list; a; a = a->ai_next) {
		if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
			continue;
		if (shown++ == ADDRESSES) {
			puts("and more addresses");
			break;
		}
		explain_peer(p, file, m, asked, a->ai_addr);
	}
	if (m)
		mif_monitor_close(m);
}

static int explain(const char *given, const char *what, const char *program, uint32_t uid)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	const struct pol *p = pol_builtin();
	char err[512], file[PATH_MAX] = "";
	struct target t;
	int r;

	if (!parse_target(what, &t)) {
		fprintf(stderr,
		        "mifcont: \"%s\" not understood; expected HOST:PORT or HOST:PORT/udp, an "
		        "IPv6 address in brackets\n",
		        what);
		return 2;
	}
	if (given)
		snprintf(file, sizeof(file), "%s", given);
	if (given || pol_find(file, sizeof(file))) {
		p = pol_load(file, err, sizeof(err));
		if (!p) {
			fprintf(stderr, "%s\n", err);
			return 1;
		}
	} else {
		file[0] = 0;
	}
	r = getaddrinfo(t.host, NULL, &hints, &list);
	if (r) {
		fprintf(stderr, "mifcont: %s: %s\n", t.host, gai_strerror(r));
	} else {
		printf("policy %s\n", file[0] ? file : "none found: everything is auto");
		struct pol_peer asked = {.port = (uint16_t)t.port,
		                         .protocol = t.udp ? IPPROTO_UDP : IPPROTO_TCP,
		                         .host = t.host,
		                         .program = program,
		                         .uid = uid};

		explain_all(p, file, &asked, list);
		freeaddrinfo(list);
	}
	pol_free((struct pol *)p);
	return r ? 1 : 0;
}

static bool parse_user(const char *text, uint32_t *uid)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9')
		return user_number(text, uid);
	*uid = (uint32_t)n;
	return *end == 0 && n < UINT32_MAX;
}

int cmd_policy(int argc, char **argv)
{
	static const struct option options[] = {{"policy", required_argument, NULL, 'p'},
	                                        {"program", required_argument, NULL, 'P'},
	                                        {"user", required_argument, NULL, 'u'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {NULL, 0, NULL, 0}};
	const char *file = NULL, *program = NULL;
	uint32_t uid = geteuid();
	bool explaining, checking;
	int c;

	if (argc < 2) {
		fputs(usage, stderr);
		return 2;
	}
	/* The options stand behind the second word. */
	explaining = strcmp(argv[1], "explain") == 0;
	checking = strcmp(argv[1], "check") == 0;
	optind = explaining || checking ? 2 : 1;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (c == '?')
			return 2;
		if (c == 'p')
			file = optarg;
		if (c == 'P')
			program = optarg;
		if (c == 'u' && !parse_user(optarg, &uid)) {
			fprintf(stderr,
			        "mifcont: user \"%s\" not known; expected a name in /etc/passwd "
			        "or a number\n",
			        optarg);
			return 2;
		}
	}
	if (argc == optind + 1 && explaining)
		return explain(file, argv[optind], program, uid);
	if (argc == optind + 1 && checking && optind == 2)
		return check(argv[optind]);
	fputs(usage, stderr);
	return 2;
}
