/* SPDX-License-Identifier: MIT */
#ifndef SERVICE_CHANCE_H
#define SERVICE_CHANCE_H

#include <stdint.h>

/* A number in [0, below), as unpredictable as the kernel makes them; 0 of `below` 0. */
uint64_t chance(uint64_t below);

#endif
