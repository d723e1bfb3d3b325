/* SPDX-License-Identifier: MIT */
#include "preload/seats.h"

struct seat seats[SEATS];
static struct seat nowhere;

struct seat *seat_take(uint32_t tid)
{
	for (int i = 0; i < SEATS; i++) {
		uint32_t none = 0;

		if (atomic_load_explicit(&seats[i].tid, memory_order_relaxed) == 0 &&
		    atomic_compare_exchange_strong(&seats[i].tid, &none, tid))
			return &seats[i];
	}
	return &nowhere;
}

void seat_leave(struct seat *s)
{
	if (s == &nowhere)
		return;
	atomic_store(&s->fd, SEAT_EMPTY);
	atomic_store(&s->tid, 0);
}

void seats_forked(void)
{
	for (int i = 0; i < SEATS; i++)
		if (atomic_load_explicit(&seats[i].tid, memory_order_relaxed))
			seat_leave(&seats[i]);
}
