/* SPDX-License-Identifier: MIT */
/*
 * The networks the machine's interfaces are attached to: what their routers say, of which domain,
 * and the additional information of those domains. An interface that goes away takes all of it
 * along.
 */
#ifndef SERVICE_NETWORKS_H
#define SERVICE_NETWORKS_H

#include "monitor/monitor.h"
#include "monitor/ra.h"

void networks_start(struct mif_monitor *m);

/* A router has spoken; an interface has come or gone. */
void networks_heard(int ifindex, const uint8_t router[16], const struct ra *ra);
void networks_event(const struct mif_event *ev);

void networks_step(int64_t now);
int64_t networks_due(void);
void networks_log(void);

#endif
