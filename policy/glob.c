/* SPDX-License-Identifier: MIT */
#include "policy/glob.h"

#include <stddef.h>

static unsigned char lower(char c, bool fold)
{
	return (unsigned char)(fold && c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static unsigned char upper(char c, bool fold)
{
	return (unsigned char)(fold && c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

/* What stands behind the set that begins at `p`; NULL: it never ends, and '[' is an ordinary one.
 */
static const char *set_end(const char *p)
{
	p++;
	if (*p == '!' || *p == '^')
		p++;
	/* A ']' that comes first is a member. */
	if (*p == ']')
		p++;
	for (; *p; p++)
		if (*p == ']')
			return p + 1;
	return NULL;
}

static bool in_set(const char *p, const char *end, char c, bool fold)
{
	bool negated = p[1] == '!' || p[1] == '^', found = false;
	/* The character in both cases, not the range's ends: [A-_] has members, [a-_] has none. */
	unsigned char x = lower(c, fold), y = upper(c, fold);

	for (p += 1 + negated; p < end - 1; p++) {
		unsigned char first = (unsigned char)*p, last = first;

		if (p[1] == '-' && p + 2 < end - 1) {
			last = (unsigned char)p[2];
			p += 2;
		}
		if ((x >= first && x <= last) || (y >= first && y <= last))
			found = true;
	}
	return found != negated;
}

/* One character against what stands at `*p`, which is moved on if they agree. */
static bool one(const char **p, char c, bool fold)
{
	const char *end = **p == '[' ? set_end(*p) : NULL;
	bool agree;

	if (end)
		agree = in_set(*p, end, c, fold);
	else
		agree = **p == '?' || (**p && lower(**p, fold) == lower(c, fold));
	if (agree)
		*p = end ? end : *p + 1;
	return agree;
}

bool glob_match(const char *p, const char *text, bool fold)
{
	/* Where to go on if it fails: behind the last star, which then takes one character more. */
	const char *star = NULL, *retry = NULL;

	while (*text) {
		if (*p == '*') {
			star = ++p;
			retry = text;
		} else if (one(&p, *text, fold)) {
			text++;
		} else if (star) {
			p = star;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (*p == '*')
		p++;
	return *p == 0;
}
