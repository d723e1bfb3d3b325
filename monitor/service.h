/* SPDX-License-Identifier: MIT */
/*
 * The socket to mifcontd(8), which looks at the network for all processes of the machine. Nobody
 * depends on it: whatever is wrong, the monitor looks for itself.
 */
#ifndef MONITOR_SERVICE_H
#define MONITOR_SERVICE_H

#include "monitor/netlink.h"

/*
 * Connects to SHARED_SOCKET, or to what $MIFCONT_SERVICE named when the program began ("": to
 * nothing). Only a service of root's or of our own user is listened to. `network` is set to the
 * cookie of our network namespace. 0 or negative errno; never blocks.
 */
int service_connect(struct rtsock *s, uint64_t *network);

/* One record; -EAGAIN: none, -EPIPE: there will be none. */
ssize_t service_receive(const struct rtsock *s, void *buf, size_t size);

/* SHARED_ASK. 0 or negative errno. */
int service_ask(const struct rtsock *s, int ifindex);

/* A message of shared_write.c. 0 or negative errno. */
int service_send(const struct rtsock *s, const void *message, size_t len);

#endif
