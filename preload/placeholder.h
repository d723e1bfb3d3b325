/* SPDX-License-Identifier: MIT */
/*
 * Quiet sockets: what a program's descriptor holds while its real connection is being replaced.
 *
 * A loopback TCP pair with full buffers is neither readable nor writable nor in error, takes TCP options,
 * has the right family, and a RST from its far end is a true ECONNRESET.
 */
#ifndef PRELOAD_PLACEHOLDER_H
#define PRELOAD_PLACEHOLDER_H

#include <sys/socket.h>

/* `app` goes onto the program's descriptor, `far` is kept. Both close-on-exec. Negative errno: nothing is open. */
int placeholder_open(sa_family_t family, int *app, int *far);

/* Closes the far end with a RST. */
void placeholder_reset(int far);

/*
 * A socket that is connecting and will be for minutes: it is in SYN_SENT towards a listener of our own whose queue is full. The two
 * guards (listener and what fills its queue) must stay open as long.
 */
int placeholder_connecting(sa_family_t family, int *app, int guard[2]);

#endif
