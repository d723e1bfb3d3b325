/* SPDX-License-Identifier: MIT */
/* Names to addresses, by c-ares, inside the relay's loop: one slow name server holds up nobody. */
#ifndef RELAY_RESOLVE_H
#define RELAY_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "session/client.h"

/* n = 0: the name stands for nothing, or nobody answered. */
typedef void resolve_fn(void *arg, const struct ses_addr *addr, unsigned n);

/* False after a message: no resolver, names will not be resolved. */
bool resolve_start(void);

/*
 * Looks `name` up and calls `done` once, perhaps at once: with at most SES_RELAY_ADDRS addresses,
 * all with this port. False: too many questions are open; `done` is not called.
 */
bool resolve(const char *name, uint16_t port, resolve_fn *done, void *arg);

/* Something on a descriptor of the resolver's; fd < 0: time has passed. */
void resolve_event(int fd, uint32_t events);

#endif
