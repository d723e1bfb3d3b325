/* SPDX-License-Identifier: MIT */
#include "preload/flow.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "preload/barrier.h"
#include "preload/counts.h"
#include "preload/kin.h"
#include "preload/own.h"
#include "preload/registrations.h"

/* Flows live in blocks that are never unmapped: a pointer once read stays readable. */
#define BLOCK 64
static struct flow *_Atomic blocks[FLOW_MAX / BLOCK];
_Atomic unsigned flows_made;
static struct flock_word making;

__thread struct thread this_thread;

uint32_t thread_id(void)
{
	if (!this_thread.tid)
		this_thread.tid = (uint32_t)raw_gettid();
	return this_thread.tid;
}

static void *map(size_t size)
{
	int saved = errno;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	errno = saved;
	return p == MAP_FAILED ? NULL : p;
}

/*
 * A call is counted where only its thread writes, in the thread's seat, or, without one, in the
 * flow.
 */
static uintptr_t word_of(const struct flow *f, uint32_t gen)
{
	return (uintptr_t)f | (gen & 1);
}

static _Atomic uintptr_t *seated_at(const struct call_record *r)
{
	return &this_thread.seat->on[r - this_thread.call];
}

static void uncount(struct call_record *r)
{
	if (r->seated) {
		atomic_store_explicit(seated_at(r), 0, memory_order_release);
		return;
	}
	_Atomic uint32_t *n = &r->flow->inflight[r->gen & 1];
	uint32_t v = atomic_load(n);

	/* Never below zero: the count may have been begun anew (calls_forget). */
	while (v && !atomic_compare_exchange_weak(n, &v, v - 1))
		;
}

static void abandon(struct call_record *r)
{
	r->writes = false;
	if (!r->suspended)
		uncount(r);
}

bool writing_taken(struct flow *f)
{
	uint32_t n = atomic_load_explicit(&this_thread.locks, memory_order_relaxed);

	if (n == CALLS_NESTED)
		return false;
	this_thread.lock[n].flow = f;
	this_thread.lock[n].stack = (uintptr_t)__builtin_frame_address(0);
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&this_thread.locks, n + 1, memory_order_relaxed);
	return true;
}

void writing_release(struct flow *f)
{
	uint32_t n = atomic_load_explicit(&this_thread.locks, memory_order_relaxed);

	if (n && this_thread.lock[n - 1].flow == f)
		atomic_store_explicit(&this_thread.locks, n - 1, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	if (lock_owner(&f->writing) == thread_id())
		lock_release(&f->writing);
}

void calls_abandon(void)
{
	for (uint32_t d; (d = atomic_load(&this_thread.depth)) > 0;) {
		atomic_store(&this_thread.depth, d - 1);
		abandon(&this_thread.call[d - 1]);
	}
	for (uint32_t n; (n = atomic_load(&this_thread.locks)) > 0;)
		writing_release(this_thread.lock[n - 1].flow);
}

/* What needs no memory of its own in glibc, so that a handler may be the first to set it. */
#define KEYS_INLINE 32

static pthread_key_t end_key;
static _Atomic bool end_watched;

void thread_unseated(void)
{
	/* What it is in still (a handler has forked) goes on without. */
	for (int i = 0; i < CALLS_NESTED; i++)
		this_thread.call[i].seated = false;
	this_thread.seated = false;
	this_thread.seat = NULL;
	this_thread.watched = false;
}

static void thread_ends(void *arg)
{
	(void)arg;
	calls_abandon();
	if (this_thread.seat)
		seat_leave(this_thread.seat);
	thread_unseated();
}

void calls_watch_threads(void)
{
	if (!atomic_load(&end_watched) && pthread_key_create(&end_key, thread_ends) == 0)
		atomic_store(&end_watched, end_key < KEYS_INLINE);
}

static void watch_this_thread(void)
{
	if (!atomic_load(&end_watched))
		return;
	this_thread.watched = true;
	pthread_setspecific(end_key, &this_thread);

	struct seat *s = seat_take(thread_id());

	this_thread.out.iov = &this_thread.iov;
	this_thread.out.count = 1;
	this_thread.seat = s;
	this_thread.seated = s != &seat_none;
}

struct seat *call_seat(void)
{
	if (!this_thread.watched)
		watch_this_thread();
	return this_thread.seat;
}

/* What the kernel puts on the stack between a call and the handler that interrupted it, at least.
 */
#define SIGNAL_FRAME 700

static bool elsewhere(void)
{
	stack_t alternative = {.ss_flags = 0};

	raw_call3(SYS_sigaltstack, 0, (long)&alternative, 0);
	return alternative.ss_flags & SS_ONSTACK;
}

static void records_leave_below(uintptr_t stack)
{
	for (struct call_record *r; (r = call_current()) && r->stack < stack;) {
		atomic_fetch_sub(&this_thread.depth, 1);
		abandon(r);
	}
}

void calls_leave_below(uintptr_t stack)
{
	records_leave_below(stack);
	for (uint32_t n;
	     (n = atomic_load(&this_thread.locks)) > 0 && this_thread.lock[n - 1].stack < stack;)
		writing_release(this_thread.lock[n - 1].flow);
}

/*
 * A call that was left by other means than ours (setcontext, an exception) is still counted. On the
 * same stack a call that is really interrupted is far above its handler.
 */
void calls_tidy(void)
{
	if (calls_any() && !elsewhere())
		calls_leave_below((uintptr_t)__builtin_frame_address(0) + SIGNAL_FRAME);
}

void call_suspend(struct call_record *r)
{
	if (!r->suspended) {
		r->suspended = true;
		uncount(r);
	}
}

static void advance(struct call_record *r)
{
	uint32_t g = atomic_load(&r->flow->gen);

	if (r->gen == g && !r->suspended)
		return;
	if (r->seated) {
		atomic_store_explicit(seated_at(r), word_of(r->flow, g), memory_order_relaxed);
		barrier_light();
	} else {
		atomic_fetch_add(&r->flow->inflight[g & 1], 1);
		if (!r->suspended)
			uncount(r);
	}
	r->gen = g;
	r->suspended = false;
}

void calls_suspend(void)
{
	for (uint32_t d = atomic_load(&this_thread.depth); d-- > 0;)
		call_suspend(&this_thread.call[d]);
}

void calls_resume(void)
{
	for (uint32_t d = atomic_load(&this_thread.depth); d-- > 0;)
		if (this_thread.call[d].suspended)
			advance(&this_thread.call[d]);
}

static void depth_set(uint32_t depth)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&this_thread.depth, depth, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

/*
 * The record stands before the word does: a handler that comes in between, and makes a call itself,
 * then does not take the word's place. What it leaves there (calls_resume) is of its own time, so
 * the word is put there until the generation is the same after it as before.
 */
static bool enter_seated(struct call_record *r)
{
	_Atomic uintptr_t *on = seated_at(r);
	uint32_t depth = (uint32_t)(r - this_thread.call);

	r->seated = true;
	r->gen = atomic_load(&r->flow->gen);
	depth_set(depth + 1);
	for (uint32_t g;; r->gen = g) {
		g = r->gen;
		atomic_signal_fence(memory_order_seq_cst);
		atomic_store_explicit(on, word_of(r->flow, g), memory_order_relaxed);
		barrier_light();
		g = atomic_load(&r->flow->gen);
		if (g == r->gen)
			break;
	}
	if (flow_of(r->fd) == r->flow)
		return true;
	depth_set(depth);
	atomic_store_explicit(on, 0, memory_order_release);
	return false;
}

static bool enter_counted(struct call_record *r)
{
	struct flow *f = r->flow;

	for (;;) {
		uint32_t g = atomic_load(&f->gen);

		atomic_fetch_add(&f->inflight[g & 1], 1);
		/*
		 * Counted under g: an exchange that we did not see cannot complete before we leave.
		 * If one happened in between, we might be counted on the wrong side.
		 */
		r->gen = g;
		if (atomic_load(&f->gen) == g)
			break;
		atomic_fetch_sub(&f->inflight[g & 1], 1);
	}
	if (flow_of(r->fd) != f) {
		uncount(r);
		return false;
	}
	depth_set((uint32_t)(r - this_thread.call) + 1);
	return true;
}

bool call_enter(struct call *c, struct flow *f, int fd, bool timed)
{
	uintptr_t stack = (uintptr_t)__builtin_frame_address(0);
	uint32_t depth = atomic_load_explicit(&this_thread.depth, memory_order_relaxed);

	if (!this_thread.watched)
		watch_this_thread();
	if (depth) {
		/* Not the locks: the last may have been taken for this very call. */
		if (!elsewhere())
			records_leave_below(stack + SIGNAL_FRAME);
		depth = atomic_load_explicit(&this_thread.depth, memory_order_relaxed);
		for (uint32_t i = 0; i < depth; i++)
			if (!this_thread.call[i].writes)
				call_suspend(&this_thread.call[i]);
	}
	if (depth == CALLS_NESTED)
		return false;
	if (atomic_load_explicit(&f->state, memory_order_relaxed) == FLOW_INHERITED) {
		kin_claim(f);
		return false;
	}
	if (timed && !c->began_ns)
		c->began_ns = clock_ns();
	c->flow = f;

	struct call_record *r = &this_thread.call[depth];

	*r = (struct call_record){.flow = f, .fd = fd, .stack = stack, .timed = timed};
	if (!(this_thread.seated ? enter_seated(r) : enter_counted(r)))
		return false;
	c->gen = r->gen;
	if (this_thread.seat)
		seat_note(this_thread.seat, fd);
	return true;
}

bool call_leave(struct call *c)
{
	struct call_record *r = call_current();

	/* Given up already, with everything around it (calls_abandon). */
	if (!r || r->flow != c->flow)
		return false;
	depth_set((uint32_t)(r - this_thread.call));
	if (this_thread.seat) {
		struct call_record *outer = call_current();

		seat_note(this_thread.seat, outer ? outer->fd : SEAT_EMPTY);
		atomic_store_explicit(&this_thread.seat->writes, outer && outer->writes,
		                      memory_order_relaxed);
	}
	bool nudged = r->nudged;

	c->gen = r->gen;
	if (!r->suspended)
		uncount(r);
	/* What a handler has interrupted goes on when it returns, on what is there then. */
	calls_resume();
	return nudged;
}

void call_retag(bool restarted)
{
	uint32_t depth = atomic_load(&this_thread.depth);

	this_thread.nudges++;
	for (uint32_t d = depth; d-- > 0;) {
		struct call_record *r = &this_thread.call[d];

		/* What a write has moved, if it has, is not in the ring yet. */
		if (d == depth - 1 ? !r->writes || restarted : !r->suspended && !r->writes)
			advance(r);
	}
}

static bool seated(uintptr_t word)
{
	int n = seats_used();

	for (int i = 0; i < n; i++)
		for (int d = 0; d < CALLS_NESTED; d++)
			if (atomic_load_explicit(&seats[i].on[d], memory_order_acquire) == word)
				return true;
	return false;
}

bool calls_drained(const struct flow *f)
{
	uint32_t before = atomic_load(&f->gen) - 1;

	return barrier_heavy() && atomic_load(&f->inflight[before & 1]) == 0 &&
	       !seated(word_of(f, before));
}

void calls_forget(struct flow *f)
{
	uint32_t before = atomic_load(&f->gen) - 1;
	int n = seats_used();

	atomic_store(&f->inflight[before & 1], 0);
	for (int i = 0; i < n; i++)
		for (int d = 0; d < CALLS_NESTED; d++) {
			uintptr_t word = word_of(f, before);

			atomic_compare_exchange_strong(&seats[i].on[d], &word, 0);
		}
}

/* Nobody is between entering and leaving who has no seat; who has one touches nothing of a flow
 * that his descriptor is not of. */
static bool idle(const struct flow *f)
{
	return atomic_load(&f->inflight[0]) == 0 && atomic_load(&f->inflight[1]) == 0;
}

bool calls_none(const struct flow *f)
{
	return barrier_heavy() && idle(f) && !seated(word_of(f, 0)) && !seated(word_of(f, 1));
}

unsigned flow_count(void)
{
	return atomic_load(&flows_made);
}

static _Atomic(struct flow *) *chunk_at(unsigned i)
{
	return i ? atomic_load(&hot.table[i]) : hot.first;
}

void flows_gone(void)
{
	for (unsigned i = 0; i < TABLE_CHUNKS; i++) {
		_Atomic(struct flow *) *chunk = chunk_at(i);

		for (unsigned n = 0; chunk && n < TABLE_CHUNK; n++)
			atomic_store(&chunk[n], NULL);
	}
	atomic_store(&flows_made, 0);
}

struct flow *flow_at(unsigned i)
{
	struct flow *b = atomic_load(&blocks[i / BLOCK]);

	return b ? &b[i % BLOCK] : NULL;
}

static void flow_reset(struct flow *f, enum flow_kind kind, uint32_t id)
{
	struct ring ring = f->ring;
	struct web *web = f->web_mem;
	size_t ring_size = f->ring_size;
	struct opening *opening = f->opening_mem;

	/*
	 * What precedes `kind` stays: a hook that read a stale pointer may be in the middle of
	 * entering and leaving, and its counts must not be lost.
	 */
	memset((char *)f + offsetof(struct flow, kind), 0,
	       sizeof(*f) - offsetof(struct flow, kind));
	/* The reservation is kept for the next user; the pages go back. */
	if (ring.mem) {
		madvise(ring.mem, ring.cap, MADV_DONTNEED);
		ring_init(&f->ring, ring.mem, RING_FIRST);
		f->ring_size = ring_size;
	}
	f->web_mem = web;
	f->opening_mem = opening;
	flow_become(f, kind);
	atomic_store(&f->timed_in, false);
	atomic_store(&f->timed_out, false);
	atomic_store(&f->carried, false);
	atomic_store(&f->special, false);
	atomic_store(&f->keeps, false);
	f->id = id;
	f->old_fd = f->far_fd = f->old_far = f->old_retired = f->guard_fd[0] = f->guard_fd[1] =
	    f->heirs_fd = -1;
	f->peer_end = SES_NO_END;
	atomic_store(&f->stirred, true);
}

struct flow *flow_new(enum flow_kind kind)
{
	static _Atomic uint32_t next_id = 1;
	struct flow *f = NULL;
	int saved = errno;

	if (!lock_take(&making, thread_id(), 1000))
		return NULL;
	unsigned n = atomic_load(&flows_made);

	for (unsigned i = 0; i < n && !f; i++) {
		struct flow *c = flow_at(i);

		if (atomic_load(&c->state) == FLOW_FREE && idle(c))
			f = c;
	}
	if (!f && n < FLOW_MAX) {
		if (n % BLOCK == 0) {
			struct flow *b = map(BLOCK * sizeof(*b));

			if (b)
				atomic_store(&blocks[n / BLOCK], b);
		}
		if (atomic_load(&blocks[n / BLOCK])) {
			f = flow_at(n);
			atomic_store(&flows_made, n + 1);
		}
	}
	if (f) {
		flow_reset(f, kind, atomic_fetch_add(&next_id, 1));
		atomic_store(&f->state, FLOW_CONNECTING);
	}
	lock_release(&making);
	errno = saved;
	return f;
}

_Atomic(struct flow *) *flow_slot_beyond(unsigned n)
{
	if (n >= TABLE_CHUNK * TABLE_CHUNKS)
		return NULL;
	_Atomic(struct flow *) *chunk =
	    atomic_load_explicit(&hot.table[n / TABLE_CHUNK], memory_order_acquire);
	return chunk ? &chunk[n % TABLE_CHUNK] : NULL;
}

static _Atomic(struct flow *) *slot(int fd, bool make)
{
	unsigned n = (unsigned)fd;

	if (n < TABLE_CHUNK)
		return &hot.first[n];
	if (n >= TABLE_CHUNK * TABLE_CHUNKS)
		return NULL;
	_Atomic(struct flow *) *chunk = atomic_load(&hot.table[n / TABLE_CHUNK]);
	if (!chunk && make) {
		_Atomic(struct flow *) *fresh = map(TABLE_CHUNK * sizeof(*fresh));

		if (!fresh)
			return NULL;
		if (atomic_compare_exchange_strong(&hot.table[n / TABLE_CHUNK], &chunk, fresh))
			chunk = fresh;
		else
			munmap((void *)fresh, TABLE_CHUNK * sizeof(*fresh));
	}
	return chunk ? &chunk[n % TABLE_CHUNK] : NULL;
}

bool flow_add_fd(struct flow *f, int fd)
{
	_Atomic(struct flow *) *s = slot(fd, true);

	if (!s || f->fds == FLOW_ALIASES)
		return false;
	__atomic_store_n(&f->fd[f->fds], fd, __ATOMIC_RELAXED);
	__atomic_store_n(&f->fds, f->fds + 1, __ATOMIC_RELAXED);
	atomic_store(s, f);
	/* It may have been registered while it was none. */
	reg_unknown(fd);
	reg_became_flow(fd);
	return true;
}

void flow_mark(int fd, struct flow *f)
{
	_Atomic(struct flow *) *s = slot(fd, f != NULL);

	if (s)
		atomic_store(s, f);
}

bool flow_drop_fd(struct flow *f, int fd)
{
	_Atomic(struct flow *) *s = slot(fd, false);

	if (s && atomic_load(s) == f)
		atomic_store(s, NULL);
	for (unsigned i = 0; i < f->fds; i++) {
		if (f->fd[i] != fd)
			continue;
		/* The agent looks without the lock at times. */
		__atomic_store_n(&f->fd[i], f->fd[f->fds - 1], __ATOMIC_RELAXED);
		__atomic_store_n(&f->fds, f->fds - 1, __ATOMIC_RELAXED);
		return f->fds == 0;
	}
	return false;
}

bool flow_owns(const struct flow *f, int fd)
{
	struct stat st;
	int saved = errno;
	bool same = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == f->inode;

	errno = saved;
	return same;
}

bool flow_inheritable(const struct flow *f)
{
	int fds[FLOW_ALIASES], n = flow_fds(f, fds);

	for (int i = 0; i < n; i++) {
		int flags = raw_fcntl(fds[i], F_GETFD, 0);

		if (flags >= 0 && !(flags & FD_CLOEXEC))
			return true;
	}
	return false;
}

int flow_duplicate(struct flow *f)
{
	int fd = -EBADF;

	if (!lock_take(&f->table, thread_id(), 20))
		return -EAGAIN;
	for (unsigned i = 0; i < f->fds && fd < 0; i++)
		if (flow_owns(f, f->fd[i]))
			fd = own_copy(f->fd[i]);
	lock_release(&f->table);
	return fd;
}

uint64_t flow_read_count(const struct flow *f, const struct counts *k)
{
	return f->stream_read + (k->read - f->kernel_read);
}

bool flow_make_ring(struct flow *f, size_t size)
{
	/* The last user's may be smaller. Nobody looks at what it holds. */
	if (f->ring.mem && f->ring_size < size) {
		munmap(f->ring.mem, f->ring_size);
		f->ring.mem = NULL;
	}
	if (!f->ring.mem) {
		void *mem = map(size);

		if (!mem)
			return false;
		ring_init(&f->ring, mem, size < RING_FIRST ? size : RING_FIRST);
		f->ring_size = size;
	}
	atomic_store(&f->keeps, true);
	return true;
}

void flow_ring_room(struct flow *f, uint64_t more)
{
	struct ring *r = &f->ring;

	if (r->cap >= f->ring_size || ring_room(r) >= more)
		return;
	atomic_store(&f->growing, true);
	while (r->cap < f->ring_size && ring_room(r) < more)
		ring_double(r);
	atomic_store(&f->growing, false);
}

void flow_ring_clean(struct flow *f)
{
	int saved = errno;

	madvise(f->ring.mem, f->ring.cap, MADV_DONTNEED);
	errno = saved;
	/* Empty, it may be of any size. */
	if (f->ring.cap > RING_FIRST)
		f->ring.cap = RING_FIRST;
	f->ring_clean = true;
}

void flow_forked(struct flow *f, bool kept)
{
	/* Keys of the parent's sessions have no business here. */
	ses_client_wipe(&f->ses);
	atomic_store(&f->inflight[0], 0);
	atomic_store(&f->inflight[1], 0);
	atomic_store(&f->writing.word, 0);
	atomic_store(&f->table.word, 0);
	if (kept)
		return;
	atomic_store(&f->state, FLOW_FREE);
	f->fds = 0;
}

void flow_succeeded(struct flow *f)
{
	atomic_store(&f->inflight[0], 0);
	atomic_store(&f->inflight[1], 0);
	atomic_store(&f->writing.word, 0);
	atomic_store(&f->table.word, 0);
	atomic_store(&making.word, 0);
}

void flow_table_forked(void)
{
	for (unsigned i = 0; i < TABLE_CHUNKS; i++) {
		_Atomic(struct flow *) *chunk = chunk_at(i);

		for (unsigned n = 0; chunk && n < TABLE_CHUNK; n++) {
			struct flow *f = atomic_load(&chunk[n]);

			if (f && atomic_load(&f->state) != FLOW_INHERITED)
				atomic_store(&chunk[n], NULL);
		}
	}
	atomic_store(&making.word, 0);
}
