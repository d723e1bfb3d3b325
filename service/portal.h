/* SPDX-License-Identifier: MIT */
/*
 * Captive portals: wherever a domain has the URI of a portal's API (RFC 8910, whoever announced
 * it), the API is asked (RFC 8908), and its answer is an item of the domain.
 */
#ifndef SERVICE_PORTAL_H
#define SERVICE_PORTAL_H

#include "monitor/monitor.h"

void portals_start(struct mif_monitor *m);

/* Domains changed: look for their portals. */
void portals_note(void);

void portals_step(int64_t now);
int64_t portals_due(void);
void portals_log(void);

#endif
