/* SPDX-License-Identifier: MIT */
/*
 * Multipath TCP where the policy wants it and the program did not ask for it. Such a connection is
 * the kernel's from then on: it goes on over other paths without us (RFC 8684), or it has fallen
 * back to TCP because the peer or a middlebox does not speak it, and ends as TCP does.
 */
#ifndef PRELOAD_MPTCP_H
#define PRELOAD_MPTCP_H

#include <stdbool.h>

#include "preload/flow.h"

/*
 * Puts an MPTCP socket with the program's options onto the flow's descriptors, in the place of a
 * TCP socket that has not been connected yet. False: the kernel has none, the program has chosen
 * the port it calls from, or the socket is in use; nothing was changed. For connect(); keeps errno.
 */
bool mptcp_put(struct flow *f);

#endif
