/* SPDX-License-Identifier: MIT */
/*
 * Flows: the application sockets in the library's care, and the table that finds them by
 * descriptor.
 *
 * A flow is shared by three kinds of code, and this is who may do what:
 *
 *   hooks, in any thread   enter and leave calls (call_enter), write under `writing`, close, dup
 * and register under `table` the nudge handler      re-tags the call it interrupted (call_retag),
 * nothing else the agent thread       everything marked "agent" without a lock; descriptors under
 * `table`
 *
 * Flow memory is never unmapped and a flow is reused only when no call is in it, so a hook may look
 * at a flow it found without a lock.
 */
#ifndef PRELOAD_FLOW_H
#define PRELOAD_FLOW_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "policy/policy.h"
#include "preload/first.h"
#include "preload/futex.h"
#include "preload/hot.h"
#include "preload/opening.h"
#include "preload/out.h"
#include "preload/records.h"
#include "preload/seats.h"
#include "preload/silence.h"
#include "session/client.h"
#include "session/ring.h"

/* The place of the n-th byte in memory in a word of eight. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LANE(n) (8 * (n))
#else
#define LANE(n) (56 - 8 * (n))
#endif

#define FLOW_KIN 8
#define FLOW_ALIASES 8
#define FLOW_MAX 65536
#define RING_FIRST (64u << 10)

enum flow_kind {
	FLOW_SESSION, /* TCP through a relay: exactly once */
	FLOW_REDIAL,  /* TCP straight to the peer, re-dialled */
	FLOW_RESET,   /* TCP straight to the peer, `auto` or `reset`: at most a prompt error */
	FLOW_HTTP,    /* TCP straight to the peer: requests are made again, see web.h */
	FLOW_UDP,
};

enum flow_state {
	FLOW_FREE,
	FLOW_CONNECTING,
	FLOW_STABLE,
	FLOW_MOVING,
	FLOW_WAITING,
	FLOW_CLOSING, /* the program has closed it; its last bytes are not confirmed yet */
	FLOW_ENDED,   /* nothing more to do; free as soon as no call is in it */
	/* In a forked or executed process: a relative has it, see kin.h. A bit of its own, for
	 * flow_ways(). */
	FLOW_INHERITED = 8,
};

/* Should the agent carry the flow's bytes (pump.h)? */
enum flow_share {
	SHARE_NO,
	SHARE_ASKED,
	SHARE_DONE,
	SHARE_REFUSED,
};

/* Has another process the socket, too? 0: no. */
enum flow_shared {
	FLOW_SHARED = 1,       /* the process forked while it was open */
	FLOW_SHARED_ASKED = 2, /* the same, and it is just being looked for (preload/alone.h) */
};

/* A bit of flow.ways: of a bool, or of the state. */
#define WAY(member) ((uint64_t)1 << LANE(offsetof(struct flow, member)))
#define WAY_INHERITED (WAY(state) * FLOW_INHERITED)

union flow_address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct flow {
	/* --- read by hooks without a lock --- */
	/* What every call asks is on one line of the cache, what a send needs beside on the next.
	 * All of the first word at once: flow_ways(). */
	union {
		struct {
			_Atomic uint8_t state;  /* enum flow_state */
			_Atomic bool timed_in;  /* has SO_RCVTIMEO */
			_Atomic bool timed_out; /* has SO_SNDTIMEO */
			_Atomic bool
			    carried; /* the descriptors hold a pair, the agent carries it */
			_Atomic bool special; /* has `web`, `opening` or SO_RCVLOWAT */
			_Atomic bool stirred; /* bytes have moved since its rest, or nobody looks */
			_Atomic bool keeps;   /* bytes written are kept in the ring */
			_Atomic bool session; /* FLOW_SESSION */
		};
		_Atomic uint64_t ways;
	};
	_Atomic uint32_t gen; /* grows with every exchange of the open file */
	/* Calls entered by threads without a seat, by parity of the generation they see. */
	_Atomic uint32_t inflight[2];
	enum flow_kind kind;
	_Atomic uint32_t hold;      /* 1: the agent replays; writers wait (futex) */
	struct flock_word writing;  /* one writer at a time: order in ring = order in stream */
	_Atomic uint8_t dry;        /* receives until one is tried again without waiting */
	_Atomic uint64_t confirmed; /* set by the agent, applied to the ring by its owner */
	struct ring ring;
	size_t ring_size;                  /* what it may grow to; it begins as RING_FIRST */
	_Atomic(struct opening *) opening; /* re-dialled: how it begins, see reopen.h */
	_Atomic(struct web *) web; /* FLOW_HTTP: what is known of its requests and answers */
	_Atomic bool begun;        /* FLOW_RESET: the program has written something */
	_Atomic bool growing; /* the ring is doubled just now: not to be touched by a handler */
	uint32_t id;
	union flow_address peer;  /* what the program dialled */
	union flow_address local; /* its first own address */
	socklen_t address_len;
	_Atomic bool through_relay; /* the kernel's peer is the relay, not the program's */
	_Atomic bool failed;        /* a hook met a path error; the agent is to act */
	_Atomic bool peer_ended;    /* session: the relay has told the end of the s2c stream */
	_Atomic bool peer_reset;
	_Atomic uint64_t peer_end;
	_Atomic uint32_t speaks;   /* FLOW_RESET: enum first */
	_Atomic bool half_closed;  /* the program did shutdown(SHUT_WR) */
	_Atomic bool want_confirm; /* the writer asks the agent to ask for an ACK */
	_Atomic uint8_t shared;    /* enum flow_shared */
	_Atomic bool foreign;      /* bytes moved that no hook saw: uncovered for good */
	_Atomic uint32_t share;    /* futex: enum flow_share */
	uint8_t ticket[16];        /* what a relative that has the descriptor, too, shows */
	int owner;                 /* the process whose agent has the flow */

	/* --- writers, more of --- */
	_Atomic bool writer_waits; /* who has the lock is not in the kernel, but waits for `hold` */
	_Atomic bool starved;      /* somebody was told EAGAIN while `hold` was set */
	struct web *web_mem;       /* mapped once, kept for the next flow */
	struct opening *opening_mem; /* the same */
	struct records
	    mark;         /* re-dialled: the end of a record from which on the ring is looked at */
	uint64_t trimmed; /* the tail when it was last looked what the peer has */

	/* --- descriptors --- */
	struct flock_word table;
	int fd[FLOW_ALIASES];
	unsigned fds;
	uint64_t inode;           /* of the open file on the descriptors now */
	_Atomic uint32_t looked;  /* futex: 1 once the agent has looked at it */
	_Atomic uint32_t dialled; /* futex: 0 while a dial is under way, then 1 */
	int dial_result;          /* 0, -EINPROGRESS (go on by yourself) or negative errno */
	bool nonblocking_dial;
	_Atomic bool asked_dial; /* the hook wants the agent to dial */
	bool connected_udp;
	bool source_bound;      /* datagrams: the program has bound it to an address */
	bool unconnected;       /* datagrams to addresses; `peer` is the first */
	bool connect_told;      /* connect() has said that it is connected */
	bool closed;            /* the last alias was closed by the program */
	bool stands_in;         /* and so it was, but ours is in its place: heirs.h */
	uint64_t kin[FLOW_KIN]; /* files that relatives may have, the last ones */
	unsigned kins;
	bool aborted;         /* and that by a reset: SO_LINGER with no time */
	uint64_t closed_read; /* what it had read by then, once closed_known */
	bool closed_known;
	int64_t progress_ms; /* when the relay last confirmed more; 0: not since close() */
	bool owed_at_close;  /* and the kernel had not delivered all of it */

	/* --- agent only --- */
	const struct pol_rule *rule;
	struct link *link;
	struct ses_client ses;
	struct move *move;      /* a handover or a dial under way */
	struct pump *pump;      /* what carries it, or will */
	struct feed *feed;      /* FLOW_HTTP: what writes the rest of an answer to it */
	bool left;              /* closed here, but a relative has the descriptor */
	int heirs_fd;           /* tells whether one has: see kin.h; -1 */
	int64_t heirs_ms;       /* when to look again */
	int64_t heirs_since_ms; /* heirs.h: since when it is looked, */
	int64_t heirs_pause_ms; /* how often, */
	bool heirs_told;        /* whether there is an answer, and which */
	bool heirs_found;
	int ifindex;               /* the interface it is on; 0 unknown */
	union flow_address source; /* its source address now */
	int old_fd;                /* the open file behind a placeholder; -1 */
	int far_fd;                /* the far end of the placeholder; -1 */
	int guard_fd[2];           /* what keeps the placeholder of a connect in SYN_SENT; -1 */
	int64_t retire_ms;         /* when it is to be reset */
	int old_far;               /* the far end of the placeholder that was on before; -1 */
	int old_retired;           /* the socket a handover left behind, to be reset; -1 */
	int64_t parked_ms;         /* since when the placeholder is on */
	int looks;                 /* how often threads on the old file were looked for */
	int nudged;                /* what the last look found */
	bool drained;              /* nobody is on the old file any more */
	int followups; /* looks still to be made for threads on the file before this one */
	int followup_kinds;
	int64_t put_ms;     /* when the present file was put on */
	int64_t writers_ms; /* since when writers are waited for; 0: not */
	/* kernel counts of the current socket when it was at these stream counts */
	uint64_t kernel_written, kernel_read;
	uint64_t stream_written, stream_read;
	bool ring_clean;           /* its pages were given back since the last write */
	_Atomic uint64_t asked_at; /* tail when we last asked for a confirmation */
	struct silence silence;
	bool pulse;         /* it is looked for silence: there is another path */
	int64_t pulse_ms;   /* when to look again */
	int64_t silent_ms;  /* since when nothing comes back; 0: something does */
	bool mobile;        /* from a Mobile IPv6 home address: it moves below us */
	int64_t lost_ms;    /* since when the path is gone; 0: it is there */
	int64_t retry_ms;   /* not before this time */
	int64_t again_ms;   /* decide again at this time; 0: no need */
	int64_t usable_ms;  /* bookkeeping for the decision */
	int chosen_ifindex; /* by the user, for this flow alone; 0: not */
	int failed_ifindex;
	int64_t failed_ms;
	unsigned handovers;
	bool uncovered;
	bool soft_end;                         /* what a handover left behind ends in order */
	bool end_sent, close_sent;             /* EOF or CLOSE, CLOSE told to the relay */
	uint64_t received_before, sent_before; /* of redialled connections, for status */
	unsigned mute;   /* openings of its new connections without an answer, in a row */
	unsigned spoilt; /* re-dialled connections that the peer has ended at once, in a row */
	unsigned refusals;
	int64_t refused_ms;
	char note[64];
} __attribute__((aligned(64)));

static inline uint64_t flow_ways(const struct flow *f)
{
	return atomic_load_explicit(&f->ways, memory_order_relaxed);
}

/* The kind is a way, too. */
static inline void flow_become(struct flow *f, enum flow_kind kind)
{
	f->kind = kind;
	atomic_store(&f->session, kind == FLOW_SESSION);
}

/* --- one call of the program on a flow --- */

struct call {
	struct flow *flow;
	uint32_t gen;
	int64_t began_ns; /* when a timed one was first entered; the caller sets it to 0 */
};

/*
 * The calls this thread is in, the innermost last: more than one where a signal handler interrupted
 * a call and makes one itself. They stand here, not on the stack, for a handler may leave by
 * longjmp() and a thread by pthread_cancel(): what is then left over must not be a pointer into a
 * stack that is gone.
 */
struct call_record {
	struct flow *flow;
	uintptr_t stack; /* where the call was made */
	uint32_t gen;
	int fd;
	union {
		struct {
			bool timed;     /* has a time limit: the hook sees to it that it goes on */
			bool nudged;    /* ended by a nudge, not by a signal of the program's */
			bool suspended; /* not in the kernel, for a handler is running: not counted
			                 */
			bool seated;    /* counted in the thread's seat, not in the flow */
			bool writes;    /* the kernel has something to write, see call_out() */
			bool usual;     /* what it writes is told by the thread's `out` */
		};
		uint64_t how; /* all of them: SEATED, WRITES, USUAL */
	};
};

struct thread {
	/* All that a usual call needs is on one line of the cache, what a send needs beside on
	 * another: from the end of `out` to the first lock. */
	_Alignas(64) uint32_t tid;
	uint32_t nudges; /* how often the handler ran in this thread */
	union {
		struct {
			_Atomic uint32_t depth;
			_Atomic uint32_t locks; /* write locks it has, the last taken last */
		};
		_Atomic uint64_t busy; /* both */
	};
	struct seat *seat; /* NULL: none yet */
	bool watched;      /* its end is */
	bool seated;       /* its seat is its own: calls are counted there, not in the flow */
	bool poll_nudged;
	struct call_record call[CALLS_NESTED];
	struct {
		struct out *out;
		uint64_t serial; /* the same in *out, unless that is gone from the stack */
	} written[CALLS_NESTED];
	struct out out;   /* what a usual call writes: not on the stack, so it needs no serial */
	struct iovec iov; /* of it */
	struct {
		struct flow *flow;
		uintptr_t stack;
	} lock[CALLS_NESTED];
	const void *polling; /* the first argument of a wait that its hook makes again */
};

_Static_assert(offsetof(struct thread, call[1]) == 64 &&
                   offsetof(struct thread, out.total) % 64 == 0 &&
                   offsetof(struct thread, lock[1]) - offsetof(struct thread, out.total) == 64,
               "two lines of the cache");

extern __thread struct thread this_thread;

/* The same, by its address: shorter instructions where much is done with it. */
static inline struct thread *own_thread(void)
{
	struct thread *t = &this_thread;

	__asm__("" : "+r"(t));
	return t;
}

/* What call_record.how is of a call that is counted in the seat, of one that writes, ... */
#define HOW(member) ((uint64_t)1 << LANE(offsetof(struct call_record, member) % 8))

uint32_t thread_id(void);

/* --- the table --- */

/* The same of a number beyond the first chunk. */
_Atomic(struct flow *) *flow_slot_beyond(unsigned n);

/* Where the flow of a descriptor stands, or will; NULL: nowhere, it has none. */
static inline _Atomic(struct flow *) *flow_slot(int fd)
{
	unsigned n = (unsigned)fd;

	return __builtin_expect(n < TABLE_CHUNK, 1) ? &hot.first[n] : flow_slot_beyond(n);
}

/* The same where there is one: NULL for the common descriptor that is none. */
static inline _Atomic(struct flow *) *flow_taken(int fd)
{
	_Atomic(struct flow *) *slot = flow_slot(fd);

	return slot && atomic_load_explicit(slot, memory_order_acquire) ? slot : NULL;
}

/* The flow of a descriptor or NULL: two loads for the common descriptor that is none. */
static inline struct flow *flow_of(int fd)
{
	_Atomic(struct flow *) *slot = flow_slot(fd);

	return slot ? atomic_load_explicit(slot, memory_order_acquire) : NULL;
}

/*
 * Enters a call. False: the descriptor is no longer this flow's (then nothing was entered). Between
 * enter and leave the flow cannot be reused, and the agent knows that this thread may be using the
 * open file it saw. `timed`: a nudge is to end the call, not to start it anew.
 */
bool call_enter(struct call *c, struct flow *f, int fd, bool timed);

/* Gives this thread a seat, if its end will be noticed. NULL: it has none. */
struct seat *call_seat(void);

/* This thread has its seat no more: it ends, or it is in a forked child. */
void thread_unseated(void);

/* True: the call was ended with EINTR by a nudge. */
bool call_leave(struct call *c);

/* The innermost call; NULL: none. */
static inline struct call_record *call_current(void)
{
	uint32_t depth = atomic_load_explicit(&this_thread.depth, memory_order_relaxed);

	return depth ? &this_thread.call[depth - 1] : NULL;
}

/* What a call of this thread has given to the kernel to write; NULL: nothing. */
static inline struct out *call_out(const struct call_record *r)
{
	return !r->writes ? NULL
	       : r->usual ? &this_thread.out
	                  : this_thread.written[r - this_thread.call].out;
}

/*
 * In the nudge handler: a call that is interrupted before it has done anything will see the present
 * open file. `restarted`: that is known of the innermost. A write of which it is not known stays
 * where it is until its hook has put what it has written into the ring.
 */
void call_retag(bool restarted);

/*
 * In a signal handler: a call that was interrupted and of which nothing is missing in the ring is
 * not counted any more. It will see what is on the descriptor then, and a nudge finds it there.
 */
void call_suspend(struct call_record *r);

/* The same for all this thread is in, while its handler waits for the agent; and back. */
void calls_suspend(void);
void calls_resume(void);

/* A write lock was taken, or is given back: so that it is when the thread ends or jumps away. */
bool writing_taken(struct flow *f);
void writing_release(struct flow *f);

/*
 * Leaves all calls and gives back the locks that go with them: in a thread that ends. What was
 * written and is not in the ring is noticed by the kernel's counts, as any write past us.
 */
void calls_abandon(void);

/* What is left over of calls from which a handler has jumped is given up, as far as it is seen. */
void calls_tidy(void);

/* Is this thread in any call? */
static inline bool calls_any(void)
{
	return atomic_load_explicit(&this_thread.depth, memory_order_relaxed) ||
	       atomic_load_explicit(&this_thread.locks, memory_order_relaxed);
}

/* On the stack that we are on now, all calls made below `stack` are given up. */
void calls_leave_below(uintptr_t stack);

/* From now on calls_abandon() is done for every thread that has been in a call. */
void calls_watch_threads(void);

/* Agent: no hooked call is left on the file that was there before the last exchange. */
bool calls_drained(const struct flow *f);

/* Agent: no call is left on a flow that is in the table no more. */
bool calls_none(const struct flow *f);

/* Some call's end was never seen (a longjmp out of a handler): start counting anew. */
void calls_forget(struct flow *f);

/* --- making and ending flows --- */

/* A free flow or NULL (none left, no memory). The caller fills it in, then puts it into the table.
 */
struct flow *flow_new(enum flow_kind kind);

/* Makes `fd` an alias; false: no room. Caller holds f->table or is the only one who knows f. */
bool flow_add_fd(struct flow *f, int fd);

/* Sets the table's entry and nothing else: for what is no flow (NULL) or to be left alone. */
void flow_mark(int fd, struct flow *f);

/* Takes the descriptor out; returns true if it was the flow's last. Caller holds f->table. */
bool flow_drop_fd(struct flow *f, int fd);

/* Does the descriptor still refer to the open file we think? (One fstat.) */
bool flow_owns(const struct flow *f, int fd);

/* Would a program executed now have one of its descriptors? */
bool flow_inheritable(const struct flow *f);

/*
 * Another descriptor for what is on the flow's descriptors now: the caller's, see own_copy().
 * -EBADF: the program has closed them all.
 */
int flow_duplicate(struct flow *f);

struct counts;

/* The stream count the program has read up to, from the kernel's counts of the current socket. */
uint64_t flow_read_count(const struct flow *f, const struct counts *k);

/* The descriptors as they are just now, without the table's lock: at most FLOW_ALIASES. */
static inline int flow_fds(const struct flow *f, int *fds)
{
	unsigned n = __atomic_load_n(&f->fds, __ATOMIC_RELAXED);

	for (unsigned i = 0; i < n; i++)
		fds[i] = __atomic_load_n(&f->fd[i], __ATOMIC_RELAXED);
	return (int)n;
}

/* The stream count the program has written up to, while it may be writing. */
static inline uint64_t flow_tail(const struct flow *f)
{
	return __atomic_load_n(&f->ring.tail, __ATOMIC_RELAXED);
}

/* Reserves the ring, a power of two; false: no memory, the flow stays uncovered. */
bool flow_make_ring(struct flow *f, size_t size);

/* So large that so much more fits in, if it may be. The caller has the write lock, or is the agent
 * and carries the flow. */
void flow_ring_room(struct flow *f, uint64_t more);

/* All that it holds was confirmed: its pages are given back. The write lock is held. */
void flow_ring_clean(struct flow *f);

/* All flows ever made: for the agent. `i` from 0 to flow_count() - 1; may be FLOW_FREE. */
struct flow *flow_at(unsigned i);
unsigned flow_count(void);

extern _Atomic unsigned flows_made;

/* Was there ever one? */
static inline bool flows_any(void)
{
	return atomic_load_explicit(&flows_made, memory_order_relaxed);
}

/* From now on there are none: their descriptors are ordinary ones. */
void flows_gone(void);

/*
 * In a forked child, without a system call on any descriptor: nobody is in a call, no lock is held,
 * the parent's keys are wiped. `kept`: the flow stays in the table; else it is free.
 */
void flow_forked(struct flow *f, bool kept);
/* In a child that takes over: as above, but the flow is this process's now. */
void flow_succeeded(struct flow *f);
/* After all have been told: only the descriptors of those kept are in the table. */
void flow_table_forked(void);

#endif
