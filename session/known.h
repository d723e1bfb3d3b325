/* SPDX-License-Identifier: MIT */
/*
 * The text of the file of known relays: a line "NAME KEY" for each, NAME being ADDRESS:PORT or
 * HOST:PORT as the policy or the peer's address gives it; '#' begins a comment. Pure.
 */
#ifndef SESSION_KNOWN_H
#define SESSION_KNOWN_H

#include "session/identity.h"

enum known {
	KNOWN_NOT,   /* the name does not stand there */
	KNOWN_SAME,  /* with this key; it may stand there with several */
	KNOWN_OTHER, /* with other keys only */
};

/* Lines that are not understood are passed over: a hand may have been in the file. */
enum known known_find(const char *text, size_t len, const char *name, const uint8_t key[KDF_KEY]);

/* The line to append; its length, 0 if it does not fit. */
size_t known_line(const char *name, const uint8_t key[KDF_KEY], char *out, size_t room);

/* Is this line (without its end) one of the name's? For taking them out. */
bool known_is(const char *line, size_t len, const char *name);

#endif
