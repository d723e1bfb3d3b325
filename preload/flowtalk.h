/* SPDX-License-Identifier: MIT */
/*
 * What a flow and its relay tell each other beside the stream: confirmations, ends, resets. Agent
 * only.
 */
#ifndef PRELOAD_FLOWTALK_H
#define PRELOAD_FLOWTALK_H

#include "preload/flow.h"
#include "preload/link.h"

/*
 * Un-confirmed bytes kept by the program's side: covers the largest send buffer Linux gives by
 * itself (tcp_wmem, 4 MB) and the relay's largest receive buffer (tcp_rmem, 6 MB). Reserved, not
 * used: only pages that hold bytes cost memory.
 */
#define CLIENT_RING (16u << 20)
/* What we ask the relay to keep: our largest receive buffer and what is on the way. */
#define RELAY_RING (16u << 20)

/* Handlers for link.h. */
void flowtalk_frame(struct link *l, const struct ses_frame *f);
void flowtalk_link_up(struct link *l);

/* Looks after one flow's confirmations: asks when the writer wants it, tells EOF and CLOSE. */
void flowtalk_step(struct flow *f);

/* No session is to be had: the flow goes straight to the peer, uncovered. */
void flowtalk_straight(struct flow *f, const char *why);

/* From now on the flow cannot be moved; its bytes flow on. `why` must be a constant. */
void flowtalk_uncover(struct flow *f, const char *why);

/* The relay has restated the end of its stream. */
void flowtalk_peer_state(struct flow *f, uint64_t end, uint8_t flags);

/* A handover is complete: tell again what may have been lost with the old connection. */
void flowtalk_moved(struct flow *f);

/* Resets the socket a handover left behind. */
void flowtalk_retire(struct flow *f);

/* The flow is over: releases everything, makes it free once no call is in it. */
void flowtalk_end(struct flow *f);

#endif
