/* SPDX-License-Identifier: MIT */
/* Which name the program has resolved to get an address: the policy may speak of names, and a relay
 * may be asked to resolve for itself. */
#ifndef PRELOAD_NAMES_H
#define PRELOAD_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define NAME_MAX_LEN 255

/*
 * Remembers that `name` stands for this address; of many the oldest are forgotten. Not for signal
 * handlers, as the resolver's calls are not.
 */
void names_note(const char *name, const struct sockaddr *addr);

/* The name last resolved to this IP address, copied to `out`; false: none. Async-signal-safe. */
bool names_find(sa_family_t family, const void *ip, char out[NAME_MAX_LEN + 1]);

union flow_address;

/* The addresses noted under this very name, without a port; their number. Agent only. */
unsigned names_addresses(const char *name, union flow_address *out, unsigned max);

/* In a forked child: whoever held the lock is not here. */
void names_forked(void);

#endif
