/* SPDX-License-Identifier: MIT */
/* The addresses of a name, as the name servers of one domain know them: of the family in which the
 * domain is used. */
#ifndef SERVICE_NAMES_H
#define SERVICE_NAMES_H

#include <ares.h>
#include <netinet/in.h>

#include "service/fetch.h"
#include "service/loop.h"

#define NAMES_ADDRESSES 4
#define NAMES_SOCKETS 16

struct names {
	ares_channel channel;
	struct watch socket[NAMES_SOCKETS];
	sa_family_t family;
	bool over;       /* all there will be is there */
	const char *why; /* there is nothing */
	unsigned count;
	char address[NAMES_ADDRESSES][INET6_ADDRSTRLEN];
};

/* From the source and at the servers that `how` names. */
void names_start(struct names *n, const struct fetch_how *how, const char *host);

/* To be called now and then, and when it is due (-1: never). */
void names_step(struct names *n);
int64_t names_due(const struct names *n, int64_t now);

/* Not from within a callback of a socket. */
void names_end(struct names *n);

#endif
