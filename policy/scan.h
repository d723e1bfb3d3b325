/* SPDX-License-Identifier: MIT */
/*
 * A look at a policy's text before libconfuse reads it, for what that library passes over in
 * silence (a wildcard outside of quotes, ${VARIABLE}, a quote that never ends), and for what it
 * does not tell: the line on which a section begins. Pure.
 */
#ifndef POLICY_SCAN_H
#define POLICY_SCAN_H

#include <stdbool.h>

#define SCAN_SECTIONS 1024

enum scan_kind { SCAN_INTERFACE, SCAN_PEER, SCAN_STABILITY, SCAN_CONNECTIVITY, SCAN_OTHER };

struct scan {
	int line[SCAN_OTHER][SCAN_SECTIONS]; /* of the n-th section of its kind */
	unsigned sections[SCAN_OTHER];
	int error_line;
	const char *error; /* what is wrong; what was expected */
};

/*
 * Overwrites comments with blanks, in place: libconfuse 3.3 counts the line a comment stands on
 * twice. False: `error` and `error_line` are set.
 */
bool scan(char *text, struct scan *s);

#endif
