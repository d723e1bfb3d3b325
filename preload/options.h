/* SPDX-License-Identifier: MIT */
/* What a program has set on its socket, copied onto the one that takes its place. */
#ifndef PRELOAD_OPTIONS_H
#define PRELOAD_OPTIONS_H

/* Copies socket options and status flags that differ. What the new socket does not know is passed
 * over. */
void options_copy(int from, int to);

/*
 * Copies the buffer sizes the program has set itself (SO_BUF_LOCK, Linux 5.16) and no others:
 * setting them ends the kernel's own tuning.
 */
void options_copy_buffers(int from, int to);

#endif
