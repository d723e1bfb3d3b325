/* SPDX-License-Identifier: MIT */
#include "service/journal.h"

#include <stdlib.h>
#include <string.h>

static void drop_first(struct journal *j)
{
	struct journal_record **r = &j->record[j->first++ % JOURNAL_RECORDS];

	free(*r);
	*r = NULL;
}

void journal_clear(struct journal *j)
{
	while (j->first < j->next)
		drop_first(j);
}

bool journal_add(struct journal *j, const void *bytes, size_t len)
{
	struct journal_record *r = malloc(sizeof(*r) + len);

	if (!r) {
		journal_clear(j);
		/* Nobody is where nothing is missing. */
		j->first = ++j->next;
		return false;
	}
	r->len = len;
	memcpy(r->bytes, bytes, len);
	if (j->next - j->first == JOURNAL_RECORDS)
		drop_first(j);
	j->record[j->next++ % JOURNAL_RECORDS] = r;
	return true;
}

const struct journal_record *journal_get(const struct journal *j, uint64_t number)
{
	return number >= j->first && number < j->next ? j->record[number % JOURNAL_RECORDS] : NULL;
}

bool journal_missed(const struct journal *j, uint64_t number)
{
	return number < j->first;
}
