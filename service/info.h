/* SPDX-License-Identifier: MIT */
/*
 * When the additional information of a provisioning domain is fetched, and for how long it counts
 * (RFC 8801, section 4.1). Pure: times in, decisions out.
 */
#ifndef SERVICE_INFO_H
#define SERVICE_INFO_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/ra.h"

#define INFO_APART_MS 10000 /* between two fetches for one domain */
#define INFO_BURST 5        /* fetches on one network ... */
#define INFO_BURST_MS 10000 /* ... in so long */
#define INFO_FAILURES 10    /* on one network: it is broken, or an attack */
#define INFO_AGAIN_MAX_MS 3600000

/* One network: an interface, from when it comes up to when it goes away. */
struct info_network {
	int64_t began[INFO_BURST]; /* the last fetches */
	unsigned next;             /* the oldest of them */
	unsigned failures;
};

enum info_state {
	INFO_NONE,    /* there is none, or nobody may ask */
	INFO_WAITING, /* to be fetched at `due` */
	INFO_FETCHING,
	INFO_HELD,   /* until `until`; to be renewed at `due` */
	INFO_FAILED, /* not again on this network */
};

/* Of one domain on one network. */
struct info {
	enum info_state state;
	bool known; /* `sequence` has been heard */
	bool held;  /* what was fetched before still counts */
	uint16_t sequence;
	int64_t began, due, until; /* of the last fetch; see above */
	unsigned unreached;        /* fetches in a row that have reached nobody */
};

enum info_result {
	INFO_GOT,
	INFO_UNREACHED, /* no address, no name server, no connection: tried again */
	INFO_REFUSED,   /* TLS, HTTP, or what was fetched is not right: not tried again */
};

/*
 * An advertisement has named the domain. `chance(n)` gives a number in [0, n). True: what was held
 * does not count any more.
 */
bool info_advertised(struct info *i, const struct ra_pvd *pvd, int64_t now,
                     uint64_t (*chance)(uint64_t below));

/* Is it to be fetched now? Then it counts as begun. If it is not possible: info_ended(). */
bool info_begin(struct info *i, struct info_network *n, int64_t now);

/* A fetch has ended. `until` is when what was got ends, on this clock. */
void info_ended(struct info *i, struct info_network *n, enum info_result r, int64_t until,
                int64_t now, uint64_t (*chance)(uint64_t below));

/* What is held is wrong after all (the domain has another prefix now). */
void info_refuse(struct info *i, struct info_network *n);

/* Time passes. True: what was held has ended. */
bool info_expire(struct info *i, int64_t now);

/* When one of them is due; -1: never. */
int64_t info_due(const struct info *i, const struct info_network *n);

#endif
