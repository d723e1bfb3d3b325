/* SPDX-License-Identifier: MIT */
/*
 * Notices that the machine has been asleep. What was connected before may be dead by then, though
 * nothing says so: translators on the way forget a connection within minutes, and its far end may
 * have given up. Agent only.
 *
 * It costs an idle process no timer: a timerfd on the wall clock that is never due ends its wait
 * when that clock is set (TFD_TIMER_CANCEL_ON_SET), which the kernel does on resume, too. Whether
 * it was that, the clocks tell.
 */
#ifndef PRELOAD_AWAKE_H
#define PRELOAD_AWAKE_H

#include <stdbool.h>

#include "preload/waits.h"

void awake_wait(struct waits *w);

/* True: the machine has slept; what is connected is to be connected anew. */
bool awake_step(const struct waits *w);

/* In a forked child. */
void awake_forget(void);

#endif
