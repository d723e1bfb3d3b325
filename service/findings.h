/* SPDX-License-Identifier: MIT */
/*
 * What the connectivity checks of processes have found: one finding for each user, question and
 * interface, for those of the same user that come later. Pure.
 */
#ifndef SERVICE_FINDINGS_H
#define SERVICE_FINDINGS_H

#include <sys/types.h>

#include "monitor/shared.h"

#define FINDINGS 256
#define FINDINGS_LAST_MS 600000 /* as long as the best of them is believed */
#define FINDINGS_ABOUT_MS 5000  /* somebody who was about to find out has found out by then */

struct finding {
	uid_t user;
	int64_t at; /* 0: free */
	struct shared_check check;
};

struct findings {
	struct finding all[FINDINGS];
};

/* The oldest makes room. */
void findings_put(struct findings *f, uid_t user, const struct shared_check *c, int64_t now);

/* The interface is in another network now. */
void findings_forget(struct findings *f, int ifindex);

/* One after the other, `*at` = 0 to begin with; false: no more. */
bool findings_next(const struct findings *f, uid_t user, int64_t now, unsigned *at,
                   struct shared_check *out);

#endif
