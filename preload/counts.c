/* SPDX-License-Identifier: MIT */
#include "preload/counts.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>

#include "preload/raw.h"

/* The kernel's states; <netinet/tcp.h>, which names them, cannot be had together with
 * <linux/tcp.h>. */
enum {
	ESTABLISHED = 1,
	SYN_SENT,
	SYN_RECV,
	FIN_WAIT1,
	FIN_WAIT2,
	TIME_WAIT,
	CLOSED,
	CLOSE_WAIT,
	LAST_ACK,
	LISTENING,
	CLOSING
};

static int info(int fd, struct tcp_info *t)
{
	socklen_t len = sizeof(*t);

	memset(t, 0, sizeof(*t));
	return raw_getsockopt(fd, IPPROTO_TCP, TCP_INFO, t, &len);
}

/* Nothing left to read: would a reader be told the end of the stream because of a FIN? */
static bool end_behind(int fd)
{
	struct tcp_zerocopy_receive z;
	socklen_t len =
	    offsetof(struct tcp_zerocopy_receive, inq); /* no more, or it takes SO_ERROR */

	memset(&z, 0, sizeof(z));
	return raw_getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &z, &len) == -EIO;
}

/* `in` bytes are left to read: is there a FIN behind them? The hint that goes with a read counts
 * it, SIOCINQ does not. */
static bool end_after(int fd, int in)
{
	char byte, control[256];
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v,
	                   .msg_iovlen = 1,
	                   .msg_control = control,
	                   .msg_controllen = sizeof(control)};
	int one = 1, before = 0, hint = 0;
	socklen_t len = sizeof(before);

	if (raw_getsockopt(fd, IPPROTO_TCP, TCP_INQ, &before, &len) < 0 ||
	    raw_setsockopt(fd, IPPROTO_TCP, TCP_INQ, &one, sizeof(one)) < 0)
		return false;
	long n = raw_recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT);

	raw_setsockopt(fd, IPPROTO_TCP, TCP_INQ, &before, sizeof(before));
	if (n != 1)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == IPPROTO_TCP && c->cmsg_type == TCP_CM_INQ)
			memcpy(&hint, CMSG_DATA(c), sizeof(hint));
	return hint == in + 1;
}

static bool peer_ended(int fd, int state, int in)
{
	switch (state) {
	case CLOSE_WAIT:
	case LAST_ACK:
	case CLOSING:
	case TIME_WAIT:
		return true;
	case CLOSED:
		return in ? end_after(fd, in) : end_behind(fd);
	}
	return false;
}

/* What was written and what of it is not acknowledged, from sums that count SYN and FIN. */
static void outgoing(struct counts *c, uint64_t acked, uint64_t out)
{
	if (c->state == SYN_SENT || (c->state == CLOSED && !acked))
		return; /* never connected: nothing was written, whatever the sums say */
	c->fin_sent = c->state == FIN_WAIT1 || c->state == FIN_WAIT2 || c->state == CLOSING ||
	              c->state == LAST_ACK;
	uint64_t extra = (acked ? 1 : 0) + (c->fin_sent ? 1 : 0), sum = acked + out;

	c->written = sum > extra ? sum - extra : 0;
	/* What is not acknowledged ends with the FIN. */
	c->unacked = c->fin_sent && out ? out - 1 : out;
}

int counts_read(int fd, struct counts *c)
{
	struct tcp_info t, check;
	int protocol = 0, in = 0, out = 0, r;
	socklen_t len = sizeof(protocol);

	memset(c, 0, sizeof(*c));
	r = raw_getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
	if (r < 0)
		return r == -ENOPROTOOPT ? -EOPNOTSUPP : r;
	if (protocol != IPPROTO_TCP)
		return -EOPNOTSUPP;
	r = info(fd, &t);
	if (r < 0)
		return r;
	/* Two questions make one answer only if nothing arrived and nothing was acknowledged in
	 * between. */
	for (int tries = 0;; tries++) {
		/* A listener refuses these; it has no bytes. */
		if (raw_ioctl(fd, SIOCINQ, &in) < 0 || raw_ioctl(fd, SIOCOUTQ, &out) < 0)
			in = out = 0;
		r = info(fd, &check);
		if (r < 0)
			return r;
		if (t.tcpi_state == check.tcpi_state &&
		    t.tcpi_bytes_received == check.tcpi_bytes_received &&
		    t.tcpi_bytes_acked == check.tcpi_bytes_acked)
			break;
		if (tries == 100)
			return -EAGAIN;
		t = check;
	}
	c->state = t.tcpi_state;
	c->fin_received = peer_ended(fd, c->state, in);
	c->received = t.tcpi_bytes_received - (c->fin_received && t.tcpi_bytes_received ? 1 : 0);
	/* A reader on another thread may have been quicker than the two questions. */
	c->read = c->received > (uint64_t)in ? c->received - (uint64_t)in : 0;
	outgoing(c, t.tcpi_bytes_acked, (uint64_t)out);
	return 0;
}

bool counts_refused(int fd)
{
	struct tcp_info t;

	return info(fd, &t) == 0 && t.tcpi_state == CLOSED && t.tcpi_bytes_acked == 0;
}
