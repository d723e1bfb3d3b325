/* SPDX-License-Identifier: MIT */
#include "preload/registrations.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "preload/procfs.h"
#include "preload/raw.h"

#define EPOLLS 256
#define CACHE_MS 20

static int epolls[EPOLLS];
static int nepolls;

/*
 * All registrations there are, where they are many: each flow's are taken off and put back several
 * times in a handover, and reading an instance with a thousand of them takes a millisecond. Few are
 * read each time, for a program might change them past the hooks.
 */
#define FEW 64
#define KNOWN_MAX 4096
static struct known {
	struct reg reg;
	uint64_t inode; /* of the file that is registered; 0: this kernel does not say */
} known[KNOWN_MAX];
static int nknown;
static bool whole; /* they are many, and found room */
static int64_t scanned_ms;
static _Atomic bool stale = true;

void reg_cache_forget(void)
{
	atomic_store_explicit(&stale, true, memory_order_relaxed);
}

struct dirent64_raw {
	uint64_t ino;
	int64_t off;
	unsigned short len;
	unsigned char type;
	char name[];
};

/* Of the own thread: the main thread's are gone when it has left by pthread_exit(). */
static int scan_epolls(void)
{
	_Alignas(8) char buf[8192];
	char link[64];
	int dir = proc_at("/proc/thread-self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return dir;
	nepolls = 0;
	for (long n; (n = raw_getdents64(dir, buf, sizeof(buf))) > 0;) {
		for (long at = 0; at < n;) {
			struct dirent64_raw *d = (struct dirent64_raw *)(buf + at);

			at += d->len;
			if (d->name[0] < '0' || d->name[0] > '9')
				continue;
			long len = raw_readlinkat(dir, d->name, link, sizeof(link));

			if (len == 22 && memcmp(link, "anon_inode:[eventpoll]", 22) == 0 &&
			    nepolls < EPOLLS)
				epolls[nepolls++] = atoi(d->name);
		}
	}
	raw_close(dir);
	return 0;
}

/* Calls `each` for every registration of one epoll instance until it returns true. */
typedef bool each_fn(void *ctx, const struct reg *r, uint64_t inode);

static void walk(int epoll, each_fn *each, void *ctx)
{
	char buf[4096 + 1], path[64];
	size_t have = 0;

	snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%d", epoll);
	int fd = proc_at(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	for (long n; (n = raw_read(fd, buf + have, sizeof(buf) - 1 - have)) > 0;) {
		have += (size_t)n;
		buf[have] = 0;
		char *line = buf;

		for (char *end; (end = strchr(line, '\n')); line = end + 1) {
			struct reg r = {.epoll = epoll};
			unsigned events;
			unsigned long long data, inode = 0;

			*end = 0;
			if (sscanf(line, "tfd: %d events: %x data: %llx pos:%*d ino:%llx", &r.fd,
			           &events, &data, &inode) < 3)
				continue;
			r.events = events;
			r.data = data;
			if (each(ctx, &r, inode)) {
				raw_close(fd);
				return;
			}
		}
		have -= (size_t)(line - buf);
		memmove(buf, line, have);
	}
	raw_close(fd);
}

static bool remember(void *ctx, const struct reg *r, uint64_t inode)
{
	(void)ctx;
	if (nknown == KNOWN_MAX) {
		whole = false;
		return true;
	}
	known[nknown++] = (struct known){*r, inode};
	return false;
}

/* Reads all there is, unless that was done a moment ago and nothing was changed since. */
static int refresh(void)
{
	int64_t now = clock_ms();

	if (!atomic_exchange(&stale, false) && now - scanned_ms < CACHE_MS)
		return 0;
	scanned_ms = now;
	int r = scan_epolls();

	if (r < 0)
		scanned_ms = 0;
	whole = r == 0;
	nknown = 0;
	for (int i = 0; i < nepolls && whole; i++)
		walk(epolls[i], remember, NULL);
	whole = whole && nknown > FEW;
	return r;
}

struct wanted {
	const int *fds;
	int nfds;
	struct reg_set *set;
	bool overflow;
};

static bool among(const struct wanted *w, int fd)
{
	for (int i = 0; i < w->nfds; i++)
		if (w->fds[i] == fd)
			return true;
	return false;
}

static bool collect(void *ctx, const struct reg *r, uint64_t inode)
{
	struct wanted *w = ctx;

	for (int i = 0; i < w->nfds; i++) {
		struct stat st;

		if (w->fds[i] != r->fd)
			continue;
		/* A registration of a file that has gone from this number cannot be reached by it.
		 */
		if (inode && (fstat(r->fd, &st) < 0 || st.st_ino != inode))
			return false;
		if (w->set->n == REG_MAX) {
			w->overflow = true;
			return true;
		}
		w->set->reg[w->set->n++] = *r;
		return false;
	}
	return false;
}

static bool collect_once(void *ctx, const struct reg *r, uint64_t inode)
{
	return r->events & EPOLLONESHOT ? collect(ctx, r, inode) : false;
}

/*
 * The same from what is remembered. What the kernel itself changes, at each event of a one-shot
 * registration, is read anew.
 */
static void look_up(struct wanted *w)
{
	int walked = -1;

	for (int i = 0; i < nknown && !w->overflow; i++) {
		const struct reg *r = &known[i].reg;

		if (!(r->events & EPOLLONESHOT)) {
			collect(w, r, known[i].inode);
		} else if (r->epoll != walked && among(w, r->fd)) {
			walked = r->epoll;
			walk(walked, collect_once, w);
		}
	}
}

int reg_take(struct reg_set *s, const int *fds, int nfds)
{
	struct wanted w = {.fds = fds, .nfds = nfds, .set = s};
	int saved = errno, r, kept = 0;

	s->n = 0;
	r = refresh();
	if (r < 0)
		return r;
	if (whole)
		look_up(&w);
	for (int i = 0; i < nepolls && !whole && !w.overflow; i++)
		walk(epolls[i], collect, &w);
	errno = saved;
	if (w.overflow)
		return -E2BIG;
	/* An instance known by two numbers is listed twice; only one DEL succeeds. */
	for (int i = 0; i < s->n; i++)
		if (raw_epoll_ctl(s->reg[i].epoll, EPOLL_CTL_DEL, s->reg[i].fd, NULL) == 0)
			s->reg[kept++] = s->reg[i];
	s->n = kept;
	return kept;
}

/* Another file is on the number now. */
static void renew(const struct reg *r)
{
	struct stat st;

	for (int i = 0; i < nknown; i++)
		if (known[i].reg.epoll == r->epoll && known[i].reg.fd == r->fd && known[i].inode &&
		    fstat(r->fd, &st) == 0)
			known[i].inode = st.st_ino;
}

void reg_put(const struct reg_set *s)
{
	for (int i = 0; i < s->n; i++) {
		struct epoll_event ev = {.events = s->reg[i].events, .data.u64 = s->reg[i].data};

		if (raw_epoll_ctl(s->reg[i].epoll, EPOLL_CTL_ADD, s->reg[i].fd, &ev) == 0)
			renew(&s->reg[i]);
	}
}

struct sought {
	uint64_t data;
	int fd;
};

static bool match(void *ctx, const struct reg *r, uint64_t inode)
{
	struct sought *s = ctx;

	(void)inode;
	if (r->data != s->data)
		return false;
	s->fd = r->fd;
	return true;
}

int reg_find(int epoll, uint64_t data)
{
	struct sought s = {.data = data, .fd = -1};

	walk(epoll, match, &s);
	return s.fd;
}
