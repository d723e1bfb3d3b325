/* SPDX-License-Identifier: MIT */
/*
 * Whether an interface leads anywhere, by the request that the policy's `connectivity` section
 * names, sent over that interface alone. Agent only; never blocks. Nobody is asked unless a
 * decision about a flow depends on the answer.
 */
#ifndef PRELOAD_CHECK_H
#define PRELOAD_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/monitor.h"
#include "policy/reply.h"
#include "preload/waits.h"

/* What is known of the interface. */
enum pol_connectivity check_says(int ifindex);

/* What is known, one after the other; NULL: no more. To be begun with `*at` = 0. */
const char *check_next(unsigned *at, enum pol_connectivity *says);

/* In how many ms a bad answer may be asked for anew; -1: it is none. */
int64_t check_again(int ifindex);

/* Asks over the path's interface, unless that is being done or was done a moment ago. The answer is
 * news for all flows: see choose_again(). */
void check_ask(const struct mif_path *path);

/* It is in another network now, or was given up on there. */
void check_forget(int ifindex);

/* Is anybody asked by this policy? */
bool check_wanted(void);

/* Listens to what other processes of the user have found, where a service hands it on. */
void check_open(struct mif_monitor *m);

void check_wait(struct waits *w);
void check_step(const struct waits *w);

/* In a forked child. */
void check_forked(void);

#endif
