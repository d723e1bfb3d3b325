/* SPDX-License-Identifier: MIT */
/* Datagram flows: a fresh socket from another source address takes the old one's place. Agent only.
 */
#ifndef PRELOAD_UDP_H
#define PRELOAD_UDP_H

#include "monitor/monitor.h"
#include "preload/flow.h"

/*
 * The interface and source address the host's own routing takes to the peer now: connecting a
 * datagram socket sends nothing and tells. 0: no route.
 */
int udp_route(const union flow_address *peer, union flow_address *source);

/* Moves the flow at once; on failure it stays as it is and is tried again later. */
void udp_move(struct flow *f, const struct mif_path *path);

#endif
