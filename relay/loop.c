/* SPDX-License-Identifier: MIT */
/* The loop: everything the relay does begins here, and nothing in it waits. */
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "relay/handoff.h"
#include "relay/relay.h"
#include "relay/resolve.h"

#define SWEEP_MS 250
#define LISTENERS 16

bool relay_leaving;
static int ep = -1;
static int64_t now_ms, soon_ms;
static struct source listener[LISTENERS];
static int listeners;

void loop_soon(int64_t at_ms)
{
	if (!soon_ms || at_ms < soon_ms)
		soon_ms = at_ms;
}

int64_t loop_now(void)
{
	return now_ms;
}

void loop_watch(struct source *s, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = s};

	if (events == s->events || s->fd < 0)
		return;
	epoll_ctl(ep,
	          !s->events ? EPOLL_CTL_ADD
	          : events   ? EPOLL_CTL_MOD
	                     : EPOLL_CTL_DEL,
	          s->fd, &ev);
	s->events = events;
}

void loop_no_accept(struct source *l)
{
	loop_watch(l, 0);
}

bool loop_adopt_listener(int fd)
{
	int one = 1;

	if (listeners == LISTENERS)
		return false;
	/* What is accepted has it, too: urgent data comes in its place in the stream, see data.c.
	 */
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	listener[listeners] = (struct source){.kind = SOURCE_LISTENER, .fd = fd};
	loop_watch(&listener[listeners++], EPOLLIN);
	return true;
}

bool loop_each_listener(bool (*what)(struct source *l, void *arg), void *arg)
{
	for (int i = 0; i < listeners; i++)
		if (!what(&listener[i], arg))
			return false;
	return true;
}

/* Not ours to change, and nothing fails without it. */
static void say_fastopen(void)
{
	char text[16] = "0";
	FILE *f = fopen("/proc/sys/net/ipv4/tcp_fastopen", "re");

	if (f && !fgets(text, sizeof(text), f))
		text[0] = '0';
	if (f)
		fclose(f);
	if (!(strtol(text, NULL, 0) & 2))
		log_info("no Fast Open here (net.ipv4.tcp_fastopen = %ld; 3 has it): some "
		         "handovers take one round trip more",
		         strtol(text, NULL, 0));
}

static int listen_one(const char *where)
{
	char host[256], *port;
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
	                         .ai_socktype = SOCK_STREAM},
	                *a;
	int one = 1, off = 0, fast = 256;

	snprintf(host, sizeof(host), "%s", where);
	port = strrchr(host, ':');
	if (!port || strlen(where) >= sizeof(host)) {
		log_error("--listen %s; expected ADDRESS:PORT, as [::]:7343", where);
		return -1;
	}
	*port++ = 0;
	char *name = host;

	if (*name == '[' && port - 2 > name && port[-2] == ']') {
		port[-2] = 0;
		name++;
	}
	int r = getaddrinfo(name, port, &hints, &a);

	if (r) {
		log_error("--listen %s: %s; expected ADDRESS:PORT, as [::]:7343", where,
		          gai_strerror(r));
		return -1;
	}
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (a->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	/* What arrives in a SYN is acted on only if authentic and good for one use, so it may come
	 * without a cookie (see conn.c). */
	setsockopt(fd, IPPROTO_TCP, 23 /* TCP_FASTOPEN */, &fast, sizeof(fast));
	setsockopt(fd, IPPROTO_TCP, 34 /* TCP_FASTOPEN_NO_COOKIE */, &one, sizeof(one));
	if (fd < 0 || bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, 1024) < 0) {
		log_error("--listen %s: %s", where, strerror(errno));
		freeaddrinfo(a);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	freeaddrinfo(a);
	loop_adopt_listener(fd);
	log_info("listening on %s", where);
	return 0;
}

static int signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* True: leave. */
static bool on_signal(int fd)
{
	struct signalfd_siginfo si;

	while (read(fd, &si, sizeof(si)) == sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGUSR1:
			sessions_log();
			break;
		case SIGUSR2:
			log_info("leaving: no new associations, %u sessions to go",
			         sessions_count());
			relay_leaving = true;
			assocs_goaway();
			break;
		case SIGHUP:
			clients_load();
			break;
		default:
			return true;
		}
	}
	return false;
}

bool loop_start(void)
{
	ep = epoll_create1(EPOLL_CLOEXEC);
	now_ms = clock_ms();
	return ep >= 0;
}

int loop_run(void)
{
	struct epoll_event got[64], ev = {.events = EPOLLIN, .data.ptr = NULL};
	int64_t swept = 0;

	int sig = signals();

	for (int i = 0; i < config.listens && !config.take_over; i++)
		if (listen_one(config.listen[i]) < 0)
			return 1;
	say_fastopen();
	handoff_offer();
	epoll_ctl(ep, EPOLL_CTL_ADD, sig, &ev);
	for (;;) {
		int64_t left = soon_ms ? soon_ms - now_ms : SWEEP_MS;
		int n = epoll_wait(ep, got, 64,
		                   left < 1          ? 1
		                   : left > SWEEP_MS ? SWEEP_MS
		                                     : (int)left);

		now_ms = clock_ms();
		for (int i = 0; i < n; i++) {
			struct source *s = got[i].data.ptr;

			if (!s) {
				if (on_signal(sig)) {
					log_info("ending");
					return 0;
				}
				continue;
			}
			/* An object closed earlier in this round is only freed after it. */
			if (s->fd < 0)
				continue;
			if (s->kind == SOURCE_HANDOFF)
				handoff_event();
			else if (s->kind == SOURCE_LISTENER && handoff_pending())
				loop_watch(s, 0);
			else if (s->kind == SOURCE_LISTENER)
				conn_accept(s);
			else if (s->kind == SOURCE_RESOLVER)
				resolve_event(s->fd, got[i].events);
			else if (s->kind == SOURCE_CONN)
				conn_event((struct conn *)s, got[i].events);
			else
				session_target_event((struct session *)s, got[i].events);
		}
		if (soon_ms && now_ms >= soon_ms) {
			soon_ms = 0;
			sessions_sweep(now_ms);
		}
		if (now_ms - swept >= SWEEP_MS) {
			swept = now_ms;
			conns_sweep(now_ms);
			sessions_sweep(now_ms);
			sessions_trim();
			tokens_sweep(now_ms);
			assocs_sweep(now_ms);
			resolve_event(-1, 0);
			for (int i = 0; i < listeners; i++)
				loop_watch(&listener[i], handoff_pending() ? 0 : EPOLLIN);
		}
		sessions_reap();
		conns_reap();
		if (handoff_step(now_ms)) {
			log_info("handed over, ending");
			return 0;
		}
		if (relay_leaving && !sessions_count()) {
			log_info("the last session is over, ending");
			return 0;
		}
	}
}
