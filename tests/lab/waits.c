/* SPDX-License-Identifier: MIT */
/*
 * Waiting through handovers: waits NAME HOST PORT, with an echo server there. See trial.h.
 *
 * Each way to wait is tried for two promises: that it returns once, for what happened and nothing
 * else, and that its time limit is kept however often the connection moves meanwhile.
 */
#include "tests/lab/trial.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#define LIMIT_MS 1500 /* of a wait for nothing */
#define FLAPS 9       /* while it lasts, and long after */
#define FLAP_MS 350
#define ROUNDS 4

/* Waits for fd to be readable: as poll() returns, the events in *got. */
typedef int wait_fn(int fd, int ms, short *got);

/* --- the ways --- */

static int by_poll(int fd, int ms, short *got)
{
	/* A number that is none is passed over, wherever it stands. */
	struct pollfd p[3] = {{.fd = -1, .events = POLLIN, .revents = 77},
	                      {.fd = fd, .events = POLLIN},
	                      {.fd = -fd, .events = POLLIN, .revents = 77}};
	int r = poll(p, 3, ms);

	must(r < 0 || (!p[0].revents && !p[2].revents), "an event of no descriptor");
	*got = p[1].revents;
	return r;
}

static int by_ppoll(int fd, int ms, short *got)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	const struct timespec before = t;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int r = ppoll(&p, 1, ms < 0 ? NULL : &t, NULL);

	must(!memcmp(&t, &before, sizeof(t)), "ppoll changed the limit");
	*got = p.revents;
	return r;
}

static int by_select(int fd, int ms, short *got)
{
	struct timeval t = {ms / 1000, ms % 1000 * 1000};
	fd_set r, w, x;

	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&x);
	FD_SET(fd, &r);
	FD_SET(fd, &x);
	int n = select(fd + 1, &r, NULL, &x, ms < 0 ? NULL : &t);

	must(n <= 0 || !FD_ISSET(fd, &x), "select tells of an exception");
	*got = n > 0 && FD_ISSET(fd, &r) ? POLLIN : 0;
	return n;
}

static int by_pselect(int fd, int ms, short *got)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	const struct timespec before = t;
	fd_set r;

	FD_ZERO(&r);
	FD_SET(fd, &r);
	int n = pselect(fd + 1, &r, NULL, NULL, ms < 0 ? NULL : &t, NULL);

	must(!memcmp(&t, &before, sizeof(t)), "pselect changed the limit");
	*got = n > 0 && FD_ISSET(fd, &r) ? POLLIN : 0;
	return n;
}

/* Sets larger than FD_SETSIZE says, as some programs use them. */
static int by_large_select(int fd, int ms, short *got)
{
	struct timeval t = {ms / 1000, ms % 1000 * 1000};
	unsigned long r[64] = {0};

	r[fd / 64] |= 1ul << fd % 64;
	int n = select(fd + 1, (fd_set *)(void *)r, NULL, NULL, ms < 0 ? NULL : &t);

	*got = n > 0 && r[fd / 64] >> fd % 64 & 1 ? POLLIN : 0;
	return n;
}

static int ep = -1;

static int first_event(int n, const struct epoll_event *ev, int fd, short *got)
{
	must(n <= 1, "%d events of one descriptor", n);
	*got = n == 1 ? (short)ev->events : 0;
	must(n <= 0 || ev->data.fd == fd, "an event of another");
	return n;
}

static int by_epoll(int fd, int ms, short *got)
{
	struct epoll_event ev[4];

	return first_event(epoll_wait(ep, ev, 4, ms), ev, fd, got);
}

static int by_epoll_pwait2(int fd, int ms, short *got)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	struct epoll_event ev[4];

	return first_event(epoll_pwait2(ep, ev, 4, ms < 0 ? NULL : &t, NULL), ev, fd, got);
}

static void watch(int epoll, int op, int fd, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.fd = fd};

	must(epoll_ctl(epoll, op, fd, &ev) == 0, "epoll_ctl %d", op);
}

/* --- what is tried of each --- */

static void *flapper(void *on)
{
	for (int i = 0; i < FLAPS && *(_Atomic bool *)on; i++) {
		pause_ms(FLAP_MS);
		event(i % 2 ? "wlan0 up" : "wlan0 down");
	}
	event("wlan0 up");
	return NULL;
}

/* Nothing comes, and the wait ends at its limit, though the connection moves all the time. */
static void keeps_limit(const char *name, int fd, wait_fn *wait)
{
	_Atomic bool on = true;
	short got;
	pthread_t t = begin(flapper, &on);
	double start = now_s();
	int r = wait(fd, LIMIT_MS, &got);
	double took = (now_s() - start) * 1000;

	must(r == 0, "%s returned %d with events %#x after %.0f ms", name, r, (unsigned)got, took);
	must(took >= LIMIT_MS, "%s ended early, after %.1f ms", name, took);
	must(took < 2 * LIMIT_MS, "%s ended late, after %.0f ms", name, took);
	atomic_store(&on, false);
	join(t);
	pause_ms(300);
}

static void *sends_after_event(void *arg)
{
	int *a = arg;

	pause_ms(150);
	event(a[1] % 2 ? "wlan0 up" : "wlan0 down");
	pause_ms(150);
	put(a[0], "0123456789abcdef", 16);
	return NULL;
}

/* One return for what came, with POLLIN alone. */
static void tells_once(const char *name, int fd, wait_fn *wait)
{
	for (int i = 0; i < ROUNDS; i++) {
		int arg[2] = {fd, i}, r;
		char in[17] = "";
		short got = 0;
		pthread_t t = begin(sends_after_event, arg);

		r = wait(fd, -1, &got);
		must(r == 1 && got == POLLIN, "%s returned %d with %#x", name, r, (unsigned)got);
		ssize_t n = recv(fd, in, 16, MSG_DONTWAIT);

		must(n > 0, "%s told of bytes that are not there (%zd)", name, n);
		get(fd, in + n, 16 - (size_t)n);
		must(!strcmp(in, "0123456789abcdef"), "other bytes");
		join(t);
		r = wait(fd, 0, &got);
		must(r == 0, "%s tells of %#x with nothing there", name, (unsigned)got);
	}
}

static void both(const char *name, int fd, wait_fn *wait)
{
	echo(fd, name);
	keeps_limit(name, fd, wait);
	echo(fd, name);
	tells_once(name, fd, wait);
	echo(fd, name);
}

static void try_poll(void)
{
	both("poll", dial(), by_poll);
}

static void try_ppoll(void)
{
	both("ppoll", dial(), by_ppoll);
}

static void try_select(void)
{
	both("select", dial(), by_select);
}

static void try_pselect(void)
{
	both("pselect", dial(), by_pselect);
}

static int high(int fd)
{
	struct rlimit most;

	must(getrlimit(RLIMIT_NOFILE, &most) == 0, "getrlimit");
	if (most.rlim_cur < 2048)
		most.rlim_cur = 2048;
	must(setrlimit(RLIMIT_NOFILE, &most) == 0, "setrlimit");
	must(dup2(fd, 1500) == 1500, "dup2");
	close(fd);
	return 1500;
}

static void try_high(void)
{
	int fd = high(dial());

	both("poll above 1024", fd, by_poll);
	both("select above 1024", fd, by_large_select);
}

static void epoll_with(const char *name, uint32_t events, wait_fn *wait)
{
	int fd = dial();

	ep = epoll_create1(0);
	watch(ep, EPOLL_CTL_ADD, fd, events);
	both(name, fd, wait);
}

static void try_epoll(void)
{
	epoll_with("epoll_wait", EPOLLIN, by_epoll);
}

static void try_pwait2(void)
{
	epoll_with("epoll_pwait2", EPOLLIN, by_epoll_pwait2);
}

/* Registered while it is no connection yet. */
static void try_early(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct epoll_event ev;

	ep = epoll_create1(0);
	watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLET);
	must(connect(fd, (struct sockaddr *)&trial_server, sizeof(trial_server)) < 0 &&
	         errno == EINPROGRESS,
	     "connect");
	for (double end = now_s() + 10;;) {
		must(now_s() < end, "no edge of the connection");
		if (epoll_wait(ep, &ev, 1, 1000) == 1 && ev.events & EPOLLOUT &&
		    !(ev.events & EPOLLHUP))
			break;
	}
	must(ev.events == EPOLLOUT && ev.data.fd == fd, "events %#x", ev.events);
	fcntl(fd, F_SETFL, 0);
	watch(ep, EPOLL_CTL_MOD, fd, EPOLLIN);
	both("registered early", fd, by_epoll);
}

/* One instance after the other, each made when those before are known. */
static void try_anew(void)
{
	for (int i = 0; i < 8; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		struct epoll_event ev = {0};

		ep = epoll_create1(0);
		watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLET);
		must(connect(fd, (struct sockaddr *)&trial_server, sizeof(trial_server)) < 0 &&
		         errno == EINPROGRESS,
		     "connect");
		for (double end = now_s() + 5; !(ev.events & EPOLLOUT) || ev.events & EPOLLHUP;) {
			must(now_s() < end, "no edge of connection %d", i);
			epoll_wait(ep, &ev, 1, 1000);
		}
		if (i < 7)
			continue;
		fcntl(fd, F_SETFL, 0);
		watch(ep, EPOLL_CTL_MOD, fd, EPOLLIN);
		both("registered in a new instance", fd, by_epoll);
	}
}

static void dial_watched(int epoll, int fd)
{
	watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLET);
	must(connect(fd, (struct sockaddr *)&trial_server, sizeof(trial_server)) < 0 &&
	         errno == EINPROGRESS,
	     "connect");
}

static void await_connected(int epoll, const char *which)
{
	struct epoll_event ev = {0};

	for (double end = now_s() + 5; !(ev.events & EPOLLOUT) || ev.events & EPOLLHUP;) {
		must(now_s() < end, "no edge of the %s connection", which);
		epoll_wait(epoll, &ev, 1, 1000);
	}
}

/* An instance on the number of one that is gone, as it was found a moment ago. */
static void try_reused(void)
{
	int fd[3], first = epoll_create1(0), second;

	for (int i = 0; i < 3; i++)
		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	dial_watched(first, fd[0]);
	await_connected(first, "first");
	/* What is new makes the library look for all there are: then there is none on the first's
	 * number. */
	second = epoll_create1(0);
	close(first);
	dial_watched(second, fd[1]);
	ep = epoll_create1(0);
	must(ep == first, "the number is not used again");
	dial_watched(ep, fd[2]);
	await_connected(ep, "third");
	await_connected(second, "second");
	fcntl(fd[2], F_SETFL, 0);
	watch(ep, EPOLL_CTL_MOD, fd[2], EPOLLIN);
	both("registered in an instance on an old number", fd[2], by_epoll);
}

/* --- edges --- */

/*
 * Reads all there is at each edge and nothing without one: an edge that is lost is a stall. A
 * handover may add an edge with nothing behind it, but not more than a few.
 */
static void edges(uint32_t flags)
{
	enum { TOTAL = 400 * 1000 };
	int fd = dial();
	_Atomic bool on = true;
	size_t sent = 0, got = 0;
	int idle = 0;
	bool writable = false;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	ep = epoll_create1(0);
	watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | flags);
	pthread_t t = begin(flapper, &on);
	double start = now_s();

	while (got < TOTAL || now_s() - start < FLAPS * FLAP_MS / 1000.0) {
		struct epoll_event ev;
		int n = epoll_wait(ep, &ev, 1, got < TOTAL ? 15000 : 100);
		char buf[4096];
		ssize_t r;

		if (n == 0 && got == TOTAL)
			continue;
		must(n == 1, "an edge is lost: %d after %zu of %d", n, got, TOTAL);
		must(!(ev.events & ~(uint32_t)(EPOLLIN | EPOLLOUT)), "event %#x", ev.events);
		size_t before = got;

		for (; ev.events & EPOLLIN && (r = read(fd, buf, sizeof(buf))) > 0; got += r)
			for (ssize_t i = 0; i < r; i++)
				must(buf[i] == (char)((got + (size_t)i) % 251), "byte %zu",
				     got + (size_t)i);
		if (ev.events & EPOLLIN)
			must(r < 0 && errno == EAGAIN, "read: %zd", r);
		writable = ev.events & EPOLLOUT;
		/* Slowly enough that the network changes many times meanwhile. */
		while (writable && sent < TOTAL) {
			char out[1000];

			for (size_t i = 0; i < sizeof(out); i++)
				out[i] = (char)((sent + i) % 251);
			r = write(fd, out, TOTAL - sent < sizeof(out) ? TOTAL - sent : sizeof(out));
			writable = r > 0;
			must(r > 0 || errno == EAGAIN, "write: %zd", r);
			sent += r > 0 ? (size_t)r : 0;
			pause_ms(r > 0 && sent % 5000 == 0 ? 20 : 0);
		}
		idle += got == before && !(ev.events & EPOLLOUT);
		if (flags & EPOLLONESHOT) {
			/* Not armed: whatever happens, no event. */
			must(epoll_wait(ep, &ev, 1, 3) == 0, "one-shot gave a second");
			watch(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT | flags);
		}
	}
	atomic_store(&on, false);
	join(t);
	if (!(flags & EPOLLONESHOT))
		must(idle <= 8 * FLAPS, "%d edges with nothing behind them", idle);
	echo(fd, "edges");
}

static void try_edge(void)
{
	edges(EPOLLET);
}

static void try_oneshot(void)
{
	edges(EPOLLONESHOT);
}

/* A one-shot registration that has fired stays disarmed through a handover, and is armed after. */
static void try_disarmed(void)
{
	int fd = dial();
	struct epoll_event ev;
	char in[16];

	ep = epoll_create1(0);
	watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT);
	for (int i = 0; i < ROUNDS; i++) {
		put(fd, "0123456789abcdef", 16);
		must(epoll_wait(ep, &ev, 1, 10000) == 1 && ev.events == EPOLLIN, "no event");
		event(i % 2 ? "wlan0 up" : "wlan0 down");
		must(epoll_wait(ep, &ev, 1, 1200) == 0, "fired twice: %#x", ev.events);
		watch(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT);
		must(epoll_wait(ep, &ev, 1, 10000) == 1 && ev.events == EPOLLIN, "not re-armed");
		get(fd, in, 16);
		watch(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT);
	}
	echo(fd, "disarmed");
}

/* --- several instances --- */

static _Atomic int woken;

static void *excluded(void *arg)
{
	struct epoll_event ev;
	int n = epoll_wait(*(int *)arg, &ev, 1, 12000);

	must(n >= 0, "epoll_wait");
	must(n == 0 || ev.events == EPOLLIN, "event %#x", ev.events);
	atomic_fetch_add(&woken, n);
	return NULL;
}

/* Two instances and two threads with EPOLLEXCLUSIVE: at least one is told, and the mark stays. */
static void try_exclusive(void)
{
	int fd = dial(), a = epoll_create1(0), b = epoll_create1(0);
	char in[16];

	watch(a, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE);
	watch(b, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE);
	event("wlan0 down");
	pause_ms(700);
	struct epoll_event mod = {.events = EPOLLIN, .data.fd = fd};

	must(epoll_ctl(a, EPOLL_CTL_MOD, fd, &mod) < 0 && errno == EINVAL,
	     "what is exclusive was modified");
	pthread_t t[2] = {begin(excluded, &a), begin(excluded, &b)};

	pause_ms(200);
	event("wlan0 up");
	pause_ms(700);
	must(atomic_load(&woken) == 0, "woken by nothing");
	put(fd, "0123456789abcdef", 16);
	for (int i = 0; i < 100 && !atomic_load(&woken); i++)
		pause_ms(100);
	must(atomic_load(&woken) > 0, "nobody was told");
	get(fd, in, 16);
	while (atomic_load(&woken) < 2) { /* the other one's turn */
		put(fd, "0123456789abcdef", 16);
		pause_ms(200);
		get(fd, in, 16);
	}
	join(t[0]);
	join(t[1]);
	must(epoll_ctl(a, EPOLL_CTL_DEL, fd, NULL) == 0, "DEL");
	must(epoll_ctl(b, EPOLL_CTL_DEL, fd, NULL) == 0, "DEL");
	echo(fd, "exclusive");
}

static int outer_fd, inner_fd;

static int by_nested(int fd, int ms, short *got)
{
	struct epoll_event ev;
	int n = epoll_wait(outer_fd, &ev, 1, ms);

	*got = 0;
	if (n <= 0)
		return n;
	must(ev.data.fd == inner_fd && ev.events == EPOLLIN, "the outer says %#x", ev.events);
	n = epoll_wait(inner_fd, &ev, 1, 0);
	must(n == 1 && ev.data.fd == fd, "the inner has nothing");
	*got = (short)ev.events;
	return n;
}

static int by_poll_of_epoll(int fd, int ms, short *got)
{
	struct pollfd p = {.fd = inner_fd, .events = POLLIN};
	int n = poll(&p, 1, ms);

	return n <= 0 ? n : by_nested(fd, 0, got);
}

static void try_nested(void)
{
	int fd = dial();

	inner_fd = epoll_create1(0);
	outer_fd = epoll_create1(0);
	watch(inner_fd, EPOLL_CTL_ADD, fd, EPOLLIN);
	watch(outer_fd, EPOLL_CTL_ADD, inner_fd, EPOLLIN);
	both("nested", fd, by_nested);
	both("poll of an epoll", fd, by_poll_of_epoll);
}

/* MOD, DEL and ADD at any time, also in the middle of a handover, never fail. */
static void try_rearm(void)
{
	int fd = dial(), other = dup(fd);
	_Atomic bool on = true;
	struct epoll_event ev = {0};

	ep = epoll_create1(0);
	watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN);
	watch(ep, EPOLL_CTL_ADD, other, EPOLLOUT);
	pthread_t t = begin(flapper, &on);
	double end = now_s() + FLAPS * FLAP_MS / 1000.0;

	for (unsigned i = 0; now_s() < end; i++) {
		watch(ep, EPOLL_CTL_MOD, fd, i % 2 ? EPOLLIN : EPOLLIN | EPOLLONESHOT);
		if (i % 5 == 0) {
			watch(ep, EPOLL_CTL_DEL, other, 0);
			watch(ep, EPOLL_CTL_ADD, other, EPOLLOUT | EPOLLET);
		}
		if (i % 100 == 0)
			echo(fd, "rearm");
	}
	atomic_store(&on, false);
	join(t);
	watch(ep, EPOLL_CTL_DEL, fd, 0);
	watch(ep, EPOLL_CTL_DEL, other, 0);
	event("wlan0 down");
	put(fd, "0123456789abcdef", 16);
	must(epoll_wait(ep, &ev, 1, 700) == 0, "an event of what was taken off");
	char in[16];

	get(fd, in, 16);
	event("wlan0 up");
	must(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev) < 0 && errno == ENOENT, "MOD after DEL");
	close(other);
	echo(fd, "rearm");
}

/* --- beside other descriptors --- */

static void *tick_beside(void *arg)
{
	uint64_t one = 1;
	int *a = arg;

	for (int i = 0; i < 20; i++) {
		pause_ms(100);
		if (i % 4 == 1)
			event(i % 8 == 1 ? "wlan0 down" : "wlan0 up");
		must(write(a[0], &one, sizeof(one)) == sizeof(one), "eventfd");
		must(pthread_kill(*(pthread_t *)(void *)(a + 2), SIGUSR2) == 0, "kill");
		put(a[1], "0123456789abcdef", 16);
	}
	return NULL;
}

static void try_beside(void)
{
	sigset_t usr2;
	struct itimerspec every = {{0, 100000000}, {0, 100000000}};
	struct {
		int fd[2];
		pthread_t me;
	} a = {{eventfd(0, 0), dial()}, pthread_self()};
	uint64_t kicks = 0, ticks = 0;
	int signals = 0;
	size_t bytes = 0;

	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &usr2, NULL);
	int sfd = signalfd(-1, &usr2, SFD_NONBLOCK), tfd = timerfd_create(CLOCK_MONOTONIC, 0);

	timerfd_settime(tfd, 0, &every, NULL);
	ep = epoll_create1(0);
	for (int i = 0; i < 2; i++)
		watch(ep, EPOLL_CTL_ADD, a.fd[i], EPOLLIN);
	watch(ep, EPOLL_CTL_ADD, sfd, EPOLLIN);
	watch(ep, EPOLL_CTL_ADD, tfd, EPOLLIN);
	pthread_t t = begin(tick_beside, &a);
	double start = now_s();

	while (bytes < 20 * 16 || kicks < 20) {
		struct epoll_event ev[4];
		int n = epoll_wait(ep, ev, 4, 10000);

		must(n > 0, "epoll_wait: %d after %zu bytes, %d kicks", n, bytes, (int)kicks);
		for (int i = 0; i < n; i++) {
			struct signalfd_siginfo si;
			uint64_t v = 0;
			char in[64];

			must(ev[i].events == EPOLLIN, "event %#x", ev[i].events);
			if (ev[i].data.fd == sfd) {
				must(read(sfd, &si, sizeof(si)) == sizeof(si) &&
				         si.ssi_signo == SIGUSR2,
				     "signalfd");
				signals++;
			} else if (ev[i].data.fd == a.fd[1]) {
				ssize_t r = read(a.fd[1], in, sizeof(in));

				must(r > 0, "the flow: %zd", r);
				bytes += (size_t)r;
			} else {
				must(read(ev[i].data.fd, &v, sizeof(v)) == sizeof(v), "a counter");
				*(ev[i].data.fd == tfd ? &ticks : &kicks) += v;
			}
		}
	}
	join(t);
	/* Signals that came together are one. */
	must(signals > 0 && signals <= 20, "%d signals", signals);
	must((double)ticks <= (now_s() - start) * 10 + 1 && ticks >= 15, "%d ticks", (int)ticks);
	event("wlan0 up");
	echo(a.fd[1], "beside");
}

/* --- masks --- */

static _Atomic int caught;

static void on_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&caught, 1);
}

/* A signal that is pending when the wait begins ends it at once, and never outside it. */
static void try_masks(void)
{
	int fd = dial();
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct timespec ten = {10, 0};
	struct epoll_event ev;
	sigset_t usr1, open;
	fd_set r;

	sigfillset(&sa.sa_mask);
	sigaction(SIGUSR1, &sa, NULL);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, &open);
	ep = epoll_create1(0);
	watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN);
	for (int i = 0; i < 12; i++) {
		int n;

		if (i % 4 == 0)
			event(i % 8 ? "wlan0 up" : "wlan0 down");
		must(atomic_load(&caught) == i, "caught outside the wait");
		raise(SIGUSR1);
		double start = now_s();

		FD_ZERO(&r);
		FD_SET(fd, &r);
		if (i % 4 == 0)
			n = ppoll(&p, 1, &ten, &open);
		else if (i % 4 == 1)
			n = pselect(fd + 1, &r, NULL, NULL, &ten, &open);
		else if (i % 4 == 2)
			n = epoll_pwait(ep, &ev, 1, 10000, &open);
		else
			n = epoll_pwait2(ep, &ev, 1, &ten, &open);
		must(n < 0 && errno == EINTR, "wait %d returned %d", i % 4, n);
		must(atomic_load(&caught) == i + 1, "not caught");
		must(now_s() - start < 5, "a pending signal was waited past");
	}
	event("wlan0 up");
	echo(fd, "masks");
}

/* --- time limits of the socket --- */

static void limit(int fd, int name, int ms)
{
	struct timeval t = {ms / 1000, ms % 1000 * 1000};

	must(setsockopt(fd, SOL_SOCKET, name, &t, sizeof(t)) == 0, "setsockopt");
}

static int by_recv(int fd, int ms, short *got)
{
	char c;
	ssize_t n = recv(fd, &c, 1, 0);

	(void)ms;
	*got = POLLIN;
	return n < 0 && errno == EAGAIN ? 0 : (int)n;
}

static int by_read(int fd, int ms, short *got)
{
	char c;
	ssize_t n = read(fd, &c, 1);

	(void)ms;
	*got = POLLIN;
	return n < 0 && errno == EAGAIN ? 0 : (int)n;
}

static int by_recvmsg(int fd, int ms, short *got)
{
	char c;
	struct iovec v = {&c, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	ssize_t n = recvmsg(fd, &m, 0);

	(void)ms;
	*got = POLLIN;
	return n < 0 && errno == EAGAIN ? 0 : (int)n;
}

static void try_rcvtimeo(void)
{
	int fd = dial();

	limit(fd, SO_RCVTIMEO, LIMIT_MS);
	echo(fd, "rcvtimeo");
	keeps_limit("recv with SO_RCVTIMEO", fd, by_recv);
	keeps_limit("read with SO_RCVTIMEO", fd, by_read);
	keeps_limit("recvmsg with SO_RCVTIMEO", fd, by_recvmsg);
	echo(fd, "rcvtimeo");
}

/* The limit was set before the connection was made. */
static void try_rcvtimeo_early(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	limit(fd, SO_RCVTIMEO, LIMIT_MS);
	must(connect(fd, (struct sockaddr *)&trial_server, sizeof(trial_server)) == 0, "connect");
	echo(fd, "rcvtimeo");
	keeps_limit("recv with an early SO_RCVTIMEO", fd, by_recv);
	echo(fd, "rcvtimeo");
}

static void *reads_slowly(void *arg)
{
	int fd = *(int *)arg;
	static char buf[1 << 16];
	size_t got = 0;

	for (ssize_t n; (n = read(fd, buf, sizeof(buf))) > 0 || errno == EAGAIN;) {
		for (ssize_t i = 0; i < n; i++)
			must(buf[i] == (char)((got + (size_t)i) % 251), "byte %zu",
			     got + (size_t)i);
		got += n > 0 ? (size_t)n : 0;
	}
	return (void *)got;
}

/*
 * The path is lost, every path: a full buffer stays full, and SO_SNDTIMEO ends the write. What it
 * says was written is written.
 */
static void try_sndtimeo(void)
{
	static char out[64 << 20];
	int fd = dial();
	size_t sent = 0;

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i % 251);
	echo(fd, "sndtimeo");
	limit(fd, SO_SNDTIMEO, LIMIT_MS);
	event("wwan0 down");
	event("wlan0 down");
	for (int i = 0;; i++) {
		double start = now_s();
		ssize_t n = send(fd, out + sent, sizeof(out) - sent, MSG_NOSIGNAL);
		double took = (now_s() - start) * 1000;

		must(took < 2 * LIMIT_MS + 500, "the write ended late, after %.0f ms", took);
		if (n < 0) {
			must(errno == EAGAIN, "send");
			must(took >= LIMIT_MS, "EAGAIN early, after %.0f ms", took);
			break;
		}
		must(n > 0 && i < 20, "send says %zd", n);
		sent += (size_t)n;
	}
	event("wlan0 up");
	event("wwan0 up");
	pthread_t t = begin(reads_slowly, &fd);
	void *got;

	shutdown(fd, SHUT_WR);
	must(pthread_join(t, &got) == 0, "join");
	must((size_t)got == sent, "%zu of %zu bytes came back", (size_t)got, sent);
}

/* The same while there are paths: a write that finds no room ends at its limit, wherever it began.
 */
static int by_send(int fd, int ms, short *got)
{
	static char out[16 << 20];

	(void)ms;
	ssize_t n = send(fd, out, sizeof(out), MSG_NOSIGNAL);

	*got = POLLOUT;
	return n < 0 && errno == EAGAIN ? 0 : n < 0 ? -1 : 1;
}

static void try_sndtimeo_moving(void)
{
	int fd = dial();
	short got;

	echo(fd, "sndtimeo");
	limit(fd, SO_SNDTIMEO, LIMIT_MS);
	while (by_send(fd, 0, &got) == 1) /* nobody reads what comes back: all is full at last */
		;
	_Atomic bool on = true;
	pthread_t t = begin(flapper, &on);

	for (int i = 0; i < 2; i++) {
		double start = now_s();
		int r = by_send(fd, 0, &got);
		double took = (now_s() - start) * 1000;

		/* A new connection may take some more. */
		must(r >= 0, "send");
		must(took < 2 * LIMIT_MS, "the write ended late, after %.0f ms", took);
		must(took >= LIMIT_MS, "the write ended early, after %.0f ms", took);
	}
	atomic_store(&on, false);
	join(t);
}

/* MSG_WAITALL gets all, in spite of what moves in the middle; read() of a peek leaves it there. */
static void *sends_in_parts(void *arg)
{
	for (int i = 0; i < 10; i++) {
		pause_ms(100);
		if (i % 3 == 1)
			event(i % 2 ? "wlan0 down" : "wlan0 up");
		put(*(int *)arg, "0123456789", 10);
	}
	return NULL;
}

static void try_waitall(void)
{
	int fd = dial();

	for (int i = 0; i < 3; i++) {
		char in[101] = "";
		struct iovec v[3] = {{in, 33}, {in + 33, 33}, {in + 66, 34}};
		struct msghdr m = {.msg_iov = v, .msg_iovlen = 3};
		pthread_t t = begin(sends_in_parts, &fd);
		ssize_t n = i == 0   ? recv(fd, in, 100, MSG_WAITALL)
		            : i == 1 ? recvmsg(fd, &m, MSG_WAITALL)
		                     : recvfrom(fd, in, 100, MSG_WAITALL, NULL, NULL);

		must(n == 100, "MSG_WAITALL %d: %zd of 100 bytes", i, n);
		for (int k = 0; k < 100; k++)
			must(in[k] == '0' + k % 10, "byte %d", k);
		must(v[0].iov_len == 33 && v[0].iov_base == in && m.msg_iovlen == 3,
		     "the program's vector was changed");
		join(t);
		event("wlan0 up");
		pause_ms(300);
	}
	echo(fd, "waitall");
}

/* --- elsewhere --- */

#include <semaphore.h>

static sem_t never;
static _Atomic int waiting;

static void *in_nanosleep(void *arg)
{
	struct timespec t = {3, 0};

	(void)arg;
	atomic_fetch_add(&waiting, 1);
	must(nanosleep(&t, NULL) == 0, "nanosleep");
	return NULL;
}

static void *in_sem(void *arg)
{
	struct timespec t;

	(void)arg;
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += 3;
	atomic_fetch_add(&waiting, 1);
	must(sem_timedwait(&never, &t) < 0 && errno == ETIMEDOUT, "sem_timedwait");
	return NULL;
}

static void *in_pipe(void *arg)
{
	int p[2];
	char c;
	struct pollfd w;

	(void)arg;
	must(pipe(p) == 0, "pipe");
	w = (struct pollfd){.fd = p[0], .events = POLLIN};
	atomic_fetch_add(&waiting, 1);
	must(poll(&w, 1, 3000) == 0, "poll of a pipe");
	must(write(p[1], "x", 1) == 1 && read(p[0], &c, 1) == 1, "a pipe");
	return NULL;
}

static void *in_epoll(void *arg)
{
	struct epoll_event ev;

	(void)arg;
	atomic_fetch_add(&waiting, 1);
	must(epoll_wait(epoll_create1(0), &ev, 1, 3000) == 0, "epoll_wait");
	return NULL;
}

static void *in_sigwait(void *arg)
{
	struct timespec t = {3, 0};
	sigset_t all;

	(void)arg;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	atomic_fetch_add(&waiting, 1);
	int sig = sigtimedwait(&all, NULL, &t);

	must(sig < 0 && errno == EAGAIN, "sigtimedwait says %d", sig);
	return NULL;
}

static void *in_accept(void *arg)
{
	int l = socket(AF_INET, SOCK_STREAM, 0);

	(void)arg;
	limit(l, SO_RCVTIMEO, 3000);
	must(listen(l, 1) == 0, "listen");
	atomic_fetch_add(&waiting, 1);
	must(accept(l, NULL, NULL) < 0 && errno == EAGAIN, "accept");
	return NULL;
}

static void *in_pause(void *arg)
{
	struct timespec t = {3, 0};

	(void)arg;
	atomic_fetch_add(&waiting, 1);
	must(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL) == 0, "clock_nanosleep");
	return NULL;
}

/* Threads that wait for something else do not notice anything. */
static void try_elsewhere(void)
{
	void *(*const all[])(void *) = {in_nanosleep, in_sem,    in_pipe, in_epoll,
	                                in_sigwait,   in_accept, in_pause};
	enum { N = sizeof(all) / sizeof(*all) };
	_Atomic bool on = true;
	int fd = dial();
	pthread_t t[N], f;
	short got;

	sem_init(&never, 0, 0);
	for (int i = 0; i < N; i++)
		t[i] = begin(all[i], NULL);
	while (atomic_load(&waiting) < N)
		pause_ms(1);
	f = begin(flapper, &on);
	must(by_poll(fd, 3100, &got) == 0, "poll");
	for (int i = 0; i < N; i++)
		join(t[i]);
	atomic_store(&on, false);
	join(f);
	echo(fd, "elsewhere");
}

/* Waited for before there is any connection in the process, by a thread of its own. */
static int late_fd;

static void *polls_early(void *arg)
{
	short got;
	double start = now_s();
	int r = by_poll(late_fd, 4000, &got);

	(void)arg;
	/* A socket that is not connected tells of HUP at once: then it is waited for again. */
	while (r == 1 && got & POLLHUP && now_s() - start < 3) {
		pause_ms(5);
		r = by_poll(late_fd, 4000, &got);
	}
	must(r == 1 && got == POLLIN, "poll begun early: %d, %#x", r, (unsigned)got);
	return NULL;
}

static void try_late(void)
{
	late_fd = socket(AF_INET, SOCK_STREAM, 0);
	pthread_t t = begin(polls_early, NULL);

	pause_ms(100);
	must(connect(late_fd, (struct sockaddr *)&trial_server, sizeof(trial_server)) == 0,
	     "connect");
	pause_ms(300);
	event("wlan0 down");
	pause_ms(500);
	put(late_fd, "0123456789abcdef", 16);
	join(t);
	char in[16];

	get(late_fd, in, 16);
	event("wlan0 up");
	echo(late_fd, "late");
}

int main(int argc, char **argv)
{
	touch_stack();
	static const struct trial trials[] = {{"poll", try_poll},
	                                      {"ppoll", try_ppoll},
	                                      {"select", try_select},
	                                      {"pselect", try_pselect},
	                                      {"high", try_high},
	                                      {"epoll", try_epoll},
	                                      {"pwait2", try_pwait2},
	                                      {"early", try_early},
	                                      {"anew", try_anew},
	                                      {"reused", try_reused},
	                                      {"edge", try_edge},
	                                      {"oneshot", try_oneshot},
	                                      {"disarmed", try_disarmed},
	                                      {"exclusive", try_exclusive},
	                                      {"nested", try_nested},
	                                      {"rearm", try_rearm},
	                                      {"beside", try_beside},
	                                      {"masks", try_masks},
	                                      {"rcvtimeo", try_rcvtimeo},
	                                      {"sndtimeo", try_sndtimeo},
	                                      {"sndtimeo-moving", try_sndtimeo_moving},
	                                      {"waitall", try_waitall},
	                                      {"elsewhere", try_elsewhere},
	                                      {"late", try_late},
	                                      {"rcvtimeo-early", try_rcvtimeo_early},
	                                      {NULL, NULL}};

	return trial_main(argc, argv, trials);
}
