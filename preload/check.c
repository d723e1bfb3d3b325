/* SPDX-License-Identifier: MIT */
#include "preload/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/choose.h"
#include "preload/agent.h"
#include "preload/dial.h"
#include "preload/learned.h"
#include "preload/lookup.h"
#include "preload/process.h"
#include "preload/raw.h"

#define CHECKS 16
#define PATIENCE_MS 5000
#define AGAIN_MS 10000  /* a bad answer is asked for anew, if it still matters */
#define LASTS_MS 600000 /* so long a good one is believed */

static struct check {
	struct mif_path path; /* ifindex 0: free */
	enum pol_connectivity says;
	bool asking, sent;
	bool elsewhere;   /* another process is; or `says` is what it has found */
	unsigned number;  /* of the question: an answer to an older one is none */
	int64_t since_ms; /* begun, or answered */
	struct dial dial;
	size_t got;
	char reply[REPLY_MAX];
} checks[CHECKS] = {[0 ... CHECKS - 1] = {.dial = {.fd = -1, .slot = -1}}};

static unsigned numbers;
static struct mif_monitor *shared; /* hands findings on */

bool check_wanted(void)
{
	const struct pol_check *p = pol_check(process_policy());

	return p->host || p->portal_api;
}

static struct check *of(int ifindex)
{
	for (int i = 0; i < CHECKS; i++)
		if (ifindex && checks[i].path.ifindex == ifindex)
			return &checks[i];
	return NULL;
}

static void close_dial(struct check *c)
{
	if (c->dial.fd >= 0)
		dial_close(&c->dial);
	c->dial.fd = c->dial.slot = -1;
}

/* The same for all who ask the same. */
static uint64_t question(void)
{
	const struct pol_check *p = pol_check(process_policy());
	const char *parts[] = {p->host ? p->host : "", p->path ? p->path : "",
	                       p->expect ? p->expect : "204"};
	uint64_t h = 0xcbf29ce484222325u ^ p->port; /* FNV-1a */

	for (int i = 0; i < 3; i++)
		for (const char *c = parts[i];; c++) {
			h = (h ^ (uint8_t)*c) * 0x100000001b3u;
			if (!*c)
				break;
		}
	return h;
}

static void answered(struct check *c, enum pol_connectivity says, const char *why)
{
	close_dial(c);
	c->asking = false;
	c->since_ms = clock_ms();
	c->says = says;
	log_info("interface %s: connectivity %s (%s)", c->path.name, pol_connectivity_name(says),
	         why);
	if (!c->elsewhere)
		mif_monitor_tell_check(shared, c->path.ifindex, question(), says);
	choose_again();
}

/* Over the same interface, but perhaps in the other family than the flow's path. */
static bool dial_one(struct check *c, const union flow_address *a)
{
	struct mif_path paths[PATHS_MAX];
	int n = choose_paths(a, paths);

	for (int i = 0; i < n; i++)
		if (paths[i].ifindex == c->path.ifindex && dial_start(&c->dial, a, &paths[i]) == 0)
			return true;
	c->dial.fd = c->dial.slot = -1;
	return false;
}

static void dial_to(struct check *c, const union flow_address *a, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (dial_one(c, &a[i]))
			return;
	answered(c, POL_NET_LIMITED, n ? "no route over it" : "its name is not resolved");
}

static void resolved(void *arg, const union flow_address *a, unsigned n)
{
	unsigned number = (unsigned)(uintptr_t)arg;

	for (int i = 0; i < CHECKS; i++)
		if (checks[i].asking && checks[i].number == number)
			dial_to(&checks[i], a, n);
}

static struct check *room(void)
{
	struct check *oldest = NULL;

	for (int i = 0; i < CHECKS; i++) {
		if (!checks[i].path.ifindex)
			return &checks[i];
		if (!checks[i].asking && (!oldest || checks[i].since_ms < oldest->since_ms))
			oldest = &checks[i];
	}
	return oldest;
}

static void begin(struct check *c);

/* Another process has found something out, or is about to. */
static void heard(void *ctx, int ifindex, uint64_t asked, unsigned says, unsigned age_ms)
{
	struct check *c = of(ifindex);

	(void)ctx;
	if (!check_wanted() || asked != question() || says > POL_NET_FULL)
		return;
	if (!c && (c = room()) != NULL) {
		close_dial(c);
		*c = (struct check){.path = {.ifindex = ifindex}, .dial = {.fd = -1, .slot = -1}};
		mif_interface(shared, ifindex, c->path.name, NULL, NULL);
	}
	/* Who asks itself goes on; of two answers the later one counts. */
	if (!c || (c->asking && !c->elsewhere && says == POL_NET_UNKNOWN))
		return;
	c->elsewhere = true;
	if (says != POL_NET_UNKNOWN) {
		answered(c, (enum pol_connectivity)says, "another process has asked");
		c->since_ms -= age_ms;
		return;
	}
	c->asking = true;
	c->since_ms = clock_ms();
}

void check_open(struct mif_monitor *m)
{
	shared = m;
	mif_monitor_hear_checks(m, heard, NULL);
}

void check_ask(const struct mif_path *path)
{
	const struct pol_check *p = pol_check(process_policy());
	struct check *c = of(path->ifindex);

	if (!p->host || (c && c->asking))
		return;
	if (!c)
		c = room();
	if (!c)
		return;
	close_dial(c);
	*c = (struct check){.path = *path,
	                    .asking = true,
	                    .number = ++numbers,
	                    .since_ms = clock_ms(),
	                    .dial = {.fd = -1, .slot = -1}};
	begin(c);
}

static void begin(struct check *c)
{
	const struct pol_check *p = pol_check(process_policy());
	union flow_address a;

	mif_monitor_tell_check(shared, c->path.ifindex, question(), POL_NET_UNKNOWN);
	memset(&a, 0, sizeof(a));
	if (inet_pton(AF_INET, p->host, &a.in.sin_addr) == 1) {
		a.in.sin_family = AF_INET;
		a.in.sin_port = htons(p->port);
	} else if (inet_pton(AF_INET6, p->host, &a.in6.sin6_addr) == 1) {
		a.in6.sin6_family = AF_INET6;
		a.in6.sin6_port = htons(p->port);
	} else {
		if (!lookup_over(c->path.name, p->host, p->port, resolved,
		                 (void *)(uintptr_t)c->number))
			answered(c, POL_NET_LIMITED, "its name is not resolved");
		return;
	}
	dial_to(c, &a, 1);
}

/* Too old to be believed? */
static bool stale(const struct check *c)
{
	int64_t age = clock_ms() - c->since_ms;

	return !c->asking && age > (c->says == POL_NET_FULL ? LASTS_MS : AGAIN_MS);
}

enum pol_connectivity check_says(int ifindex)
{
	const struct check *c = of(ifindex);

	/* Whoever answers otherwise, while its own portal is closed, is not who was asked. */
	if (learned_captive(ifindex))
		return POL_NET_PORTAL;
	/* Nobody is there to be asked, and nothing is known against it. */
	if (!pol_check(process_policy())->host)
		return POL_NET_FULL;
	return !c || c->asking || stale(c) ? POL_NET_UNKNOWN : c->says;
}

const char *check_next(unsigned *at, enum pol_connectivity *says)
{
	while (*at < CHECKS) {
		const struct check *c = &checks[(*at)++];

		if (!c->path.ifindex)
			continue;
		*says = check_says(c->path.ifindex);
		return c->path.name;
	}
	unsigned i = *at - CHECKS;
	static char name[IFNAMSIZ];
	int ifindex;

	while ((ifindex = learned_next_captive(&i))) {
		*at = CHECKS + i;
		*says = POL_NET_PORTAL;
		if (!of(ifindex) && mif_interface(agent_monitor(), ifindex, name, NULL, NULL))
			return name;
	}
	return NULL;
}

int64_t check_again(int ifindex)
{
	const struct check *c = of(ifindex);

	if (!c || c->asking || c->says == POL_NET_FULL || stale(c))
		return -1;
	return c->since_ms + AGAIN_MS - clock_ms() + 1;
}

void check_forget(int ifindex)
{
	struct check *c = of(ifindex);

	if (!c)
		return;
	close_dial(c);
	*c = (struct check){.dial = {.fd = -1, .slot = -1}};
}

static void request(struct check *c)
{
	const struct pol_check *p = pol_check(process_policy());
	char text[800];
	bool six = strchr(p->host ? p->host : "", ':') != NULL;
	int n = !p->host ? -1
	                 : snprintf(text, sizeof(text),
	                            "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUser-Agent: mifcont\r\n"
	                            "Accept: */*\r\nCache-Control: no-cache\r\n"
	                            "Connection: close\r\n\r\n",
	                            p->path, six ? "[" : "", p->host, six ? "]" : "", p->port);

	c->sent = true;
	if (n < 0 || (size_t)n >= sizeof(text) || dial_send(&c->dial, text, n) < 0)
		answered(c, POL_NET_LIMITED, "the request was not taken");
}

static void reply(struct check *c)
{
	while (c->asking) {
		long n = raw_recvfrom(c->dial.fd, c->reply + c->got, REPLY_MAX - c->got,
		                      MSG_DONTWAIT, NULL, NULL);

		if (n == -EAGAIN)
			return;
		c->got += n > 0 ? (size_t)n : 0;
		bool end = n <= 0 || c->got == REPLY_MAX;
		enum pol_connectivity says =
		    reply_says(c->reply, c->got, end, pol_check(process_policy())->expect);

		if (says != POL_NET_UNKNOWN || end)
			answered(c, says == POL_NET_UNKNOWN ? POL_NET_LIMITED : says,
			         c->got ? "by the answer" : "no answer");
	}
}

void check_wait(struct waits *w)
{
	for (int i = 0; i < CHECKS; i++) {
		struct check *c = &checks[i];

		if (!c->asking)
			continue;
		waits_until(w, c->since_ms + PATIENCE_MS);
		if (c->dial.fd >= 0 && !c->sent)
			dial_wait(&c->dial, w);
		else if (c->dial.fd >= 0)
			c->dial.slot = waits_add(w, c->dial.fd, POLLIN);
	}
}

void check_step(const struct waits *w)
{
	for (int i = 0; i < CHECKS; i++) {
		struct check *c = &checks[i];

		if (!c->asking)
			continue;
		if (c->elsewhere && clock_ms() - c->since_ms >= PATIENCE_MS) {
			/* Whoever asked is gone. */
			c->elsewhere = c->asking = false;
			c->says = POL_NET_UNKNOWN;
			choose_again();
		} else if (clock_ms() - c->since_ms >= PATIENCE_MS) {
			answered(c, POL_NET_LIMITED, "no answer");
		} else if (c->dial.fd >= 0 && !c->sent) {
			int r = dial_progress(&c->dial, w);

			if (r == 0)
				request(c);
			else if (r != -EINPROGRESS)
				answered(c, POL_NET_LIMITED, "not connected");
		} else if (c->dial.fd >= 0 && waits_got(w, c->dial.slot)) {
			reply(c);
		}
	}
}

void check_forked(void)
{
	shared = NULL;
	for (int i = 0; i < CHECKS; i++)
		if (checks[i].path.ifindex)
			checks[i] = (struct check){.dial = {.fd = -1, .slot = -1}};
}
