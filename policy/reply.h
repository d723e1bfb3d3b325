/* SPDX-License-Identifier: MIT */
/*
 * What the answer to a connectivity check says of the network it came through. Pure.
 *
 * A canary (RFC 8952, appendix A): a plain request whose answer is known beforehand. Whoever
 * answers anything else is not who was asked.
 */
#ifndef POLICY_REPLY_H
#define POLICY_REPLY_H

#include <stdbool.h>
#include <stddef.h>

/* In NetworkManager's words. */
enum pol_connectivity {
	POL_NET_UNKNOWN, /* not looked at */
	POL_NET_NONE,    /* no path */
	POL_NET_PORTAL,  /* somebody else answers: a captive portal, as a rule */
	POL_NET_LIMITED, /* nobody answers, or with an error of a server */
	POL_NET_FULL,
};

#define REPLY_MAX 2048 /* so much of it is looked at */

/*
 * The first `len` bytes of an HTTP/1 answer; `end`: no more will come. Without `expect` (NULL) 204
 * is the right one, and 200 with no body, into which some proxies turn it; else 200 with a body
 * that begins with it. UNKNOWN: not enough of it yet.
 */
enum pol_connectivity reply_says(const char *text, size_t len, bool end, const char *expect);

const char *pol_connectivity_name(enum pol_connectivity c);

#endif
