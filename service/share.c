/* SPDX-License-Identifier: MIT */
#include "service/share.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "service/findings.h"
#include "service/journal.h"
#include "service/listen.h"
#include "service/loop.h"
#include "service/news.h"
#include "service/snapshot.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define CLIENTS_MAX 4096
#define CLIENTS_OF_USER 1024 /* but root's */
#define LOAD_MS 10000        /* in which a client must have taken all there is */
#define ASKS_PER_S 50        /* of one client, and of all: more are answered without asking the */
#define ASKS_OF_ALL 500      /* kernel */
#define CHECKS_OF_ALL 100    /* findings handed on in a second, each to many */
#define REST 8 /* as many times as telling took it is not done again: large tables cost */

#define UNTOLD UINT64_MAX

struct rate {
	int64_t since;
	int count;
};

struct client {
	struct watch watch;
	uid_t user;
	/* Of a whole table only: its records from `at_all` on are still to come. */
	struct snapshot *all;
	uint64_t at, at_all;
	bool behind;      /* is to get the whole table */
	int64_t deadline; /* to have taken it */
	bool asked;
	uint64_t answer_after; /* the record of this number; UNTOLD: of a number not yet known */
	struct rate asks;
	struct client *next, **link;
};

static struct watch listener = {.fd = -1};
static struct mif_monitor *monitor;
static uint64_t network;
static struct client *clients;
static struct rate asks_of_all, checks_of_all;
static unsigned count;
static struct news news;
static struct journal journal;
static struct packer packer;
static struct findings findings;
static bool noted = true;
static int64_t not_before;

/* --- clients --- */

static void drop(struct client *c, const char *why)
{
	log_debug("client of user %u: %s", (unsigned)c->user, why);
	loop_watch(&c->watch, 0);
	close(c->watch.fd);
	snapshot_let_go(&c->all);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	count--;
	free(c);
}

/* 1: sent, 0: not now, -1: gone. */
static int send_record(struct client *c, const void *bytes, size_t len)
{
	if (send(c->watch.fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 1;
	return errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM ? 0 : -1;
}

static const struct journal_record *next_record(struct client *c, int64_t now)
{
	const struct journal_record *r;

	if (c->all) {
		r = journal_get(&c->all->records, c->at_all);
		if (r)
			return r;
		snapshot_let_go(&c->all);
	}
	if (c->behind || journal_missed(&journal, c->at)) {
		c->all = snapshot_take(&news, &journal, &packer);
		if (!c->all)
			return NULL;
		c->at_all = 0;
		c->at = c->all->at;
		c->behind = false;
		c->deadline = now + LOAD_MS;
		return journal_get(&c->all->records, 0);
	}
	return journal_get(&journal, c->at);
}

static void serve(struct client *c, int64_t now)
{
	const struct journal_record *r;
	uint32_t buf[SHARED_MESSAGE / sizeof(uint32_t)];
	int sent = 1;

	while (sent > 0 && (r = next_record(c, now)) != NULL) {
		sent = send_record(c, r->bytes, r->len);
		if (sent > 0)
			++*(c->all ? &c->at_all : &c->at);
	}
	if (sent > 0 && c->asked && c->at >= c->answer_after) {
		sent = send_record(c, buf, shared_mark(buf, SHARED_ANSWER));
		c->asked = sent <= 0;
	}
	if (sent < 0) {
		drop(c, "gone");
		return;
	}
	/* One that is reading the table has until then; one that is not in the middle of it may
	 * sleep. */
	if (sent == 0 && c->all && now > c->deadline) {
		drop(c, "does not read");
		return;
	}
	loop_watch(&c->watch, EPOLLIN | (sent == 0 ? EPOLLOUT : 0));
}

static bool within(struct rate *r, int most, int64_t now)
{
	if (now - r->since >= 1000)
		*r = (struct rate){now, 0};
	return ++r->count <= most;
}

static bool send_check(struct client *c, const struct shared_check *found)
{
	uint32_t buf[SHARED_MESSAGE / sizeof(uint32_t)];

	/* Who does not read asks himself; nothing depends on it. */
	return send_record(c, buf, shared_check(buf, found)) >= 0;
}

/* To the others of the same user. */
static void hand_on(const struct client *from, const struct shared_check *found, int64_t now)
{
	if (!mif_interface(monitor, found->ifindex, NULL, NULL, NULL))
		return;
	findings_put(&findings, from->user, found, now);
	for (struct client *c = clients; c; c = c->next)
		if (c != from && c->user == from->user)
			send_check(c, found);
}

static void hear(struct client *c, int64_t now)
{
	uint32_t buf[SHARED_MESSAGE / sizeof(uint32_t)];

	for (int i = 0; i < ASKS_PER_S; i++) {
		ssize_t n = recv(c->watch.fd, buf, sizeof(buf), MSG_DONTWAIT);
		struct shared_check found;
		int ifindex;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n > 0 && shared_checked(buf, (size_t)n, &found)) {
			if (within(&c->asks, ASKS_PER_S, now) &&
			    within(&checks_of_all, CHECKS_OF_ALL, now))
				hand_on(c, &found, now);
			continue;
		}
		ifindex = n > 0 ? shared_asked(buf, (size_t)n) : 0;
		if (!ifindex) {
			drop(c, n > 0 ? "speaks nonsense" : "gone");
			return;
		}
		/* The kernel answers at once; what it says is told before the answer. */
		if (within(&c->asks, ASKS_PER_S, now) && within(&asks_of_all, ASKS_OF_ALL, now) &&
		    mif_monitor_ask(monitor, ifindex) == 0) {
			mif_monitor_process(monitor);
			noted = true;
		}
		c->asked = true;
		c->answer_after = noted ? UNTOLD : journal.next;
	}
	if (c->asked)
		share_step(now);
}

static void on_client(void *ctx, int fd, uint32_t events)
{
	struct client *c = ctx;

	(void)fd;
	if (events & EPOLLOUT)
		serve(c, clock_ms());
	else
		hear(c, clock_ms());
}

static unsigned of_user(uid_t user)
{
	unsigned n = 0;

	for (const struct client *c = clients; c; c = c->next)
		n += c->user == user;
	return n;
}

/* All there is, and what others of the user have found. */
static void welcome(struct client *c, int64_t now)
{
	struct shared_check found;
	unsigned at = 0;

	while (findings_next(&findings, c->user, now, &at, &found))
		send_check(c, &found);
	serve(c, now);
}

static void admit(int fd, uid_t user)
{
	uint32_t buf[SHARED_MESSAGE / sizeof(uint32_t)];
	struct client *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return;
	}
	c->watch = (struct watch){.fd = fd, .ready = on_client, .ctx = c};
	c->user = user;
	c->behind = true;
	c->link = &clients;
	c->next = clients;
	if (clients)
		clients->link = &c->next;
	clients = c;
	count++;
	log_debug("client of user %u", (unsigned)user);
	if (!loop_watch(&c->watch, EPOLLIN) || send_record(c, buf, shared_hello(buf, network)) <= 0)
		drop(c, "cannot be told");
	else
		welcome(c, clock_ms());
}

static void on_listener(void *ctx, int fd, uint32_t events)
{
	(void)ctx;
	(void)events;
	for (int i = 0; i < 64; i++) {
		int c = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct ucred peer;
		socklen_t len = sizeof(peer);

		if (c < 0)
			return;
		if (getsockopt(c, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
		    count >= CLIENTS_MAX ||
		    (peer.uid != 0 && of_user(peer.uid) >= CLIENTS_OF_USER)) {
			/* It looks for itself then. */
			close(c);
			continue;
		}
		admit(c, peer.uid);
	}
}

/* --- telling --- */

void share_note(void)
{
	noted = true;
}

static void tell(int64_t now)
{
	int64_t began = clock_ns();

	noted = false;
	pack_start(&packer, &journal);
	news_difference(&news, mif_monitor_table(monitor), mif_monitor_pvds(monitor), pack,
	                &packer);
	pack_end(&packer);
	not_before = now + (clock_ns() - began) / 1000000 * REST;
	for (struct client *c = clients; c; c = c->next)
		if (c->asked && c->answer_after == UNTOLD)
			c->answer_after = journal.next;
}

void share_step(int64_t now)
{
	struct client *c, *next;

	if (noted && now >= not_before)
		tell(now);
	for (c = clients; c; c = next) {
		next = c->next;
		/* Those that could take no more are served when they can. */
		if (((c->at < journal.next || c->asked) && !(c->watch.events & EPOLLOUT)) ||
		    (c->all && now > c->deadline))
			serve(c, now);
	}
}

int64_t share_due(void)
{
	int64_t due = noted ? not_before : -1;

	for (const struct client *c = clients; c; c = c->next)
		if (c->all && (due < 0 || c->deadline < due))
			due = c->deadline + 1;
	return due;
}

void share_unreached(const struct mif_event *ev)
{
	uint32_t message[SHARED_MESSAGE / sizeof(uint32_t)];

	/* Not without what has come before it. */
	if (noted)
		tell(clock_ms());
	journal_add(&journal, message,
	            shared_unreached(message, ev->ifindex, ev->address.family, ev->address.ip));
}

void share_left(int ifindex)
{
	findings_forget(&findings, ifindex);
}

unsigned share_clients(void)
{
	return count;
}

int share_start(const char *path, int fd, struct mif_monitor *m)
{
	socklen_t len = sizeof(network);

	monitor = m;
	if (fd < 0)
		fd = listen_at(path);
	if (fd < 0)
		return fd;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &network, &len) < 0)
		return -errno;
	listener = (struct watch){.fd = fd, .ready = on_listener};
	return loop_watch(&listener, EPOLLIN) ? 0 : -errno;
}

void share_end(void)
{
	while (clients)
		drop(clients, "the service ends");
	if (listener.fd >= 0) {
		loop_watch(&listener, 0);
		close(listener.fd);
	}
	listen_end();
	snapshot_end();
	journal_clear(&journal);
	news_free(&news);
}
