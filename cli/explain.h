/* SPDX-License-Identifier: MIT */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "monitor/monitor.h"
#include "policy/rules.h"

/*
 * Prints what the policy (of `file`) means for one peer: rule, continuity, relay, the paths there
 * are now, which would be taken and what would happen on its loss. `asked` is what is known besides
 * the address: port, protocol, name, program and user. Without a monitor (NULL) nothing is said of
 * paths.
 */
void explain_peer(const struct pol *p, const char *file, const struct mif_monitor *m,
                  const struct pol_peer *asked, const struct sockaddr *to);

/* The decision about a peer at `to` as the library would take it. */
void explain_paths(const struct pol *p, const struct mif_monitor *m, const struct sockaddr *to,
                   const struct pol_rule *r, bool udp);

#endif
