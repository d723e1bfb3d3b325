/* SPDX-License-Identifier: MIT */
#include "service/portal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/log.h"
#include "monitor/domains.h"
#include "service/additional.h"
#include "service/chance.h"
#include "service/fetch.h"
#include "service/place.h"

#define PORTALS 256
#define NOT_YET_MS 500
#define CAPTIVE_MS 10000 /* somebody may be at the portal's page just now; then ever less often */
#define CAPTIVE_MAX_MS 60000
#define OPEN_MS 600000
#define UNREACHED_MS 10000
#define REFUSED_MS 600000 /* as if it had no API */
#define MORE_MS 30000     /* for how long an answer counts when the next one is late */

#define NO_PORTAL "urn:ietf:params:capport:unrestricted"

struct portal {
	struct pvd_key of;
	char uri[PVD_TEXT];
	struct fetch *fetch;
	unsigned in_a_row; /* answers of the same kind */
	bool captive, told;
	int64_t due;
	bool seen;
	struct portal *next;
};

static struct mif_monitor *monitor;
static struct portal *portals;
static unsigned count;
static bool noted = true;

static void publish(const struct portal *p, const struct pvd_item *items, unsigned n)
{
	pvd_replace(mif_monitor_pvds(monitor), p->of.ifindex, p->of.name, PVD_BY_SERVICE,
	            PVD_PORTAL, items, n, clock_ms());
}

static const char *where(const struct portal *p)
{
	return *p->of.name ? p->of.name : "the implicit domain";
}

/* --- an answer --- */

static int64_t doubled(int64_t first, unsigned times, int64_t most)
{
	int64_t t = times < 10 ? first << times : most;

	return t < most ? t : most;
}

static void text_item(struct pvd_item *i, enum pvd_info what, const char *text)
{
	i->info = what;
	memcpy(i->text, text, strlen(text) + 1); /* ADDITIONAL_TEXT is as long */
}

static void opened_or_not(struct portal *p, const struct portal_answer *a, int64_t now)
{
	struct pvd_item items[4];
	unsigned n = 1;

	if (!p->told || p->captive != a->captive) {
		p->in_a_row = 0;
		log_info("interface %d, %s: the portal is %s", p->of.ifindex, where(p),
		         a->captive ? "closed" : "open");
	}
	p->told = true;
	p->captive = a->captive;
	if (a->captive)
		p->due = now + doubled(CAPTIVE_MS, p->in_a_row / 6, CAPTIVE_MAX_MS);
	else
		p->due = now + OPEN_MS;
	/* When the session ends, not some minutes later. */
	if (!a->captive && a->ends && a->seconds * INT64_C(1000) < OPEN_MS)
		p->due = now + a->seconds * INT64_C(1000) + (int64_t)chance(1000) + 1000;
	p->in_a_row++;
	memset(items, 0, sizeof(items));
	items[0].info = PVD_PORTAL_CAPTIVE;
	items[0].number = a->captive;
	if (*a->page)
		text_item(&items[n++], PVD_PORTAL_PAGE, a->page);
	if (*a->venue)
		text_item(&items[n++], PVD_PORTAL_VENUE, a->venue);
	for (unsigned i = 0; i < n; i++)
		items[i].until = p->due + MORE_MS;
	if (a->ends && !a->captive) {
		items[n].info = PVD_PORTAL_SESSION;
		items[n].number = 1;
		items[n++].until = now + a->seconds * INT64_C(1000);
	}
	publish(p, items, n);
}

static void no_answer(struct portal *p, bool refused, const char *why, int64_t now)
{
	log_info("interface %d, %s: the portal's API says nothing: %s", p->of.ifindex, where(p),
	         why);
	if (p->told)
		p->in_a_row = 0;
	p->told = false;
	p->due = now + (refused ? REFUSED_MS : doubled(UNREACHED_MS, p->in_a_row, OPEN_MS));
	p->in_a_row++;
	/* What was said before counts for as long as it was to. */
	if (refused)
		publish(p, NULL, 0);
}

static void fetched(void *ctx, enum fetch_result r, const char *body, size_t len, const char *why)
{
	struct portal *p = ctx;
	struct portal_answer a;
	int64_t now = clock_ms();

	p->fetch = NULL;
	if (r == FETCH_GOT) {
		why = portal_parse(body, len, &a);
		if (!why) {
			opened_or_not(p, &a, now);
			return;
		}
		r = FETCH_REFUSED;
	}
	no_answer(p, r == FETCH_REFUSED, why, now);
}

static void ask(struct portal *p, int64_t now)
{
	struct portal_answer none = {.captive = false};
	struct fetch_how how;

	if (strcasecmp(p->uri, NO_PORTAL) == 0) {
		opened_or_not(p, &none, now);
		return;
	}
	p->due = now + NOT_YET_MS;
	if (!place_find(mif_monitor_table(monitor), mif_monitor_domains(monitor), p->of.ifindex,
	                p->of.name, &how))
		return;
	strcpy(how.url, p->uri);
	how.type = "application/captive+json";
	p->fetch = fetch_start(&how, fetched, p);
}

/* --- which there are --- */

static void forget(struct portal **at)
{
	struct portal *p = *at;

	if (p->fetch)
		fetch_cancel(p->fetch);
	*at = p->next;
	count--;
	free(p);
}

static int trust(enum pvd_source s)
{
	return s == PVD_DHCPV4 ? 3 : s == PVD_DHCPV6 ? 2 : s == PVD_RA ? 1 : 0;
}

/* Where there are several, which is a mistake: DHCPv4's, then DHCPv6's, then a router's. */
static const char *uri_of(const struct pvd *d)
{
	const struct pvd_entry *best = NULL;

	for (unsigned i = 0; i < d->count; i++) {
		const struct pvd_entry *e = &d->entries[i];

		if (e->item.info == PVD_CAPTIVE_PORTAL &&
		    (!best || trust(e->source) > trust(best->source)))
			best = e;
	}
	return best ? best->item.text : NULL;
}

static void meet(const struct pvd *d, const char *uri, int64_t now)
{
	struct portal *p = portals;

	while (p && memcmp(&p->of, &d->key, sizeof(p->of)) != 0)
		p = p->next;
	if (p && strcmp(p->uri, uri) != 0) {
		log_info("interface %d, %s: another portal", p->of.ifindex, where(p));
		if (p->fetch)
			fetch_cancel(p->fetch);
		p->fetch = NULL;
		p->told = false;
		p->in_a_row = 0;
		p->due = now;
	} else if (!p) {
		if (count == PORTALS || !(p = calloc(1, sizeof(*p))))
			return;
		p->of = d->key;
		p->due = now;
		p->next = portals;
		portals = p;
		count++;
	}
	strcpy(p->uri, uri);
	p->seen = true;
}

static void look(int64_t now)
{
	for (struct portal *p = portals; p; p = p->next)
		p->seen = false;
	for (const struct pvd *d = mif_monitor_pvds(monitor)->all; d; d = d->hh.next) {
		const char *uri = uri_of(d);

		if (uri)
			meet(d, uri, now);
	}
	for (struct portal **at = &portals; *at;) {
		if ((*at)->seen) {
			at = &(*at)->next;
			continue;
		}
		publish(*at, NULL, 0);
		forget(at);
	}
}

void portals_note(void)
{
	noted = true;
}

void portals_step(int64_t now)
{
	if (noted) {
		noted = false;
		look(now);
	}
	for (struct portal *p = portals; p; p = p->next)
		if (!p->fetch && now >= p->due)
			ask(p, now);
}

int64_t portals_due(void)
{
	int64_t due = noted ? 0 : -1;

	for (const struct portal *p = portals; p; p = p->next)
		if (!p->fetch && (due < 0 || p->due < due))
			due = p->due;
	return due;
}

void portals_log(void)
{
	for (const struct portal *p = portals; p; p = p->next)
		log_info("interface %d, %s: portal %s: %s", p->of.ifindex, where(p), p->uri,
		         !p->told     ? "unknown"
		         : p->captive ? "closed"
		                      : "open");
}

void portals_start(struct mif_monitor *m)
{
	monitor = m;
}
