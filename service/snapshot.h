/* SPDX-License-Identifier: MIT */
/* The whole table as it was told to be by some record of the journal; shared by those who are
 * reading it. */
#ifndef SERVICE_SNAPSHOT_H
#define SERVICE_SNAPSHOT_H

#include "service/news.h"
#include "service/pack.h"

struct snapshot {
	struct journal records;
	uint64_t at; /* the record of the journal that comes next */
	unsigned users;
};

/* As of now, for one more user. NULL: no memory, or it does not fit. */
struct snapshot *snapshot_take(const struct news *n, uint64_t at, struct packer *p);

/* One user less; NULL is nobody's. Leaves NULL. */
void snapshot_let_go(struct snapshot **s);

/* At the end: the last one taken is kept until then. */
void snapshot_end(void);

#endif
