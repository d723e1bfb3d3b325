/* SPDX-License-Identifier: MIT */
#ifndef POLICY_GLOB_H
#define POLICY_GLOB_H

#include <stdbool.h>

/*
 * Does the shell pattern (`*`, `?`, `[a-z]`, `[!a-z]`) cover all of `text`? ASCII letters match in
 * either case if `fold`. The C library's fnmatch() follows the program's locale and may allocate;
 * this one is fit for signal handlers and takes at most length times length steps.
 */
bool glob_match(const char *pattern, const char *text, bool fold);

#endif
