/* SPDX-License-Identifier: MIT */
#include "preload/options.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "preload/raw.h"

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif

static const struct option {
	int level, name;
} options[] = {
    {SOL_SOCKET, SO_KEEPALIVE},
    {SOL_SOCKET, SO_LINGER},
    {SOL_SOCKET, SO_OOBINLINE},
    {SOL_SOCKET, SO_PRIORITY},
    {SOL_SOCKET, SO_RCVLOWAT},
    {SOL_SOCKET, SO_RCVTIMEO},
    {SOL_SOCKET, SO_SNDTIMEO},
    {SOL_SOCKET, SO_BROADCAST},
    {SOL_SOCKET, SO_REUSEADDR},
    {SOL_SOCKET, SO_REUSEPORT},
    {SOL_SOCKET, SO_TIMESTAMP},
    {SOL_SOCKET, SO_TIMESTAMPNS},
    {SOL_SOCKET, SO_TIMESTAMPING},
    {SOL_SOCKET, SO_ZEROCOPY},
    {SOL_SOCKET, SO_MAX_PACING_RATE},
    {SOL_SOCKET, SO_BUSY_POLL},
    {SOL_SOCKET, SO_MARK},
    {SOL_SOCKET, SO_DONTROUTE},
    {IPPROTO_IP, IP_TOS},
    {IPPROTO_IP, IP_TTL},
    {IPPROTO_IP, IP_RECVTOS},
    {IPPROTO_IP, IP_RECVTTL},
    {IPPROTO_IP, IP_RECVERR},
    {IPPROTO_IP, IP_PKTINFO},
    {IPPROTO_IP, IP_MTU_DISCOVER},
    {IPPROTO_IPV6, IPV6_TCLASS},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS},
    {IPPROTO_IPV6, IPV6_RECVTCLASS},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT},
    {IPPROTO_IPV6, IPV6_DONTFRAG},
    {IPPROTO_IPV6, IPV6_RECVERR},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER},
    {IPPROTO_TCP, TCP_NODELAY},
    {IPPROTO_TCP, TCP_CORK},
    {IPPROTO_TCP, TCP_KEEPIDLE},
    {IPPROTO_TCP, TCP_KEEPINTVL},
    {IPPROTO_TCP, TCP_KEEPCNT},
    {IPPROTO_TCP, TCP_LINGER2},
    {IPPROTO_TCP, TCP_SYNCNT},
    {IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS},
    {IPPROTO_TCP, TCP_INQ},
    {IPPROTO_TCP, TCP_USER_TIMEOUT},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT},
    {IPPROTO_TCP, TCP_CONGESTION},
};

#define VALUE_MAX 32

static void copy(int from, int to, const struct option *o)
{
	char want[VALUE_MAX] = {0}, have[VALUE_MAX] = {0};
	socklen_t want_len = sizeof(want), have_len = sizeof(have);

	if (raw_getsockopt(from, o->level, o->name, want, &want_len) < 0 ||
	    raw_getsockopt(to, o->level, o->name, have, &have_len) < 0)
		return;
	if (want_len != have_len || memcmp(want, have, want_len) != 0)
		raw_setsockopt(to, o->level, o->name, want, want_len);
}

static void copy_buffer(int from, int to, int name)
{
	int size = 0;
	socklen_t len = sizeof(size);

	if (raw_getsockopt(from, SOL_SOCKET, name, &size, &len) < 0)
		return;
	size /= 2; /* the kernel doubles what it is given */
	raw_setsockopt(to, SOL_SOCKET, name, &size, sizeof(size));
}

static void copy_flags(int from, int to)
{
	struct f_owner_ex owner;
	int want = raw_fcntl(from, F_GETFL, 0), have = raw_fcntl(to, F_GETFL, 0);

	if (want < 0 || have < 0)
		return;
	/* An owner is told of urgent data without O_ASYNC, too. */
	if (raw_fcntl(from, F_GETOWN_EX, (long)&owner) == 0 && owner.pid)
		raw_fcntl(to, F_SETOWN_EX, (long)&owner);
	int sig = raw_fcntl(from, F_GETSIG, 0);

	if (sig >= 0 && sig != raw_fcntl(to, F_GETSIG, 0))
		raw_fcntl(to, F_SETSIG, sig);
	if ((want ^ have) & (O_NONBLOCK | O_ASYNC))
		raw_fcntl(to, F_SETFL,
		          (have & ~(O_NONBLOCK | O_ASYNC)) | (want & (O_NONBLOCK | O_ASYNC)));
}

void options_copy(int from, int to)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		copy(from, to, &options[i]);
	copy_flags(from, to);
}

void options_copy_buffers(int from, int to)
{
	int locked = 0;
	socklen_t len = sizeof(locked);

	if (raw_getsockopt(from, SOL_SOCKET, SO_BUF_LOCK, &locked, &len) < 0)
		return;
	if (locked & 1)
		copy_buffer(from, to, SO_SNDBUF);
	if (locked & 2)
		copy_buffer(from, to, SO_RCVBUF);
}
