/* SPDX-License-Identifier: MIT */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

/* Milliseconds of CLOCK_BOOTTIME: goes on while the machine sleeps. */
int64_t clock_ms(void);

#endif
