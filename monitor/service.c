/* SPDX-License-Identifier: MIT */
#include "monitor/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "monitor/shared.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static char path[sizeof(((struct sockaddr_un *)0)->sun_path)] = SHARED_SOCKET;

/* At once: later another thread may be changing the environment. */
__attribute__((constructor)) static void find_path(void)
{
	const char *named = secure_getenv("MIFCONT_SERVICE");

	if (named && strlen(named) < sizeof(path))
		strcpy(path, named);
}

static int check_peer(int fd, uint64_t *network)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	/* Who has made the socket, that is: who told it to listen. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	if (peer.uid != 0 && peer.uid != geteuid())
		return -EPERM;
	len = sizeof(*network);
	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, network, &len) < 0 ? -errno : 0;
}

int service_connect(struct rtsock *s, uint64_t *network)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, r;

	s->fd = -1;
	if (!*path)
		return -ENOENT;
	strcpy(to.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : check_peer(fd, network);
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	s->fd = fd;
	s->inode = st.st_ino;
	return 0;
}

ssize_t service_receive(const struct rtsock *s, void *buf, size_t size)
{
	for (;;) {
		struct iovec iov = {buf, size};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n = recvmsg(s->fd, &msg, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EPIPE;
		return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
	}
}

int service_send(const struct rtsock *s, const void *message, size_t len)
{
	return send(s->fd, message, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int service_ask(const struct rtsock *s, int ifindex)
{
	uint32_t buf[SHARED_MESSAGE / sizeof(uint32_t)];

	return service_send(s, buf, shared_ask(buf, ifindex));
}
