/* SPDX-License-Identifier: MIT */
#include "monitor/mirror.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "monitor/events.h"
#include "monitor/hear.h"
#include "monitor/parse.h"

#define COALESCE_MS 30 /* one change of the network is 5 to 20 messages within a millisecond */
#define ANSWER_MS 2000 /* a dump that makes no progress for so long is asked for again */
#define RETRY_MS 100   /* after an error */
#define TRIES 5        /* per phase, then without it */
#define AFTER_GIVING_UP_MS 1000
#define REST_PER_MS                                                                                \
	64 /* large tables are dumped less often: a millisecond of rest for 64 entries ... */
#define REST_MAX_MS 10000 /* ... up to this */

void mirror_init(struct mirror *m, mif_event_fn *fn, void *ctx)
{
	memset(m, 0, sizeof(*m));
	m->fn = fn;
	m->ctx = ctx;
	m->want_all = true;
}

void mirror_free(struct mirror *m)
{
	iftable_free(&m->table);
}

static void want_routes(struct mirror *m, int64_t now)
{
	if (m->fed)
		return;
	if (m->phase == MIRROR_IDLE && !m->want_all && !m->want_routes &&
	    m->due < now + COALESCE_MS)
		m->due = now + COALESCE_MS;
	m->want_routes = true;
}

/* --- what comes in --- */

/* What is no event of the MIF API may still be about a domain. */
static void hear_domains(struct mirror *m, const struct rt_change *c, const struct nlmsghdr *nlh,
                         int64_t now)
{
	if (c->what == RT_LINK && c->link)
		domains_note(m->domains, c->link->ifindex);
	else if (c->what == RT_ADDRESS && c->address)
		domains_note(m->domains, c->address->key.ifindex);
	hear_neighbour(m->domains, nlh);
	hear_options(m->domains, nlh, now);
}

static void event(struct mirror *m, const struct nlmsghdr *nlh, int64_t now)
{
	struct rt_change c = rtparse(&m->table, nlh, IFTABLE_EVENT);

	/* What a route replaces is not named: a dump under way may still have it. */
	if (c.what == RT_LINK || nlh->nlmsg_type == RTM_DELADDR ||
	    (c.what == RT_ROUTE && m->asked && (nlh->nlmsg_flags & NLM_F_REPLACE)))
		want_routes(m, now);
	if (m->domains)
		hear_domains(m, &c, nlh, now);
	if (!m->enumerated)
		return;
	sa_family_t family;
	uint8_t router[16];
	int failed = hear_failed(nlh, &family, router);

	if (failed)
		events_unreached(&m->table, failed, family, router, m->fn, m->ctx);
	if (c.what == RT_LINK)
		events_link(&m->table, c.link, m->fn, m->ctx);
	else if (c.what == RT_ADDRESS)
		events_address(&m->table, c.address, m->fn, m->ctx);
}

void mirror_events(struct mirror *m, const void *buf, size_t len, int64_t now)
{
	const struct nlmsghdr *nlh = buf;
	int left = len > INT32_MAX ? INT32_MAX : (int)len;

	m->table.now = now;
	for (; rtparse_whole(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		event(m, nlh, now);
}

void mirror_overrun(struct mirror *m)
{
	m->want_all = true;
}

void mirror_answer_lost(struct mirror *m)
{
	m->interrupted = true;
}

static void sweep(struct mirror *m)
{
	switch (m->phase) {
	case MIRROR_IDLE:
		break;
	case MIRROR_LINKS:
		iftable_sweep_links(&m->table);
		break;
	case MIRROR_ADDRESSES:
		iftable_sweep_addresses(&m->table);
		break;
	case MIRROR_ROUTES4:
		iftable_sweep_routes(&m->table, AF_INET);
		break;
	case MIRROR_ROUTES6:
		iftable_sweep_routes(&m->table, AF_INET6);
		break;
	}
}

/* Anything may have changed. */
static void note_all(struct mirror *m)
{
	for (const struct if_link *l = m->domains ? m->table.links : NULL; l; l = l->hh.next)
		domains_note(m->domains, l->ifindex);
}

static void end_round(struct mirror *m, int64_t now)
{
	int64_t rest = COALESCE_MS + m->answers / REST_PER_MS;

	m->phase = MIRROR_IDLE;
	if (rest > REST_MAX_MS)
		rest = REST_MAX_MS;
	if (m->partial) {
		m->want_all = true;
		if (rest < AFTER_GIVING_UP_MS)
			rest = AFTER_GIVING_UP_MS;
	}
	m->due = now + rest;
	/* Of routes that have changed there is an event. */
	if (m->whole)
		note_all(m);
	if (!m->enumerated) {
		m->enumerated = true;
		events_enumerate(&m->table, m->fn, m->ctx);
	}
}

/* The answer is complete (error 0), or there will be none. */
static void end_phase(struct mirror *m, int error, int64_t now)
{
	/* A table or family nobody uses is an empty one. */
	if (error == -ENOENT || error == -EAFNOSUPPORT || error == -EOPNOTSUPP)
		error = 0;
	m->asked = false;
	iftable_dump_end(&m->table);
	if (error || m->interrupted) {
		m->due = error ? now + RETRY_MS : now;
		if (++m->tries < TRIES)
			return;
		/* What was heard is kept, nothing is taken for gone. */
		m->partial = true;
	} else {
		sweep(m);
	}
	m->tries = 0;
	m->due = now;
	if (m->phase == MIRROR_ADDRESSES && m->enumerated)
		events_all(&m->table, m->fn, m->ctx);
	if (m->phase == MIRROR_ROUTES6)
		end_round(m, now);
	else
		m->phase++;
}

static int status_of(const struct nlmsghdr *nlh)
{
	/* Both NLMSG_DONE and NLMSG_ERROR begin with a negative errno or 0; DONE may lack it. */
	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(int)) {
		int status;

		memcpy(&status, mnl_nlmsg_get_payload(nlh), sizeof(status));
		return status < 0 ? status : 0;
	}
	return nlh->nlmsg_type == NLMSG_ERROR ? -EPROTO : 0;
}

/*
 * Is it a line of the dump that was asked for? Anything else there would change the table behind
 * the listener's back: it is told of a dump when its part is complete.
 */
static bool line_of(enum mirror_phase phase, uint16_t type)
{
	switch (phase) {
	case MIRROR_IDLE:
		break;
	case MIRROR_LINKS:
		return type == RTM_NEWLINK;
	case MIRROR_ADDRESSES:
		return type == RTM_NEWADDR;
	case MIRROR_ROUTES4:
	case MIRROR_ROUTES6:
		return type == RTM_NEWROUTE;
	}
	return false;
}

void mirror_answers(struct mirror *m, const void *buf, size_t len, int64_t now)
{
	const struct nlmsghdr *nlh = buf;
	int left = len > INT32_MAX ? INT32_MAX : (int)len;

	m->table.now = now;
	for (; rtparse_whole(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (!m->asked || nlh->nlmsg_seq != m->seq)
			continue;
		m->deadline = now + ANSWER_MS;
		m->answers++;
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			m->interrupted = true;
		if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR)
			end_phase(m, status_of(nlh), now);
		else if (line_of(m->phase, nlh->nlmsg_type))
			rtparse(&m->table, nlh, IFTABLE_DUMP);
	}
}

/* --- fed by somebody else --- */

void mirror_feed(struct mirror *m)
{
	m->fed = m->feeding = true;
	m->phase = MIRROR_IDLE;
	m->asked = m->want_all = m->want_routes = m->partial = false;
	m->tries = 0;
	iftable_dump_begin(&m->table);
}

void mirror_feed_one(struct mirror *m, const struct nlmsghdr *message, int64_t now)
{
	uint16_t type = message->nlmsg_type;

	m->table.now = now;
	if (m->fed && !m->feeding)
		event(m, message, now);
	else if (m->feeding && (type == RTM_NEWLINK || type == RTM_NEWADDR || type == RTM_NEWROUTE))
		rtparse(&m->table, message, IFTABLE_DUMP);
}

void mirror_fed(struct mirror *m)
{
	if (!m->feeding)
		return;
	m->feeding = false;
	iftable_sweep_links(&m->table);
	iftable_sweep_addresses(&m->table);
	iftable_sweep_routes(&m->table, AF_INET);
	iftable_sweep_routes(&m->table, AF_INET6);
	iftable_dump_end(&m->table);
	if (m->enumerated) {
		events_all(&m->table, m->fn, m->ctx);
	} else {
		m->enumerated = true;
		events_enumerate(&m->table, m->fn, m->ctx);
	}
	note_all(m);
}

void mirror_unfeed(struct mirror *m)
{
	m->fed = m->feeding = false;
	iftable_dump_end(&m->table);
	m->want_all = true;
	m->due = 0;
}

/* --- what is to go out --- */

bool mirror_request(struct mirror *m, int64_t now, struct mirror_request *r)
{
	static const struct {
		uint16_t type;
		sa_family_t family;
	} requests[] = {
	    [MIRROR_LINKS] = {RTM_GETLINK, AF_UNSPEC},
	    [MIRROR_ADDRESSES] = {RTM_GETADDR, AF_UNSPEC},
	    [MIRROR_ROUTES4] = {RTM_GETROUTE, AF_INET},
	    [MIRROR_ROUTES6] = {RTM_GETROUTE, AF_INET6},
	};

	if (m->fed)
		return false;
	if (m->asked) {
		if (now < m->deadline)
			return false;
		end_phase(m, -ETIMEDOUT, now);
	}
	if (now < m->due)
		return false;
	if (m->phase == MIRROR_IDLE) {
		if (!m->want_all && !m->want_routes)
			return false;
		m->whole = m->want_all;
		m->phase = m->whole ? MIRROR_LINKS : MIRROR_ROUTES4;
		m->want_all = m->want_routes = m->partial = false;
		m->tries = 0;
		m->answers = 0;
	}
	iftable_dump_begin(&m->table);
	m->interrupted = false;
	m->asked = true;
	m->deadline = now + ANSWER_MS;
	r->type = requests[m->phase].type;
	r->family = requests[m->phase].family;
	r->seq = ++m->seq;
	return true;
}

void mirror_not_sent(struct mirror *m, int64_t now)
{
	if (m->asked)
		end_phase(m, -EAGAIN, now);
}

int64_t mirror_due(const struct mirror *m)
{
	if (m->fed)
		return -1;
	if (m->asked)
		return m->deadline;
	return m->phase != MIRROR_IDLE || m->want_all || m->want_routes ? m->due : -1;
}

void mirror_tell_routes(struct mirror *m)
{
	if (m->enumerated)
		events_routes(&m->table, m->fn, m->ctx);
}

void mirror_flush(struct mirror *m)
{
	mirror_tell_routes(m);
	if (m->phase == MIRROR_IDLE && !m->feeding)
		iftable_purge(&m->table);
}
