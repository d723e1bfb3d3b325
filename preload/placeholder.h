/* SPDX-License-Identifier: MIT */
/*
 * Quiet sockets: what a program's descriptor holds while its real connection is being replaced.
 *
 * A loopback TCP pair with full buffers is neither readable nor writable nor in error, takes TCP
 * options, has the right family, and a RST from its far end is a true ECONNRESET. It costs some 80
 * us and stays quiet for as long as both ends are open: the far end answers the window probes. Only
 * TCP_USER_TIMEOUT would end it (measured: at that very time), so that option must not be copied
 * onto it.
 */
#ifndef PRELOAD_PLACEHOLDER_H
#define PRELOAD_PLACEHOLDER_H

#include <sys/socket.h>

/*
 * `app` goes onto the program's descriptor, `far` is kept. Both own_fd()'s and blocking. Where
 * the loopback has no IPv6, a placeholder for it is an IPv6 socket with an IPv4-mapped peer;
 * without any loopback TCP it is an AF_UNIX pair, which is quiet, too, but knows no TCP option.
 * Waits at most some hundred milliseconds. Negative errno (-EMFILE, ...): nothing is open.
 */
int placeholder_open(sa_family_t family, int *app, int *far);

/*
 * The same pair with the kernel's own buffers, empty: for bytes to be carried through. Without a
 * TCP loopback there is none.
 */
int placeholder_pair(sa_family_t family, int *app, int *far);

/* Closes the far end with a RST: whatever the program does on its end now fails with ECONNRESET. */
void placeholder_reset(int far);

/*
 * A socket that is connecting: connect() says EALREADY, send() EAGAIN, poll() nothing. It is in
 * SYN_SENT towards a listener of our own whose queue is full, and gives up as any connect does
 * (ETIMEDOUT after 135 s with the kernel's defaults, or as TCP_SYNCNT and TCP_USER_TIMEOUT on it
 * say). Non-blocking; all of them own_fd()'s. Negative errno: nothing is open.
 */
int placeholder_connecting(sa_family_t family, int *app, int guard[2]);

/*
 * Closes both guards (each may be -1) and sets them to -1. Not before `app` is closed or replaced:
 * it would be refused at its next SYN.
 */
void placeholder_release(int guard[2]);

#endif
