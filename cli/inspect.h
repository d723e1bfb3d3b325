/* SPDX-License-Identifier: MIT */
#ifndef CLI_INSPECT_H
#define CLI_INSPECT_H

#include <stdbool.h>

/*
 * Looks at the program that `name` stands for, through scripts at their interpreters, and says on
 * stderr why the library cannot work in it, if so. False: it is not even to be preloaded, because
 * the loader would complain or refuse to start.
 */
bool inspect(const char *name);

#endif
