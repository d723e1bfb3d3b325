/* SPDX-License-Identifier: MIT */
/* What a monitor's owner asks of its table. */
#include <string.h>

#include "monitor/monitor.h"
#include "monitor/paths.h"
#include "monitor/table.h"

static const struct iftable *table(const struct mif_monitor *m)
{
	return m ? mif_monitor_table(m) : NULL;
}

int mif_paths(const struct mif_monitor *m, const struct sockaddr *peer, struct mif_path *out,
              int max)
{
	return m ? paths_to(table(m), peer, out, max) : 0;
}

int mif_interface_of(const struct mif_monitor *m, sa_family_t family, const void *ip)
{
	return m ? paths_owner(table(m), family, ip, false) : 0;
}

bool mif_address_usable(const struct mif_monitor *m, sa_family_t family, const void *ip,
                        int ifindex)
{
	return m && paths_usable(table(m), family, ip, ifindex);
}

bool mif_address_home(const struct mif_monitor *m, sa_family_t family, const void *ip)
{
	return m && paths_home(table(m), family, ip);
}

bool mif_interface(const struct mif_monitor *m, int ifindex, char name[IFNAMSIZ],
                   enum mif_kind *kind, bool *usable)
{
	const struct if_link *l = m ? iftable_link(table(m), ifindex) : NULL;

	if (!l)
		return false;
	if (name)
		memcpy(name, l->name, IFNAMSIZ);
	if (kind)
		*kind = l->kind;
	if (usable)
		*usable = iftable_link_usable(l);
	return true;
}
