/* SPDX-License-Identifier: MIT */
/*
 * What a program speaks, by the first bytes it writes on a connection. Pure. Nothing is guessed:
 * what is not told beyond doubt is unknown, and treated as such.
 */
#ifndef PRELOAD_FIRST_H
#define PRELOAD_FIRST_H

#include <stddef.h>
#include <stdint.h>

enum first {
	FIRST_NOTHING, /* not asked yet */
	FIRST_UNKNOWN,
	FIRST_HTTP, /* a request line of HTTP/1 */
	FIRST_TLS,  /* a ClientHello */
	FIRST_SSH,  /* its banner */
};

#define FIRST_BYTES 24 /* no more than these are looked at */

enum first first_of(const uint8_t *p, size_t n);

/* For people; "" where there is nothing to say. */
const char *first_name(enum first f);

#endif
