/* SPDX-License-Identifier: MIT */
/*
 * Connect to Address, Connect to Address From Address: TCP, from the addresses of one domain, by
 * its interface. Further addresses are tried when one fails or says nothing for a while, the
 * earlier attempts go on (RFC 8305's rules for addresses of the peer, used for our own).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/clock.h"
#include "mif/internal.h"

#define SOURCES 4
#define STAGGER_MS 250
#define GIVE_UP_MS 130000 /* as long as the kernel asks */

struct attempt {
	struct watch watch; /* its fd: -1: not there */
	struct connection *of;
	bool done;
	int error;
};

struct connection {
	struct mif *mif;
	struct connection *next;
	unsigned id;
	struct sockaddr_storage to;
	char pvd[MIF_NAME];
	int ifindex;
	char device[IFNAMSIZ];
	struct sockaddr_storage source[SOURCES];
	int sources, begun; /* of them */
	struct attempt attempt[SOURCES];
	int64_t begin_next, give_up;
	int error;  /* of the last attempt that failed */
	int winner; /* -1 */
	bool over;
};

static socklen_t size_of(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static void drop_attempt(struct mif *m, struct attempt *a)
{
	if (a->watch.fd < 0)
		return;
	watch_remove(m, &a->watch);
	close(a->watch.fd);
	a->watch.fd = -1;
}

static void failed(struct connection *c, struct attempt *a, int error)
{
	drop_attempt(c->mif, a);
	a->done = true;
	c->error = error;
	c->begin_next = 0;
}

static void on_ready(struct watch *w, uint32_t events)
{
	struct attempt *a = w->arg;
	struct connection *c = a->of;
	socklen_t len = sizeof(int);
	int error = 0;

	if (w->fd < 0 || a->done || !(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return;
	getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error) {
		failed(c, a, error);
		return;
	}
	a->done = true;
	if (c->winner < 0)
		c->winner = (int)(a - c->attempt);
}

static void begin(struct connection *c)
{
	struct attempt *a = &c->attempt[c->begun];
	const struct sockaddr_storage *from = &c->source[c->begun];
	int r;

	c->begun++;
	c->begin_next = clock_ms() + STAGGER_MS;
	a->of = c;
	a->watch.ready = on_ready;
	a->watch.arg = a;
	a->watch.fd =
	    socket(c->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (a->watch.fd < 0) {
		a->done = true;
		c->error = errno;
		return;
	}
	r = scope_socket(a->watch.fd, c->device, from);
	if (r == 0 && connect(a->watch.fd, (struct sockaddr *)&c->to, size_of(&c->to)) < 0 &&
	    errno != EINPROGRESS)
		r = -errno;
	if (r == 0)
		r = watch_add(c->mif, &a->watch, EPOLLOUT);
	if (r < 0)
		failed(c, a, -r);
}

/* --- outcomes --- */

static struct mif_message outcome(const struct connection *c, enum mif_type type)
{
	struct mif_message m;

	memset(&m, 0, sizeof(m));
	m.type = type;
	m.id = c->id;
	m.interface = c->ifindex;
	m.fd = -1;
	m.address = c->to;
	snprintf(m.pvd, sizeof(m.pvd), "%s", c->pvd);
	snprintf(m.name, sizeof(m.name), "%s", c->device);
	return m;
}

/* False: no room for the message yet. */
static bool tell(struct connection *c)
{
	struct mif_message m;

	if (c->winner >= 0) {
		struct attempt *a = &c->attempt[c->winner];
		socklen_t len = sizeof(m.source);

		if (!subscriber_room(&c->mif->sub))
			return false;
		m = outcome(c, MIF_CONNECTED);
		watch_remove(c->mif, &a->watch);
		getsockname(a->watch.fd, (struct sockaddr *)&m.source, &len);
		m.fd = a->watch.fd;
		a->watch.fd = -1;
	} else {
		m = outcome(c, MIF_NOT_CONNECTED);
		m.error = c->error ? c->error : ETIMEDOUT;
		snprintf(m.text, sizeof(m.text), "%s", strerror(m.error));
	}
	return subscriber_put(&c->mif->sub, &m);
}

static bool all_failed(const struct connection *c)
{
	if (c->begun < c->sources)
		return false;
	for (int i = 0; i < c->begun; i++)
		if (!c->attempt[i].done)
			return false;
	return true;
}

static void advance(struct connection *c, int64_t now, int64_t *until)
{
	struct domain d;

	if (c->winner < 0 &&
	    !domains_find(mif_monitor_domains(c->mif->monitor), c->pvd, c->ifindex, &d)) {
		c->error = ENETDOWN;
		c->over = tell(c);
		return;
	}
	while (c->winner < 0 && c->begun < c->sources && now >= c->begin_next)
		begin(c);
	if (c->winner >= 0 || all_failed(c) || now >= c->give_up) {
		c->over = tell(c);
		return;
	}
	if (c->begun < c->sources && c->begin_next < *until)
		*until = c->begin_next;
	if (c->give_up < *until)
		*until = c->give_up;
}

static void end(struct mif *m, struct connection **at)
{
	struct connection *c = *at;

	for (int i = 0; i < c->begun; i++)
		drop_attempt(m, &c->attempt[i]);
	*at = c->next;
	m->connection_count--;
	free(c);
}

void connect_step(struct mif *m, int64_t now, int64_t *until)
{
	struct connection **at = &m->connections;

	while (*at) {
		if (!(*at)->over)
			advance(*at, now, until);
		if ((*at)->over)
			end(m, at);
		else
			at = &(*at)->next;
	}
}

void connect_close(struct mif *m)
{
	while (m->connections)
		end(m, &m->connections);
}

/* --- requests --- */

static bool same_ip(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
	              &((const struct sockaddr_in6 *)b)->sin6_addr, 16) == 0;
}

/* The address that was asked for, if it is the domain's: with the port asked for. */
static void only_source(struct connection *c, const struct sockaddr_storage *all, int n,
                        const struct sockaddr_storage *wanted)
{
	c->sources = 0;
	for (int i = 0; i < n; i++)
		if (same_ip(&all[i], wanted)) {
			c->source[0] = all[i];
			if (wanted->ss_family == AF_INET)
				((struct sockaddr_in *)&c->source[0])->sin_port =
				    ((const struct sockaddr_in *)wanted)->sin_port;
			else
				((struct sockaddr_in6 *)&c->source[0])->sin6_port =
				    ((const struct sockaddr_in6 *)wanted)->sin6_port;
			c->sources = 1;
			return;
		}
	c->error = EADDRNOTAVAIL;
}

static void find_sources(struct connection *c, const struct domain *d,
                         const struct mif_message *msg)
{
	struct sockaddr_storage all[16];
	int n = scope_sources(c->mif, d, (struct sockaddr *)&c->to, all, 16);

	/* Without a route the kernel would look for the peer on the link itself. */
	if (!n)
		c->error = ENETUNREACH;
	else if (msg->type == MIF_CONNECT_TO_ADDRESS_FROM_ADDRESS)
		only_source(c, all, n, &msg->source);
	else
		for (c->sources = 0; c->sources < n && c->sources < SOURCES; c->sources++)
			c->source[c->sources] = all[c->sources];
}

static struct connection **find(struct mif *m, unsigned id)
{
	struct connection **at = &m->connections;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

static bool inet(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET || a->ss_family == AF_INET6;
}

static bool answers(const struct mif_message *waiting, const struct mif_message *stop)
{
	return (waiting->type == MIF_CONNECTED || waiting->type == MIF_NOT_CONNECTED) &&
	       waiting->id == stop->id;
}

/* It may have been there already, and not been read. */
static void forget_answer(struct mif *m, const struct mif_message *stop)
{
	struct mif_message answer;

	while (subscriber_take_back(&m->sub, answers, stop, &answer))
		if (answer.type == MIF_CONNECTED)
			close(answer.fd);
}

int connect_post(struct mif *m, const struct mif_message *msg)
{
	struct connection **at = find(m, msg->id), *c;
	struct domain d;

	if (msg->type == MIF_STOP_CONNECTING) {
		if (*at)
			end(m, at);
		forget_answer(m, msg);
		return 0;
	}
	if (*at)
		return -EEXIST;
	if (!inet(&msg->address) || (msg->type == MIF_CONNECT_TO_ADDRESS_FROM_ADDRESS &&
	                             msg->source.ss_family != msg->address.ss_family))
		return -EAFNOSUPPORT;
	if (!subscriber_domain(&m->sub, msg, &d))
		return -ENOENT;
	if (m->connection_count == MIF_CONNECTIONS)
		return -ENOBUFS;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->mif = m;
	c->id = msg->id;
	c->to = msg->address;
	c->ifindex = d.ifindex;
	c->winner = -1;
	c->give_up = clock_ms() + GIVE_UP_MS;
	snprintf(c->pvd, sizeof(c->pvd), "%s", d.id);
	mif_interface(m->monitor, d.ifindex, c->device, NULL, NULL);
	if (c->to.ss_family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&c->to;

		if (IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr))
			in6->sin6_scope_id = (uint32_t)d.ifindex;
	}
	for (int i = 0; i < SOURCES; i++)
		c->attempt[i].watch.fd = -1;
	find_sources(c, &d, msg);
	c->next = m->connections;
	m->connections = c;
	m->connection_count++;
	return 0;
}
