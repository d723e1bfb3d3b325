/* SPDX-License-Identifier: MIT */
/* Sockets that are used in one domain only. */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "mif/internal.h"
#include "monitor/message.h"
#include "monitor/paths.h"

#define SOURCES 16

static socklen_t size_of(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

int scope_socket(int fd, const char *device, const struct sockaddr_storage *source)
{
	int on = 1;

	/* The address alone would not do: a host takes its default route with it, too. */
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)) < 0)
		return -errno;
	if (!source || !source->ss_family)
		return 0;
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, (const struct sockaddr *)source, size_of(source)) < 0 ? -errno : 0;
}

int scope_sources(struct mif *m, const struct domain *d, const struct sockaddr *peer,
                  struct sockaddr_storage *out, int max)
{
	const struct if_address *best[SOURCES];
	int n = paths_sources(mif_monitor_table(m->monitor), d->ifindex, peer, best, SOURCES);
	int kept = 0;

	for (int i = 0; i < n && kept < max; i++)
		if (domains_has(mif_monitor_domains(m->monitor), d, best[i]))
			message_address(&out[kept++], best[i]->key.family, best[i]->key.ip, 0,
			                d->ifindex);
	return kept;
}

static const struct if_address *any_of(struct mif *m, const struct domain *d, int family)
{
	const struct if_address *found = NULL;

	for (const struct if_address *a = mif_monitor_table(m->monitor)->addresses; a;
	     a = a->hh.next) {
		uint8_t ip0 = a->key.ip[0];
		bool local = a->key.family == AF_INET6 && ip0 == 0xfe && a->key.ip[1] >> 6 == 2;

		if (a->key.family == family && domains_has(mif_monitor_domains(m->monitor), d, a) &&
		    (!found || !local))
			found = a;
	}
	return found;
}

static int find_scope(struct mif *m, const char *pvd, struct domain *d, char name[IFNAMSIZ])
{
	struct mif_message msg = {.type = MIF_CONNECT_TO_PVD};
	int r = mif_monitor_process(m->monitor);

	if (r < 0)
		return r;
	if (pvd && strlen(pvd) >= sizeof(msg.pvd))
		return -ENOENT;
	if (pvd)
		memcpy(msg.pvd, pvd, strlen(pvd));
	return subscriber_domain(&m->sub, &msg, d) &&
	               mif_interface(m->monitor, d->ifindex, name, NULL, NULL)
	           ? 0
	           : -ENOENT;
}

static int bind_in(struct mif *m, int fd, const char *pvd, const struct sockaddr *source)
{
	struct sockaddr_storage from;
	const struct if_address *a;
	char name[IFNAMSIZ];
	struct domain d;
	int family, r = find_scope(m, pvd, &d, name);
	socklen_t len = sizeof(family);

	if (r < 0)
		return r;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) < 0)
		return -errno;
	memset(&from, 0, sizeof(from));
	if (source) {
		if (source->sa_family != family)
			return -EAFNOSUPPORT;
		memcpy(&from, source,
		       family == AF_INET ? sizeof(struct sockaddr_in)
		                         : sizeof(struct sockaddr_in6));
	} else {
		a = any_of(m, &d, family);
		if (!a)
			return -EADDRNOTAVAIL;
		message_address(&from, a->key.family, a->key.ip, 0, d.ifindex);
	}
	return scope_socket(fd, name, &from);
}

int mif_bind(struct mif *m, int fd, const char *pvd, const struct sockaddr *source)
{
	int saved = errno, r = bind_in(m, fd, pvd, source);

	errno = saved;
	return r;
}
