/* SPDX-License-Identifier: MIT */
#include "preload/there.h"

#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/agent.h"
#include "preload/dial.h"
#include "preload/lookup.h"
#include "preload/names.h"
#include "preload/resolve.h"

#define ANSWERS 16
#define PATIENCE_MS 1500
#define LASTS_MS 60000
#define AGAIN_MS 5000 /* nobody answered */

static struct answer {
	int ifindex; /* 0: free */
	bool asking;
	unsigned number; /* of the question: an answer to an older one is none */
	int64_t since_ms;
	unsigned n; /* 0: none of use */
	char name[NAME_MAX_LEN + 1];
	union flow_address addr[LOOKUP_ADDRESSES];
} answers[ANSWERS];

static unsigned numbers;

static bool fresh(const struct answer *a, int64_t now)
{
	int64_t lasts = a->asking ? PATIENCE_MS : a->n ? LASTS_MS : AGAIN_MS;

	return a->ifindex && now - a->since_ms < lasts;
}

static struct answer *find(const char *name, int ifindex)
{
	for (int i = 0; i < ANSWERS; i++)
		if (answers[i].ifindex == ifindex && strcmp(answers[i].name, name) == 0)
			return &answers[i];
	return NULL;
}

static struct answer *oldest(void)
{
	struct answer *a = &answers[0];

	for (int i = 1; i < ANSWERS; i++)
		if (a->ifindex && (!answers[i].ifindex || answers[i].since_ms < a->since_ms))
			a = &answers[i];
	return a;
}

static void said(void *arg, enum lookup_status status, const union flow_address *addr, unsigned n)
{
	unsigned number = (unsigned)(uintptr_t)arg;

	(void)status;
	for (int i = 0; i < ANSWERS; i++) {
		struct answer *a = &answers[i];

		if (!a->ifindex || !a->asking || a->number != number)
			continue;
		a->asking = false;
		a->since_ms = clock_ms();
		a->n = n;
		memcpy(a->addr, addr, n * sizeof(*addr));
		log_debug("interface %d: %u addresses for a peer's name", a->ifindex, n);
	}
}

/* The name under which the program found the peer, if its rule wants it asked for; else false. */
static bool name_of(const struct flow *f, char name[NAME_MAX_LEN + 1])
{
	sa_family_t family;
	const void *ip = address_ip(&f->peer, &family);

	return f->rule && f->rule->resolve_path && f->kind != FLOW_SESSION && f->kind != FLOW_UDP &&
	       names_find(family, ip, name);
}

static void ask(struct answer *a, const struct mif_path *path, const char *name)
{
	struct lookup_where where;

	memset(a, 0, sizeof(*a));
	a->ifindex = path->ifindex;
	a->number = ++numbers;
	a->since_ms = clock_ms();
	memcpy(a->name, name, strlen(name) + 1);
	/* The answer may come at once. */
	a->asking = true;
	if (!agent_monitor() ||
	    !resolve_where(agent_monitor(), path->ifindex, path->name, &where) ||
	    !lookup_there(&where, name, said, (void *)(uintptr_t)a->number))
		a->asking = false;
}

bool there_wait(const struct flow *f, const struct mif_path *path, struct waits *w)
{
	int64_t now = clock_ms();
	char name[NAME_MAX_LEN + 1];
	struct answer *a;

	if (!name_of(f, name))
		return false;
	a = find(name, path->ifindex);
	if (!a || (!fresh(a, now) && !a->asking)) {
		a = a ? a : oldest();
		ask(a, path, name);
	}
	if (a->asking && now - a->since_ms >= PATIENCE_MS) {
		a->asking = false;
		a->since_ms = now;
	}
	if (a->asking)
		waits_until(w, a->since_ms + PATIENCE_MS);
	return a->asking;
}

void there_places(const struct flow *f, struct places *p)
{
	int64_t now = clock_ms();
	char name[NAME_MAX_LEN + 1];

	if (!name_of(f, name))
		return;
	for (int i = 0; i < ANSWERS; i++)
		for (unsigned k = 0; fresh(&answers[i], now) && k < answers[i].n; k++)
			if (strcmp(answers[i].name, name) == 0)
				places_add_there(p, &answers[i].addr[k], answers[i].ifindex);
}

void there_forget(int ifindex)
{
	for (int i = 0; i < ANSWERS; i++)
		if (answers[i].ifindex == ifindex)
			answers[i].ifindex = 0;
}
