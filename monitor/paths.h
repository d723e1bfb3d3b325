/* SPDX-License-Identifier: MIT */
/* Questions to the table. Pure; the public functions of monitor.h are these for the monitor's own
 * table. */
#ifndef MONITOR_PATHS_H
#define MONITOR_PATHS_H

#include "monitor/table.h"

int paths_to(const struct iftable *t, const struct sockaddr *peer, struct mif_path *out, int max);

/*
 * The source addresses of one interface for a peer, best first: none if no route of the interface
 * leads to it. Their number.
 */
int paths_sources(const struct iftable *t, int ifindex, const struct sockaddr *peer,
                  const struct if_address **out, int max);

/* Does a default route of the interface lead by this router (`ip`: 16 bytes)? */
bool paths_router(const struct iftable *t, int ifindex, sa_family_t family, const uint8_t *ip);

/* The interface with this address; `usable` asks for one that can be used now. 0: none. */
int paths_owner(const struct iftable *t, sa_family_t family, const void *ip, bool usable);

/* See mif_address_home(). */
bool paths_home(const struct iftable *t, sa_family_t family, const void *ip);

/* See mif_address_usable(). */
bool paths_usable(const struct iftable *t, sa_family_t family, const void *ip, int ifindex);

#endif
