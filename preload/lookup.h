/* SPDX-License-Identifier: MIT */
/*
 * Names to addresses, by c-ares, over the library's own descriptors. The program's resolver is not
 * used: it would block, and its answers may depend on the calling thread. c-ares allocates: not for
 * handovers under way.
 */
#ifndef PRELOAD_LOOKUP_H
#define PRELOAD_LOOKUP_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "preload/flow.h"
#include "preload/waits.h"

#define LOOKUP_ADDRESSES 8
#define LOOKUP_SERVERS 8
#define LOOKUP_SUFFIXES 6
#define LOOKUP_SUFFIX 256

/* Who is asked, and how. */
struct lookup_where {
	char device[IFNAMSIZ]; /* over this interface; "": as the host's routing has it */
	/* None: the host's own servers. Link-local ones are the interface's. */
	unsigned servers;
	union flow_address server[LOOKUP_SERVERS]; /* with a port if it is not 53 */
	unsigned suffixes;
	char suffix[LOOKUP_SUFFIXES][LOOKUP_SUFFIX];
};

enum lookup_status {
	LOOKUP_FOUND,
	LOOKUP_NO_NAME,   /* somebody who knows says so */
	LOOKUP_NO_ANSWER, /* nobody has said anything of use */
};

/* n = 0: no answer. */
typedef void lookup_fn(void *arg, const union flow_address *addr, unsigned n);
typedef void lookup_said_fn(void *arg, enum lookup_status status, const union flow_address *addr,
                            unsigned n);

/* --- the agent's: relays, connectivity checks, peers that are dialled again --- */

/* False: it cannot be looked up; else `done` is called once, from lookup_step() or at once. */
bool lookup_begin(const char *host, uint16_t port, lookup_fn *done, void *arg);

/* The same over one interface: what a name means may depend on who is asked. */
bool lookup_over(const char *device, const char *host, uint16_t port, lookup_fn *done, void *arg);

/* By the servers of one network. */
bool lookup_there(const struct lookup_where *where, const char *host, lookup_said_fn *done,
                  void *arg);

void lookup_wait(struct waits *w);
void lookup_step(const struct waits *w);

/* In a forked child: the descriptors are closed elsewhere. */
void lookup_forget(void);

/* --- a thread's own: one question, and it waits for the answer --- */

/* `family` AF_UNSPEC for both. Until `until_ms` at the latest. How many were found. */
unsigned lookup_now(const struct lookup_where *where, const char *host, int family,
                    int64_t until_ms, enum lookup_status *status,
                    union flow_address out[LOOKUP_ADDRESSES]);

#endif
