/* SPDX-License-Identifier: MIT */
#include "preload/registrations.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "preload/lately.h"
#include "preload/own.h"
#include "preload/procfs.h"
#include "preload/raw.h"

#define EPOLLS 256

/*
 * The epoll instances of the process. To find them every descriptor has to be looked at, which
 * takes milliseconds where there are thousands, and a program that opens connections by the
 * thousand would pay for that with each. One that the hooks see for the first time makes the list
 * stale; for the others, of programs that go past the hooks, it is made anew when fifty times as
 * long has passed as that took.
 */
#define LIST_SHARE 50
static int epolls[EPOLLS];
static int nepolls;
static struct lately list = {.share = LIST_SHARE, .most_ms = 1000};
static _Atomic uint64_t listed[1024]; /* bits of those whose numbers are known, up to 65535 */

/*
 * All registrations there are, where they are many: each flow's are taken off and put back several
 * times in a handover, and reading an instance with a thousand of them takes a millisecond. Few are
 * read each time, for a program might change them past the hooks.
 */
#define READ_SHARE 10
#define FEW 64
#define KNOWN_MAX 65536 /* pages are touched as they are needed */
#define BUCKETS 4096
static struct known {
	struct reg reg;
	int next;       /* of the same bucket, + 1 */
	uint64_t inode; /* of the file that is registered; 0: this kernel does not say */
} known[KNOWN_MAX];
static int nknown;
static int bucket[BUCKETS]; /* by descriptor: the last one known, + 1 */
static bool whole;          /* they are many, and found room */
static struct lately reading = {.share = READ_SHARE, .most_ms = 200};

/*
 * What the hooks have seen change since: with it that remains good for as long, for a program that
 * opens connections by the thousand registers one after the other. Written with the flow's table
 * locked, as it is read.
 */
#define NUMBERS 65536 /* of descriptors of which it is known; with others a flow may always be */
enum said_what { SAID_UNKNOWN, SAID_GONE, SAID_IS };
static struct said {
	_Atomic uint32_t since; /* the reading it came after; others count no more */
	enum said_what what;
	struct reg reg;
} said[NUMBERS];
static _Atomic uint32_t readings = 1;
static _Atomic int seen_in[NUMBERS]; /* + 1; -1: in several */

static bool numbered(int fd)
{
	return (unsigned)fd < NUMBERS;
}

/* NULL: what was read is so. */
static struct said *said_of(int fd)
{
	bool since =
	    atomic_load_explicit(&said[fd].since, memory_order_acquire) == atomic_load(&readings);

	return since ? &said[fd] : NULL;
}

static void say(int fd, enum said_what what, struct reg reg)
{
	said[fd].what = what;
	said[fd].reg = reg;
	atomic_store_explicit(&said[fd].since, atomic_load(&readings), memory_order_release);
}

void reg_unknown(int fd)
{
	if (numbered(fd))
		say(fd, SAID_UNKNOWN, (struct reg){0});
	else
		lately_not(&reading);
}

void reg_changed(int epoll, int op, int fd, const struct epoll_event *ev)
{
	struct reg r = {.epoll = epoll, .fd = fd};

	if (!numbered(fd) || atomic_load(&seen_in[fd]) != epoll + 1) {
		reg_unknown(fd);
	} else if (op == EPOLL_CTL_DEL) {
		say(fd, SAID_GONE, r);
	} else {
		r.events = ev->events;
		r.data = ev->data.u64;
		say(fd, SAID_IS, r);
	}
}

void reg_cache_forget(void)
{
	lately_not(&reading);
}

/* All there is of these is known. */
static bool remembered(const int *fds, int nfds)
{
	if (!whole || !lately_was(&reading))
		return false;
	for (int i = 0; i < nfds; i++) {
		struct said *s = numbered(fds[i]) ? said_of(fds[i]) : NULL;

		if (s && s->what == SAID_UNKNOWN)
			return false;
	}
	return true;
}

void reg_epoll_seen(int epoll)
{
	unsigned n = (unsigned)epoll;

	if (n / 64 >= sizeof(listed) / sizeof(*listed) ||
	    !(atomic_load_explicit(&listed[n / 64], memory_order_relaxed) & 1ull << n % 64))
		lately_not(&list);
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
	lately_begin(&list);
	/* A number that is one no more may be one again, and is to be noticed then. */
	for (int i = 0; i < nepolls; i++)
		if ((unsigned)epolls[i] / 64 < sizeof(listed) / sizeof(*listed))
			atomic_fetch_and(&listed[epolls[i] / 64], ~(1ull << epolls[i] % 64));
	nepolls = 0;
	for (long n; (n = raw_getdents64(dir, buf, sizeof(buf))) > 0;) {
		for (long at = 0; at < n;) {
			struct dirent64_raw *d = (struct dirent64_raw *)(buf + at);

			at += d->len;
			if (d->name[0] < '0' || d->name[0] > '9' || own_is(atoi(d->name)))
				continue;
			long len = raw_readlinkat(dir, d->name, link, sizeof(link));

			if (len == 22 && memcmp(link, "anon_inode:[eventpoll]", 22) == 0 &&
			    nepolls < EPOLLS) {
				unsigned fd = (unsigned)atoi(d->name);

				epolls[nepolls++] = (int)fd;
				if (fd / 64 < sizeof(listed) / sizeof(*listed))
					atomic_fetch_or(&listed[fd / 64], 1ull << fd % 64);
			}
		}
	}
	own_shut(dir);
	lately_end(&list);
	return 0;
}

/*
 * Is the file on the descriptor registered in the instance? Most are in none at the time of
 * connect(), and asking is quicker than reading all that there are. Where the kernel does not tell
 * (no kcmp, a sandbox): perhaps.
 */
static bool perhaps_registered(int epoll, int fd)
{
	struct {
		uint32_t efd, tfd, toff;
	} slot = {(uint32_t)epoll, (uint32_t)fd, 0};
	long pid = raw_getpid(), r;

	r = raw_call6(SYS_kcmp, pid, pid, KCMP_EPOLL_TFD, fd, (long)&slot, 0);
	return r != -ENOENT;
}

static bool perhaps_any(const int *fds, int nfds)
{
	/* A sandbox may end the process for a call that it does not expect. */
	if (nepolls && proc_sandboxed())
		return true;
	for (int i = 0; i < nepolls; i++)
		for (int k = 0; k < nfds; k++)
			if (perhaps_registered(epolls[i], fds[k]))
				return true;
	return false;
}

/* Calls `each` for every registration of one epoll instance until it returns true. */
typedef bool each_fn(void *ctx, const struct reg *r, uint64_t inode);

/* "tfd: 7 events: 19 data: 7 pos:0 ino:2c97 sdev:8"; older kernels end before pos. */
static bool parse(const char *line, struct reg *r, uint64_t *inode)
{
	uint64_t fd, events, data;

	if (strncmp(line, "tfd:", 4) != 0)
		return false;
	line += 4;
	if (!proc_number(&line, 10, &fd) || !(line = proc_after(line, "events:")) ||
	    !proc_number(&line, 16, &events) || !(line = proc_after(line, "data:")) ||
	    !proc_number(&line, 16, &data))
		return false;
	r->fd = (int)fd;
	r->events = (uint32_t)events;
	r->data = data;
	line = proc_after(line, "ino:");
	if (!line || !proc_number(&line, 16, inode))
		*inode = 0;
	return true;
}

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
			uint64_t inode;

			*end = 0;
			if (!parse(line, &r, &inode))
				continue;
			if (each(ctx, &r, inode)) {
				own_shut(fd);
				return;
			}
		}
		have -= (size_t)(line - buf);
		memmove(buf, line, have);
	}
	own_shut(fd);
}

static bool remember(void *ctx, const struct reg *r, uint64_t inode)
{
	(void)ctx;
	if (nknown == KNOWN_MAX) {
		whole = false;
		return true;
	}
	int *first = &bucket[(unsigned)r->fd % BUCKETS];

	known[nknown++] = (struct known){*r, *first, inode};
	*first = nknown;
	return false;
}

/* Reads all there is. */
static void refresh(void)
{
	lately_begin(&reading);
	atomic_fetch_add(&readings, 1);
	whole = true;
	nknown = 0;
	memset(bucket, 0, sizeof(bucket));
	for (int i = 0; i < nepolls && whole; i++)
		walk(epolls[i], remember, NULL);
	whole = whole && nknown > FEW;
	lately_end(&reading);
}

struct wanted {
	const int *fds;
	int nfds;
	struct reg_set *set;
	bool overflow;
};

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
static void look_up_one(struct wanted *w)
{
	int fd = w->fds[0], walked = -1;
	struct said *now = numbered(fd) ? said_of(fd) : NULL;

	for (int i = bucket[(unsigned)fd % BUCKETS]; i && !w->overflow; i = known[i - 1].next) {
		const struct reg *r = &known[i - 1].reg;

		if (r->fd != fd || (now && now->reg.epoll == r->epoll))
			continue;
		if (!(r->events & EPOLLONESHOT)) {
			collect(w, r, known[i - 1].inode);
		} else if (r->epoll != walked) {
			walked = r->epoll;
			walk(walked, collect_once, w);
		}
	}
	if (!now || now->what != SAID_IS)
		return;
	if (now->reg.events & EPOLLONESHOT)
		walk(now->reg.epoll, collect_once, w);
	else
		collect(w, &now->reg, 0);
}

static void look_up(struct wanted *w)
{
	for (int i = 0; i < w->nfds; i++) {
		struct wanted one = {.fds = &w->fds[i], .nfds = 1, .set = w->set};

		look_up_one(&one);
		w->overflow |= one.overflow;
	}
}

/* Collects what there is into w->set and takes it off; false: something was not there any more. */
static bool take(struct wanted *w)
{
	struct reg_set *s = w->set;
	bool all = true;
	int kept = 0;

	s->n = 0;
	w->overflow = false;
	if (!remembered(w->fds, w->nfds))
		refresh();
	if (whole)
		look_up(w);
	for (int i = 0; i < nepolls && !whole && !w->overflow; i++)
		walk(epolls[i], collect, w);
	if (w->overflow)
		return true;
	/* An instance known by two numbers is listed twice; only one DEL succeeds. */
	for (int i = 0; i < s->n; i++) {
		if (raw_epoll_ctl(s->reg[i].epoll, EPOLL_CTL_DEL, s->reg[i].fd, NULL) == 0)
			s->reg[kept++] = s->reg[i];
		else
			all = false;
	}
	s->n = kept;
	return all;
}

int reg_take(struct reg_set *s, const int *fds, int nfds)
{
	struct wanted w = {.fds = fds, .nfds = nfds, .set = s};
	int saved = errno, r = lately_was(&list) ? 0 : scan_epolls();

	s->n = 0;
	if (r < 0)
		return r;
	bool believed = remembered(fds, nfds);

	/* What is remembered says it, too, and the kernel looks for it among all that there are. */
	if (!believed && !perhaps_any(fds, nfds))
		return 0;

	/* What was remembered was not so any more: the rest of it may not be, either. */
	if (!take(&w) && believed) {
		struct reg_set more = {.n = 0};
		struct wanted again = {.fds = fds, .nfds = nfds, .set = &more};

		lately_not(&reading);
		lately_not(&list);
		if (scan_epolls() == 0)
			take(&again);
		for (int i = 0; i < more.n && s->n < REG_MAX; i++)
			s->reg[s->n++] = more.reg[i];
		w.overflow = again.overflow;
	}
	errno = saved;
	return w.overflow ? -E2BIG : s->n;
}

/* Another file is on the number now. */
static void renew(const struct reg *r)
{
	struct stat st;

	for (int i = bucket[(unsigned)r->fd % BUCKETS]; i; i = known[i - 1].next) {
		struct known *k = &known[i - 1];

		if (k->reg.epoll == r->epoll && k->reg.fd == r->fd && k->inode &&
		    fstat(r->fd, &st) == 0)
			k->inode = st.st_ino;
	}
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

static _Atomic uint64_t with_flow[NUMBERS / 64];

bool reg_known(int epoll)
{
	return !numbered(epoll) ||
	       atomic_load_explicit(&with_flow[epoll / 64], memory_order_relaxed) >> (epoll % 64) &
	           1;
}

void reg_note(int epoll, int fd)
{
	int none = 0;

	if (numbered(fd) && !atomic_compare_exchange_strong(&seen_in[fd], &none, epoll + 1) &&
	    none != epoll + 1)
		atomic_store(&seen_in[fd], -1);
}

void reg_became_flow(int fd)
{
	int at = numbered(fd) ? atomic_load(&seen_in[fd]) : -1;

	if (at > 0 && numbered(at - 1))
		atomic_fetch_or(&with_flow[(at - 1) / 64], 1ull << ((at - 1) % 64));
	for (int i = 0; at < 0 && i < NUMBERS / 64; i++)
		atomic_store(&with_flow[i], ~0ull);
}

void reg_closed(int fd)
{
	if (numbered(fd) && atomic_load_explicit(&seen_in[fd], memory_order_relaxed))
		atomic_store_explicit(&seen_in[fd], 0, memory_order_relaxed);
}
