/* SPDX-License-Identifier: MIT */
/*
 * epoll registrations, taken off before a descriptor's file is exchanged and put back after.
 *
 * dup3 onto a registered descriptor drops the registration, silently; if the old file lives on
 * elsewhere the registration stays with it and fires for ever. The kernel tells in fdinfo what is
 * registered, with mask and the program's 64-bit data, also for what was registered before the
 * library was there. Agent only, except reg_find.
 */
#ifndef PRELOAD_REGISTRATIONS_H
#define PRELOAD_REGISTRATIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#define REG_MAX 128

struct reg {
	int epoll, fd;
	uint32_t events;
	uint64_t data;
};

struct reg_set {
	struct reg reg[REG_MAX];
	int n;
};

/*
 * Takes off all registrations of these descriptors in every epoll instance of the process. Returns
 * their number; -E2BIG if they are too many (then none was touched), -EACCES and the like without
 * /proc.
 */
int reg_take(struct reg_set *s, const int *fds, int nfds);

/* Puts them back, for whatever file the descriptors refer to now: with readiness examined anew. */
void reg_put(const struct reg_set *s);

/*
 * What is registered is remembered for a moment, since flows move in crowds. Hooks: a flow's
 * descriptor has been registered there, or changed, or taken off (the program's own arguments);
 * what there is of it is not known; nothing is known any more. The first is to be called with the
 * flow's table locked. Async-signal-safe.
 */
void reg_changed(int epoll, int op, int fd, const struct epoll_event *ev);
void reg_unknown(int fd);
void reg_cache_forget(void);

/* The program does something with the instance: it is one, and to be found next time.
 * Async-signal-safe. */
void reg_epoll_seen(int epoll);

/*
 * Hooks: the descriptor has been registered there; whenever that was, it is a flow's now; it is
 * closed. Async-signal-safe.
 */
void reg_note(int epoll, int fd);
void reg_became_flow(int fd);
void reg_closed(int fd);

/* Was ever a flow known to be registered there? Then a wait takes the time, for an error may have
 * to be hidden. */
bool reg_known(int epoll);

/* The descriptor registered in `epoll` with this data; -1: none or not to be known. */
int reg_find(int epoll, uint64_t data);

#endif
