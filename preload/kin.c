/* SPDX-License-Identifier: MIT */
#include "preload/kin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "preload/doubles.h"
#include "preload/heirs.h"
#include "preload/numbers.h"
#include "preload/own.h"
#include "preload/peers.h"
#include "preload/procfs.h"
#include "preload/raw.h"
#include "preload/splice.h"

#define SILENCE_MS 2000 /* an owner that is there says something within this time */
#define LIMIT_MS 10000
#define ITEMS 16
#define ITEM_MAX 256
#define KNOWN 256 /* numbers that are looked at */

extern char **environ;

static _Atomic unsigned inherited; /* flows in FLOW_INHERITED, at least */

bool kin_any(void)
{
	return atomic_load_explicit(&inherited, memory_order_relaxed) != 0;
}

/* --- claiming --- */

socklen_t kin_name(struct sockaddr_un *a, int pid, int instance)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	int n = snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1,
	                 instance ? "mifcont/%d.%d" : "mifcont/%d", pid, instance);

	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static int call_owner(const struct flow *f, int instance)
{
	struct sockaddr_un a;
	socklen_t name = kin_name(&a, f->owner, instance);
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct timeval limit = {SILENCE_MS / 1000, 0};
	int fd = own_socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0)
		return fd;
	/* An owner that is stopped accepts nobody, and its queue is short. */
	raw_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	int r = raw_connect(fd, (struct sockaddr *)&a, name);

	/* Anybody may take a name that is free: only who is this user's is believed. */
	if (r == 0)
		r = raw_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	if (r == 0 && peer.uid != geteuid() && peer.uid != 0)
		r = -EPERM;
	if (r < 0) {
		own_close(fd);
		return r;
	}
	return fd;
}

/* The words, with our descriptor: the owner may have closed its own. */
static int say(int fd, const struct flow *f)
{
	char line[96], room[CMSG_SPACE(sizeof(int))] = {0};
	int n = snprintf(line, sizeof(line), "share %u ", f->id);

	for (size_t i = 0; i < sizeof(f->ticket); i++)
		n += snprintf(line + n, sizeof(line) - (size_t)n, "%02x", f->ticket[i]);
	line[n++] = '\n';

	struct iovec v = {line, (size_t)n};
	struct msghdr m = {
	    .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &f->fd[0], sizeof(int));
	return raw_sendmsg(fd, &m, MSG_NOSIGNAL) == n ? 0 : -EPIPE;
}

/* One answer. The descriptor that came with it, -EAGAIN (wait), or why there is none. */
static int hear(int fd, struct kin_answer *a)
{
	char room[CMSG_SPACE(sizeof(int))];
	struct iovec v = {a, sizeof(*a)};
	struct msghdr m = {
	    .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	int given = -1;

	numbers_hold();
	long n = raw_recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT | MSG_WAITALL);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		memcpy(&given, CMSG_DATA(c), sizeof(given));
		given = own_fd(given);
	}
	numbers_free();
	if (n == -EAGAIN || n == -EINTR)
		return -EAGAIN;
	if (n == sizeof(*a) && a->verdict == KIN_WAIT)
		return -EAGAIN;
	if (n != sizeof(*a) || a->verdict != KIN_GIVEN || given < 0) {
		own_close(given);
		return -ENOENT;
	}
	return given;
}

static int ask_instance(const struct flow *f, int instance, struct kin_answer *a)
{
	int64_t began = clock_ms(), heard = began;
	int fd = call_owner(f, instance), r = fd < 0 ? fd : say(fd, f);

	if (r == 0)
		r = -EAGAIN;
	while (r == -EAGAIN) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t now = clock_ms();
		struct timespec t = {0, 100000000};

		if (now - heard > SILENCE_MS || now - began > LIMIT_MS) {
			r = -ETIMEDOUT;
			break;
		}
		if (raw_ppoll(&p, 1, &t, NULL) > 0) {
			heard = now;
			r = hear(fd, a);
		}
	}
	if (fd >= 0)
		own_close(fd);
	return r;
}

/* Which of the owner's lives has the flow, the ticket tells. -ENOENT: not this one. */
static int ask(const struct flow *f, struct kin_answer *a)
{
	int r = -ENOENT;

	for (int i = 0; i < KIN_NAMES && (r == -ENOENT || r == -ECONNREFUSED || r == -EPERM); i++)
		r = ask_instance(f, i, a);
	return r;
}

/* The table's lock is held. */
static void forget(struct flow *f)
{
	while (f->fds)
		flow_drop_fd(f, f->fd[0]);
	if (atomic_exchange(&f->state, FLOW_FREE) == FLOW_INHERITED)
		atomic_fetch_sub(&inherited, 1);
}

void kin_claim(struct flow *f)
{
	struct kin_answer a;
	int saved = errno;

	/* A handler that interrupted its own thread's claim finds the bare connection. */
	if (lock_owner(&f->table) == thread_id() ||
	    !lock_take(&f->table, thread_id(), LIMIT_MS + SILENCE_MS))
		return;
	if (atomic_load(&f->state) == FLOW_INHERITED && f->fds) {
		int fd = ask(f, &a);

		if (fd >= 0) {
			peers_note(raw_inode(fd), &a.peer, &a.local);
			splice_install(f, fd);
			own_close(fd);
		}
	}
	forget(f);
	lock_release(&f->table);
	errno = saved;
}

void kin_used(int fd)
{
	struct flow *f = kin_any() ? flow_of(fd) : NULL;

	if (f && atomic_load(&f->state) == FLOW_INHERITED)
		kin_claim(f);
}

/* --- becoming a relative --- */

/* Can a relative have a part in it? */
static bool sharable(const struct flow *f)
{
	uint32_t s = atomic_load(&f->state);

	return f->kind == FLOW_SESSION && f->fds && !f->stands_in && !atomic_load(&f->foreign) &&
	       (s == FLOW_CONNECTING || s == FLOW_STABLE || s == FLOW_MOVING || s == FLOW_WAITING ||
	        s == FLOW_INHERITED);
}

static void inherit(struct flow *f)
{
	f->rule = NULL;
	f->link = NULL;
	f->move = NULL;
	f->pump = NULL;
	f->old_fd = f->far_fd = f->old_far = f->old_retired = f->heirs_fd = -1;
	f->guard_fd[0] = f->guard_fd[1] = -1;
	atomic_store(&f->keeps, false);
	atomic_store(&f->hold, 0);
	atomic_store(&f->share, SHARE_NO);
	atomic_store(&f->state, FLOW_INHERITED);
}

void kin_forked(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < flow_count(); i++) {
		struct flow *f = flow_at(i);
		bool kept = sharable(f) && !atomic_load(&f->carried);

		flow_forked(f, kept);
		if (kept)
			inherit(f);
		n += kept;
	}
	atomic_store(&inherited, n);
}

static size_t hex(char *to, const void *from, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		uint8_t b = ((const uint8_t *)from)[i];

		to[2 * i] = digits[b >> 4];
		to[2 * i + 1] = digits[b & 15];
	}
	return 2 * n;
}

static bool unhex(const char **p, void *to, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned b = 0;

		for (int k = 0; k < 2; k++, (*p)++) {
			char c = **p;

			if (c >= '0' && c <= '9')
				b = b << 4 | (unsigned)(c - '0');
			else if (c >= 'a' && c <= 'f')
				b = b << 4 | (unsigned)(c - 'a' + 10);
			else
				return false;
		}
		((uint8_t *)to)[i] = (uint8_t)b;
	}
	return true;
}

static size_t decimal(char *to, uint64_t v)
{
	char digits[24];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	for (size_t i = 0; i < n; i++)
		to[i] = digits[n - 1 - i];
	return n;
}

struct item {
	uint64_t owner, id, inode;
	uint8_t ticket[16];
	union flow_address peer, local;
};

/* OWNER:ID:INODE:TICKET:PEER:LOCAL; without an owner nothing is to be claimed. At most ITEM_MAX. */
static size_t write_item(char *to, const struct item *it)
{
	size_t n = decimal(to, it->owner);

	to[n++] = ':';
	n += decimal(to + n, it->id);
	to[n++] = ':';
	n += decimal(to + n, it->inode);
	to[n++] = ':';
	n += hex(to + n, it->ticket, sizeof(it->ticket));
	to[n++] = ':';
	n += hex(to + n, &it->peer, sizeof(it->peer));
	to[n++] = ':';
	n += hex(to + n, &it->local, sizeof(it->local));
	to[n++] = ';';
	return n;
}

/*
 * What this process itself has come by, and only knows the peers of. Number by number, for in a
 * vfork child a descriptor of our own would be noted in its parent's memory.
 */
static size_t write_known(char *to, size_t size, int items)
{
	size_t n = 0;

	for (int fd = 0; peers_any() && fd < KNOWN && items < ITEMS && size - n > ITEM_MAX; fd++) {
		struct item it = {0};

		if (flow_of(fd) || !peers_find(fd, &it.peer, &it.local))
			continue;
		it.inode = raw_inode(fd);
		n += write_item(to + n, &it);
		items++;
	}
	return n;
}

size_t kin_write(char *to, size_t size)
{
	size_t n = 0;
	int items = 0;

	for (unsigned i = 0; i < flow_count() && items < ITEMS && size - n > ITEM_MAX; i++) {
		struct flow *f = flow_at(i);

		if (!sharable(f))
			continue;
		atomic_store(&f->shared, FLOW_SHARED);
		heirs_note(f);

		struct item it = {.owner = atomic_load(&f->carried) ? 0 : (uint64_t)f->owner,
		                  .id = f->id,
		                  .inode = f->inode,
		                  .peer = f->peer,
		                  .local = f->local};

		memcpy(it.ticket, f->ticket, sizeof(it.ticket));
		n += write_item(to + n, &it);
		items++;
	}
	n += write_known(to + n, size - n, items);
	to[n] = 0;
	return n;
}

static bool read_item(const char **p, struct item *it)
{
	return proc_number(p, 10, &it->owner) && *(*p)++ == ':' && proc_number(p, 10, &it->id) &&
	       *(*p)++ == ':' && proc_number(p, 10, &it->inode) && *(*p)++ == ':' &&
	       unhex(p, it->ticket, sizeof(it->ticket)) && *(*p)++ == ':' &&
	       unhex(p, &it->peer, sizeof(it->peer)) && *(*p)++ == ':' &&
	       unhex(p, &it->local, sizeof(it->local)) && *(*p)++ == ';' && it->owner <= INT32_MAX;
}

static void take_in(const struct item *it, const int *fds, int n)
{
	struct flow *f;
	bool standard = false;

	if (!it->owner) {
		peers_note(it->inode, &it->peer, &it->local);
		return;
	}
	f = flow_new(FLOW_SESSION);
	if (!f)
		return;
	f->id = (uint32_t)it->id;
	f->owner = (int)it->owner;
	f->inode = it->inode;
	f->peer = it->peer;
	f->local = it->local;
	f->connect_told = true;
	memcpy(f->ticket, it->ticket, sizeof(f->ticket));
	for (int i = 0; i < n; i++) {
		flow_add_fd(f, fds[i]);
		standard |= fds[i] <= 2;
	}
	atomic_store(&f->state, FLOW_INHERITED);
	atomic_fetch_add(&inherited, 1);
	if (standard)
		kin_claim(f);
}

static void unset(void)
{
	char **to = environ;

	for (char **from = environ; *from; from++)
		if (strncmp(*from, KIN_VARIABLE "=", sizeof(KIN_VARIABLE)) != 0)
			*to++ = *from;
	*to = NULL;
}

void kin_read(void)
{
	const char *p = secure_getenv(KIN_VARIABLE);
	struct item it;

	for (int i = 0; p && i < ITEMS && *p; i++) {
		int fds[FLOW_ALIASES], n;

		if (!read_item(&p, &it))
			break;
		n = doubles_of(it.inode, fds, FLOW_ALIASES);
		if (n)
			take_in(&it, fds, n);
	}
	if (environ && getenv(KIN_VARIABLE))
		unset();
}

/* --- being the owner --- */

struct flow *kin_wanted(const char *line)
{
	uint64_t id;
	uint8_t ticket[16];

	if (!proc_number(&line, 10, &id) || *line++ != ' ' ||
	    !unhex(&line, ticket, sizeof(ticket)) || *line != '\n')
		return NULL;
	for (unsigned i = 0; i < flow_count(); i++) {
		struct flow *f = flow_at(i);
		uint32_t s = atomic_load(&f->state);
		uint8_t differs = 0;

		if (f->id != id || !f->owner || s == FLOW_FREE || s == FLOW_ENDED ||
		    s == FLOW_INHERITED || f->closed)
			continue;
		for (size_t k = 0; k < sizeof(ticket); k++)
			differs |= ticket[k] ^ f->ticket[k];
		return differs ? NULL : f;
	}
	return NULL;
}

/*
 * An epoll registration lives as long as the open file does, whoever has it: dropped with the last
 * reference in any process.
 */
int kin_before_close(int fd)
{
	struct epoll_event none = {0};
	int ep = own_call(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0);

	if (ep >= 0 && raw_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &none) < 0) {
		own_close(ep);
		ep = -1;
	}
	return ep < 0 ? -1 : ep;
}

static bool watches(int teller)
{
	char text[512];

	return proc_read("/proc/thread-self/fdinfo/", teller, "", text, sizeof(text)) > 0 &&
	       strstr(text, "tfd:");
}

bool kin_after_close(struct flow *f, int teller)
{
	if (teller < 0)
		return false;
	if (!watches(teller)) {
		own_close(teller);
		atomic_store(&f->shared, false);
		return false;
	}
	f->heirs_fd = teller;
	f->left = true;
	return true;
}

bool kin_gone(struct flow *f)
{
	return !own_intact(f->heirs_fd) || !watches(f->heirs_fd);
}
