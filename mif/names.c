/* SPDX-License-Identifier: MIT */
/*
 * Translate Name: by c-ares, with the name servers and suffixes of one domain, over its interface
 * and from its address. IPv4 and IPv6 are asked for apart, so that what is there first is told
 * first.
 */
#include <ares.h>
#include <errno.h>
#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/clock.h"
#include "mif/internal.h"
#include "monitor/message.h"

#define TRY_MS 1500
#define TRIES 3
#define SERVERS 8
#define SUFFIXES 6
#define ADDRESSES 32
#define SOCKETS 16

struct translation {
	struct mif *mif;
	struct translation *next;
	unsigned id;
	char name[MIF_NAME], pvd[MIF_NAME], device[IFNAMSIZ];
	int ifindex;
	struct sockaddr_storage from4, from6; /* no family: not bound */
	ares_channel channel;
	int open; /* answers that are still to come */
	int error;
	struct sockaddr_storage found[ADDRESSES];
	int count, told;
	bool ended, over;
	struct socket {
		struct watch watch;
		struct translation *of;
	} sockets[SOCKETS];
};

/* --- sockets --- */

static void on_ready(struct watch *w, uint32_t events)
{
	struct socket *s = w->arg;

	if (w->fd < 0 || !s->of->channel)
		return;
	ares_process_fd(s->of->channel,
	                events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? w->fd : ARES_SOCKET_BAD,
	                events & EPOLLOUT ? w->fd : ARES_SOCKET_BAD);
}

static void on_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct translation *t = arg;
	uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
	struct socket *s = NULL;

	for (int i = 0; i < SOCKETS; i++)
		if (t->sockets[i].watch.fd == fd)
			s = &t->sockets[i];
	if (s && events) {
		watch_change(t->mif, &s->watch, events);
	} else if (s) {
		watch_remove(t->mif, &s->watch);
		s->watch.fd = -1;
	} else if (events) {
		for (int i = 0; i < SOCKETS && !s; i++)
			if (t->sockets[i].watch.fd < 0)
				s = &t->sockets[i];
		if (!s)
			return; /* its time will be up */
		s->of = t;
		s->watch = (struct watch){on_ready, s, fd};
		if (watch_add(t->mif, &s->watch, events) < 0)
			s->watch.fd = -1;
	}
}

/* Before it is used: c-ares takes a failure here as the server's. */
static int on_socket(ares_socket_t fd, int type, void *arg)
{
	struct translation *t = arg;
	int family = AF_INET;
	socklen_t len = sizeof(family);

	(void)type;
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len);
	return scope_socket(fd, t->device, family == AF_INET ? &t->from4 : &t->from6) < 0 ? -1 : 0;
}

/* --- answers --- */

static int error_of(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return 0;
	case ARES_ENOTFOUND:
	case ARES_ENODATA:
	case ARES_EBADNAME:
		return ENOENT;
	case ARES_ETIMEOUT:
		return ETIMEDOUT;
	case ARES_ECONNREFUSED:
	case ARES_EREFUSED:
		return ECONNREFUSED;
	case ARES_ENOMEM:
		return ENOMEM;
	case ARES_ECANCELLED:
	case ARES_EDESTRUCTION:
		return ECANCELED;
	default:
		return EIO;
	}
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct translation *t = arg;

	(void)timeouts;
	t->open--;
	/* "No such name" only if nothing worse has happened to the other question. */
	if (status != ARES_SUCCESS && (!t->error || t->error == ENOENT))
		t->error = error_of(status);
	for (struct ares_addrinfo_node *i = info ? info->nodes : NULL; i && t->count < ADDRESSES;
	     i = i->ai_next) {
		if (i->ai_addrlen > sizeof(t->found[0]) ||
		    (i->ai_family != AF_INET && i->ai_family != AF_INET6))
			continue;
		memset(&t->found[t->count], 0, sizeof(t->found[0]));
		memcpy(&t->found[t->count], i->ai_addr, i->ai_addrlen);
		t->count++;
	}
	if (info)
		ares_freeaddrinfo(info);
}

static struct mif_message about(const struct translation *t, enum mif_type type)
{
	struct mif_message m;

	memset(&m, 0, sizeof(m));
	m.type = type;
	m.id = t->id;
	m.interface = t->ifindex;
	m.fd = -1;
	memcpy(m.pvd, t->pvd, sizeof(m.pvd));
	memcpy(m.name, t->name, sizeof(m.name));
	return m;
}

static void tell(struct translation *t)
{
	struct mif_message m;

	while (t->told < t->count) {
		m = about(t, MIF_NAME_TRANSLATION);
		m.address = t->found[t->told];
		if (!subscriber_put(&t->mif->sub, &m))
			return;
		t->told++;
	}
	if (t->open > 0)
		return;
	m = about(t, MIF_NO_NAME_TRANSLATION);
	m.error = t->count ? 0 : t->error ? t->error : ENOENT;
	snprintf(m.text, sizeof(m.text), "%s",
	         m.error == ENOENT ? "no such name"
	         : m.error         ? strerror(m.error)
	                           : "no more");
	t->over = subscriber_put(&t->mif->sub, &m);
}

static void end(struct mif *m, struct translation **at)
{
	struct translation *t = *at;

	*at = t->next;
	m->translation_count--;
	if (t->channel)
		ares_destroy(t->channel);
	free(t);
}

static void advance(struct translation *t, int64_t now, int64_t *until)
{
	struct timeval most = {1, 0}, left;
	struct domain d;

	if (t->open > 0 &&
	    !domains_find(mif_monitor_domains(t->mif->monitor), t->pvd, t->ifindex, &d)) {
		t->error = ENETDOWN;
		ares_cancel(t->channel);
		t->error = ENETDOWN;
	}
	if (t->open > 0)
		ares_process_fd(t->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	tell(t);
	if (t->open > 0 && ares_timeout(t->channel, &most, &left)) {
		int64_t due = now + left.tv_sec * 1000 + left.tv_usec / 1000 + 1;

		if (due < *until)
			*until = due;
	}
}

void names_step(struct mif *m, int64_t now, int64_t *until)
{
	struct translation **at = &m->translations;

	while (*at) {
		advance(*at, now, until);
		if ((*at)->over)
			end(m, at);
		else
			at = &(*at)->next;
	}
}

void names_close(struct mif *m)
{
	while (m->translations)
		end(m, &m->translations);
}

/* --- questions --- */

/* The servers of the domain that can be asked from it; false: there is none. */
static bool set_servers(struct translation *t, const struct domain *d)
{
	const struct pvd_item *items[PVD_ITEMS];
	struct ares_addr_port_node node[SERVERS];
	unsigned n = pvd_items(d->known, PVD_SOURCES, PVD_DNS_SERVER, items), used = 0;

	memset(node, 0, sizeof(node));
	for (unsigned i = 0; i < n && used < SERVERS; i++) {
		struct sockaddr_storage server, from;
		struct ares_addr_port_node *s = &node[used];

		message_address(&server, items[i]->family, items[i]->ip, items[i]->port,
		                d->ifindex);
		/* As much for the route: without one it would be looked for on the link. */
		if (!scope_sources(t->mif, d, (struct sockaddr *)&server, &from, 1))
			continue;
		/* By the address of an explicit domain the network tells it from others. */
		if (!d->implicit && items[i]->family == AF_INET && !t->from4.ss_family)
			t->from4 = from;
		if (!d->implicit && items[i]->family == AF_INET6 && !t->from6.ss_family)
			t->from6 = from;
		s->family = items[i]->family;
		memcpy(&s->addr, items[i]->ip, sizeof(s->addr));
		s->udp_port = s->tcp_port = items[i]->port;
		if (used)
			node[used - 1].next = s;
		used++;
	}
	return used && ares_set_servers_ports(t->channel, node) == ARES_SUCCESS;
}

static int open_channel(struct translation *t, const struct domain *d)
{
	const struct pvd_item *items[PVD_ITEMS];
	unsigned n = pvd_items(d->known, PVD_SOURCES, PVD_SEARCH_DOMAIN, items);
	char *suffixes[SUFFIXES];
	struct ares_options o = {
	    .timeout = TRY_MS,
	    .tries = TRIES,
	    .ndots = 1,
	    .lookups = (char *)"b", /* files are the host's, not the domain's */
	    .sock_state_cb = on_state,
	    .sock_state_cb_data = t,
	    .domains = suffixes,
	};

	for (unsigned i = 0; i < n && i < SUFFIXES; i++, o.ndomains++)
		suffixes[i] = (char *)items[i]->text;
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
	    ares_init_options(&t->channel, &o,
	                      ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
	                          ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB | ARES_OPT_DOMAINS) !=
	        ARES_SUCCESS) {
		t->channel = NULL;
		return ENOMEM;
	}
	ares_set_socket_configure_callback(t->channel, on_socket, t);
	return set_servers(t, d) ? 0 : EDESTADDRREQ;
}

static void ask(struct translation *t, const char *name)
{
	static const int families[] = {AF_INET6, AF_INET};
	struct ares_addrinfo_hints hints = {.ai_socktype = SOCK_STREAM, .ai_flags = ARES_AI_NOSORT};

	t->open = 2;
	for (int i = 0; i < 2; i++) {
		hints.ai_family = families[i];
		ares_getaddrinfo(t->channel, name, NULL, &hints, on_answer, t);
	}
}

/* As it is asked for. What is ASCII already is anybody's choice, underscores included. */
static bool in_ascii(const char *name, char **out)
{
	*out = NULL;
	for (const char *p = name; *p; p++)
		if (*p & 0x80)
			return idn2_to_ascii_8z(name, out, IDN2_NONTRANSITIONAL) == IDN2_OK;
	return true;
}

static bool answers(const struct mif_message *waiting, const struct mif_message *stop)
{
	return (waiting->type == MIF_NAME_TRANSLATION ||
	        waiting->type == MIF_NO_NAME_TRANSLATION) &&
	       waiting->id == stop->id;
}

int names_post(struct mif *m, const struct mif_message *msg)
{
	struct translation **at = &m->translations, *t;
	struct mif_message unread;
	struct domain d;
	char *ascii = NULL;

	while (*at && (*at)->id != msg->id)
		at = &(*at)->next;
	if (msg->type == MIF_STOP_TRANSLATING_NAME) {
		if (*at)
			end(m, at);
		while (subscriber_take_back(&m->sub, answers, msg, &unread))
			;
		return 0;
	}
	if (*at)
		return -EEXIST;
	if (!msg->name[0] || !in_ascii(msg->name, &ascii))
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t || !subscriber_domain(&m->sub, msg, &d) ||
	    m->translation_count == MIF_TRANSLATIONS) {
		int r = !t                                         ? -ENOMEM
		        : m->translation_count == MIF_TRANSLATIONS ? -ENOBUFS
		                                                   : -ENOENT;

		free(t);
		idn2_free(ascii);
		return r;
	}
	t->mif = m;
	t->id = msg->id;
	t->ifindex = d.ifindex;
	memcpy(t->name, msg->name, sizeof(t->name));
	snprintf(t->pvd, sizeof(t->pvd), "%s", d.id);
	mif_interface(m->monitor, d.ifindex, t->device, NULL, NULL);
	for (int i = 0; i < SOCKETS; i++)
		t->sockets[i].watch.fd = -1;
	t->error = open_channel(t, &d);
	t->next = m->translations;
	m->translations = t;
	m->translation_count++;
	if (!t->error)
		ask(t, ascii ? ascii : t->name);
	idn2_free(ascii);
	return 0;
}
