/* SPDX-License-Identifier: MIT */
/*
 * `resolve = path`: what a name means in the network by which a connection would leave, instead of
 * what the host's resolver makes of all its networks together. In the calling thread, as the C
 * library does it; the agent is not needed. Nothing is made up: where no name server of that
 * network is known the C library is asked as ever.
 */
#ifndef PRELOAD_RESOLVE_H
#define PRELOAD_RESOLVE_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/monitor.h"
#include "preload/lookup.h"

/* What was found; where `known` is false the C library is to be asked. */
struct resolved {
	bool known;
	enum lookup_status status;
	unsigned n;
	union flow_address addr[LOOKUP_ADDRESSES];
};

/* `port` 0: not said. Takes no longer than a few seconds. */
void resolve_by_path(const char *name, uint16_t port, int protocol, int family,
                     struct resolved *out);

/* The hooks' work. False: ask the C library. */
bool resolve_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                         struct addrinfo **result, int *error);
bool resolve_hostent(const char *name, int family, struct hostent *into, char *buf, size_t len,
                     int *error, int *h_error);

/*
 * Who is asked in the network of an interface; false: nobody is known. `m` follows the domains.
 * Reads the managers' files.
 */
bool resolve_where(struct mif_monitor *m, int ifindex, const char *device,
                   struct lookup_where *where);

#endif
