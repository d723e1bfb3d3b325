/* SPDX-License-Identifier: MIT */
/*
 * Router advertisements off the wire, by the one socket for which the service needs a privilege.
 * Routers are asked (RFC 4861, 6.3.7) on interfaces that have come up or were up before the service
 * was, for the kernel asks only once.
 */
#ifndef SERVICE_ADVERT_H
#define SERVICE_ADVERT_H

#include "monitor/monitor.h"
#include "monitor/ra.h"

typedef void advert_fn(int ifindex, const uint8_t router[16], const struct ra *ra);

/* Opens the socket (CAP_NET_RAW; nothing else needs it). 0 or negative errno. */
int advert_open(void);
int advert_start(struct mif_monitor *m, advert_fn *fn);

/* Interfaces come, go, and come up: ask their routers; or do not any more. */
void advert_event(const struct mif_event *ev, int64_t now);

void advert_step(int64_t now);
int64_t advert_due(void);

#endif
