/* SPDX-License-Identifier: MIT */
/* Which paths lead to a peer, and what the library would make of them. */
#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/explain.h"
#include "policy/decide.h"

/* Where a flow is or would be. */
struct place {
	int ifindex;
	char name[IFNAMSIZ];
	enum mif_kind kind;
	char source[INET6_ADDRSTRLEN];
};

/*
 * Which way the host itself would send it: connecting a datagram socket sends nothing, but makes
 * the kernel look the route up, with all its rules and tables. False: no way.
 */
static bool ask_host(const struct mif_monitor *m, const struct sockaddr *to, struct place *at)
{
	struct sockaddr_storage peer = {.ss_family = to->sa_family}, own;
	socklen_t len =
	    to->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	socklen_t own_len = sizeof(own);
	int fd = socket(to->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const void *ip = to->sa_family == AF_INET6
	                     ? (const void *)&((struct sockaddr_in6 *)&own)->sin6_addr
	                     : (const void *)&((struct sockaddr_in *)&own)->sin_addr;
	bool known;

	memcpy(&peer, to, len);
	/* Any port does, but 0 is none. */
	((struct sockaddr_in *)&peer)->sin_port = htons(9);
	known = fd >= 0 && connect(fd, (struct sockaddr *)&peer, len) == 0 &&
	        getsockname(fd, (struct sockaddr *)&own, &own_len) == 0;
	if (fd >= 0)
		close(fd);
	if (!known)
		return false;
	inet_ntop(to->sa_family, ip, at->source, sizeof(at->source));
	at->ifindex = mif_interface_of(m, to->sa_family, ip);
	return mif_interface(m, at->ifindex, at->name, &at->kind, NULL);
}

static bool is_metered(const struct pol *p, const struct mif_path *path)
{
	int said = pol_metered(p, path->name, mif_kind_name(path->kind));

	return said < 0 ? path->kind == MIF_CELLULAR : said;
}

/* What there is to decide on for a flow at `at`, which works, or was lost with its path. */
static void look_around(const struct pol *p, const struct mif_path *paths, int n,
                        const struct place *at, const struct pol_rule *r, bool lost,
                        struct pol_snapshot *s)
{
	const struct mif_path *host = NULL;

	/* That all has been as it is for long is what explains best. */
	*s = (struct pol_snapshot){.current = at->ifindex,
	                           .current_usable = !lost,
	                           .current_tunnel = at->kind == MIF_TUNNEL,
	                           .sticky = r->sticky || r->address_bound,
	                           .stable_ms = pol_stability(p)->stable,
	                           .hold_ms = pol_stability(p)->hold};
	pol_prefer(p, at->name, mif_kind_name(at->kind), &s->current_named, NULL);
	for (int i = 0; i < n; i++) {
		struct pol_candidate *c = &s->candidate[s->candidates];

		if (lost && paths[i].ifindex == at->ifindex)
			continue;
		if (!host || paths[i].metric < host->metric)
			host = &paths[i];
		s->candidates++;
		c->id = paths[i].ifindex;
		snprintf(c->name, sizeof(c->name), "%.15s", paths[i].name);
		c->prefer =
		    pol_prefer(p, paths[i].name, mif_kind_name(paths[i].kind), &c->named, NULL);
		c->tunnel = paths[i].kind == MIF_TUNNEL;
		c->metered = is_metered(p, &paths[i]);
		c->metric = paths[i].metric;
		c->usable_ms = INT_MAX;
		c->failed_ms = -1;
	}
	s->host_tunnel = host && host->kind == MIF_TUNNEL;
}

static void decide(const struct pol *p, const struct mif_path *paths, int n, const struct place *at,
                   const struct pol_rule *r, bool lost, struct pol_decision *d)
{
	struct pol_snapshot s;

	look_around(p, paths, n, at, r, lost, &s);
	pol_decide(&s, d);
}

static void print_spare(const struct pol *p, const struct mif_path *paths, int n,
                        const struct place *at, const struct pol_rule *r)
{
	struct pol_snapshot s;
	struct pol_decision d;

	look_around(p, paths, n, at, r, false, &s);
	pol_spare(&s, r->standby, &d);
	printf("  standby     %s%s\n", d.verb == POL_MOVE ? "" : "none: ", d.reason);
}

static void print_path(const struct pol *p, const struct mif_path *path)
{
	const struct nat64_prefix *nat64 = pol_nat64(p, path->name, mif_kind_name(path->kind));
	char source[INET6_ADDRSTRLEN], prefix[INET6_ADDRSTRLEN] = "";
	bool named;
	int prefer = pol_prefer(p, path->name, mif_kind_name(path->kind), &named, NULL);

	inet_ntop(path->source.family, path->source.ip, source, sizeof(source));
	printf("  path        %s (%s) from %s, prefer %d%s%s, metric %u\n", path->name,
	       mif_kind_name(path->kind), source, prefer, named ? "" : " (not named)",
	       is_metered(p, path) ? ", metered" : "", path->metric);
	if (nat64)
		printf("              NAT64 by %s/%u where it has no IPv4\n",
		       inet_ntop(AF_INET6, nat64->ip, prefix, sizeof(prefix)), nat64->bits);
	else if (pol_nat64_network(p, path->name, mif_kind_name(path->kind)))
		puts(
		    "              NAT64 by the prefix that its network announces, where it has no "
		    "IPv4");
}

static const struct mif_path *path_of(const struct mif_path *paths, int n, int ifindex)
{
	for (int i = 0; i < n; i++)
		if (paths[i].ifindex == ifindex)
			return &paths[i];
	return NULL;
}

/* Does a flow under this rule leave a path that works? The others only move when they must. */
static bool moves_for_better(const struct pol_rule *r, bool udp)
{
	return r->continuity == POL_REDIAL ||
	       ((r->continuity == POL_SESSION || r->continuity == POL_HTTP) && !udp);
}

static void print_loss(const struct pol_rule *r, bool udp, const struct pol_decision *d,
                       const char *from, const char *to)
{
	if (!to)
		printf("  on loss     of %s: waits (%s)\n", from, d->reason);
	else if (r->address_bound)
		printf("  on loss     of %s: %s (bound to its address)\n", from,
		       udp ? "stays" : "ECONNRESET at once");
	else if (udp || r->continuity == POL_SESSION || r->continuity == POL_REDIAL ||
	         r->continuity == POL_HTTP)
		printf("  on loss     of %s: to %s (%s)\n", from, to, d->reason);
	else
		printf("  on loss     of %s: to %s only if nothing was exchanged yet (%s)\n", from,
		       to, d->reason);
}

void explain_paths(const struct pol *p, const struct mif_monitor *m, const struct sockaddr *to,
                   const struct pol_rule *r, bool udp)
{
	struct mif_path paths[POL_CANDIDATES];
	const struct mif_path *next;
	struct pol_decision d;
	struct place at = {.kind = MIF_OTHER};
	int n = mif_paths(m, to, paths, POL_CANDIDATES);

	for (int i = 0; i < n; i++)
		print_path(p, &paths[i]);
	if (!n)
		puts("  path        none now");
	if (!ask_host(m, to, &at)) {
		puts("  connects    not now: the host has no route");
		return;
	}
	printf("  connects    over %s from %s: the host's routing decides on the first path\n",
	       at.name, at.source);
	if (r->continuity == POL_NONE)
		return;
	const struct pol_check *check = pol_check(p);

	if (check->host && (udp || r->continuity != POL_SESSION))
		printf("  tested      another path is taken only after %s (port %u) has answered "
		       "over it\n",
		       check->host, check->port);
	if (check->portal_api && (udp || r->continuity != POL_SESSION))
		puts("  tested      no path is taken whose portal says by itself that it is closed "
		     "(mifcontd asks)");
	if (moves_for_better(r, udp)) {
		decide(p, paths, n, &at, r, false, &d);
		next = d.verb == POL_MOVE ? path_of(paths, n, d.target) : NULL;
		printf("  then        %s%s: %s\n", next ? "moves to " : "stays",
		       next ? next->name : "", d.reason);
		if (next) {
			at = (struct place){.ifindex = next->ifindex, .kind = next->kind};
			snprintf(at.name, sizeof(at.name), "%.15s", next->name);
		}
	} else {
		puts("  then        stays as long as that works");
	}
	decide(p, paths, n, &at, r, true, &d);
	next = d.verb == POL_RESCUE ? path_of(paths, n, d.target) : NULL;
	print_loss(r, udp, &d, at.name, next ? next->name : NULL);
	if (r->continuity == POL_SESSION && !udp)
		print_spare(p, paths, n, &at, r);
}
