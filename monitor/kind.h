/* SPDX-License-Identifier: MIT */
/* What sort of interface is it? The kernel does not say in one place, so several signs are read. */
#ifndef MONITOR_KIND_H
#define MONITOR_KIND_H

#include "monitor/monitor.h"

/*
 * Pure: from the name, IFLA_INFO_KIND ("" if none), the ARPHRD_* type and the IFF_* flags. Names
 * decide last, and only among interfaces whose driver says nothing better.
 */
enum mif_kind ifkind_guess(const char *name, const char *info, unsigned arphrd, unsigned flags);

/* Asks sysfs whether the interface belongs to a wireless LAN driver. false where there is no sysfs.
 */
bool ifkind_wireless(const char *name);

#endif
