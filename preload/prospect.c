/* SPDX-License-Identifier: MIT */
#include "preload/prospect.h"

#include <stdio.h>

#include "preload/process.h"
#include "preload/reopen.h"
#include "preload/web.h"

static void is(struct prospect *p, bool loses, const char *what)
{
	p->loses = loses;
	snprintf(p->what, sizeof(p->what), "%s", what);
}

static void of_redial(struct flow *f, const struct stream_counts *c, struct prospect *p)
{
	const struct pol_rule *r = f->rule;
	const char *why = reopen_stands(f, c);

	p->means = atomic_load(&f->opening)        ? "opening"
	           : r->records > POL_RECORDS_NONE ? "records"
	                                           : "redial";
	if (atomic_load(&f->foreign) || c->written != f->ring.tail)
		is(p, true, "ECONNRESET: bytes that no hook saw");
	else if (why)
		snprintf(p->what, sizeof(p->what), "ECONNRESET: %s", why);
	else if (c->unread)
		snprintf(p->what, sizeof(p->what), "loses %llu bytes that were not read yet",
		         (unsigned long long)c->unread);
	else if (c->unacked && r->replay == POL_REPLAY_NONE)
		snprintf(p->what, sizeof(p->what),
		         "loses up to %llu bytes that were not acknowledged",
		         (unsigned long long)c->unacked);
	else
		is(p, false,
		   c->unacked ? "sends again what was not acknowledged" : "loses nothing");
	p->loses = p->loses || why || c->unread || (c->unacked && r->replay == POL_REPLAY_NONE);
}

static void of_plain(struct flow *f, const struct stream_counts *c, struct prospect *p)
{
	enum first speaks = (enum first)atomic_load(&f->speaks);
	bool told = f->rule && f->rule->continuity == POL_RESET;
	bool fresh = !atomic_load(&f->begun) && !c->written && !c->read && !c->unread;

	p->means = fresh                   ? "fresh"
	           : told                  ? "reset"
	           : first_name(speaks)[0] ? first_name(speaks)
	                                   : "none";
	p->loses = !fresh;
	if (fresh)
		is(p, false, "dialled again, for nothing was exchanged");
	else if (told || speaks == FIRST_TLS || speaks == FIRST_SSH)
		snprintf(p->what, sizeof(p->what),
		         "ECONNRESET after %d ms, if it waits for something",
		         pol_stability(process_policy())->outage);
	else
		snprintf(p->what, sizeof(p->what), "left to TCP");
}

void prospect(struct flow *f, const struct stream_counts *c, struct prospect *p)
{
	*p = (struct prospect){.means = "none"};
	/* A plain connection that another process may have, too, is left to both of them. */
	bool left = atomic_load(&f->shared) && (f->kind == FLOW_RESET || f->kind == FLOW_REDIAL);

	if (left) {
		is(p, true, "left to TCP, for another process may have it, too");
		return;
	}
	if (f->rule && f->rule->address_bound && f->kind != FLOW_UDP) {
		p->means = "reset";
		is(p, true, "ECONNRESET at once: it is bound to its address");
		return;
	}
	switch (f->kind) {
	case FLOW_SESSION:
		p->means = "session";
		p->loses = f->uncovered || atomic_load(&f->foreign);
		is(p, p->loses, p->loses ? "left to TCP" : "loses nothing");
		break;
	case FLOW_HTTP:
		p->means = "http";
		p->loses = !web_describe(f, p->what, sizeof(p->what));
		break;
	case FLOW_REDIAL:
		of_redial(f, c, p);
		break;
	case FLOW_RESET:
		of_plain(f, c, p);
		break;
	case FLOW_UDP:
		p->means = "datagrams";
		is(p, false, "sent from the other path's address");
		break;
	}
}
