/* SPDX-License-Identifier: MIT */
#include "monitor/resolvers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/resolv.h"

#define SOON_MS 50   /* one change is several events */
#define LATER_MS 500 /* after the network changed, when the managers have written */
#define FILE_MAX 65536

static const char *const watched[] = {
    "/run/systemd/netif/links",
    "/run/systemd/netif/leases",
    "/run/systemd/resolve",
    "/run/systemd/resolve/netif",
    "/run/NetworkManager",
    "/run/resolvconf/interfaces",
    "/run/resolvconf/interface",
    "/run/dhcpcd/hook-state/resolv.conf",
    "/var/lib/dhcp",
    "/etc",
};

static void watch(struct resolvers *r)
{
	for (size_t i = 0; r->inotify >= 0 && i < sizeof(watched) / sizeof(*watched); i++) {
		char name[512];

		snprintf(name, sizeof(name), "%s%s", r->root, watched[i]);
		/* Adding what is watched already changes nothing. */
		inotify_add_watch(r->inotify, name,
		                  IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR);
	}
}

void resolvers_open(struct resolvers *r, const char *root)
{
	r->root = root;
	r->due = 0;
	r->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	watch(r);
}

void resolvers_close(struct resolvers *r)
{
	if (r->inotify >= 0)
		close(r->inotify);
	r->inotify = -1;
}

void resolvers_note(struct resolvers *r, int64_t now)
{
	if (r->due > now + LATER_MS)
		r->due = now + LATER_MS;
}

/* --- files --- */

typedef void parse_fn(struct resolv *r, const char *text, size_t len, const char *interface);

static void as_conf(struct resolv *r, const char *text, size_t len, const char *interface)
{
	(void)interface;
	resolv_conf(r, text, len);
}

static void as_keys(struct resolv *r, const char *text, size_t len, const char *interface)
{
	(void)interface;
	resolv_keys(r, text, len);
}

/* Whole lines of the end of a large file: the last lease counts. */
static bool read_file(const char *name, char *buf, size_t *len)
{
	struct stat st;
	ssize_t n = -1;
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		off_t from = st.st_size > FILE_MAX ? st.st_size - FILE_MAX : 0;

		n = pread(fd, buf, FILE_MAX, from);
	}
	close(fd);
	*len = n > 0 ? (size_t)n : 0;
	return n > 0;
}

struct reading {
	const char *root;
	struct resolv found;
	char name[512];
	char text[FILE_MAX];
};

/* False: there is no such file. */
static bool take(struct reading *g, parse_fn *parse, const char *interface)
{
	size_t len;

	if (!read_file(g->name, g->text, &len))
		return false;
	parse(&g->found, g->text, len, interface);
	return true;
}

static bool numbered(struct reading *g, const char *directory, int ifindex)
{
	snprintf(g->name, sizeof(g->name), "%s%s/%d", g->root, directory, ifindex);
	return take(g, as_keys, NULL);
}

static void named(struct reading *g, const char *format, const char *interface, parse_fn *parse)
{
	snprintf(g->name, sizeof(g->name), "%s", g->root);
	snprintf(g->name + strlen(g->name), sizeof(g->name) - strlen(g->name), format, interface);
	take(g, parse, interface);
}

/* --- which of them say something of an interface --- */

static void dhcpv4(struct reading *g, const struct if_link *l)
{
	numbered(g, "/run/systemd/netif/leases", l->ifindex);
	named(g, "/var/lib/dhcp/dhclient.%s.leases", l->name, resolv_leases);
	named(g, "/var/lib/dhcp/dhclient.leases", l->name, resolv_leases);
	named(g, "/run/dhcpcd/hook-state/resolv.conf/%s.dhcp", l->name, as_conf);
	named(g, "/run/resolvconf/interface/%s.dhclient", l->name, as_conf);
	named(g, "/run/resolvconf/interface/%s.dhcp", l->name, as_conf);
}

static void dhcpv6(struct reading *g, const struct if_link *l)
{
	named(g, "/run/dhcpcd/hook-state/resolv.conf/%s.dhcp6", l->name, as_conf);
}

static void resolver(struct reading *g, const struct if_link *l)
{
	numbered(g, "/run/systemd/netif/links", l->ifindex);
	numbered(g, "/run/systemd/resolve/netif", l->ifindex);
	named(g, "/run/resolvconf/interfaces/%s", l->name, as_conf);
	named(g, "/run/resolvconf/interface/%s.inet", l->name, as_conf);
	named(g, "/run/resolvconf/interface/%s.inet6", l->name, as_conf);
	named(g, "/run/dhcpcd/hook-state/resolv.conf/%s.ra", l->name, as_conf);
}

/* What the host as a whole is told; resolved and NetworkManager keep it beside their own stub. */
static void host(struct reading *g)
{
	static const char *const names[] = {
	    "/run/systemd/resolve/resolv.conf",
	    "/run/NetworkManager/no-stub-resolv.conf",
	    "/etc/resolv.conf",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !g->found.n; i++) {
		snprintf(g->name, sizeof(g->name), "%s%s", g->root, names[i]);
		take(g, as_conf, NULL);
	}
}

/* The one interface that leads out of here; 0: none, or more. */
static int only_uplink(const struct iftable *t)
{
	int uplink = 0;

	for (const struct if_route *r = t->routes; r; r = r->hh.next) {
		if (r->mark.gone || r->key.prefix_len || !r->key.ifindex)
			continue;
		if (uplink && uplink != r->key.ifindex)
			return 0;
		uplink = r->key.ifindex;
	}
	return uplink;
}

static void feed(struct reading *g, struct pvd_table *pvds, int ifindex, enum pvd_source s,
                 int64_t now)
{
	pvd_replace(pvds, ifindex, "", PVD_BY_FILES, s, g->found.item, g->found.n, now);
	g->found.n = 0;
}

static void read_all(struct reading *g, const struct iftable *t, struct pvd_table *pvds,
                     int64_t now)
{
	int uplink = only_uplink(t);

	for (const struct if_link *l = t->links; l; l = l->hh.next) {
		unsigned known;

		if (l->mark.gone || (l->flags & IFF_LOOPBACK))
			continue;
		dhcpv4(g, l);
		known = g->found.n;
		feed(g, pvds, l->ifindex, PVD_DHCPV4, now);
		dhcpv6(g, l);
		known += g->found.n;
		feed(g, pvds, l->ifindex, PVD_DHCPV6, now);
		resolver(g, l);
		if (!known && !g->found.n && l->ifindex == uplink)
			host(g);
		feed(g, pvds, l->ifindex, PVD_RESOLVER, now);
	}
}

void resolvers_read(const char *root, const struct iftable *t, struct pvd_table *pvds, int64_t now)
{
	struct reading *g = malloc(sizeof(*g));

	if (!g)
		return;
	g->root = root;
	g->found.n = 0;
	read_all(g, t, pvds, now);
	free(g);
}

static bool news(const struct inotify_event *e)
{
	/* In /etc much else is written. */
	return !e->len || strstr(e->name, "resolv") || strstr(e->name, "lease") ||
	       e->name[strspn(e->name, "0123456789")] == 0 || strchr(e->name, '.') ||
	       (e->mask & (IN_Q_OVERFLOW | IN_ISDIR));
}

void resolvers_step(struct resolvers *r, const struct iftable *t, struct pvd_table *pvds,
                    int64_t now)
{
	char buf[4096] __attribute__((aligned(8)));
	ssize_t n;

	while (r->inotify >= 0 && (n = read(r->inotify, buf, sizeof(buf))) > 0)
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *e = (const struct inotify_event *)p;

			if (news(e) && r->due > now + SOON_MS)
				r->due = now + SOON_MS;
			p += sizeof(*e) + e->len;
		}
	if (now < r->due)
		return;
	r->due = PVD_FOREVER;
	watch(r); /* a manager that has started since has made its directory */
	resolvers_read(r->root, t, pvds, now);
}
