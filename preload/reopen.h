/* SPDX-License-Identifier: MIT */
/* The opening of a re-dialled connection: recorded by the hooks, repeated by the agent. */
#ifndef PRELOAD_REOPEN_H
#define PRELOAD_REOPEN_H

#include <sys/types.h>
#include <sys/uio.h>

#include "preload/flow.h"
#include "preload/splice.h"

/*
 * Hook, before anything is written or read. Where there is no memory for it the flow is not dialled
 * again.
 */
void reopen_begin(struct flow *f);

/* Hook: the program has written so many bytes, from there on in the pieces; async-signal-safe. */
void reopen_wrote(struct flow *f, const struct iovec *iov, size_t count, size_t from, size_t len);

/* Hook: a receiving call has ended. */
void reopen_received(struct flow *f, const struct iovec *iov, size_t count, ssize_t n, int flags);

/* Can it be dialled again with what the old connection counts? NULL: yes; else why not. */
const char *reopen_stands(struct flow *f, const struct stream_counts *c);

/* The flow is over: what was recorded is wiped. */
void reopen_end(struct flow *f);

#endif
