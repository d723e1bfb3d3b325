/* SPDX-License-Identifier: MIT */
/* Questions to the table. Pure. */
#ifndef MONITOR_PATHS_H
#define MONITOR_PATHS_H

#include "monitor/table.h"

int table_paths(const struct table *t, const struct sockaddr *peer, struct mif_path *out, int max);
int table_interface_of(const struct table *t, sa_family_t family, const void *ip);
bool table_address_usable(const struct table *t, sa_family_t family, const void *ip);

#endif
