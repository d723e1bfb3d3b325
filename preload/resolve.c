/* SPDX-License-Identifier: MIT */
#include "preload/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "monitor/pvd.h"
#include "monitor/resolvers.h"
#include "policy/policy.h"
#include "preload/answers.h"
#include "preload/numbers.h"
#include "preload/process.h"
#include "preload/real.h"

#define PATIENCE_MS 5000 /* libc's own, for one server and one try */

/* --- where to ask --- */

static void add_server(struct lookup_where *w, const struct pvd_item *i)
{
	union flow_address *a = &w->server[w->servers];

	if (w->servers == LOOKUP_SERVERS)
		return;
	memset(a, 0, sizeof(*a));
	a->sa.sa_family = i->family;
	if (i->family == AF_INET) {
		memcpy(&a->in.sin_addr, i->ip, 4);
		a->in.sin_port = htons(i->port);
	} else {
		memcpy(&a->in6.sin6_addr, i->ip, 16);
		a->in6.sin6_port = htons(i->port);
	}
	w->servers++;
}

static const struct pvd *domain_of(const struct pvd_table *t, int ifindex)
{
	const struct pvd_item *items[PVD_ITEMS];
	const struct pvd *p = pvd_find(t, ifindex, ""), *named[PVD_EXPLICIT];

	if (pvd_items(p, PVD_SOURCES, PVD_DNS_SERVER, items))
		return p;
	/* A network that has a name for all of it; of several nobody has said which. */
	return pvd_explicit(t, ifindex, named) == 1 ? named[0] : NULL;
}

bool resolve_where(struct mif_monitor *m, int ifindex, const char *device,
                   struct lookup_where *where)
{
	const struct pvd_item *items[PVD_ITEMS];
	struct pvd_table *t = mif_monitor_pvds(m);
	const struct pvd *p;
	unsigned n;

	memset(where, 0, sizeof(*where));
	snprintf(where->device, sizeof(where->device), "%s", device);
	numbers_hold();
	resolvers_read("", mif_monitor_table(m), t, clock_ms());
	numbers_free();
	p = domain_of(t, ifindex);
	n = pvd_items(p, PVD_SOURCES, PVD_DNS_SERVER, items);
	for (unsigned i = 0; i < n; i++)
		add_server(where, items[i]);
	n = pvd_items(p, PVD_SOURCES, PVD_SEARCH_DOMAIN, items);
	for (unsigned i = 0; i < n && where->suffixes < LOOKUP_SUFFIXES; i++)
		snprintf(where->suffix[where->suffixes++], LOOKUP_SUFFIX, "%s", items[i]->text);
	return where->servers > 0;
}

static void no_event(void *ctx, const struct mif_event *ev)
{
	(void)ctx;
	(void)ev;
}

static void no_domain(void *ctx, int ifindex)
{
	(void)ctx;
	(void)ifindex;
}

/* By which interface the host's routing would have a connection to somewhere out there leave. */
static bool way_out(const struct mif_monitor *m, struct mif_path *path)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
	                          .sin6_addr.s6_addr = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};

	return mif_paths(m, (struct sockaddr *)&v4, path, 1) == 1 ||
	       mif_paths(m, (struct sockaddr *)&v6, path, 1) == 1;
}

static bool find_where(struct lookup_where *where)
{
	struct mif_monitor *m;
	struct mif_path path;
	bool found = false;

	if (mif_monitor_open(&m, no_event, NULL, true) < 0)
		return false;
	mif_monitor_follow_domains(m, no_domain, NULL);
	if (way_out(m, &path))
		found = resolve_where(m, path.ifindex, path.name, where);
	mif_monitor_close(m);
	return found;
}

/* --- what is asked there --- */

static bool ends_in(const char *name, size_t n, const char *end)
{
	size_t k = strlen(end);

	return n >= k && strncasecmp(name + n - k, end, k) == 0 &&
	       (n == k || name[n - k - 1] == '.');
}

/* Names that are no network's, or that another service of the host's answers for. */
static bool of_the_host(const char *name)
{
	size_t n = strlen(name);

	if (n && name[n - 1] == '.')
		n--;
	for (size_t i = 0; i < n; i++)
		if (name[i] & 0x80)
			return true; /* libc knows how to write it in ASCII */
	return !n || n > 253 || ends_in(name, n, "localhost") || ends_in(name, n, "local") ||
	       strchr(name, ':') || !name[strspn(name, "0123456789.")];
}

static bool wanted(const char *name, uint16_t port, int protocol)
{
	struct pol_peer p = {.port = port, .protocol = protocol, .host = name};
	char plain[256];
	size_t n = strlen(name);

	if (of_the_host(name))
		return false;
	if (name[n - 1] == '.') { /* the root's dot is no part of what patterns are written for */
		memcpy(plain, name, n - 1);
		plain[n - 1] = 0;
		p.host = plain;
	}
	process_describe(&p);
	return pol_match(process_policy(), &p)->resolve_path;
}

void resolve_by_path(const char *name, uint16_t port, int protocol, int family,
                     struct resolved *out)
{
	struct lookup_where where;
	int64_t until = clock_ms() + PATIENCE_MS;

	out->known = false;
	out->n = 0;
	if (!wanted(name, port, protocol) || !find_where(&where) ||
	    (!strchr(name, '.') && !where.suffixes))
		return;
	out->known = true;
	out->n = lookup_now(&where, name, family, until, &out->status, out->addr);
	log_debug("a name was asked for in the network of %s: %u addresses", where.device, out->n);
}

/* --- getaddrinfo() --- */

/* The port a service stands for; 0: none. */
static uint16_t port_of(const char *service, const struct addrinfo *hints)
{
	struct addrinfo h = {.ai_family = AF_INET, .ai_flags = AI_NUMERICHOST}, *a;
	uint16_t port;

	h.ai_socktype = hints ? hints->ai_socktype : 0;
	if (!service || real.getaddrinfo("127.0.0.1", service, &h, &a) != 0)
		return 0;
	port = ntohs(((struct sockaddr_in *)a->ai_addr)->sin_port);
	real.freeaddrinfo(a);
	return port;
}

/* What the C library makes of one address. */
static int one_address(struct addrinfo **out, const union flow_address *a, const char *service,
                       const struct addrinfo *hints)
{
	struct addrinfo h = {.ai_flags = 0};
	char ip[INET6_ADDRSTRLEN];

	if (hints)
		h = *hints;
	h.ai_flags = (h.ai_flags & AI_NUMERICSERV) | AI_NUMERICHOST;
	h.ai_family = a->sa.sa_family;
	h.ai_canonname = NULL;
	h.ai_next = NULL;
	if (!inet_ntop(a->sa.sa_family,
	               a->sa.sa_family == AF_INET ? (const void *)&a->in.sin_addr
	                                          : (const void *)&a->in6.sin6_addr,
	               ip, sizeof(ip)))
		return EAI_FAIL;
	return real.getaddrinfo(ip, service, &h, out);
}

/* All of them as one list, which is to be freed by freeaddrinfo(). Takes them. */
#ifdef __GLIBC__
/* There each entry is a piece of memory of its own, so that lists can be joined; and they can be
 * freed where our hook is not called. */
static int join(struct addrinfo **part, unsigned n, const char *name, struct addrinfo **result)
{
	char *copy = name ? strdup(name) : NULL;

	for (unsigned i = 1; i < n; i++) {
		struct addrinfo **end = &part[0];

		while (*end)
			end = &(*end)->ai_next;
		*end = part[i];
	}
	if (name && !copy) {
		real.freeaddrinfo(part[0]);
		return EAI_MEMORY;
	}
	part[0]->ai_canonname = copy;
	*result = part[0];
	return 0;
}
#else
static int join(struct addrinfo **part, unsigned n, const char *name, struct addrinfo **result)
{
	*result = answers_join(part, n, name);
	for (unsigned i = 0; i < n; i++)
		real.freeaddrinfo(part[i]);
	return *result ? 0 : EAI_MEMORY;
}
#endif

static int list_of(const struct resolved *found, const char *name, const char *service,
                   const struct addrinfo *hints, struct addrinfo **result)
{
	struct addrinfo *part[LOOKUP_ADDRESSES];
	bool canonical = hints && hints->ai_flags & AI_CANONNAME;
	unsigned n = 0;
	int r = 0;

	while (r == 0 && n < found->n) {
		r = one_address(&part[n], &found->addr[n], service, hints);
		n += r == 0;
	}
	if (r == 0)
		return join(part, n, canonical ? name : NULL, result);
	while (n)
		real.freeaddrinfo(part[--n]);
	return r;
}

static bool plain(const struct addrinfo *h)
{
	if (!h)
		return true;
	return !(h->ai_flags & AI_NUMERICHOST) &&
	       (h->ai_family == AF_UNSPEC || h->ai_family == AF_INET ||
	        (h->ai_family == AF_INET6 && !(h->ai_flags & AI_V4MAPPED)));
}

bool resolve_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                         struct addrinfo **result, int *error)
{
	int protocol = hints && hints->ai_socktype == SOCK_DGRAM ? IPPROTO_UDP : IPPROTO_TCP;
	struct resolved found;

	if (!plain(hints) || !pol_resolves(process_policy()))
		return false;
	resolve_by_path(name, port_of(service, hints), protocol,
	                hints ? hints->ai_family : AF_UNSPEC, &found);
	if (!found.known)
		return false;
	if (found.n)
		*error = list_of(&found, name, service, hints, result);
	else
		*error = found.status == LOOKUP_NO_NAME ? EAI_NONAME : EAI_AGAIN;
	return true;
}

/* --- gethostbyname() and its like --- */

/* Room of the caller's buffer, suitably aligned; NULL: there is not so much. */
static void *take(char **buf, size_t *len, size_t n)
{
	size_t skip = (size_t) - (uintptr_t)*buf % sizeof(void *);
	char *p = *buf + skip;

	if (skip + n > *len)
		return NULL;
	*buf = p + n;
	*len -= skip + n;
	return p;
}

static bool fill(struct hostent *h, char *buf, size_t len, const char *name, int family,
                 const struct resolved *found)
{
	int width = family == AF_INET ? 4 : 16;
	unsigned n = 0;
	char **list;

	memset(h, 0, sizeof(*h));
	h->h_addrtype = family;
	h->h_length = width;
	h->h_aliases = take(&buf, &len, sizeof(char *));
	list = take(&buf, &len, (LOOKUP_ADDRESSES + 1) * sizeof(char *));
	h->h_name = take(&buf, &len, strlen(name) + 1);
	if (!h->h_aliases || !list || !h->h_name)
		return false;
	strcpy(h->h_name, name);
	h->h_aliases[0] = NULL;
	for (unsigned i = 0; i < found->n; i++) {
		const union flow_address *a = &found->addr[i];

		if (a->sa.sa_family != family)
			continue;
		list[n] = take(&buf, &len, (size_t)width);
		if (!list[n])
			return false;
		memcpy(list[n++],
		       family == AF_INET ? (const void *)&a->in.sin_addr
		                         : (const void *)&a->in6.sin6_addr,
		       (size_t)width);
	}
	list[n] = NULL;
	h->h_addr_list = list;
	return true;
}

bool resolve_hostent(const char *name, int family, struct hostent *into, char *buf, size_t len,
                     int *error, int *h_error)
{
	struct resolved found;

	*error = 0;
	if ((family != AF_INET && family != AF_INET6) || !pol_resolves(process_policy()))
		return false;
	resolve_by_path(name, 0, IPPROTO_TCP, family, &found);
	if (!found.known)
		return false;
	if (!found.n) {
		*h_error = found.status == LOOKUP_NO_NAME ? HOST_NOT_FOUND : TRY_AGAIN;
	} else if (!fill(into, buf, len, name, family, &found)) {
		*error = ERANGE;
		*h_error = NETDB_INTERNAL;
	} else {
		*h_error = NETDB_SUCCESS;
	}
	return true;
}
