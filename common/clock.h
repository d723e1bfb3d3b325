/* SPDX-License-Identifier: MIT */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

/* Milliseconds of CLOCK_BOOTTIME: goes on while the machine sleeps. */
int64_t clock_ms(void);

/* Nanoseconds of CLOCK_MONOTONIC, by which the kernel keeps its time limits. */
int64_t clock_ns(void);

#endif
