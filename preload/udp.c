/* SPDX-License-Identifier: MIT */
#include "preload/udp.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/choose.h"
#include "preload/dial.h"
#include "preload/errand.h"
#include "preload/options.h"
#include "preload/own.h"
#include "preload/raw.h"
#include "preload/splice.h"

static int make(const struct flow *f, const struct mif_path *path)
{
	union flow_address a;
	sa_family_t family = f->peer.sa.sa_family;
	int fd = own_socket(family, SOCK_DGRAM, 0);

	if (fd < 0)
		return fd;
	memset(&a, 0, sizeof(a));
	a.sa.sa_family = family;
	if (family == AF_INET6)
		memcpy(&a.in6.sin6_addr, path->source.ip, 16);
	else
		memcpy(&a.in.sin_addr, path->source.ip, 4);
	int r = raw_setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, path->name,
	                       (socklen_t)strnlen(path->name, IFNAMSIZ));

	/* The same local port where it is free there: some peers know their clients by it. */
	if (r == 0) {
		if (family == AF_INET6)
			a.in6.sin6_port = f->local.in6.sin6_port;
		else
			a.in.sin_port = f->local.in.sin_port;
		r = raw_bind(fd, &a.sa, address_len(&a));
		if (r < 0) {
			if (family == AF_INET6)
				a.in6.sin6_port = 0;
			else
				a.in.sin_port = 0;
			r = raw_bind(fd, &a.sa, address_len(&a));
		}
	}
	if (r == 0 && f->connected_udp)
		r = raw_connect(fd, &f->peer.sa, f->address_len);
	if (r < 0) {
		own_close(fd);
		return r;
	}
	return fd;
}

int udp_route(const union flow_address *peer, union flow_address *source)
{
	socklen_t len = sizeof(*source);
	int fd = own_socket(peer->sa.sa_family, SOCK_DGRAM, 0), ifindex = 0;

	if (fd < 0)
		return 0;
	if (raw_connect(fd, &peer->sa, address_len(peer)) == 0 &&
	    raw_getsockname(fd, &source->sa, &len) == 0)
		ifindex = choose_interface(source);
	own_close(fd);
	return ifindex;
}

void udp_move(struct flow *f, const struct mif_path *path)
{
	int unread = 0;
	int fd;

	/* Datagrams that wait in the old socket would be lost: let the program have them first, for
	 * a moment. */
	if (f->fds && raw_ioctl(f->fd[0], SIOCINQ, &unread) == 0 && unread > 0 &&
	    clock_ms() - f->lost_ms < 100) {
		f->retry_ms = clock_ms() + 10;
		return;
	}
	fd = make(f, path);
	if (fd < 0) {
		log_info("flow %u: no datagram socket over %s: %s", f->id, path->name,
		         strerrordesc_np(-fd));
		f->retry_ms = clock_ms() + 1000;
		return;
	}
	if (splice_put(f, fd) == 0) {
		socklen_t len = sizeof(f->source);

		f->ifindex = path->ifindex;
		raw_getsockname(fd, &f->source.sa, &len);
		f->lost_ms = f->retry_ms = 0;
		f->handovers++;
		atomic_store(&f->state, FLOW_STABLE);
		log_info("flow %u: datagrams now over %s", f->id, path->name);
		errand_tell(f);
	}
	own_close(fd);
}
