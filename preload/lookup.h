/* SPDX-License-Identifier: MIT */
/*
 * A relay's name, or a connectivity check's, to its addresses, by c-ares, on the agent's own
 * descriptors. Agent only, and only before the first contact with a relay that the policy names:
 * c-ares allocates. The program's resolver is not used: it would block, and its answers may depend
 * on the calling thread.
 */
#ifndef PRELOAD_LOOKUP_H
#define PRELOAD_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/flow.h"
#include "preload/waits.h"

#define LOOKUP_ADDRESSES 8

/* n = 0: no answer. */
typedef void lookup_fn(void *arg, const union flow_address *addr, unsigned n);

/* False: it cannot be looked up; else `done` is called once, from lookup_step() or at once. */
bool lookup_begin(const char *host, uint16_t port, lookup_fn *done, void *arg);

/* The same over one interface: what a name means may depend on who is asked. */
bool lookup_over(const char *device, const char *host, uint16_t port, lookup_fn *done, void *arg);

void lookup_wait(struct waits *w);
void lookup_step(const struct waits *w);

/* In a forked child: the descriptors are closed elsewhere. */
void lookup_forget(void);

#endif
