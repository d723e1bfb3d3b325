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

/* Directories in which managers say something of one interface. */
enum place {
	NETWORKD_LEASES,
	NETWORKD,
	RESOLVED,
	DHCLIENT,
	DHCPCD,
	RESOLVCONF,
	OPENRESOLV,
	NETWORKMANAGER,
	PLACES
};

static const char *const places[PLACES] = {
    [NETWORKD_LEASES] = "/run/systemd/netif/leases",
    [NETWORKD] = "/run/systemd/netif/links",
    [RESOLVED] = "/run/systemd/resolve/netif",
    [DHCLIENT] = "/var/lib/dhcp",
    [DHCPCD] = "/run/dhcpcd/hook-state/resolv.conf",
    [RESOLVCONF] = "/run/resolvconf/interface",
    [OPENRESOLV] = "/run/resolvconf/interfaces",
    [NETWORKMANAGER] = "/run/NetworkManager/devices",
};

/* And those with what the host as a whole is told. */
static const char *const host_places[] = {"/run/systemd/resolve", "/run/NetworkManager"};

static int watch_one(const struct resolvers *r, const char *directory)
{
	char name[512];

	snprintf(name, sizeof(name), "%s%s", r->root, directory);
	/* Adding what is watched already changes nothing. */
	return inotify_add_watch(r->inotify, name,
	                         IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR);
}

static void watch(struct resolvers *r)
{
	if (r->inotify < 0)
		return;
	for (int i = 0; i < PLACES; i++)
		watch_one(r, places[i]);
	for (size_t i = 0; i < sizeof(host_places) / sizeof(*host_places); i++)
		watch_one(r, host_places[i]);
	r->etc = watch_one(r, "/etc");
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

static void as_device4(struct resolv *r, const char *text, size_t len, const char *interface)
{
	(void)interface;
	resolv_device(r, text, len, AF_INET);
}

static void as_device6(struct resolv *r, const char *text, size_t len, const char *interface)
{
	(void)interface;
	resolv_device(r, text, len, AF_INET6);
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
	bool there[PLACES];
	char name[512];
	struct resolv found;
	char text[FILE_MAX];
};

static void take(struct reading *g, parse_fn *parse, const char *interface)
{
	size_t len;

	if (read_file(g->name, g->text, &len))
		parse(&g->found, g->text, len, interface);
}

/* --- which of them say something of an interface --- */

enum by { INDEX, NAME, NOBODY };

static const struct file {
	enum pvd_source source;
	enum place place;
	enum by by;
	const char *before, *after;
	parse_fn *parse;
} files[] = {
    {PVD_DHCPV4, NETWORKD_LEASES, INDEX, "", "", as_keys},
    {PVD_DHCPV4, DHCLIENT, NAME, "dhclient.", ".leases", resolv_leases},
    {PVD_DHCPV4, DHCLIENT, NOBODY, "dhclient.leases", "", resolv_leases},
    {PVD_DHCPV4, DHCPCD, NAME, "", ".dhcp", as_conf},
    {PVD_DHCPV4, RESOLVCONF, NAME, "", ".dhclient", as_conf},
    {PVD_DHCPV4, RESOLVCONF, NAME, "", ".dhcp", as_conf},
    {PVD_DHCPV4, RESOLVCONF, NAME, "", ".udhcpc", as_conf},
    {PVD_DHCPV4, OPENRESOLV, NAME, "", ".dhcp", as_conf},
    {PVD_DHCPV4, OPENRESOLV, NAME, "", ".udhcpc", as_conf},
    {PVD_DHCPV4, NETWORKMANAGER, INDEX, "", "", as_device4},
    {PVD_DHCPV6, NETWORKMANAGER, INDEX, "", "", as_device6},
    {PVD_DHCPV6, DHCPCD, NAME, "", ".dhcp6", as_conf},
    {PVD_DHCPV6, RESOLVCONF, NAME, "", ".ip6.dhclient", as_conf},
    {PVD_DHCPV6, RESOLVCONF, NAME, "", ".dhcp6", as_conf},
    {PVD_DHCPV6, OPENRESOLV, NAME, "", ".dhcp6", as_conf},
    {PVD_RESOLVER, NETWORKD, INDEX, "", "", as_keys},
    {PVD_RESOLVER, RESOLVED, INDEX, "", "", as_keys},
    {PVD_RESOLVER, OPENRESOLV, NAME, "", "", as_conf},
    {PVD_RESOLVER, OPENRESOLV, NAME, "", ".inet", as_conf},
    {PVD_RESOLVER, OPENRESOLV, NAME, "", ".inet6", as_conf},
    {PVD_RESOLVER, OPENRESOLV, NAME, "", ".ra", as_conf},
    {PVD_RESOLVER, RESOLVCONF, NAME, "", ".inet", as_conf},
    {PVD_RESOLVER, RESOLVCONF, NAME, "", ".inet6", as_conf},
    {PVD_RESOLVER, RESOLVCONF, NAME, "", ".ra", as_conf},
    {PVD_RESOLVER, RESOLVCONF, NAME, "", ".pppd", as_conf},
    {PVD_RESOLVER, DHCPCD, NAME, "", ".ra", as_conf},
};

static void find(struct reading *g, const struct if_link *l, enum pvd_source source)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		const struct file *f = &files[i];
		char of[IFNAMSIZ] = "";

		if (f->source != source || !g->there[f->place])
			continue;
		if (f->by == INDEX)
			snprintf(of, sizeof(of), "%d", l->ifindex);
		else if (f->by == NAME)
			memcpy(of, l->name, sizeof(of));
		snprintf(g->name, sizeof(g->name), "%s%s/%s%s%s", g->root, places[f->place],
		         f->before, of, f->after);
		take(g, f->parse, l->name);
	}
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
		find(g, l, PVD_DHCPV4);
		known = g->found.n;
		feed(g, pvds, l->ifindex, PVD_DHCPV4, now);
		find(g, l, PVD_DHCPV6);
		known += g->found.n;
		feed(g, pvds, l->ifindex, PVD_DHCPV6, now);
		find(g, l, PVD_RESOLVER);
		if (!known && !g->found.n && l->ifindex == uplink)
			host(g);
		feed(g, pvds, l->ifindex, PVD_RESOLVER, now);
	}
}

/* Most hosts have few of them, and some have many interfaces. */
static void look_around(struct reading *g)
{
	for (int i = 0; i < PLACES; i++) {
		struct stat st;

		snprintf(g->name, sizeof(g->name), "%s%s", g->root, places[i]);
		g->there[i] = stat(g->name, &st) == 0 && S_ISDIR(st.st_mode);
	}
}

void resolvers_read(const char *root, const struct iftable *t, struct pvd_table *pvds, int64_t now)
{
	struct reading *g = malloc(sizeof(*g));

	if (!g)
		return;
	g->root = root;
	g->found.n = 0;
	look_around(g);
	read_all(g, t, pvds, now);
	free(g);
}

static bool news(const struct resolvers *r, const struct inotify_event *e)
{
	return e->wd != r->etc || !e->len || strstr(e->name, "resolv") || (e->mask & IN_Q_OVERFLOW);
}

void resolvers_step(struct resolvers *r, const struct iftable *t, struct pvd_table *pvds,
                    int64_t now)
{
	char buf[4096] __attribute__((aligned(8)));
	ssize_t n;

	while (r->inotify >= 0 && (n = read(r->inotify, buf, sizeof(buf))) > 0)
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *e = (const struct inotify_event *)p;

			if (news(r, e) && r->due > now + SOON_MS)
				r->due = now + SOON_MS;
			p += sizeof(*e) + e->len;
		}
	if (now < r->due)
		return;
	r->due = PVD_FOREVER;
	watch(r); /* a manager that has started since has made its directory */
	resolvers_read(r->root, t, pvds, now);
}
