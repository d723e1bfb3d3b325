/* SPDX-License-Identifier: MIT */
/*
 * How many bytes a program has read from and written to a TCP socket, by the kernel's own account.
 *
 * TCP_INFO's bytes_received less SIOCINQ is what was read, however it was read: through us, stdio or raw calls.
 * bytes_acked plus SIOCOUTQ is what was written. Sequence numbers for SYN (on the connecting side, once acknowledged) and FIN count in
 * these sums and are taken off here. Exact only while no thread is inside a call on the socket.
 * Counts stay readable after a RST and after the interface is gone.
 */
#ifndef PRELOAD_COUNTS_H
#define PRELOAD_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct counts {
	uint64_t written;  /* by the program */
	uint64_t unacked;  /* of these, not acknowledged by the peer's kernel */
	uint64_t received; /* by our kernel */
	uint64_t read;	   /* of these, by the program */
	bool fin_received;
	uint8_t state; /* TCP_ESTABLISHED, ... */
};

/* 0, or negative errno: -EOPNOTSUPP for what is not plain TCP (MPTCP speaks for its first subflow only). */
int counts_read(int fd, struct counts *c);

#endif
