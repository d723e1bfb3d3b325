/* SPDX-License-Identifier: MIT */
#ifndef PRELOAD_FAREWELL_H
#define PRELOAD_FAREWELL_H

#include <stdbool.h>

/*
 * At exit(): waits until what the program wrote is where it can be no more lost with us, three
 * seconds at most. Returns at once unless bytes of a session are still unacknowledged, or a
 * handover is under way.
 */
void farewell_wait(void);

/* Is there anything to wait for? */
bool farewell_owes(void);

#endif
