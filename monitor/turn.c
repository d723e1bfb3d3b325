/* SPDX-License-Identifier: MIT */
/* One turn of a monitor: what is read, from the kernel or from the service, and what comes of it.
 */
#include <errno.h>
#include <libmnl/libmnl.h>

#include "common/clock.h"
#include "monitor/hear.h"
#include "monitor/monitor_private.h"
#include "monitor/parse.h"

#define READS 256 /* per socket and call: a storm must not keep the owner from its other work */

/* 0 or a negative errno the socket will not recover from. */
static int read_events(struct mif_monitor *m)
{
	m->more = true;
	for (int i = 0; i < READS; i++) {
		ssize_t n = rtsock_receive(&m->events, m->buf, sizeof(m->buf));

		if (n == -EAGAIN) {
			m->more = false;
			return 0;
		}
		m->news = true;
		if (n == -ENOBUFS || n == -EMSGSIZE || n == -ENOMEM)
			mirror_overrun(&m->mirror);
		else if (n < 0)
			return (int)n;
		else
			mirror_events(&m->mirror, m->buf, (size_t)n, clock_ms());
	}
	return 0;
}

static int read_answers(struct mif_monitor *m)
{
	for (int i = 0; i < READS; i++) {
		ssize_t n = rtsock_receive(&m->dumps, m->buf, sizeof(m->buf));

		if (n == -EAGAIN)
			return 0;
		if (n == -ENOBUFS || n == -EMSGSIZE || n == -ENOMEM)
			mirror_answer_lost(&m->mirror);
		else if (n < 0)
			return (int)n;
		else
			mirror_answers(&m->mirror, m->buf, (size_t)n, clock_ms());
	}
	return 0;
}

/* The domains hear of the routes, too; and the flush frees what they may still look at. */
static void settle_then_flush(struct mif_monitor *m)
{
	mirror_tell_routes(&m->mirror);
	if (m->mirror.domains && m->mirror.enumerated)
		domains_settle(&m->domains, m->mirror.table.now);
	mirror_flush(&m->mirror);
}

/* True: the kernel need not be listened to. */
static bool be_served(struct mif_monitor *m)
{
	struct served *s = &m->served;
	int64_t now = clock_ms();

	/* What was there once may be back any time; what was not comes with other news, if at all.
	 */
	if (!served_connected(s) && (s->known || m->news)) {
		m->news = false;
		monitor_begin(m);
		if (served_try(s, now))
			monitor_move_one(&s->socket, m->move);
		monitor_end(m);
	}
	if (!served_connected(s))
		return false;
	if (!rtsock_intact(&s->socket) || !served_read(s, m->buf, sizeof(m->buf), READS, now)) {
		monitor_close_one(m, &s->socket);
		served_lost(s, now);
		return false;
	}
	if (served_live(s) && m->events.fd >= 0) {
		monitor_close_one(m, &m->events);
		monitor_close_one(m, &m->dumps);
		m->more = false;
	}
	return m->mirror.fed || m->events.fd < 0;
}

static int look(struct mif_monitor *m)
{
	struct mirror_request r;

	if (!m->error && m->events.fd < 0)
		m->error = monitor_open_netlink(m);
	if (!m->error && (!rtsock_intact(&m->events) || !rtsock_intact(&m->dumps)))
		m->error = -EBADF;
	if (!m->error)
		m->error = read_events(m);
	if (!m->error && !m->more)
		m->error = read_answers(m);
	if (m->error)
		return m->error;
	/* Events read from here on count as newer than the answer, so there must be no older ones
	 * left. */
	if (!m->more && mirror_request(&m->mirror, clock_ms(), &r) &&
	    rtsock_dump(&m->dumps, r.type, r.family, r.seq) < 0)
		mirror_not_sent(&m->mirror, clock_ms());
	return 0;
}

/* What the service does not tell: who has which link-layer address. */
static void read_neighbours(struct mif_monitor *m)
{
	for (int i = 0; i < READS && m->dumps.fd >= 0; i++) {
		ssize_t n = rtsock_intact(&m->dumps)
		                ? rtsock_receive(&m->dumps, m->buf, sizeof(m->buf))
		                : -EBADF;

		/* The kernel has answered by the time the question was put; it is not kept. */
		if (n < 0) {
			monitor_close_one(m, &m->dumps);
			return;
		}
		if (!m->mirror.domains)
			continue;
		int left = (int)n;

		for (const struct nlmsghdr *h = (void *)m->buf; rtparse_whole(h, left);
		     h = mnl_nlmsg_next(h, &left))
			hear_neighbour(&m->domains, h);
	}
}

int mif_monitor_process(struct mif_monitor *m)
{
	int r = m->error;

	if (r == 0 && be_served(m))
		read_neighbours(m);
	else if (r == 0)
		r = look(m);
	if (r < 0)
		return r;
	m->mirror.table.now = clock_ms();
	pvd_expire(&m->domains.pvds, m->mirror.table.now);
	settle_then_flush(m);
	return 0;
}
