/* SPDX-License-Identifier: MIT */
#include "service/loop.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

#define AT_ONCE 64

static int ep = -1;
static struct epoll_event got[AT_ONCE];
static int count, at;

bool loop_start(void)
{
	ep = epoll_create1(EPOLL_CLOEXEC);
	return ep >= 0;
}

bool loop_watch(struct watch *w, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = w};
	int op = !w->events ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

	if (w->events == events)
		return true;
	if (!events)
		for (int i = at; i < count; i++)
			if (got[i].data.ptr == w)
				got[i].data.ptr = NULL;
	w->events = events;
	if (epoll_ctl(ep, op, w->fd, &e) == 0 || op == EPOLL_CTL_DEL)
		return true;
	w->events = 0;
	return false;
}

bool loop_turn(int ms)
{
	count = epoll_wait(ep, got, AT_ONCE, ms);
	if (count < 0) {
		count = 0;
		return errno == EINTR;
	}
	for (at = 0; at < count; at++) {
		const struct watch *w = got[at].data.ptr;

		if (w)
			w->ready(w->ctx, w->fd, got[at].events);
	}
	count = at = 0;
	return true;
}
