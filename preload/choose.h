/* SPDX-License-Identifier: MIT */
/* Joins what the monitor knows with what the policy wants: the paths to an address, best first.
 * Agent only. */
#ifndef PRELOAD_CHOOSE_H
#define PRELOAD_CHOOSE_H

#include <stdint.h>

#include "monitor/monitor.h"
#include "policy/decide.h"
#include "preload/flow.h"
#include "preload/places.h"

#define PATHS_MAX POL_CANDIDATES

/* Where something is now, for the decision. */
struct whereabouts {
	int ifindex; /* 0: unknown */
	union flow_address source;
	bool failed;        /* its connection failed though the path may look usable */
	int failed_ifindex; /* the path of the last failed attempt, and when */
	int64_t failed_ms;
	bool unproven; /* its connection proves nothing of the far end: a path is to be tested first
	                */
	bool sticky;   /* what its rule says of better paths */
	unsigned share;    /* any number, its own: which part of the spread it waits */
	int chosen;        /* the interface the user has chosen for it; 0: none */
	int64_t silent_ms; /* for how long its connection has been silent; 0: it is not */
	/* where the far end is reached besides, perhaps in the other family; NULL: nowhere */
	const struct places *also;
};

/*
 * Decides for one flow or control connection towards `to`. When the verb is MOVE or RESCUE `paths`
 * holds the chosen path first and the others after it in order of preference; their number is
 * returned.
 */
int choose(const union flow_address *to, const struct whereabouts *at, struct pol_decision *d,
           struct mif_path paths[PATHS_MAX]);

/* Where a connection towards `to` should be held ready for the loss of this path; false: nowhere,
 * and d->reason says why. */
bool choose_spare(const union flow_address *to, const struct whereabouts *at,
                  enum pol_standby wanted, struct pol_decision *d, struct mif_path *path);

/*
 * Somebody says that the interface is about to be turned off: no flow goes there, and those on it
 * leave, for so many ms or until it comes up anew; 0 takes that back.
 */
void choose_drain(int ifindex, int64_t ms);
bool choose_drained(int ifindex);

/* The user's choice for all flows of the process; 0 takes it back. */
void choose_switch(int ifindex);

/* The choice for one flow has changed. */
void choose_again(void);

/* Was anything of that said since it was last asked? All flows are to be decided upon then. */
bool choose_news(void);

/* All paths, preferred first. */
int choose_paths(const union flow_address *to, struct mif_path paths[PATHS_MAX]);

/* The same to any of these places: each interface once, in the family of the first place it leads
 * to. */
int choose_paths_any(const struct places *to, struct mif_path paths[PATHS_MAX]);

/* The interface an own address belongs to; 0: none. */
int choose_interface(const union flow_address *own);

/*
 * The same for a connection to `to` that is bound to no device: where two interfaces have the
 * address, the one the host's routing prefers.
 */
int choose_interface_to(const union flow_address *own, const union flow_address *to);

/* Is the address there, on this interface (0: on any) and usable? */
bool choose_usable(const union flow_address *own, int ifindex);

/* Does what comes from this address move with the machine by Mobile IPv6, without us? */
bool choose_mobile(const union flow_address *own);

/* To be told of each MIF event, so that "usable for so long" is known. */
void choose_note(const struct mif_event *ev);

#endif
