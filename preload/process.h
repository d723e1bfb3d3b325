/* SPDX-License-Identifier: MIT */
/* What holds for the whole process: whose it is, whether we are to do anything, and the policy. */
#ifndef PRELOAD_PROCESS_H
#define PRELOAD_PROCESS_H

#include <stdbool.h>

#include "policy/policy.h"

/*
 * Is this the process that loaded the library, with its own memory? False in the child of a vfork,
 * which runs our hooks in the parent's memory, so every hook that changes state asks first. One raw
 * getpid().
 */
bool process_ours(void);

/* False: MIFCONT_DISABLE, or the constructor has not run yet. */
extern bool process_enabled;

/* The policy in force; never NULL. Loads it on the first call (allocates, reads a file). */
const struct pol *process_policy(void);

/* Into what is to be matched: by whom it is asked. */
void process_describe(struct pol_peer *p);

/* The effective user may have changed. */
void process_identity(void);

/* The file it came from, "" for none. */
const char *process_policy_file(void);

/*
 * A descriptor (inotify, own_fd()'s) that becomes readable when something happens in the policy
 * file's directory; negative errno where that cannot be had. The caller's.
 */
int process_policy_watch(void);

/* Looks whether the file changed; true: a new policy is in force. An unreadable or wrong file
 * changes nothing. */
bool process_policy_refresh(void);

/*
 * Around a fork() whose child takes over everything, flows and agent (parked by the caller)
 * included, since the caller does nothing more but end.
 */
void process_succession(bool on);

/* In such a child, if the parent's name is to be forgotten: relatives find the flows by this one's.
 */
void process_renamed(void);

/*
 * The process is about to end: hands over what others go on with, tells the relays. `orderly`: by
 * exit(); then the last bytes are waited for, too. Keeps errno; does nothing the second time.
 */
void process_leave(bool orderly);

#endif
