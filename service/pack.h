/* SPDX-License-Identifier: MIT */
/* Messages into records, as many as go into each. */
#ifndef SERVICE_PACK_H
#define SERVICE_PACK_H

#include "monitor/shared.h"
#include "service/journal.h"

struct packer {
	struct journal *to;
	uint32_t buf[SHARED_RECORD / sizeof(uint32_t)];
	size_t len;
	bool failed; /* there was no memory for a record */
};

void pack_start(struct packer *p, struct journal *to);

/* One whole message (a news_fn, of a struct packer), a mark; and the end of the last record. */
void pack(void *packer, const void *message, size_t len);
void pack_mark(struct packer *p, enum shared_type type);
void pack_end(struct packer *p);

#endif
