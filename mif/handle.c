/* SPDX-License-Identifier: MIT */
/* The calls of libmif: one descriptor to wait on for all that a subscriber may hear of. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "mif/internal.h"

#define READY 32

/* --- descriptors --- */

int watch_add(struct mif *m, struct watch *w, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = w};

	return epoll_ctl(m->epoll, EPOLL_CTL_ADD, w->fd, &e) < 0 ? -errno : 0;
}

int watch_change(struct mif *m, struct watch *w, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = w};

	return epoll_ctl(m->epoll, EPOLL_CTL_MOD, w->fd, &e) < 0 ? -errno : 0;
}

void watch_remove(struct mif *m, struct watch *w)
{
	if (m->owner == getpid())
		epoll_ctl(m->epoll, EPOLL_CTL_DEL, w->fd, NULL);
}

static int poll_bare(struct mif *m, int fd)
{
	/* Without a watch: what it brings is looked for in every step. */
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};

	return epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &e) < 0 && errno != EEXIST ? -errno : 0;
}

/* The monitor may open and close descriptors as it goes. */
static void follow_monitor(struct mif *m)
{
	int fds[MIF_MONITOR_FDS + 1], n = mif_monitor_fds(m->monitor, fds);

	if (m->resolvers.inotify >= 0)
		fds[n++] = m->resolvers.inotify;
	if (n == m->polls && memcmp(fds, m->polled, (size_t)n * sizeof(*fds)) == 0)
		return;
	for (int i = 0; i < m->polls; i++)
		epoll_ctl(m->epoll, EPOLL_CTL_DEL, m->polled[i], NULL);
	for (int i = 0; i < n; i++)
		poll_bare(m, fds[i]);
	memcpy(m->polled, fds, (size_t)n * sizeof(*fds));
	m->polls = n;
}

/* --- a step --- */

static void on_event(void *ctx, const struct mif_event *ev)
{
	struct mif *m = ctx;

	subscriber_event(&m->sub, ev);
	if (m->tap)
		m->tap(m->tap_ctx, ev);
	resolvers_note(&m->resolvers, clock_ms());
}

static void on_domain(void *ctx, int ifindex)
{
	struct mif *m = ctx;

	subscriber_note(&m->sub, ifindex);
}

static void dispatch(struct mif *m)
{
	struct epoll_event e[READY];
	int n = epoll_wait(m->epoll, e, READY, 0);

	/* One may take away another's descriptor: each closes only its own, and what it frees is
	 * freed in its step. */
	for (int i = 0; i < n; i++) {
		struct watch *w = e[i].data.ptr;

		if (w)
			w->ready(w, e[i].events);
	}
}

static void set_timer(struct mif *m, int64_t until)
{
	struct itimerspec t = {.it_value = {0, 0}};

	if (until == m->timer_ms)
		return;
	m->timer_ms = until;
	if (until != PVD_FOREVER) {
		if (until < 1)
			until = 1;
		t.it_value.tv_sec = until / 1000;
		t.it_value.tv_nsec = until % 1000 * 1000000;
	}
	timerfd_settime(m->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

static void read_counter(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return;
}

static void set_wake(struct mif *m)
{
	bool pending = subscriber_pending(&m->sub);
	uint64_t one = 1;

	if (pending == m->woken)
		return;
	m->woken = pending;
	if (!pending)
		read_counter(m->wake);
	else if (write(m->wake, &one, sizeof(one)) < 0)
		m->woken = false;
}

static int step(struct mif *m)
{
	int64_t until = PVD_FOREVER, now;
	int wait, r = mif_monitor_process(m->monitor);

	if (r < 0)
		return r;
	now = clock_ms();
	if (m->timer_ms <= now) {
		read_counter(m->timer);
		m->timer_ms = -1;
	}
	resolvers_step(&m->resolvers, mif_monitor_table(m->monitor), mif_monitor_pvds(m->monitor),
	               now);
	follow_monitor(m);
	dispatch(m);
	names_step(m, now, &until);
	connect_step(m, now, &until);
	if (m->resolvers.due < until)
		until = m->resolvers.due;
	wait = mif_monitor_timeout(m->monitor);
	if (wait >= 0 && now + wait < until)
		until = now + wait;
	set_timer(m, until);
	set_wake(m);
	return 0;
}

/* --- the calls --- */

static int start(struct mif *m)
{
	int r;

	m->epoll = epoll_create1(EPOLL_CLOEXEC);
	/* The clock of clock_ms(): goes on while the machine sleeps. */
	m->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->epoll < 0 || m->timer < 0 || m->wake < 0)
		return -errno;
	r = poll_bare(m, m->timer);
	if (r == 0)
		r = poll_bare(m, m->wake);
	if (r == 0)
		r = subscriber_init(&m->sub, NULL);
	if (r == 0)
		r = mif_monitor_open(&m->monitor, on_event, m, true);
	if (r < 0)
		return r;
	m->sub.domains = mif_monitor_domains(m->monitor);
	resolvers_open(&m->resolvers, "");
	mif_monitor_follow_domains(m->monitor, on_domain, m);
	return step(m);
}

int mif_open_tapped(struct mif **out, mif_event_fn *tap, void *ctx)
{
	struct mif *m = calloc(1, sizeof(*m));
	int r;

	*out = m;
	if (!m)
		return -ENOMEM;
	m->tap = tap;
	m->tap_ctx = ctx;
	m->owner = getpid();
	m->epoll = m->timer = m->wake = m->resolvers.inotify = -1;
	m->timer_ms = -1;
	r = start(m);
	if (r < 0) {
		mif_close(m);
		*out = NULL;
		return r;
	}
	return 0;
}

int mif_open(struct mif **out)
{
	int saved = errno, r = mif_open_tapped(out, NULL, NULL);

	errno = saved;
	return r;
}

void mif_close(struct mif *m)
{
	struct mif_message msg;
	int saved = errno;

	if (!m)
		return;
	names_close(m);
	connect_close(m);
	/* Sockets nobody has taken. */
	while (m->sub.queue && m->sub.waiting && subscriber_get(&m->sub, &msg))
		if (msg.type == MIF_CONNECTED)
			close(msg.fd);
	mif_monitor_close(m->monitor);
	resolvers_close(&m->resolvers);
	subscriber_free(&m->sub);
	if (m->wake >= 0)
		close(m->wake);
	if (m->timer >= 0)
		close(m->timer);
	if (m->epoll >= 0)
		close(m->epoll);
	free(m);
	errno = saved;
}

static bool terminated(const struct mif_message *msg)
{
	return memchr(msg->pvd, 0, sizeof(msg->pvd)) && memchr(msg->name, 0, sizeof(msg->name)) &&
	       memchr(msg->text, 0, sizeof(msg->text));
}

int mif_post(struct mif *m, const struct mif_message *msg)
{
	int saved = errno, r;

	if (!terminated(msg) || msg->interface < 0)
		return -EINVAL;
	r = step(m);
	if (r < 0)
		return r;
	switch (msg->type) {
	case MIF_TRANSLATE_NAME:
	case MIF_STOP_TRANSLATING_NAME:
		r = names_post(m, msg);
		break;
	case MIF_CONNECT_TO_ADDRESS:
	case MIF_CONNECT_TO_ADDRESS_FROM_ADDRESS:
	case MIF_STOP_CONNECTING:
		r = connect_post(m, msg);
		break;
	case MIF_WANTS_TO_CONNECT:
		/* What can be done without privilege: to look again whether there is something. */
		resolvers_note(&m->resolvers, 0);
		break;
	case MIF_CONNECTION_IS_IDLE:
	case MIF_CONNECTION_CAN_BE_BROKEN:
		break; /* they allow, and ask for nothing: libmif(3) */
	default:
		r = subscriber_post(&m->sub, msg);
		break;
	}
	if (r == 0)
		r = step(m);
	errno = saved;
	return r;
}

int mif_get(struct mif *m, struct mif_message *msg)
{
	int saved = errno, r = 0;
	bool got;

	memset(msg, 0, sizeof(*msg));
	/* What waits is given out before anything is asked: a storm must not come in between. */
	if (!m->sub.waiting)
		r = step(m);
	got = r == 0 && subscriber_get(&m->sub, msg);
	if (got)
		set_wake(m);
	errno = saved;
	return r < 0 ? r : got;
}

static int count_ready(const struct pollfd *p, nfds_t n)
{
	int ready = 0;

	for (nfds_t i = 0; i < n; i++)
		ready += p[i].revents != 0;
	return ready;
}

/* The caller's descriptors and ours; ours is the last. */
static int wait_for(struct mif *m, struct pollfd *fds, nfds_t n, struct pollfd *all, int64_t end)
{
	for (;;) {
		int64_t left = end - clock_ms();
		int r = step(m), timeout;

		if (r < 0)
			return r;
		if (n)
			memcpy(all, fds, n * sizeof(*all));
		all[n] = (struct pollfd){.fd = m->epoll, .events = POLLIN};
		timeout = m->woken || left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
		if (end == PVD_FOREVER && !m->woken)
			timeout = -1;
		if (poll(all, n + 1, timeout) < 0)
			return -errno;
		r = step(m);
		if (r < 0)
			return r;
		if (n)
			memcpy(fds, all, n * sizeof(*all));
		r = count_ready(fds, n) + m->woken;
		if (r || (end != PVD_FOREVER && clock_ms() >= end))
			return r;
	}
}

int mif_check(struct mif *m, struct pollfd *fds, nfds_t n, int timeout)
{
	int saved = errno, r;
	struct pollfd few[16], *all = few;

	if (n >= sizeof(few) / sizeof(*few))
		all = n < INT32_MAX / sizeof(*all) ? malloc((n + 1) * sizeof(*all)) : NULL;
	if (!all)
		return -ENOMEM;
	r = wait_for(m, fds, n, all, timeout < 0 ? PVD_FOREVER : clock_ms() + timeout);
	if (all != few)
		free(all);
	errno = saved;
	return r;
}

int mif_fd(const struct mif *m)
{
	return m->epoll;
}
