/* SPDX-License-Identifier: MIT */
#include "relay/resolve.h"

#include <ares.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/log.h"
#include "relay/relay.h"

#define QUESTIONS_MAX 1024
#define SOCKETS_MAX 64
#define TRY_MS 2000

static ares_channel channel;
static bool ready;
static unsigned questions;
static struct source sockets[SOCKETS_MAX];

struct question {
	resolve_fn *done;
	void *arg;
	uint16_t port;
};

static void on_socket(void *data, ares_socket_t fd, int readable, int writable)
{
	struct source *s = NULL;

	(void)data;
	for (int i = 0; i < SOCKETS_MAX; i++) {
		if (sockets[i].kind == SOURCE_RESOLVER && sockets[i].fd == fd)
			s = &sockets[i];
		else if (!s && sockets[i].kind != SOURCE_RESOLVER)
			s = &sockets[i];
	}
	/* Without a place the question times out. */
	if (!s)
		return;
	if (s->kind != SOURCE_RESOLVER)
		*s = (struct source){.kind = SOURCE_RESOLVER, .fd = fd};
	loop_watch(s, (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0));
	if (!readable && !writable)
		*s = (struct source){.kind = SOURCE_NONE, .fd = -1};
}

bool resolve_start(void)
{
	struct ares_options o = {
	    .sock_state_cb = on_socket, .timeout = TRY_MS, .tries = 2, .flags = 0};
	int r = ares_library_init(ARES_LIB_INIT_ALL);

	for (int i = 0; i < SOCKETS_MAX; i++)
		sockets[i] = (struct source){.kind = SOURCE_NONE, .fd = -1};
	if (r == ARES_SUCCESS)
		r = ares_init_options(&channel, &o,
		                      ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
	if (r != ARES_SUCCESS)
		log_warn("no resolver: %s", ares_strerror(r));
	ready = r == ARES_SUCCESS;
	return ready;
}

static void answered(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct question *q = arg;
	struct ses_addr addr[SES_RELAY_ADDRS];
	unsigned n = 0;

	(void)timeouts;
	for (struct ares_addrinfo_node *i = info ? info->nodes : NULL; i && n < SES_RELAY_ADDRS;
	     i = i->ai_next) {
		struct ses_addr *a = &addr[n];
		union address from;

		if (i->ai_addrlen > sizeof(from))
			continue;
		memcpy(&from, i->ai_addr, i->ai_addrlen);
		if (address_read(&from, a)) {
			a->port = q->port;
			n++;
		}
	}
	if (!n)
		log_info("a name was not resolved: %s", ares_strerror(status));
	if (info)
		ares_freeaddrinfo(info);
	questions--;
	q->done(q->arg, addr, n);
	free(q);
}

bool resolve(const char *name, uint16_t port, resolve_fn *done, void *arg)
{
	struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct question *q;

	if (!ready || questions >= QUESTIONS_MAX || !(q = malloc(sizeof(*q))))
		return false;
	*q = (struct question){.done = done, .arg = arg, .port = port};
	questions++;
	ares_getaddrinfo(channel, name, NULL, &hints, answered, q);
	return true;
}

void resolve_event(int fd, uint32_t events)
{
	if (!ready || (fd < 0 && !questions))
		return;
	bool in = events & (EPOLLIN | EPOLLERR | EPOLLHUP), out = events & EPOLLOUT;

	ares_process_fd(channel, fd >= 0 && in ? fd : ARES_SOCKET_BAD,
	                fd >= 0 && out ? fd : ARES_SOCKET_BAD);
}
