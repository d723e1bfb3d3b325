/* SPDX-License-Identifier: MIT */
/*
 * Peer patterns: [program:NAME ][user:NAME ]HOST[:PORT[-PORT][,...]][/tcp|/udp]. HOST is *, an IPv4
 * address or prefix, an IPv6 address or prefix in brackets, or a shell pattern over the host name
 * or the address as text (an IPv6 one in brackets). A program is a shell pattern over the last part
 * of its path, or over all of it if there is a '/' in the pattern; a user a number or a name. Pure,
 * no allocation, no locks: fit for signal handlers.
 */
#ifndef POLICY_PATTERN_H
#define POLICY_PATTERN_H

#include "policy/policy.h"

#define PATTERN_PORTS 8

struct pattern {
	sa_family_t family; /* 0: any host, or a glob */
	uint8_t ip[16];
	unsigned prefix_len;
	char glob[128]; /* "" unless it is one */
	struct {
		uint16_t first, last;
	} port[PATTERN_PORTS];
	unsigned ports;    /* 0: any */
	int protocol;      /* 0: any */
	char program[128]; /* "" : any */
	char user[33];     /* a name that `uid` is yet to be found for (the caller's part), or "" */
	bool by_user;      /* only those of `uid` */
	uint32_t uid;
};

/* False: `why` (a constant) says what was expected. */
bool pattern_parse(const char *text, struct pattern *p, const char **why);

bool pattern_match(const struct pattern *p, const struct pol_peer *peer);

/* Can it match nothing but a host name? A peer known by its address alone never meets it. */
bool pattern_names(const struct pattern *p);

#endif
