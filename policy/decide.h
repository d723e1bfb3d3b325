/* SPDX-License-Identifier: MIT */
/*
 * On which path should a flow be? One pure function over a snapshot, with its reason as text.
 */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"
#include "policy/reply.h"

#define POL_CANDIDATES 16

/* One path the flow could take now. */
struct pol_candidate {
	int id; /* the caller's: an interface index */
	char name[16];
	int prefer;        /* from the policy */
	bool named;        /* an interface section of the policy (other than "*") matches it */
	bool tunnel;       /* VPN and the like */
	bool metered;      /* the policy says so, or its kind where the policy says nothing */
	uint32_t metric;   /* of the route; lower is better */
	int64_t usable_ms; /* for how long it has been usable without a break */
	unsigned flaps;    /* how often it was lost again within a minute, one after the other */
	int64_t failed_ms; /* since the last failed attempt over it by this flow; -1: none */
	int64_t rest_ms;  /* it brought nothing back, and is still left alone for this long; or 0 */
	int64_t drain_ms; /* it is about to be turned off, as somebody said, and is avoided for so
	                     long; or 0 */
	enum pol_connectivity net; /* what its connectivity check said */
	bool chosen; /* by the user, for this flow or its process: above all preferences */
};

struct pol_snapshot {
	int current;         /* candidate id the flow is on; 0: none */
	bool current_usable; /* its interface and source address are there */
	bool current_tunnel; /* the host's own routing sent the flow through a tunnel */
	bool current_failed; /* the flow's connection failed or fell silent though the path looks
	                        usable */
	bool tested; /* only a path that is known to lead somewhere may be taken: the connection
	                itself proves nothing of its far end */
	bool sticky; /* its rule says so: while its path works no other attracts it */
	int64_t silent_ms; /* for how long nothing has come back over it although something should
	                      have; 0: that is not so */
	bool current_drained; /* its interface is about to be turned off */
	bool current_named;   /* an interface section of the policy matches that tunnel */
	bool host_tunnel;     /* the host's unbound route to the peer now goes through a tunnel */
	struct pol_candidate candidate[POL_CANDIDATES];
	unsigned candidates;
	/* how long a better path must have been usable before a flow that works is moved to it
	 * (the flow's share of the spread included), and how long a path is left alone after a
	 * failed attempt */
	int stable_ms, hold_ms;
	int damp_ms; /* the most that flaps make of stable_ms */
};

enum pol_verb {
	POL_STAY,   /* nothing to do */
	POL_MOVE,   /* make-before-break: the current path works */
	POL_RESCUE, /* break-before-make: it does not */
	POL_WAIT,   /* no path at all */
};

struct pol_decision {
	enum pol_verb verb;
	int target;       /* candidate id for MOVE and RESCUE */
	int check;        /* candidate id whose connectivity is to be checked, for the answer may
	                     change this decision; 0: none */
	bool urgent;      /* MOVE: if it answers before the current path does */
	int64_t again_ms; /* ask again in this many ms because time alone may change the answer; -1:
	                     no */
	char reason[160];
};

/*
 * A flow stays where it is unless its path is lost, or a path preferred by the policy (a strictly
 * greater `prefer`) has been stable. Among equals the route's metric decides, then the lower id. A
 * path that failed a moment ago is left alone as long as there is another; where there is none, the
 * one that has rested longest is named, and who asks keeps a distance between attempts.
 *
 * A path that comes and goes has to be stable for twice as long each time, so that an interface
 * which flaps for minutes causes a handful of handovers, not hundreds. One that is taken because
 * the flow's own is lost need not be stable.
 *
 * A sticky flow is not attracted; only the user's own choice moves it from a path that works.
 *
 * A path that has fallen silent is left for the best other one that is not at rest, preferred or
 * not, but only once that has answered.
 *
 * A flow that the host routes through a tunnel has no other path, unless the policy has ranked them
 * by naming both the tunnel and the other: preferences among eth* and wlan* say nothing about a VPN
 * that comes up later. Never returns a target that is not among the candidates.
 *
 * Where a path has to be tested, one that is not known to be connected is as none; the best of
 * those of which nothing is known yet is named to be checked.
 */
void pol_decide(const struct pol_snapshot *s, struct pol_decision *d);

/*
 * Where should a connection be held ready for the loss of the flow's path? MOVE: on `target`, which
 * is where pol_decide() would send the flow if that happened now; anything else would be of no use.
 * STAY: nowhere, for now or (again_ms is -1) until something changes.
 */
void pol_spare(const struct pol_snapshot *s, enum pol_standby wanted, struct pol_decision *d);

#endif
