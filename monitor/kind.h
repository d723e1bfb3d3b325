/* SPDX-License-Identifier: MIT */
/* What sort of interface a link is. */
#ifndef MONITOR_KIND_H
#define MONITOR_KIND_H

#include "monitor/monitor.h"

/* From ARPHRD type, IFF flags, IFLA_INFO_KIND (may be NULL) and, where these do not tell, the name. */
enum mif_kind kind_of_link(unsigned arphrd, unsigned flags, const char *info_kind, const char *name);

#endif
