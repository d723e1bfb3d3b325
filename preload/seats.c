/* SPDX-License-Identifier: MIT */
#include "preload/seats.h"

struct seat seats[SEATS];
struct seat seat_none;
static _Atomic int used;

int seats_used(void)
{
	return atomic_load(&used);
}

static void used_up_to(int n)
{
	int u = atomic_load(&used);

	while (u < n && !atomic_compare_exchange_weak(&used, &u, n))
		;
}

struct seat *seat_take(uint32_t tid)
{
	for (int i = 0; i < SEATS; i++) {
		uint32_t none = 0;

		if (atomic_load_explicit(&seats[i].tid, memory_order_relaxed) == 0 &&
		    atomic_compare_exchange_strong(&seats[i].tid, &none, tid)) {
			used_up_to(i + 1);
			return &seats[i];
		}
	}
	return &seat_none;
}

void seat_leave(struct seat *s)
{
	if (s == &seat_none)
		return;
	atomic_store(&s->fd, SEAT_EMPTY);
	for (int i = 0; i < CALLS_NESTED; i++)
		atomic_store(&s->on[i], 0);
	atomic_store(&s->tid, 0);
}

void seats_forked(void)
{
	for (int i = 0; i < seats_used(); i++)
		if (atomic_load_explicit(&seats[i].tid, memory_order_relaxed))
			seat_leave(&seats[i]);
}
