/* SPDX-License-Identifier: MIT */
#ifndef SERVICE_RIGHTS_H
#define SERVICE_RIGHTS_H

#include <stdbool.h>

/*
 * Gives up all there is to give up: root for `user`, every capability, and the way back to them.
 * False, and the reason has been logged: it would have to run with more than it needs.
 */
bool rights_drop(const char *user);

#endif
