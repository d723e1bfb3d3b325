/* SPDX-License-Identifier: MIT */
/* What the hook families share. */
#ifndef PRELOAD_HOOK_H
#define PRELOAD_HOOK_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>

#include "preload/flow.h"

/* Every hook is exported under the program's name for it; the linker map (symbols.list) has the
 * same names. */
#define EXPORT __attribute__((visibility("default")))

/* The fortified names are declared nowhere. */
ssize_t __read_chk(int, void *, size_t, size_t);
ssize_t __recv_chk(int, void *, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
struct pollfd;
struct timespec;
int __poll_chk(struct pollfd *, unsigned long, int, size_t);
int __ppoll_chk(struct pollfd *, unsigned long, const struct timespec *, const sigset_t *, size_t);

/* Agent: what stands in for the program's descriptor (heirs.h) is closed, as the program closes its
 * last one. */
void stand_in_leaves(struct flow *f);

/* Errors that speak of the path, not of the peer. */
bool path_error(int err);

/* A reset by an HTTP server, or by who speaks for it: the program is to decide what comes of it. */
bool peers_word(const struct flow *f, int err);

/*
 * A call on a flow ended with a path error, or with a FIN that the relay has not announced. True:
 * the agent has taken the descriptor over (a quiet placeholder is on it); a blocking call is to be
 * made again, a non-blocking one ends in EAGAIN. False: it is the program's to know. Waits for the
 * agent, at most a second. `gen` is the
 * flow's generation when the call began: if the file has been exchanged since, the error is not of
 * the one that is there now.
 */
bool hold_flow(struct flow *f, int fd, uint32_t gen);

/*
 * Makes a flow of a datagram socket that has just sent to `to` without being connected, if the
 * policy says so; a socket that is to be left alone is marked, so that it is asked about once.
 * errno is kept.
 */
void datagram_flow(int fd, const struct sockaddr *to, socklen_t len);

/*
 * The first bytes after a rest: the agent is to look whether they get anywhere. Async-signal-safe;
 * errno is kept.
 */
void flow_stir(struct flow *f);

/* Bytes have moved: one load for a flow that is in use, or that nobody looks after. */
static inline void flow_moves(struct flow *f)
{
	if (!atomic_load_explicit(&f->stirred, memory_order_relaxed))
		flow_stir(f);
}

/* Was this end of stream announced by the relay (or is the flow one that needs no announcement)? */
bool end_is_true(struct flow *f, int fd);

/*
 * Does POLLERR, POLLHUP or POLLRDHUP on the flow say something about the peer, as far as the relay
 * has told, rather than about the path? May wait some milliseconds for the announcement.
 */
bool event_is_true(const struct flow *f, short events);

/*
 * The thread is about to jump to where its stack is at `stack`, out of a signal handler perhaps:
 * the calls in between are over. What they have written goes into the ring.
 */
void writers_jump(uintptr_t stack);

/*
 * The kernel has just given out this number, or says of it what cannot be true of a flow's: if the
 * table has it still, the program closed it where no hook saw it (inside libc, by an instruction of
 * its own), and the flow loses it. True: so it was. errno is kept.
 */
bool flow_stale(int fd);

/*
 * A socket's call was made of it, and failed: has a file or a pipe taken the flow's number? Then
 * errno is what it `was` before.
 */
static inline bool no_socket(int fd, ssize_t n, int was)
{
	if (n >= 0 || errno != ENOTSOCK || !flow_stale(fd))
		return false;
	errno = was;
	return true;
}

/*
 * The descriptor is one more of the flow's, which is uncovered if it has more than can be
 * exchanged. The caller holds f->table.
 */
void flow_alias(struct flow *f, int fd);

/*
 * NULL, or near it: what is most often meant by a bad pointer. The kernel says EFAULT, and we must
 * not look.
 */
static inline bool nowhere(const void *p)
{
	return (uintptr_t)p < 4096;
}

/* For a call that makes descriptors: the number, whatever it was before, is nobody's. */
static inline int fresh(int fd)
{
	if (fd >= 0 && flow_of(fd))
		flow_stale(fd);
	return fd;
}

/*
 * A flow whose bytes are kept, or one on which nothing was written yet, since that may still be
 * dialled again and must not be in the middle of its first write. NULL: the real call, as it is.
 */
struct flow *flow_kept(int fd);

/* send() on such a flow. */
ssize_t send_one(struct flow *f, int fd, const void *buf, size_t len, int flags);

/* After a receiving call that returned *n: should it be made again? Else *n and errno are the
 * program's. `wanted`: room for at least a byte was given; `nudged`: what call_leave() said. */
bool receive_again(const struct call *c, int fd, int flags, bool wanted, bool nudged, ssize_t *n);

/*
 * A system call made by its number that changes what the calling thread may do. The agent steps
 * aside and then follows the main thread; what another thread does to itself alone is its own.
 */
long process_changed(long nr, const long arg[6]);

/* Would connect() make a flow of this socket that has to know every byte? */
bool connect_keeps(int fd, const struct sockaddr *addr, socklen_t len);

/*
 * The kernel is about to write to the descriptor by itself, or in a way no hook can repeat: from
 * now on the agent carries the flow (pump.h), or it is uncovered. Waits for the agent; errno is
 * kept.
 */
void written_by_kernel(struct flow *f);

/*
 * futex_wait() where the program believes to be in a system call: a point at which its thread can
 * be cancelled. The caller has no lock and is in no call.
 */
int futex_wait_as_call(_Atomic uint32_t *word, uint32_t value, int ms);

/*
 * How much is left of the time that the descriptor's SO_RCVTIMEO or SO_SNDTIMEO gives a call that
 * was entered as a timed one.
 */
int64_t call_left_ns(const struct call *c, int fd, int option);

/* Is the call non-blocking, by flag or by descriptor? */
bool nonblocking(int fd, int flags);

#endif
