/* SPDX-License-Identifier: MIT */
#ifndef CLI_INSPECT_H
#define CLI_INSPECT_H

#include <stdbool.h>
#include <stddef.h>

/* Where execvp() would find it. False: nowhere. */
bool inspect_find(const char *name, char *path, size_t room);

/* `why` completes a sentence that begins with the command's name, or with `file`, found behind it.
 */
typedef void inspect_say(void *ctx, const char *name, const char *file, const char *why);

/*
 * Looks at the program that `name` stands for, through scripts at their interpreters, and tells
 * `say` why the library cannot work in it, if so. False: it is not even to be preloaded, because
 * the loader would complain or refuse to start.
 */
bool inspect_with(const char *name, inspect_say *say, void *ctx);

/* The same, said on stderr. */
bool inspect(const char *name);

#endif
