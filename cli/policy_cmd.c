/* SPDX-License-Identifier: MIT */
/* mifcont policy: check FILE; explain HOST:PORT[/udp]. */
#include <arpa/inet.h>
#include <getopt.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "monitor/monitor.h"
#include "policy/decide.h"
#include "policy/rules.h"

static int check(const char *file)
{
	char err[512];
	struct pol *p = pol_load(file, err, sizeof(err));

	if (!p) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	printf("%s: fine; %u interface and %u peer sections\n", file, p->interfaces, p->peers);
	pol_free(p);
	return 0;
}

static const char *meaning(const struct pol_rule *r, int udp)
{
	switch (r->continuity) {
	case POL_SESSION:
		return udp ? "sessions are for TCP; datagrams are sent from the next source "
		             "address when theirs is lost"
		           : "through the relay: goes on to the byte over any path; if the relay "
		             "cannot be reached, straight to the peer, uncovered";
	case POL_REDIAL:
		if (udp)
			return "datagrams are sent from the best path's source address";
		return r->replay == POL_REPLAY_LINE
		           ? "straight to the peer; a new connection is spliced in and "
		             "unacknowledged lines are sent again (at least once)"
		           : "straight to the peer; a new connection is spliced in and nothing is "
		             "sent again (at most once)";
	case POL_HTTP:
		return "not in this version: treated as auto";
	case POL_RESET:
		return "no continuity: ECONNRESET once the source address is gone, data is "
		       "outstanding and another path is ready";
	case POL_NONE:
		return "hands off";
	case POL_AUTO:
		break;
	}
	return udp ? "datagrams are sent from the next source address when theirs is lost"
	           : "straight to the peer; dialled again while nothing was exchanged, else left "
	             "to TCP, and reset only after 30 s without the source address";
}

/* The decision for a flow that is on `current` (0: on none), over the paths except `without`. */
static void decide(const struct pol *p, const struct mif_path *paths, int n, int current,
                   int without, struct pol_decision *d)
{
	struct pol_snapshot s = {
	    .current = current, .current_usable = current != 0, .stable_ms = 250, .hold_ms = 2000};
	const struct mif_path *host = NULL;

	for (int i = 0; i < n; i++) {
		struct pol_candidate *c;

		if (!host || paths[i].metric < host->metric)
			host = &paths[i];
		if (paths[i].ifindex == without)
			continue;
		c = &s.candidate[s.candidates++];
		c->id = paths[i].ifindex;
		snprintf(c->name, sizeof(c->name), "%s", paths[i].name);
		c->prefer = pol_prefer(p, paths[i].name, &c->named, NULL);
		c->tunnel = paths[i].kind == MIF_TUNNEL;
		c->metric = paths[i].metric;
		c->usable_ms = INT_MAX;
		c->failed_ms = -1;
	}
	s.host_tunnel = host && host->kind == MIF_TUNNEL;
	pol_decide(&s, d);
}

static const char *name_of(const struct mif_path *paths, int n, int ifindex)
{
	for (int i = 0; i < n; i++)
		if (paths[i].ifindex == ifindex)
			return paths[i].name;
	return "?";
}

static void explain_paths(const struct pol *p, struct mif_monitor *m, const struct sockaddr *to)
{
	struct mif_path paths[POL_CANDIDATES];
	struct pol_decision d;
	int n = mif_paths(m, to, paths, POL_CANDIDATES);

	for (int i = 0; i < n; i++) {
		char source[INET6_ADDRSTRLEN];
		bool metered, named;
		int prefer = pol_prefer(p, paths[i].name, &named, &metered);

		inet_ntop(paths[i].source.family, paths[i].source.ip, source, sizeof(source));
		printf("  path        %s (%s) from %s, prefer %d%s%s, metric %u\n", paths[i].name,
		       mif_kind_name(paths[i].kind), source, prefer, named ? "" : " (not named)",
		       metered ? ", metered" : "", paths[i].metric);
	}
	if (!n) {
		puts("  path        none now: the flow would wait");
		return;
	}
	/* The first connection goes where the host routes it: the lowest metric. */
	int first = paths[0].ifindex;

	printf("  connects    over %s, where the host's routing sends it\n", paths[0].name);
	decide(p, paths, n, first, 0, &d);
	if (d.verb == POL_MOVE) {
		printf("  then        moves to %s: %s\n", name_of(paths, n, d.target), d.reason);
		first = d.target;
	}
	decide(p, paths, n, 0, first, &d);
	if (d.verb == POL_RESCUE)
		printf("  on loss     of %s: to %s\n", name_of(paths, n, first),
		       name_of(paths, n, d.target));
	else
		printf("  on loss     of %s: waits (%s)\n", name_of(paths, n, first), d.reason);
}

static void explain_one(const struct pol *p, const char *file, struct mif_monitor *m,
                        const char *host, const struct sockaddr *to, int port, int udp)
{
	struct pol_peer peer = {.family = to->sa_family, .port = (uint16_t)port, .host = host};
	char text[INET6_ADDRSTRLEN];

	if (to->sa_family == AF_INET6)
		memcpy(peer.ip, &((const struct sockaddr_in6 *)to)->sin6_addr, 16);
	else
		memcpy(peer.ip, &((const struct sockaddr_in *)to)->sin_addr, 4);
	peer.protocol = udp ? IPPROTO_UDP : IPPROTO_TCP;
	const struct pol_rule *r = pol_match(p, &peer);

	inet_ntop(to->sa_family, peer.ip, text, sizeof(text));
	printf(to->sa_family == AF_INET6 ? "[%s]:%d/%s\n" : "%s:%d/%s\n", text, port,
	       udp ? "udp" : "tcp");
	if (r->line)
		printf("  rule        %s:%d peer \"%s\"\n", file, r->line, r->pattern);
	else
		puts("  rule        none matches: auto");
	printf("  continuity  %s: %s\n", pol_continuity_name(r->continuity), meaning(r, udp));
	if (r->continuity == POL_SESSION && !udp)
		printf("  relay       %s, port %d\n",
		       r->relay_host ? r->relay_host : "on the peer's own host", r->relay_port);
	if (m)
		explain_paths(p, m, to);
}

/* The table is all that is wanted. */
static void ignore(void *ctx, const struct mif_event *ev)
{
	(void)ctx;
	(void)ev;
}

static int explain(const char *given, const char *what)
{
	char err[512], file[PATH_MAX] = "", buf[300], *host = buf, *port, *end;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	const struct pol *p = pol_builtin();
	struct mif_monitor *m = NULL;
	int udp = 0, shown = 0;

	if (given)
		snprintf(file, sizeof(file), "%s", given);
	if (given || pol_find(file, sizeof(file))) {
		p = pol_load(file, err, sizeof(err));
		if (!p) {
			fprintf(stderr, "%s\n", err);
			return 1;
		}
	}
	snprintf(buf, sizeof(buf), "%s", what);
	if ((end = strrchr(buf, '/')) && (strcmp(end, "/udp") == 0 || strcmp(end, "/tcp") == 0)) {
		udp = end[1] == 'u';
		*end = 0;
	}
	port = strrchr(buf, ':');
	long n = port ? strtol(port + 1, &end, 10) : 0;

	if (!port || *end || n < 1 || n > 65535 || strlen(what) >= sizeof(buf)) {
		fprintf(stderr,
		        "mifcont: \"%s\" not understood; expected HOST:PORT or HOST:PORT/udp\n",
		        what);
		return 2;
	}
	*port = 0;
	if (*host == '[' && port[-1] == ']') {
		port[-1] = 0;
		host++;
	}
	int r = getaddrinfo(host, NULL, &hints, &list);

	if (r) {
		fprintf(stderr, "mifcont: %s: %s\n", host, gai_strerror(r));
		return 1;
	}
	if (mif_monitor_open(&m, ignore, NULL, true) < 0)
		m = NULL;
	printf("policy      %s\n", file[0] ? file : "none found: everything is auto");
	for (struct addrinfo *a = list; a && shown < 4; a = a->ai_next)
		if (a->ai_family == AF_INET || a->ai_family == AF_INET6) {
			explain_one(p, file, m, host, a->ai_addr, (int)n, udp);
			shown++;
		}
	freeaddrinfo(list);
	if (m)
		mif_monitor_close(m);
	return 0;
}

int cmd_policy(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "check") == 0)
		return check(argv[2]);
	if (argc == 3 && strcmp(argv[1], "explain") == 0)
		return explain(NULL, argv[2]);
	if (argc == 5 && strcmp(argv[1], "explain") == 0 && strcmp(argv[2], "--policy") == 0)
		return explain(argv[3], argv[4]);
	fputs("usage: mifcont policy check FILE\n"
	      "       mifcont policy explain [--policy FILE] HOST:PORT[/udp]\n",
	      stderr);
	return 2;
}
