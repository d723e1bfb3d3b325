/* SPDX-License-Identifier: MIT */
/* What a re-dialled plain connection sends again: whole records, at least once, or nothing of
 * them. */
#ifndef PRELOAD_REPLAY_H
#define PRELOAD_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/flow.h"
#include "preload/splice.h"

/*
 * Un-acknowledged bytes that are kept: the largest send buffer Linux gives by itself (tcp_wmem, 4
 * MB), and as much more as a program may write at once. Reserved; only pages that hold bytes cost
 * memory.
 */
#define REPLAY_RING (16u << 20)

/*
 * From where the ring is to be sent again over a new connection, by the flow's rule and what the
 * old connection's peer has acknowledged. False: it cannot be done without cutting a record.
 */
bool replay_start(struct flow *f, const struct stream_counts *c, uint64_t *from);

/*
 * Has the program finished the record it wrote last, as far as that is known? False also while it
 * is writing.
 */
bool replay_between(struct flow *f);

/*
 * Hook, with the write lock, in a call that has written to `fd` as it was at `gen`: forgets, now
 * and then, what the peer has acknowledged. Async-signal-safe.
 */
void replay_trim(struct flow *f, int fd, uint32_t gen);

#endif
