/* SPDX-License-Identifier: MIT */
#include "service/snapshot.h"

#include <stdlib.h>

#include "common/log.h"

#define LATELY 64 /* records of the journal that are read after it */

static struct snapshot *last; /* which counts as a user */

void snapshot_let_go(struct snapshot **s)
{
	if (*s && --(*s)->users == 0) {
		journal_clear(&(*s)->records);
		free(*s);
	}
	*s = NULL;
}

static struct snapshot *take(const struct news *n, uint64_t at, struct packer *p)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->users = 1;
	s->at = at;
	pack_start(p, &s->records);
	pack_mark(p, SHARED_BEGIN);
	news_all(n, pack, p);
	pack_mark(p, SHARED_END);
	pack_end(p);
	/* More than a journal holds would be told without its beginning. */
	if (p->failed || s->records.first) {
		log_error("the table is too large to be told");
		snapshot_let_go(&s);
	}
	return s;
}

struct snapshot *snapshot_take(const struct news *n, const struct journal *j, struct packer *p)
{
	if (!last || journal_missed(j, last->at) || j->next - last->at > LATELY) {
		snapshot_let_go(&last);
		last = take(n, j->next, p);
	}
	if (last)
		last->users++;
	return last;
}

void snapshot_end(void)
{
	snapshot_let_go(&last);
}
