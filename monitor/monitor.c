/* SPDX-License-Identifier: MIT */
#include "monitor/monitor.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "common/clock.h"
#include "monitor/kind.h"
#include "monitor/monitor_private.h"

#define FIRST_DUMP_MS 1000

static int wait_for_table(struct mif_monitor *m)
{
	int64_t end = clock_ms() + FIRST_DUMP_MS;

	for (;;) {
		int fds[MIF_MONITOR_FDS], n, r = mif_monitor_process(m), timeout;
		struct pollfd p[MIF_MONITOR_FDS];
		int64_t left = end - clock_ms();

		if (r < 0 || m->mirror.enumerated || left <= 0)
			return r;
		timeout = mif_monitor_timeout(m);
		if (timeout < 0 || timeout > left)
			timeout = (int)left;
		n = mif_monitor_fds(m, fds);
		for (int i = 0; i < n; i++)
			p[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
		poll(p, (nfds_t)n, timeout);
	}
}

static void on_event(void *ctx, const struct mif_event *ev)
{
	struct mif_monitor *m = ctx;

	if (m->mirror.domains)
		domains_event(&m->domains, ev);
	m->fn(m->ctx, ev);
}

void monitor_begin(const struct mif_monitor *m)
{
	if (m->begin)
		m->begin();
}

void monitor_end(const struct mif_monitor *m)
{
	if (m->end)
		m->end();
}

void monitor_move_one(struct rtsock *s, int (*move)(int fd))
{
	int to = move && s->fd >= 0 ? move(s->fd) : -1;

	if (to >= 0)
		s->fd = to;
}

void monitor_close_one(struct mif_monitor *m, struct rtsock *s)
{
	if (m->close && s->fd >= 0) {
		m->close(s->fd);
		s->fd = -1;
	}
	rtsock_close(s);
}

int monitor_open_dumps(struct mif_monitor *m)
{
	int r;

	if (m->dumps.fd >= 0)
		return 0;
	monitor_begin(m);
	r = rtsock_open_dumps(&m->dumps);
	if (r == 0)
		monitor_move_one(&m->dumps, m->move);
	monitor_end(m);
	return r;
}

/* Without a service each process looks for itself. */
int monitor_open_netlink(struct mif_monitor *m)
{
	int r;

	monitor_begin(m);
	r = rtsock_open_events(&m->events);
	if (r == 0)
		monitor_move_one(&m->events, m->move);
	monitor_end(m);
	if (r < 0)
		return r;
	if (m->mirror.domains)
		rtsock_hear_options(&m->events);
	r = monitor_open_dumps(m);
	if (r < 0)
		monitor_close_one(m, &m->events);
	return r;
}

static int open_monitor(struct mif_monitor **out, mif_event_fn *fn, void *ctx, bool wait,
                        bool alone)
{
	struct mif_monitor *m = calloc(1, sizeof(*m));
	int r;

	*out = m;
	if (!m)
		return -ENOMEM;
	m->events.fd = m->dumps.fd = -1;
	m->fn = fn;
	m->ctx = ctx;
	mirror_init(&m->mirror, on_event, m);
	domains_init(&m->domains, &m->mirror.table, "");
	m->mirror.table.wireless = ifkind_wireless;
	served_init(&m->served, &m->mirror, &m->domains.pvds);
	m->served.never = alone;
	r = served_try(&m->served, clock_ms()) ? 0 : monitor_open_netlink(m);
	if (r == 0)
		r = wait ? wait_for_table(m) : mif_monitor_process(m);
	if (r < 0) {
		mif_monitor_close(m);
		*out = NULL;
		return r;
	}
	return 0;
}

int mif_monitor_open(struct mif_monitor **m, mif_event_fn *fn, void *ctx, bool wait)
{
	return open_monitor(m, fn, ctx, wait, false);
}

int mif_monitor_open_alone(struct mif_monitor **m, mif_event_fn *fn, void *ctx, bool wait)
{
	return open_monitor(m, fn, ctx, wait, true);
}

void mif_monitor_close(struct mif_monitor *m)
{
	if (!m)
		return;
	monitor_close_one(m, &m->events);
	monitor_close_one(m, &m->dumps);
	monitor_close_one(m, &m->served.socket);
	shared_free(&m->served.shared);
	mirror_free(&m->mirror);
	domains_free(&m->domains);
	free(m);
}

int mif_monitor_fds(const struct mif_monitor *m, int fds[MIF_MONITOR_FDS])
{
	const struct rtsock *all[] = {&m->events, &m->dumps, &m->served.socket};
	int n = 0;

	/* What is no longer ours must not be polled: it would be ready for ever, or somebody
	 * else's. */
	if (m->error)
		return 0;
	for (int i = 0; i < 3; i++)
		/* And what is not read, while somebody else tells, is not waited for. */
		if (all[i]->fd >= 0 && (i || !m->mirror.fed))
			fds[n++] = all[i]->fd;
	return n;
}

void mif_monitor_move_fds(struct mif_monitor *m, int (*move)(int fd), void (*close)(int fd))
{
	if (m->error)
		return;
	m->move = move;
	m->close = close;
	monitor_move_one(&m->events, move);
	monitor_move_one(&m->dumps, move);
	monitor_move_one(&m->served.socket, move);
}

void mif_monitor_tell_fds(struct mif_monitor *m, void (*begin)(void), void (*end)(void))
{
	m->begin = begin;
	m->end = end;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

int mif_monitor_timeout(const struct mif_monitor *m)
{
	int64_t asks = m->events.fd < 0 ? -1 : mirror_due(&m->mirror);
	int64_t due = earlier(asks, served_due(&m->served));
	int64_t expiry = pvd_due(&m->domains.pvds), wonder = domains_due(&m->domains), left;

	if (m->error)
		return -1;
	if (m->more)
		return 0;
	if (expiry > wonder)
		expiry = wonder;
	if (due < 0 || due > expiry)
		due = expiry;
	if (due == PVD_FOREVER)
		return -1;
	left = due - clock_ms();
	return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

int mif_monitor_ask(struct mif_monitor *m, int ifindex)
{
	if (m->error)
		return m->error;
	if (ifindex <= 0)
		return -EINVAL;
	if (served_live(&m->served))
		return served_ask(&m->served, ifindex, clock_ms());
	return rtsock_intact(&m->events) ? rtsock_ask_link(&m->events, ifindex) : -EBADF;
}

bool mif_monitor_served(const struct mif_monitor *m)
{
	return served_live(&m->served);
}

const struct iftable *mif_monitor_table(const struct mif_monitor *m)
{
	return &m->mirror.table;
}
