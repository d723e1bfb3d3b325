/* SPDX-License-Identifier: MIT */
/* The PROXY protocol, version 2 (haproxy's doc/proxy-protocol.txt): who it is that we connect for.
 * Pure. */
#ifndef RELAY_PROXY_H
#define RELAY_PROXY_H

#include <stddef.h>
#include <stdint.h>

#include "session/client.h"

#define PROXY_MAX 52

/*
 * Writes the header for a TCP connection from `from` to `to` into `out` (PROXY_MAX bytes); the
 * length. Of two families the IPv4 address is written as an IPv6 one.
 */
size_t proxy_header(const struct ses_addr *from, const struct ses_addr *to, uint8_t *out);

#endif
