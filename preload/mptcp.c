/* SPDX-License-Identifier: MIT */
#include "preload/mptcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "common/log.h"
#include "preload/dial.h"
#include "preload/futex.h"
#include "preload/options.h"
#include "preload/own.h"
#include "preload/raw.h"
#include "preload/splice.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* Neither bound, connected nor listening. */
static bool fresh(int fd)
{
	union flow_address own;
	socklen_t len = sizeof(own);
	uint8_t state = 0;
	socklen_t state_len = sizeof(state);

	return raw_getsockname(fd, &own.sa, &len) == 0 && address_port(&own) == 0 &&
	       raw_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &state_len) == 0 &&
	       state == TCP_CLOSE;
}

bool mptcp_put(struct flow *f)
{
	int saved = errno, r = -EBUSY;
	int fd = fresh(f->fd[0]) ? own_socket(f->peer.sa.sa_family, SOCK_STREAM, IPPROTO_MPTCP)
	                         : -EISCONN;

	if (fd >= 0) {
		options_copy(f->fd[0], fd);
		options_copy_buffers(f->fd[0], fd);
		if (lock_take(&f->table, thread_id(), -1)) {
			r = splice_install(f, fd);
			lock_release(&f->table);
		}
		own_close(fd);
	}
	if (fd < 0 || r < 0)
		log_info("flow %u: no MPTCP: %s", f->id, strerrordesc_np(fd < 0 ? -fd : -r));
	errno = saved;
	return fd >= 0 && r == 0;
}
