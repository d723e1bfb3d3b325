/* SPDX-License-Identifier: MIT */
/*
 * Records for many readers. A reader is a number: that of the record he is to get next. Pure.
 */
#ifndef SERVICE_JOURNAL_H
#define SERVICE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_RECORDS 1024 /* of SHARED_RECORD bytes at most */

struct journal_record {
	size_t len;
	uint32_t bytes[];
};

struct journal {
	struct journal_record *record[JOURNAL_RECORDS];
	uint64_t first, next; /* the numbers of what is kept: [first, next) */
};

/* The oldest makes room. False: no memory, and all that was kept is let go, for there must be no
 * gap. */
bool journal_add(struct journal *j, const void *bytes, size_t len);

/* NULL: it is not there (yet, or any more). */
const struct journal_record *journal_get(const struct journal *j, uint64_t number);

/* Has a reader at `number` missed something? */
bool journal_missed(const struct journal *j, uint64_t number);

void journal_clear(struct journal *j);

#endif
