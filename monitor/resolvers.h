/* SPDX-License-Identifier: MIT */
/*
 * The files in which network managers leave the name servers of their interfaces: read without
 * privilege, watched for changes, fed to the domains (PVD_BY_FILES). Files that speak of no
 * interface in particular count only where there is one uplink.
 */
#ifndef MONITOR_RESOLVERS_H
#define MONITOR_RESOLVERS_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/pvd.h"
#include "monitor/table.h"

struct resolvers {
	const char *root; /* before each name, for tests: "" */
	int inotify;      /* -1: not watched */
	int etc;          /* its watch of /etc, where much else is written */
	int64_t due;      /* when to read again: clock_ms(), PVD_FOREVER: no need */
};

/* Begin to watch. Without inotify it is read all the same, after changes of the network. */
void resolvers_open(struct resolvers *r, const char *root);
void resolvers_close(struct resolvers *r);

/* The network has changed: managers write their files before or after. */
void resolvers_note(struct resolvers *r, int64_t now);

/* Reads what there is to read by now. */
void resolvers_step(struct resolvers *r, const struct iftable *t, struct pvd_table *pvds,
                    int64_t now);

/* Once, without watching. */
void resolvers_read(const char *root, const struct iftable *t, struct pvd_table *pvds, int64_t now);

#endif
