/* SPDX-License-Identifier: MIT */
/* Where a user's files are, by the XDG base directory rules. */
#ifndef COMMON_USERFILE_H
#define COMMON_USERFILE_H

#include <stdbool.h>
#include <stddef.h>

enum userfile { USERFILE_CONFIG, USERFILE_STATE };

/*
 * $XDG_CONFIG_HOME/mifcont/NAME or ~/.config/mifcont/NAME; $XDG_STATE_HOME/mifcont/NAME or
 * ~/.local/state/mifcont/NAME. False: no such place is named, the path is too long, or the program
 * runs with more rights than its caller and must not listen to its environment.
 */
bool userfile(enum userfile kind, const char *name, char *path, size_t len);

#endif
