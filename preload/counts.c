/* SPDX-License-Identifier: MIT */
#include "preload/counts.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>

#include "preload/raw.h"

enum { ESTABLISHED = 1, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSED, CLOSE_WAIT, LAST_ACK, LISTENING, CLOSING };

static int info(int fd, struct tcp_info *t)
{
	socklen_t len = sizeof(*t);

	memset(t, 0, sizeof(*t));
	return raw_getsockopt(fd, IPPROTO_TCP, TCP_INFO, t, &len);
}

int counts_read(int fd, struct counts *c)
{
	struct tcp_info t, check;
	int protocol = 0, in = 0, out = 0, r;
	socklen_t len = sizeof(protocol);

	memset(c, 0, sizeof(*c));
	r = raw_getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
	if (r < 0)
		return r;
	if (protocol != IPPROTO_TCP)
		return -EOPNOTSUPP;
	/* Two questions make one answer only if nothing arrived and nothing was acknowledged in between. */
	for (int tries = 0;; tries++) {
		r = info(fd, &t);
		if (r < 0)
			return r;
		/* SYN_SENT and LISTEN refuse these; nothing was exchanged then. */
		if (raw_ioctl(fd, SIOCINQ, &in) < 0)
			in = 0;
		if (raw_ioctl(fd, SIOCOUTQ, &out) < 0)
			out = 0;
		r = info(fd, &check);
		if (r < 0)
			return r;
		if (tries == 100 || (t.tcpi_bytes_received == check.tcpi_bytes_received &&
				     t.tcpi_bytes_acked == check.tcpi_bytes_acked))
			break;
	}
	c->state = t.tcpi_state;
	/* The peer's FIN is counted as a byte received once it is in sequence. */
	c->fin_received = t.tcpi_state == CLOSE_WAIT || t.tcpi_state == LAST_ACK ||
			  t.tcpi_state == CLOSING || t.tcpi_state == TIME_WAIT;
	c->received = t.tcpi_bytes_received;
	if (c->fin_received && c->received)
		c->received--;
	c->read = c->received - (uint64_t)in;
	/*
	 * SIOCOUTQ is write_seq - snd_una and so includes an unacknowledged FIN; a FIN that was acknowledged is in bytes_acked
	 * instead. Either way it is one, from the moment the FIN is queued. The SYN is in bytes_acked.
	 */
	uint64_t fin = t.tcpi_state == FIN_WAIT1 || t.tcpi_state == FIN_WAIT2 ||
		       t.tcpi_state == LAST_ACK || t.tcpi_state == CLOSING ||
		       t.tcpi_state == TIME_WAIT;
	uint64_t sum = t.tcpi_bytes_acked + (uint64_t)out;
	uint64_t extra = fin + (t.tcpi_bytes_acked ? 1 : 0);

	if (t.tcpi_state == SYN_SENT)
		extra = sum; /* whatever it says, nothing was written */
	c->written = sum > extra ? sum - extra : 0;
	c->unacked = (uint64_t)out > fin ? (uint64_t)out - fin : 0;
	if (t.tcpi_state == FIN_WAIT2 || t.tcpi_state == TIME_WAIT || t.tcpi_state == SYN_SENT)
		c->unacked = 0;
	return 0;
}
