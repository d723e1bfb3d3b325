/* SPDX-License-Identifier: MIT */
/* What a router said, as items of a provisioning domain. Pure. */
#ifndef MONITOR_RA_ITEMS_H
#define MONITOR_RA_ITEMS_H

#include "monitor/pvd.h"
#include "monitor/ra.h"

#define RA_ITEMS (RA_ELEMENTS + 2)

/*
 * The elements; of a whole advertisement also the router itself, and whether DHCPv4's answers are
 * of this domain. What ends now has `until` = `now`. Their number, at most `max`.
 */
unsigned ra_items(const struct ra *ra, const uint8_t router[16], int64_t now, struct pvd_item *out,
                  unsigned max);
unsigned ra_advertised(const struct ra *ra, const uint8_t router[16], int64_t now,
                       struct pvd_item *out, unsigned max);

#endif
