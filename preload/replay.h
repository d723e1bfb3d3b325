/* SPDX-License-Identifier: MIT */
/* What a re-dialled plain connection sends again: whole records, at least once, or nothing. */
#ifndef PRELOAD_REPLAY_H
#define PRELOAD_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/flow.h"
#include "preload/splice.h"

/*
 * From where the ring is to be sent again over a new connection, by the flow's rule and what the
 * old connection's peer has acknowledged. False: it cannot be done without cutting a record.
 */
bool replay_start(struct flow *f, const struct stream_counts *c, uint64_t *from);

#endif
