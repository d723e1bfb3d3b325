/* SPDX-License-Identifier: MIT */
/* Between the files of the table alone. */
#ifndef MONITOR_TABLE_PRIVATE_H
#define MONITOR_TABLE_PRIVATE_H

#include "monitor/table.h"

/* --- table.c --- */

/* What is known of the interface; made if it is not there yet. NULL: no memory. */
struct if_belongings *table_belongings(struct iftable *t, int ifindex);

/* Of these something is gone, or their routes have changed. */
void table_touch(struct iftable *t, struct if_belongings *b);

/* Zeroed, for a table that has `count` of them. NULL: no room, or no memory. */
void *table_fresh(struct iftable *t, unsigned count, unsigned max, size_t size);

/* May the source speak about this entry? Records that it did. */
bool table_allow(const struct iftable *t, struct if_mark *m, enum iftable_source s);

void table_bury(struct iftable *t, struct if_belongings *of, struct if_mark *m);
void table_revive(struct iftable *t, struct if_mark *m);

/* Unknown, and removed: to be known to the lines of the dump that is under way. */
void table_never_there(struct iftable *t, struct if_belongings *of, struct if_mark *m);

/* Was it in no line of the dump, and in no event since it was asked for? */
bool table_missing(const struct iftable *t, const struct if_mark *m);

/* --- table_addresses.c, table_routes.c --- */

void table_bury_addresses(struct iftable *t, const struct if_belongings *b);
void table_free_address(struct iftable *t, struct if_address *a);
void table_bury_routes(struct iftable *t, const struct if_belongings *b,
                       sa_family_t family /* 0: both */);
void table_free_route(struct iftable *t, struct if_route *r);

#endif
