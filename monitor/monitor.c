/* SPDX-License-Identifier: MIT */
#include "monitor/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "monitor/hear.h"
#include "monitor/kind.h"
#include "monitor/mirror.h"
#include "monitor/netlink.h"
#include "monitor/parse.h"
#include "monitor/paths.h"
#include "monitor/pvd.h"
#include "monitor/served.h"

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
	struct served served;
	mif_check_fn *check_fn;
	void *check_ctx;
	int (*move)(int fd);
	void (*close)(int fd);
	bool news; /* something was heard of the kernel since a service was last looked for */
	int error; /* for good: a socket was taken away */
	bool more; /* the event socket was not read empty: call again at once */
	uint32_t buf[RTSOCK_BUFFER / sizeof(uint32_t)];
};

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

static void move_one(struct rtsock *s, int (*move)(int fd))
{
	int to = move && s->fd >= 0 ? move(s->fd) : -1;

	if (to >= 0)
		s->fd = to;
}

static void close_one(struct mif_monitor *m, struct rtsock *s)
{
	if (m->close && s->fd >= 0) {
		m->close(s->fd);
		s->fd = -1;
	}
	rtsock_close(s);
}

static int open_dumps(struct mif_monitor *m)
{
	int r = m->dumps.fd >= 0 ? 0 : rtsock_open_dumps(&m->dumps);

	if (r == 0)
		move_one(&m->dumps, m->move);
	return r;
}

/* Without a service each process looks for itself. */
static int open_netlink(struct mif_monitor *m)
{
	int r = rtsock_open_events(&m->events);

	if (r < 0)
		return r;
	if (m->mirror.domains)
		rtsock_hear_options(&m->events);
	move_one(&m->events, m->move);
	r = open_dumps(m);
	if (r < 0)
		close_one(m, &m->events);
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
	r = served_try(&m->served, clock_ms()) ? 0 : open_netlink(m);
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
	close_one(m, &m->events);
	close_one(m, &m->dumps);
	close_one(m, &m->served.socket);
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
	move_one(&m->events, move);
	move_one(&m->dumps, move);
	move_one(&m->served.socket, move);
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
		if (served_try(s, now))
			move_one(&s->socket, m->move);
	}
	if (!served_connected(s))
		return false;
	if (!rtsock_intact(&s->socket) || !served_read(s, m->buf, sizeof(m->buf), READS, now)) {
		close_one(m, &s->socket);
		served_lost(s, now);
		return false;
	}
	if (served_live(s) && m->events.fd >= 0) {
		close_one(m, &m->events);
		close_one(m, &m->dumps);
		m->more = false;
	}
	return m->mirror.fed || m->events.fd < 0;
}

static int look(struct mif_monitor *m)
{
	struct mirror_request r;

	if (!m->error && m->events.fd < 0)
		m->error = open_netlink(m);
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
			close_one(m, &m->dumps);
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

static void on_check(void *ctx, const struct shared_check *c)
{
	const struct mif_monitor *m = ctx;

	m->check_fn(m->check_ctx, c->ifindex, c->question, c->says, c->age_ms);
}

void mif_monitor_hear_checks(struct mif_monitor *m, mif_check_fn *fn, void *ctx)
{
	m->check_fn = fn;
	m->check_ctx = ctx;
	m->served.shared.checked = on_check;
	m->served.shared.checked_ctx = m;
	for (unsigned i = 0; i < m->served.shared.earlies; i++)
		on_check(m, &m->served.shared.early[i]);
	m->served.shared.earlies = 0;
}

void mif_monitor_tell_check(struct mif_monitor *m, int ifindex, uint64_t question, unsigned says)
{
	struct shared_check c = {.question = question, .ifindex = ifindex, .says = says};
	uint32_t buf[SHARED_MESSAGE / sizeof(uint32_t)];

	if (m && served_live(&m->served))
		service_send(&m->served.socket, buf, shared_check(buf, &c));
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

	/* Served, there is no socket of events; the answer comes by the other one then. */
	if (m->events.fd >= 0)
		rtsock_ask_neighbour(&m->events, ifindex, family, ip);
	else if (open_dumps(m) == 0)
		rtsock_ask_neighbour(&m->dumps, ifindex, family, ip);
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
	if (!m->error && m->events.fd >= 0)
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
	case MIF_ROUTER_NOT_REACHED:
		return "Router is not reached";
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
