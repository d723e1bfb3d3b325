/* SPDX-License-Identifier: MIT */
/*
 * What the clients know, and the difference to what is: as the messages of monitor/shared.h. Pure.
 * That every client has the same table after the same messages rests on this and on the client's
 * table being changed by messages alone.
 */
#ifndef SERVICE_NEWS_H
#define SERVICE_NEWS_H

#include "monitor/shared.h"

struct told; /* one message, under the one that takes it back */

struct news {
	struct told *links, *addresses, *routes, *items;
	unsigned turn;
	bool short_of_memory;
};

/* `message` is one whole message. */
typedef void news_fn(void *ctx, const void *message, size_t len);

/* Tells what has changed since the last time. Of the domains only what the service feeds. */
void news_difference(struct news *n, const struct iftable *t, const struct pvd_table *d,
                     news_fn *fn, void *ctx);

/* All there is, as of the last difference. */
void news_all(const struct news *n, news_fn *fn, void *ctx);

void news_free(struct news *n);

#endif
