/* SPDX-License-Identifier: MIT */
#include "service/names.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/epoll.h>

#define TRY_MS 1500
#define TRIES 2

static void on_socket(void *ctx, int fd, uint32_t events)
{
	const struct names *n = ctx;
	bool in = events & (EPOLLIN | EPOLLERR | EPOLLHUP), out = events & EPOLLOUT;

	ares_process_fd(n->channel, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
}

static void on_socket_state(void *ctx, ares_socket_t fd, int readable, int writable)
{
	struct names *n = ctx;
	struct watch *w = NULL;

	for (int i = 0; i < NAMES_SOCKETS; i++) {
		if (n->socket[i].events && n->socket[i].fd == fd)
			w = &n->socket[i];
		else if (!w && !n->socket[i].events)
			w = &n->socket[i];
	}
	/* Without a place the question times out. */
	if (!w)
		return;
	if (!w->events)
		*w = (struct watch){.fd = fd, .ready = on_socket, .ctx = n};
	loop_watch(w, (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0));
}

static void on_addresses(void *ctx, int status, int timeouts, struct ares_addrinfo *info)
{
	struct names *n = ctx;
	const struct ares_addrinfo_node *i = info ? info->nodes : NULL;

	(void)timeouts;
	for (; i && n->count < NAMES_ADDRESSES; i = i->ai_next) {
		const void *ip = i->ai_family == AF_INET6
		                     ? (const void *)&((struct sockaddr_in6 *)i->ai_addr)->sin6_addr
		                     : (const void *)&((struct sockaddr_in *)i->ai_addr)->sin_addr;

		if (i->ai_family == n->family)
			inet_ntop(i->ai_family, ip, n->address[n->count++], INET6_ADDRSTRLEN);
	}
	if (info)
		ares_freeaddrinfo(info);
	n->over = true;
	if (!n->count)
		n->why = ares_strerror(status ? status : ARES_ENODATA);
}

static void use_servers(const struct names *n, const struct fetch_how *how)
{
	struct ares_addr_port_node node[FETCH_SERVERS] = {0};

	for (unsigned i = 0; i < how->servers; i++) {
		node[i].family = how->server[i].family;
		if (node[i].family == AF_INET)
			memcpy(&node[i].addr.addr4, how->server[i].ip, 4);
		else
			memcpy(&node[i].addr.addr6, how->server[i].ip, 16);
		node[i].next = i + 1 < how->servers ? &node[i + 1] : NULL;
	}
	ares_set_servers_ports(n->channel, node);
	ares_set_local_dev(n->channel, how->interface);
	if (how->source.family == AF_INET6) {
		ares_set_local_ip6(n->channel, how->source.ip);
	} else {
		uint32_t ip;

		memcpy(&ip, how->source.ip, sizeof(ip));
		ares_set_local_ip4(n->channel, ntohl(ip));
	}
}

void names_start(struct names *n, const struct fetch_how *how, const char *host)
{
	struct ares_addrinfo_hints hints = {.ai_family = how->source.family,
	                                    .ai_socktype = SOCK_STREAM,
	                                    .ai_flags = ARES_AI_NOSORT};
	char no_files[] = "b";
	struct ares_options o = {
	    .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
	    .timeout = TRY_MS,
	    .tries = TRIES,
	    .lookups = no_files,
	    .sock_state_cb = on_socket_state,
	    .sock_state_cb_data = n,
	};

	memset(n, 0, sizeof(*n));
	n->family = how->source.family;
	if (how->servers &&
	    ares_init_options(&n->channel, &o,
	                      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
	                          ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB) == ARES_SUCCESS) {
		use_servers(n, how);
		ares_getaddrinfo(n->channel, host, NULL, &hints, on_addresses, n);
		return;
	}
	n->channel = NULL;
	n->over = true;
	n->why = how->servers ? "no resolver" : "no name server";
}

void names_step(struct names *n)
{
	if (n->channel && !n->over)
		ares_process_fd(n->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

int64_t names_due(const struct names *n, int64_t now)
{
	struct timeval most = {60, 0}, t;

	if (!n->channel)
		return -1;
	if (n->over)
		return now;
	ares_timeout(n->channel, &most, &t);
	return now + (int64_t)t.tv_sec * 1000 + t.tv_usec / 1000 + 1;
}

void names_end(struct names *n)
{
	if (n->channel)
		ares_destroy(n->channel);
	n->channel = NULL;
	for (int i = 0; i < NAMES_SOCKETS; i++)
		loop_watch(&n->socket[i], 0);
}
