/* SPDX-License-Identifier: MIT */
#include "service/networks.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "monitor/domains.h"
#include "monitor/ra_items.h"
#include "service/additional.h"
#include "service/chance.h"
#include "service/fetch.h"
#include "service/info.h"
#include "service/place.h"

#define DOMAINS_MAX 64 /* of one network whose information is, or must not be, fetched */
#define NOT_YET_MS 500 /* without an address or name server: looked again so much later */

struct network;

struct named {
	struct network *network;
	char id[RA_TEXT];
	struct info info;
	struct additional additional; /* while info.held */
	struct fetch *fetch;
	int64_t not_before;
	struct named *next;
};

struct network {
	int ifindex;
	struct info_network limits;
	struct named *domains;
	unsigned count;
	struct network *next;
};

static struct mif_monitor *monitor;
static struct network *networks;

static struct pvd_table *table(void)
{
	return mif_monitor_pvds(monitor);
}

static const char *interface(int ifindex)
{
	static char name[IFNAMSIZ];

	if (!mif_interface(monitor, ifindex, name, NULL, NULL))
		return "?";
	return name;
}

static struct network *network_of(int ifindex)
{
	struct network *n = networks;

	while (n && n->ifindex != ifindex)
		n = n->next;
	if (n)
		return n;
	n = calloc(1, sizeof(*n));
	if (n) {
		n->ifindex = ifindex;
		n->next = networks;
		networks = n;
	}
	return n;
}

static struct named *named_of(struct network *n, const char *id)
{
	struct named *d = n->domains;

	while (d && strcmp(d->id, id) != 0)
		d = d->next;
	if (d || n->count == DOMAINS_MAX)
		return d;
	d = calloc(1, sizeof(*d));
	if (d) {
		d->network = n;
		memcpy(d->id, id, sizeof(d->id));
		d->next = n->domains;
		n->domains = d;
		n->count++;
		log_info("%s: provisioning domain %s", interface(n->ifindex), id);
	}
	return d;
}

/* --- additional information --- */

static int64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void withdraw(const struct named *d, int64_t now)
{
	pvd_replace(table(), d->network->ifindex, d->id, PVD_BY_SERVICE, PVD_ADDITIONAL, NULL, 0,
	            now);
}

static void publish(const struct named *d, int64_t now)
{
	struct pvd_item items[ADDITIONAL_ZONES + 1];
	unsigned n = 0;

	memset(items, 0, sizeof(items));
	if (d->additional.no_internet) {
		items[n].info = PVD_NO_INTERNET;
		items[n].number = 1;
		items[n++].until = d->info.until;
	}
	for (unsigned i = 0; i < d->additional.zones; i++) {
		items[n].info = PVD_DNS_ZONE;
		memcpy(items[n].text, d->additional.zone[i], sizeof(items[n].text));
		items[n++].until = d->info.until;
	}
	pvd_replace(table(), d->network->ifindex, d->id, PVD_BY_SERVICE, PVD_ADDITIONAL, items, n,
	            now);
}

/* Every prefix the routers give the domain must be one it says it has. */
static bool covers(const struct named *d, const struct additional *a)
{
	const struct pvd_item *items[PVD_ITEMS];
	unsigned n =
	    pvd_items(pvd_find(table(), d->network->ifindex, d->id), PVD_RA, PVD_PREFIX, items);

	for (unsigned i = 0; i < n; i++)
		if (!additional_covers(a, items[i]->ip, items[i]->prefix_len))
			return false;
	return true;
}

static enum info_result judge(struct named *d, enum fetch_result r, const char *body, size_t len,
                              struct additional *a, const char **why)
{
	if (r != FETCH_GOT)
		return r == FETCH_UNREACHED ? INFO_UNREACHED : INFO_REFUSED;
	*why = additional_parse(body, len, d->id, wall_ms(), a);
	if (!*why && !covers(d, a))
		*why = "a prefix of the network is not among the domain's";
	return *why ? INFO_REFUSED : INFO_GOT;
}

static void fetched(void *ctx, enum fetch_result r, const char *body, size_t len, const char *why)
{
	struct named *d = ctx;
	struct additional a;
	int64_t now = clock_ms(), until = 0;
	enum info_result result = judge(d, r, body, len, &a, &why);

	d->fetch = NULL;
	if (result == INFO_GOT) {
		until = now + a.expires - wall_ms();
		if (until <= now)
			until = now + 1;
		d->additional = a;
		log_info("%s: %s: additional information, for %lld s",
		         interface(d->network->ifindex), d->id, (long long)(until - now) / 1000);
	} else {
		log_warn("%s: %s: no additional information: %s", interface(d->network->ifindex),
		         d->id, why);
	}
	info_ended(&d->info, &d->network->limits, result, until, now, chance);
	if (result == INFO_GOT)
		publish(d, now);
}

static void begin(struct named *d, int64_t now)
{
	struct fetch_how how;

	if (now < d->not_before)
		return;
	d->not_before = now + NOT_YET_MS;
	/* As long as nothing in the domain can be asked this is no fetch that failed. */
	if (!place_find(mif_monitor_table(monitor), mif_monitor_domains(monitor),
	                d->network->ifindex, d->id, &how) ||
	    !info_begin(&d->info, &d->network->limits, now))
		return;
	snprintf(how.url, sizeof(how.url), "https://%s/.well-known/pvd", d->id);
	how.type = "application/pvd+json";
	log_debug("%s: fetching %s", how.interface, how.url);
	d->fetch = fetch_start(&how, fetched, d);
	if (!d->fetch)
		info_ended(&d->info, &d->network->limits, INFO_UNREACHED, 0, now, chance);
}

static void stop_fetch(struct named *d)
{
	if (d->fetch)
		fetch_cancel(d->fetch);
	d->fetch = NULL;
}

/* --- routers --- */

static void name_domain(int ifindex, const struct ra *ra, int64_t now)
{
	struct network *n = network_of(ifindex);
	struct named *d = n ? named_of(n, ra->pvd.id) : NULL;

	if (!d)
		return;
	if (info_advertised(&d->info, &ra->pvd, now, chance)) {
		log_info("%s: %s: other additional information", interface(ifindex), d->id);
		withdraw(d, now);
	}
	if (d->info.state != INFO_FETCHING)
		stop_fetch(d);
	if (d->info.held && !covers(d, &d->additional)) {
		log_warn("%s: %s: a prefix that is not among the domain's", interface(ifindex),
		         d->id);
		stop_fetch(d);
		info_refuse(&d->info, &n->limits);
		withdraw(d, now);
	}
}

void networks_heard(int ifindex, const uint8_t router[16], const struct ra *ra)
{
	static struct pvd_item items[RA_ITEMS];
	int64_t now = clock_ms();
	unsigned n = ra_advertised(ra, router, now, items, RA_ITEMS);
	bool usable = false;

	if (!mif_interface(monitor, ifindex, NULL, NULL, &usable) || !usable)
		return;
	for (unsigned i = 0; i < n; i++)
		pvd_put(table(), ifindex, ra->pvd.id, PVD_BY_SERVICE, PVD_RA, &items[i], now);
	if (ra->pvd.id[0])
		name_domain(ifindex, ra, now);
}

static void leave(int ifindex)
{
	struct network **at = &networks, *n;
	struct named *d, *next;

	pvd_withdraw(table(), ifindex, NULL, PVD_BY_SERVICE);
	while (*at && (*at)->ifindex != ifindex)
		at = &(*at)->next;
	n = *at;
	if (!n)
		return;
	*at = n->next;
	for (d = n->domains; d; d = next) {
		next = d->next;
		stop_fetch(d);
		free(d);
	}
	free(n);
}

void networks_event(const struct mif_event *ev)
{
	if (ev->type == MIF_INTERFACE_GOING_AWAY || ev->type == MIF_NO_INTERFACE_ANNOUNCEMENT)
		leave(ev->ifindex);
}

/* --- time --- */

void networks_step(int64_t now)
{
	for (struct network *n = networks; n; n = n->next)
		for (struct named *d = n->domains; d; d = d->next) {
			int64_t due;

			if (info_expire(&d->info, now))
				withdraw(d, now);
			due = info_due(&d->info, &n->limits);
			/* Of a domain of which no router speaks any more nothing is fetched. */
			if (!d->fetch && due >= 0 && now >= due &&
			    pvd_find(table(), n->ifindex, d->id))
				begin(d, now);
		}
}

int64_t networks_due(void)
{
	int64_t due = -1;

	for (const struct network *n = networks; n; n = n->next)
		for (const struct named *d = n->domains; d; d = d->next) {
			int64_t at = d->fetch ? -1 : info_due(&d->info, &n->limits);

			if (at >= 0 && at < d->not_before)
				at = d->not_before;
			if (at >= 0 && !pvd_find(table(), n->ifindex, d->id))
				continue;
			if (at >= 0 && (due < 0 || at < due))
				due = at;
		}
	return due;
}

void networks_log(void)
{
	static const char *const states[] = {"none", "waiting", "fetching", "held", "failed"};

	for (const struct network *n = networks; n; n = n->next)
		for (const struct named *d = n->domains; d; d = d->next)
			log_info("%s: %s: sequence %u, additional information %s",
			         interface(n->ifindex), d->id, d->info.sequence,
			         states[d->info.state]);
}

void networks_start(struct mif_monitor *m)
{
	monitor = m;
}
