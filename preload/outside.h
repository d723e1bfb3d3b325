/* SPDX-License-Identifier: MIT */
/* A command outside the program: no child of it, with nothing of it. */
#ifndef PRELOAD_OUTSIDE_H
#define PRELOAD_OUTSIDE_H

/*
 * Runs `command` by /bin/sh with the given variables (NULL at the end), those of the program's
 * first environment that name the user's home and sessions, and MIFCONT_DISABLE. Its input and
 * output are /dev/null; it is ended after a minute.
 *
 * A descriptor (close-on-exec, the caller's) that becomes readable when it has ended and then gives
 * an int, the status as of waitpid(); or negative errno. No lock is taken, nothing allocated, no
 * hook or fork handler of the program's runs, and it is told of no child.
 */
int outside_run(const char *command, const char *const *vars);

#endif
