/* SPDX-License-Identifier: MIT */
#include "preload/learned.h"

#include <string.h>

#include "monitor/pvd.h"
#include "preload/agent.h"
#include "preload/choose.h"
#include "preload/process.h"

static bool listening;

static void on_domain(void *ctx, int ifindex)
{
	(void)ctx;
	(void)ifindex;
	choose_again();
}

void learned_listen(struct mif_monitor *m)
{
	/* Of router advertisements nobody says anything twice: from now on they are heard. */
	if (!m || listening || !pol_listens(process_policy()))
		return;
	mif_monitor_follow_domains(m, on_domain, NULL);
	listening = true;
}

void learned_forget(void)
{
	listening = false;
}

static const struct pvd *domains(void)
{
	struct mif_monitor *m = listening ? agent_monitor() : NULL;

	return m ? mif_monitor_pvds(m)->all : NULL;
}

static bool captive(const struct pvd *p)
{
	const struct pvd_item *said[PVD_ITEMS];
	unsigned n = pvd_items(p, PVD_SOURCES, PVD_PORTAL_CAPTIVE, said);

	for (unsigned i = 0; i < n; i++)
		if (said[i]->number)
			return true;
	return false;
}

bool learned_captive(int ifindex)
{
	if (!pol_check(process_policy())->portal_api)
		return false;
	for (const struct pvd *p = domains(); p; p = p->hh.next)
		if (p->key.ifindex == ifindex && captive(p))
			return true;
	return false;
}

int learned_next_captive(unsigned *at)
{
	unsigned i = 0;

	for (const struct pvd *p = domains(); p; p = p->hh.next)
		if (i++ >= *at) {
			(*at)++;
			if (learned_captive(p->key.ifindex))
				return p->key.ifindex;
		}
	return 0;
}

/* May the interface's prefix come from its network? */
static bool taken(int ifindex)
{
	char name[IFNAMSIZ];
	enum mif_kind kind;

	return mif_interface(agent_monitor(), ifindex, name, &kind, NULL) &&
	       pol_nat64_network(process_policy(), name, mif_kind_name(kind));
}

bool learned_nat64(unsigned i, int *ifindex, struct nat64_prefix *prefix)
{
	for (const struct pvd *p = domains(); p; p = p->hh.next) {
		const struct pvd_item *said[PVD_ITEMS];
		unsigned n = pvd_items(p, PVD_SOURCES, PVD_NAT64_PREFIX, said);

		if (i >= n) {
			i -= n;
			continue;
		}
		memset(prefix, 0, sizeof(*prefix));
		*ifindex = p->key.ifindex;
		if (taken(*ifindex)) {
			memcpy(prefix->ip, said[i]->ip, sizeof(prefix->ip));
			prefix->bits = said[i]->prefix_len;
		}
		return true;
	}
	return false;
}
