/* SPDX-License-Identifier: MIT */
/*
 * A flow that the program has closed, and of which a relative (kin.h) may still come for its part.
 *
 * What the relative has is a file that was on the program's descriptor when it was forked or
 * executed. Where that is no longer what the flow goes on by (it was handed over since, or just is,
 * or it is carried) the kernel cannot tell when the last relative has closed it. So a descriptor of
 * ours stands in for the program's: the flow is carried, handed over and shared out as before,
 * until no other process has any of those files.
 */
#ifndef PRELOAD_HEIRS_H
#define PRELOAD_HEIRS_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/flow.h"
#include "preload/waits.h"

/* Relatives come to be that have what is on the flow's descriptors now. Async-signal-safe. */
void heirs_note(struct flow *f);

/* The same for all flows: before a fork and after it, for they may be exchanged meanwhile. */
void heirs_note_all(void);

/*
 * The program is about to close `fd`, its last descriptor of the flow; the lock of the table is
 * held. True: nothing ends by that, another stands in.
 */
bool heirs_stand_in(struct flow *f, int fd);

/* Agent: the flow had none any more, and a relative is given this one. */
void heirs_stand_in_for(struct flow *f, int fd);

/* Agent: has nobody else such a file any more? Then what stands in is to be closed. */
bool heirs_gone(struct flow *f, int64_t now, struct waits *w);

/* In a forked child. */
void heirs_forget(void);

#endif
