/* SPDX-License-Identifier: MIT */
/* From where, and by which servers, something is fetched in a domain. */
#ifndef SERVICE_PLACE_H
#define SERVICE_PLACE_H

#include "monitor/domains.h"
#include "service/fetch.h"

/*
 * Fills in all but the URL and the type: an address of the domain (rather a temporary one, rather
 * not a deprecated one; of IPv6 where there is one) and its name servers. False: the domain is not
 * (yet) configured so far.
 */
bool place_find(const struct iftable *t, const struct domains *d, int ifindex, const char *name,
                struct fetch_how *how);

#endif
