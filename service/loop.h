/* SPDX-License-Identifier: MIT */
/* One thread, one epoll. Whoever waits for something has a watch; whoever waits for a time says so
 * in main.c. */
#ifndef SERVICE_LOOP_H
#define SERVICE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct watch {
	int fd;
	uint32_t events; /* as last asked for */
	void (*ready)(void *ctx, int fd, uint32_t events);
	void *ctx;
};

bool loop_start(void);

/*
 * EPOLLIN, EPOLLOUT or both; 0 ends it, and must come before the descriptor is closed. The watch
 * stays where it is until then, and in the turn in which it ends it is not called any more.
 */
bool loop_watch(struct watch *w, uint32_t events);

/* Waits at most `ms` (-1: for ever), and calls who is ready. False: epoll is broken. */
bool loop_turn(int ms);

#endif
