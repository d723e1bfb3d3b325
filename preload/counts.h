/* SPDX-License-Identifier: MIT */
/*
 * How many bytes a program has read from and written to a TCP socket, by the kernel's own account:
 * however it was done, through us, stdio or raw calls. For sockets that have connected; exact while
 * no thread is inside a call on them. The counts stay readable after a RST and after the interface
 * is gone.
 *
 * What the kernel says, as measured on Linux 6.18 (tests/unit/test_preload_counts.c asserts all of
 * it):
 *
 *   read = bytes_received - SIOCINQ, less 1 once the peer's FIN is in sequence: bytes_received
 * counts it as soon as it arrives, SIOCINQ never does, and whether the program has seen the end
 * makes no difference.
 *
 *   written = bytes_acked + SIOCOUTQ, less 1 for our SYN (bytes_acked counts it on the connecting
 * side, with or without data in it, and never on the accepting side), less 1 once our FIN is
 * queued: SIOCOUTQ counts it while it is not acknowledged, bytes_acked after.
 *
 *   A socket in TCP_CLOSE had a RST, or both ends have sent their FINs (TIME_WAIT is not the
 * descriptor's state): the state no longer tells who sent a FIN. The peer's is found all the same,
 * for the kernel's hint to readers (TCP_INQ) counts it; ours is not, so `written` is one too many
 * if the program had ended its direction. A refused connect leaves nonsense in SIOCOUTQ.
 *
 *   Urgent data makes SIOCINQ stop at the mark: too much seems to be read.
 */
#ifndef PRELOAD_COUNTS_H
#define PRELOAD_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct counts {
	uint64_t written;  /* by the program; in TCP_CLOSE one too many if it had sent its FIN */
	uint64_t unacked;  /* of these, not acknowledged by the peer's kernel */
	uint64_t received; /* by our kernel */
	uint64_t read;     /* of these, by the program */
	bool fin_sent;     /* or queued; never set in TCP_CLOSE, where it is not known */
	bool fin_received;
	uint8_t state; /* TCP_ESTABLISHED, ... */
};

/*
 * 0, or negative errno: -EOPNOTSUPP for what is not plain TCP (MPTCP speaks for its first subflow
 * only), -EAGAIN if so much kept arriving that no two questions agreed. Two to four system calls;
 * harmless on a socket in use.
 */
int counts_read(int fd, struct counts *c);

/* Is it closed, and never was connected? Not even the SYN was acknowledged. */
bool counts_refused(int fd);

#endif
