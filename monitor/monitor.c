/* SPDX-License-Identifier: MIT */
#include "monitor/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "monitor/kind.h"
#include "monitor/mirror.h"
#include "monitor/netlink.h"
#include "monitor/paths.h"
#include "monitor/pvd.h"

#define FIRST_DUMP_MS 1000
#define READS 256 /* per socket and call: a storm must not keep the owner from its other work */

struct mif_monitor {
	struct rtsock events, dumps;
	struct mirror mirror;
	struct domains domains;
	mif_domains_fn *domains_fn;
	void *domains_ctx;
	mif_event_fn *fn;
	void *ctx;
	int error; /* for good: a socket was taken away */
	bool more; /* the event socket was not read empty: call again at once */
	uint32_t buf[RTSOCK_BUFFER / sizeof(uint32_t)];
};

static int wait_for_table(struct mif_monitor *m)
{
	int64_t end = clock_ms() + FIRST_DUMP_MS;

	for (;;) {
		struct pollfd p[2] = {{.fd = m->events.fd, .events = POLLIN},
		                      {.fd = m->dumps.fd, .events = POLLIN}};
		int r = mif_monitor_process(m), timeout;
		int64_t left = end - clock_ms();

		if (r < 0 || m->mirror.enumerated || left <= 0)
			return r;
		timeout = mif_monitor_timeout(m);
		if (timeout < 0 || timeout > left)
			timeout = (int)left;
		poll(p, 2, timeout);
	}
}

static void on_event(void *ctx, const struct mif_event *ev)
{
	struct mif_monitor *m = ctx;

	if (m->mirror.domains)
		domains_event(&m->domains, ev);
	m->fn(m->ctx, ev);
}

int mif_monitor_open(struct mif_monitor **out, mif_event_fn *fn, void *ctx, bool wait)
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
	r = rtsock_open_events(&m->events);
	if (r == 0)
		r = rtsock_open_dumps(&m->dumps);
	if (r == 0)
		r = wait ? wait_for_table(m) : mif_monitor_process(m);
	if (r < 0) {
		mif_monitor_close(m);
		*out = NULL;
		return r;
	}
	return 0;
}

void mif_monitor_close(struct mif_monitor *m)
{
	if (!m)
		return;
	rtsock_close(&m->events);
	rtsock_close(&m->dumps);
	mirror_free(&m->mirror);
	domains_free(&m->domains);
	free(m);
}

int mif_monitor_fds(const struct mif_monitor *m, int fds[MIF_MONITOR_FDS])
{
	/* What is no longer ours must not be polled: it would be ready for ever, or somebody
	 * else's. */
	if (m->error)
		return 0;
	fds[0] = m->events.fd;
	fds[1] = m->dumps.fd;
	return 2;
}

static void move_one(struct rtsock *s, int (*move)(int fd))
{
	int to = move(s->fd);

	if (to >= 0)
		s->fd = to;
}

void mif_monitor_move_fds(struct mif_monitor *m, int (*move)(int fd))
{
	if (m->error)
		return;
	move_one(&m->events, move);
	move_one(&m->dumps, move);
}

int mif_monitor_timeout(const struct mif_monitor *m)
{
	int64_t due = mirror_due(&m->mirror), expiry = pvd_due(&m->domains.pvds), left;

	if (m->error)
		return -1;
	if (m->more)
		return 0;
	if (due < 0 || due > expiry)
		due = expiry;
	if (due == PVD_FOREVER)
		return -1;
	left = due - clock_ms();
	return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

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

/* The flush frees what the domains may still look at. */
static void settle_then_flush(struct mif_monitor *m)
{
	if (m->mirror.domains && m->mirror.enumerated)
		domains_settle(&m->domains, m->mirror.table.now);
	mirror_flush(&m->mirror);
}

int mif_monitor_process(struct mif_monitor *m)
{
	struct mirror_request r;

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
	m->mirror.table.now = clock_ms();
	pvd_expire(&m->domains.pvds, m->mirror.table.now);
	settle_then_flush(m);
	return 0;
}

int mif_monitor_ask(struct mif_monitor *m, int ifindex)
{
	if (m->error)
		return m->error;
	if (ifindex <= 0)
		return -EINVAL;
	return rtsock_intact(&m->events) ? rtsock_ask_link(&m->events, ifindex) : -EBADF;
}

/* --- domains --- */

static void domains_changed(void *ctx, int ifindex)
{
	struct mif_monitor *m = ctx;

	m->domains_fn(m->domains_ctx, ifindex);
}

static void wonder(void *ctx, int ifindex, uint8_t family, const uint8_t ip[16])
{
	struct mif_monitor *m = ctx;

	rtsock_ask_neighbour(&m->events, ifindex, family, ip);
}

/* It goes into identifiers: another machine in the same network has other domains. */
static void machine(char *out, size_t size)
{
	int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	if (fd >= 0) {
		n = read(fd, out, size - 1);
		close(fd);
	}
	out[n > 0 ? n : 0] = 0;
}

void mif_monitor_follow_domains(struct mif_monitor *m, mif_domains_fn *fn, void *ctx)
{
	m->domains_fn = fn;
	m->domains_ctx = ctx;
	machine(m->domains.salt, sizeof(m->domains.salt));
	m->domains.changed = domains_changed;
	m->domains.wonder = wonder;
	m->domains.ctx = m;
	m->mirror.domains = &m->domains;
	for (const struct if_link *l = m->mirror.table.links; l; l = l->hh.next)
		domains_note(&m->domains, l->ifindex);
	if (!m->error)
		rtsock_hear_options(&m->events);
	domains_settle(&m->domains, clock_ms());
}

const struct domains *mif_monitor_domains(const struct mif_monitor *m)
{
	return &m->domains;
}

struct pvd_table *mif_monitor_pvds(struct mif_monitor *m)
{
	return &m->domains.pvds;
}

/* --- the table --- */

const struct iftable *mif_monitor_table(const struct mif_monitor *m)
{
	return &m->mirror.table;
}

int mif_paths(const struct mif_monitor *m, const struct sockaddr *peer, struct mif_path *out,
              int max)
{
	return m ? paths_to(&m->mirror.table, peer, out, max) : 0;
}

int mif_interface_of(const struct mif_monitor *m, sa_family_t family, const void *ip)
{
	return m ? paths_owner(&m->mirror.table, family, ip, false) : 0;
}

bool mif_address_usable(const struct mif_monitor *m, sa_family_t family, const void *ip,
                        int ifindex)
{
	return m && paths_usable(&m->mirror.table, family, ip, ifindex);
}

bool mif_address_home(const struct mif_monitor *m, sa_family_t family, const void *ip)
{
	return m && paths_home(&m->mirror.table, family, ip);
}

bool mif_interface(const struct mif_monitor *m, int ifindex, char name[IFNAMSIZ],
                   enum mif_kind *kind, bool *usable)
{
	const struct if_link *l = m ? iftable_link(&m->mirror.table, ifindex) : NULL;

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

const char *mif_event_name(enum mif_event_type t)
{
	switch (t) {
	case MIF_INTERFACE_ANNOUNCEMENT:
		return "Interface Announcement";
	case MIF_NO_INTERFACE_ANNOUNCEMENT:
		return "No Interface Announcement";
	case MIF_ADDRESS_ANNOUNCEMENT:
		return "Address Announcement";
	case MIF_NO_ADDRESS_ANNOUNCEMENT:
		return "No Address Announcement";
	case MIF_INTERFACE_GOING_UP:
		return "Interface is going up";
	case MIF_INTERFACE_GOING_AWAY:
		return "Interface is going away";
	case MIF_ROUTES_CHANGED:
		return "Routes changed";
	}
	return "unknown";
}

const char *mif_kind_name(enum mif_kind k)
{
	switch (k) {
	case MIF_OTHER:
		return "other";
	case MIF_ETHERNET:
		return "ethernet";
	case MIF_WIFI:
		return "wifi";
	case MIF_CELLULAR:
		return "cellular";
	case MIF_TUNNEL:
		return "tunnel";
	case MIF_LOOPBACK:
		return "loopback";
	}
	return "unknown";
}
