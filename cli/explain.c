/* SPDX-License-Identifier: MIT */
#include "cli/explain.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const char *meaning_udp(const struct pol_rule *r)
{
	switch (r->continuity) {
	case POL_NONE:
		return "hands off";
	case POL_REDIAL:
		return "datagrams are sent from the best path's address, also while another works";
	case POL_SESSION:
		return "sessions are for TCP; datagrams are sent from the next path's address "
		       "when theirs is lost";
	case POL_HTTP:
		return "HTTP is over TCP; as auto, datagrams are sent from the next path's address "
		       "when theirs is lost";
	case POL_RESET:
	case POL_AUTO:
	case POL_MPTCP:
		break;
	}
	return "datagrams are sent from the next path's address when theirs is lost";
}

#define REDIALLED "straight to the peer; a new connection takes the place of a lost one, and "

static const char *meaning_redial(const struct pol_rule *r)
{
	switch (r->replay) {
	case POL_REPLAY_LINE:
		return REDIALLED
		    "lines the peer had not acknowledged are sent again (at least once)";
	case POL_REPLAY_LENGTH_PREFIX:
		return REDIALLED
		    "records the peer had not acknowledged are sent again (at least once)";
	case POL_REPLAY_NONE:
		break;
	}
	if (r->records != POL_RECORDS_NONE)
		return REDIALLED "nothing is sent again (at most once), but for the beginning of a "
		                 "record that the program has not finished";
	return REDIALLED "nothing is sent again (at most once)";
}

#define AUTO                                                                                       \
	"straight to the peer; dialled again while nothing was exchanged; HTTP as under http; "    \
	"else left to TCP, and reset once another path is ready: TLS and SSH when their address "  \
	"is gone for 3 s and they wait for something, anything else when it is gone for 30 s and " \
	"data is outstanding"

static const char *meaning(const struct pol_rule *r, bool udp)
{
	if (udp)
		return meaning_udp(r);
	switch (r->continuity) {
	case POL_SESSION:
		return "through the relay, and on to the byte over any path; if the relay cannot "
		       "be reached, straight to the peer, uncovered";
	case POL_REDIAL:
		return meaning_redial(r);
	case POL_HTTP:
		return "straight to the peer; over another path requests without an answer are "
		       "made again if they may be made twice, and downloads go on where they are "
		       "if the server has a strong validator for them; what cannot be saved ends "
		       "in ECONNRESET after 3 s, once another path is ready";
	case POL_RESET:
		return "no continuity: ECONNRESET once the address is gone for 3 s, data is "
		       "outstanding and another path is ready";
	case POL_NONE:
		return "hands off";
	case POL_MPTCP:
		return "opened as MPTCP where the kernel has it, and left to it; else as "
		       "auto: " AUTO;
	case POL_AUTO:
		break;
	}
	return AUTO;
}

/* Peers that the library leaves alone whatever the policy says; NULL: not of these. */
static const char *left_alone(const struct pol_peer *p)
{
	const char *local = "on this machine: the library leaves it alone";
	const char *link = "link-local: it is reached over one interface only, and left alone";
	const char *many = "multicast or broadcast: the library leaves it alone";

	if (p->family == AF_INET)
		return p->ip[0] == 127 || p->ip[0] == 0     ? local
		       : p->ip[0] == 169 && p->ip[1] == 254 ? link
		       : p->ip[0] >= 224                    ? many
		                                            : NULL;

	const struct in6_addr *v6 = (const void *)p->ip;

	return IN6_IS_ADDR_LOOPBACK(v6) || IN6_IS_ADDR_UNSPECIFIED(v6) ? local
	       : IN6_IS_ADDR_LINKLOCAL(v6)                             ? link
	       : IN6_IS_ADDR_MULTICAST(v6)                             ? many
	                                                               : NULL;
}

static void print_rule(const struct pol_rule *r, const char *file)
{
	if (r->line)
		printf("  rule        %s:%d peer \"%s\"\n", file, r->line, r->pattern);
	else
		puts("  rule        none matches: auto");
}

static void resolve(const char *host, struct sockaddr_storage *to)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *a;
	int r = getaddrinfo(host, NULL, &hints, &a);

	if (r) {
		printf("  relay       its name is not resolved: %s\n", gai_strerror(r));
		return;
	}
	memcpy(to, a->ai_addr, a->ai_addrlen);
	freeaddrinfo(a);
}

/* Where the flow's connections go: the relay of a session, else the peer. */
static void target(const struct pol_rule *r, bool udp, const struct sockaddr *peer,
                   struct sockaddr_storage *to)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	if (udp || r->continuity != POL_SESSION || !r->relay_host) {
		memcpy(to, peer, peer->sa_family == AF_INET6 ? sizeof(*v6) : sizeof(*v4));
	} else if (inet_pton(AF_INET, r->relay_host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
	} else if (inet_pton(AF_INET6, r->relay_host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
	} else {
		resolve(r->relay_host, to);
	}
}

void explain_peer(const struct pol *p, const char *file, const struct mif_monitor *m,
                  const struct pol_peer *asked, const struct sockaddr *to)
{
	struct pol_peer peer = *asked;
	const char *host = asked->host;
	bool udp = asked->protocol == IPPROTO_UDP;
	char text[INET6_ADDRSTRLEN];
	struct sockaddr_storage dial;
	const struct pol_rule *r, *unnamed;
	const char *alone;

	peer.family = to->sa_family;
	peer.host = NULL;
	if (to->sa_family == AF_INET6)
		memcpy(peer.ip, &((const struct sockaddr_in6 *)to)->sin6_addr, 16);
	else
		memcpy(peer.ip, &((const struct sockaddr_in *)to)->sin_addr, 4);
	unnamed = pol_match(p, &peer);
	peer.host = host;
	r = pol_match(p, &peer);
	inet_ntop(to->sa_family, peer.ip, text, sizeof(text));
	printf(to->sa_family == AF_INET6 ? "[%s]:%d/%s\n" : "%s:%d/%s\n", text, peer.port,
	       udp ? "udp" : "tcp");
	alone = left_alone(&peer);
	if (alone) {
		printf("  %s\n", alone);
		return;
	}
	print_rule(r, file);
	if (unnamed != r && unnamed->line)
		printf("  but         for a program that connects without resolving %s itself: "
		       "%s:%d peer \"%s\"\n",
		       host, file, unnamed->line, unnamed->pattern);
	printf("  continuity  %s: %s\n", pol_continuity_name(r->continuity), meaning(r, udp));
	if (r->resolve_path)
		puts("  resolve     path: names are looked up in the network of the path");
	if (r->opening != POL_OPENING_NONE && !udp)
		printf("  opening     %s\n",
		       r->opening == POL_OPENING_SCRIPT
		           ? "the policy's own is said on the new connection"
		           : "what the program began with is said again on the new connection, and "
		             "has to be answered as it was");
	if (r->continuity == POL_SESSION && !udp)
		printf("  relay       %s%s, port %d\n",
		       r->relay_host ? "at " : "on the peer's own host",
		       r->relay_host ? r->relay_host : "", r->relay_port);
	target(r, udp, to, &dial);
	if (m)
		explain_paths(p, m, (const struct sockaddr *)&dial, r, udp);
}
