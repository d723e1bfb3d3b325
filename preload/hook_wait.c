/* SPDX-License-Identifier: MIT */
/*
 * Waiting. The kernel's readiness is the real one: the hooks look only at ERR, HUP and RDHUP on
 * session flows, which may speak of a path that is being replaced. epoll_ctl is hooked so that a
 * registration does not change in the middle of an exchange.
 */
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "preload/hook.h"
#include "preload/kin.h"
#include "preload/raw.h"
#include "preload/real.h"
#include "preload/registrations.h"

/* Events that speak of an end. epoll has the same numbers for them. */
#define TELLING (POLLERR | POLLHUP | POLLRDHUP)

/*
 * An inherited flow that is about to be waited for: the connection under it may already be another,
 * and only its owner would know. kin_any() keeps this from everybody else.
 */
static void claim_polled(const struct pollfd *p, nfds_t n)
{
	for (nfds_t i = 0; i < n; i++)
		kin_used(p[i].fd);
}

static void claim_selected(int n, const fd_set *a, const fd_set *b)
{
	for (int fd = 0; fd < n; fd++) {
		size_t word = (size_t)fd / (8 * sizeof(fd_mask));
		fd_mask bit = (fd_mask)1 << (size_t)fd % (8 * sizeof(fd_mask));

		/* Programs use sets that are larger than FD_SETSIZE says. */
		if ((a && ((const fd_mask *)a)[word] & bit) ||
		    (b && ((const fd_mask *)b)[word] & bit))
			kin_used(fd);
	}
}

/* Of these, is one a covered flow with an error that the agent should hide? Then it is hidden:
 * true. */
static bool hide_errors(struct pollfd *p, nfds_t n)
{
	bool hidden = false;

	for (nfds_t i = 0; i < n; i++) {
		struct flow *f = p[i].revents & TELLING ? flow_of(p[i].fd) : NULL;
		uint32_t s = f ? atomic_load(&f->state) : FLOW_FREE;

		if (!f || f->kind != FLOW_SESSION || s == FLOW_CONNECTING ||
		    event_is_true(f, p[i].revents))
			continue;
		uint32_t gen = atomic_load(&f->gen);
		struct pollfd now = {.fd = p[i].fd, .events = p[i].events};

		/* Of a file that has been exchanged since: the one that is there now has none. */
		if ((real.poll(&now, 1, 0) >= 0 && !(now.revents & TELLING)) ||
		    hold_flow(f, p[i].fd, gen)) {
			p[i].revents = 0;
			hidden = true;
		}
	}
	return hidden;
}

static int ready(const struct pollfd *p, nfds_t n)
{
	int count = 0;

	for (nfds_t i = 0; i < n; i++)
		count += p[i].revents != 0;
	return count;
}

/* When a wait that begins now and may take so long is over; -1: never. */
static int64_t limit_ns(int64_t ns)
{
	return ns < 0 ? -1 : clock_ns() + ns;
}

/*
 * The same by a clock that is read in a few nanoseconds: for epoll_wait(), of which is not known
 * whether it has to do with flows, and which needs the limit only if it has an error to hide. That
 * clock is behind by a tick, or by some where ticks come late: too late by these, never too early.
 */
static int64_t limit_about_ns(int64_t ns)
{
	struct timespec t;

	if (ns < 0)
		return -1;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec + ns + 20000000;
}

static int64_t span_ns(const struct timespec *t)
{
	if (!t || t->tv_sec < 0 || t->tv_sec > 1000000000)
		return -1;
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

/*
 * A wait that a nudge ends with EINTR: the kernel would begin its time anew, and what is left of it
 * is known here; nor does the nudge always know which call it interrupts. `first` is its first
 * argument.
 */
struct wait {
	const void *outer;
	int noted;
};

static void wait_mark(struct wait *w, const void *first)
{
	w->outer = this_thread.polling;
	this_thread.polling = first;
	this_thread.poll_nudged = false;
	atomic_signal_fence(memory_order_seq_cst);
}

/* With its result: is the wait to be made again? */
static bool wait_ended(const struct wait *w, int result)
{
	atomic_signal_fence(memory_order_seq_cst);
	this_thread.polling = w->outer;

	bool nudged = this_thread.poll_nudged;

	this_thread.poll_nudged = false;
	return nudged && result < 0 && errno == EINTR;
}

static void wait_enter(struct wait *w, const void *first)
{
	struct seat *s = call_seat();

	wait_mark(w, first);
	w->noted = s ? seat_note(s, SEAT_WAITS) : SEAT_EMPTY;
}

static bool wait_leave(const struct wait *w, int result)
{
	if (this_thread.seat)
		seat_note(this_thread.seat, w->noted);
	return wait_ended(w, result);
}

/* One poll with an absolute limit (-1: none), made again while what ended it was ours to hide. */
static int poll_on(struct pollfd *p, nfds_t n, int64_t until, const sigset_t *mask)
{
	for (;;) {
		struct timespec t = {0, 0};

		if (until >= 0) {
			int64_t left = until - clock_ns();

			left = left < 0 ? 0 : left;
			t = (struct timespec){left / 1000000000, left % 1000000000};
		}
		struct wait w;

		wait_enter(&w, p);
		int r = real.ppoll(p, n, until < 0 ? NULL : &t, mask);

		if (wait_leave(&w, r))
			continue;
		if (r <= 0)
			return r;
		int saved = errno;
		bool hidden = hide_errors(p, n);

		errno = saved;
		if (!hidden)
			return r;
		r = ready(p, n);
		if (r)
			return r;
	}
}

/* Not const: glibc says of poll() that it only writes there, and gcc would warn. */
static bool any_flow(struct pollfd *p, nfds_t n)
{
	for (nfds_t i = 0; i < n; i++)
		if (flow_of(p[i].fd))
			return true;
	return false;
}

static bool any_error(const struct pollfd *p, nfds_t n)
{
	for (nfds_t i = 0; i < n; i++)
		if (p[i].revents & TELLING && flow_of(p[i].fd))
			return true;
	return false;
}

static __attribute__((noinline)) int poll_flows(struct pollfd *p, nfds_t n, int timeout)
{
	if (kin_any())
		claim_polled(p, n);
	int64_t until = timeout > 0 ? limit_ns((int64_t)timeout * 1000000) : -1;
	struct wait w;

	if (timeout)
		wait_enter(&w, p);
	int r = real.poll(p, n, timeout);

	if (timeout && wait_leave(&w, r))
		return poll_on(p, n, until, NULL);
	if (r <= 0 || !any_error(p, n) || !hide_errors(p, n))
		return r;
	r = ready(p, n);
	return r || timeout == 0 ? r : poll_on(p, n, until, NULL);
}

EXPORT int poll(struct pollfd *p, nfds_t n, int timeout)
{
	return flows_any() && any_flow(p, n) ? poll_flows(p, n, timeout) : real.poll(p, n, timeout);
}

EXPORT int ppoll(struct pollfd *p, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	if (!real.ppoll)
		real_bind();
	if (!flow_count() || !any_flow(p, n))
		return real.ppoll(p, n, timeout, mask);
	if (kin_any())
		claim_polled(p, n);
	int64_t until = limit_ns(span_ns(timeout));
	struct wait w;

	wait_enter(&w, p);
	int r = real.ppoll(p, n, timeout, mask);

	if (wait_leave(&w, r))
		return poll_on(p, n, until, mask);
	if (r <= 0 || !any_error(p, n) || !hide_errors(p, n))
		return r;
	r = ready(p, n);
	return r ? r : poll_on(p, n, until, mask);
}

EXPORT int __poll_chk(struct pollfd *p, nfds_t n, int timeout, size_t room)
{
	return room / sizeof(*p) < n ? real.__poll_chk(p, n, timeout, room) : poll(p, n, timeout);
}

EXPORT int __ppoll_chk(struct pollfd *p, nfds_t n, const struct timespec *timeout,
                       const sigset_t *mask, size_t room)
{
	return room / sizeof(*p) < n ? real.__ppoll_chk(p, n, timeout, mask, room)
	                             : ppoll(p, n, timeout, mask);
}

/*
 * select says no more of an error than "readable and writable": the read or write that follows is
 * hooked and sees to it. What remains is a spurious wake-up, which select may always give.
 */
EXPORT int select(int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *timeout)
{
	if (!real.select)
		real_bind();
	if (kin_any())
		claim_selected(n, r, w);
	if (!flow_count())
		return real.select(n, r, w, x, timeout);
	for (;;) {
		struct wait wait;

		wait_enter(&wait, (const void *)(intptr_t)n);
		int result = real.select(n, r, w, x, timeout);

		/* The sets are as they were, and the limit is what is left of it. */
		if (!wait_leave(&wait, result))
			return result;
	}
}

EXPORT int pselect(int n, fd_set *r, fd_set *w, fd_set *x, const struct timespec *timeout,
                   const sigset_t *mask)
{
	if (!real.pselect)
		real_bind();
	if (kin_any())
		claim_selected(n, r, w);
	if (!flow_count())
		return real.pselect(n, r, w, x, timeout, mask);
	int64_t until = limit_ns(span_ns(timeout));

	for (struct timespec left;;) {
		struct wait wait;

		wait_enter(&wait, (const void *)(intptr_t)n);
		int result = real.pselect(n, r, w, x, timeout, mask);

		if (!wait_leave(&wait, result))
			return result;
		if (until < 0)
			continue;
		int64_t ns = until - clock_ns();

		ns = ns < 0 ? 0 : ns;
		left = (struct timespec){ns / 1000000000, ns % 1000000000};
		timeout = &left;
	}
}

/* --- epoll --- */

/*
 * Takes the events away that tell of an error being hidden. Which flow an event belongs to only the
 * kernel knows (the data is the program's own); it is asked, on this rare path.
 */
static int without_hidden(int ep, struct epoll_event *ev, int n)
{
	int left = 0;

	for (int i = 0; i < n; i++) {
		int fd = ev[i].events & TELLING ? reg_find(ep, ev[i].data.u64) : -1;
		struct pollfd p = {.fd = fd,
		                   .events = (short)(ev[i].events & POLLRDHUP),
		                   .revents = (short)(ev[i].events & TELLING)};

		if (fd < 0 || !flow_of(fd) || !hide_errors(&p, 1))
			ev[left++] = ev[i];
	}
	return left;
}

static bool epoll_error(const struct epoll_event *ev, int n)
{
	for (int i = 0; i < n; i++)
		if (ev[i].events & TELLING)
			return true;
	return false;
}

/*
 * With the first wait's outcome. `until` is 0 where no flow is known to be in the set: then there
 * is no error to hide, and a nudge that came too late came at the very beginning.
 */
static __attribute__((noinline)) int epoll_on(int ep, struct epoll_event *ev, int max, int timeout,
                                              const sigset_t *mask, int64_t until, int n,
                                              bool again)
{
	for (;;) {
		if (!again && (n <= 0 || !epoll_error(ev, n)))
			return n;
		int saved = errno, left = again ? 0 : without_hidden(ep, ev, n);

		errno = saved;
		if (left || timeout == 0)
			return left;
		if (timeout > 0 && until) {
			int64_t ns = until - clock_ns();

			timeout = ns < 0 ? 0 : (int)((ns + 999999) / 1000000);
		}
		struct wait w;

		wait_mark(&w, (const void *)(intptr_t)ep);
		n = real.epoll_pwait(ep, ev, max, timeout, mask);
		again = wait_ended(&w, n);
	}
}

static int64_t epoll_limit(int ep, int64_t ns)
{
	return ns > 0 && reg_known(ep) ? limit_about_ns(ns) : 0;
}

static __attribute__((noinline)) int epoll_pwait_flows(int ep, struct epoll_event *ev, int max,
                                                       int timeout, const sigset_t *mask)
{
	int64_t until = epoll_limit(ep, (int64_t)timeout * 1000000);
	struct wait w;

	/* It is not nudged, but a nudge may come that was meant for the call before it. */
	wait_mark(&w, (const void *)(intptr_t)ep);
	int n = real.epoll_pwait(ep, ev, max, timeout, mask);
	bool again = wait_ended(&w, n);

	return epoll_on(ep, ev, max, timeout, mask, until, n, again);
}

EXPORT int epoll_pwait(int ep, struct epoll_event *ev, int max, int timeout, const sigset_t *mask)
{
	if (!real.epoll_pwait)
		real_bind();
	return flows_any() ? epoll_pwait_flows(ep, ev, max, timeout, mask)
	                   : real.epoll_pwait(ep, ev, max, timeout, mask);
}

static __attribute__((noinline)) int epoll_wait_flows(int ep, struct epoll_event *ev, int max,
                                                      int timeout)
{
	int64_t until = epoll_limit(ep, (int64_t)timeout * 1000000);
	struct wait w;

	wait_mark(&w, (const void *)(intptr_t)ep);
	int n = real.epoll_wait(ep, ev, max, timeout);
	bool again = wait_ended(&w, n);

	return again || (n > 0 && epoll_error(ev, n))
	           ? epoll_on(ep, ev, max, timeout, NULL, until, n, again)
	           : n;
}

EXPORT int epoll_wait(int ep, struct epoll_event *ev, int max, int timeout)
{
	if (!real.epoll_wait)
		real_bind();
	if (flows_any() && timeout)
		return epoll_wait_flows(ep, ev, max, timeout);
	int n = real.epoll_wait(ep, ev, max, timeout);

	/* What does not wait is not interrupted either. */
	return n > 0 && flows_any() && epoll_error(ev, n)
	           ? epoll_on(ep, ev, max, 0, NULL, 0, n, false)
	           : n;
}

EXPORT int epoll_pwait2(int ep, struct epoll_event *ev, int max, const struct timespec *timeout,
                        const sigset_t *mask)
{
	if (!real.epoll_pwait2)
		real_bind();
	if (!real.epoll_pwait2) {
		errno = ENOSYS;
		return -1;
	}
	if (!flow_count())
		return real.epoll_pwait2(ep, ev, max, timeout, mask);
	int64_t until = epoll_limit(ep, span_ns(timeout));
	struct timespec rest;

	for (;;) {
		struct wait w;

		wait_mark(&w, (const void *)(intptr_t)ep);
		int n = real.epoll_pwait2(ep, ev, max, timeout, mask);
		bool again = wait_ended(&w, n);

		if (!again && (n <= 0 || !epoll_error(ev, n)))
			return n;
		int saved = errno, left = again ? 0 : without_hidden(ep, ev, n);

		errno = saved;
		if (left)
			return left;
		if (until > 0) {
			int64_t ns = until - clock_ns();

			ns = ns < 0 ? 0 : ns;
			rest = (struct timespec){ns / 1000000000, ns % 1000000000};
			timeout = &rest;
		}
	}
}

EXPORT int epoll_ctl(int ep, int op, int fd, struct epoll_event *ev)
{
	kin_used(fd);

	struct flow *f = flow_of(fd);

	reg_epoll_seen(ep);
	if (!f) {
		int plain = real.epoll_ctl(ep, op, fd, ev);

		if (plain == 0 && op == EPOLL_CTL_ADD)
			reg_note(ep, fd);
		/* It may have become one meanwhile. */
		if (flow_of(fd)) {
			reg_cache_forget();
			reg_became_flow(fd);
		}
		return plain;
	}
	bool locked = lock_owner(&f->table) != thread_id() && lock_take(&f->table, thread_id(), -1);
	int r = real.epoll_ctl(ep, op, fd, ev);

	reg_note(ep, fd);
	if (r == 0)
		reg_changed(ep, op, fd, ev);
	reg_became_flow(fd);
	if (locked)
		lock_release(&f->table);
	return r;
}
