/* SPDX-License-Identifier: MIT */
#ifndef POLICY_USER_H
#define POLICY_USER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The number of a user's name, from /etc/passwd alone: a name service may ask the network, and the
 * policy is read in strangers' programs. False: not there, or the file cannot be read.
 */
bool user_number(const char *name, uint32_t *uid);

#endif
