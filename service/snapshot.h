/* SPDX-License-Identifier: MIT */
/* The whole table as it was told to be by some record of the journal; shared by those who are
 * reading it. There are few of them, however many do not read. */
#ifndef SERVICE_SNAPSHOT_H
#define SERVICE_SNAPSHOT_H

#include "service/news.h"
#include "service/pack.h"

struct snapshot {
	struct journal records;
	uint64_t at; /* the record of the journal that comes next */
	unsigned users;
};

/* For one more user, as of now or as of a moment ago: what has come since is in the journal. NULL:
 * no memory, or it does not fit. */
struct snapshot *snapshot_take(const struct news *n, const struct journal *j, struct packer *p);

/* One user less; NULL is nobody's. Leaves NULL. */
void snapshot_let_go(struct snapshot **s);

/* At the end: the last one taken is kept until then. */
void snapshot_end(void);

#endif
