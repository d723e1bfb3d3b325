/* SPDX-License-Identifier: MIT */
/* What a monitor tells beside its events: of provisioning domains, and what other processes have
 * found. */
#include <fcntl.h>
#include <unistd.h>

#include "common/clock.h"
#include "monitor/monitor_private.h"

/* --- checks --- */

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
	else if (monitor_open_dumps(m) == 0)
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
	monitor_begin(m);
	machine(m->domains.salt, sizeof(m->domains.salt));
	monitor_end(m);
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
