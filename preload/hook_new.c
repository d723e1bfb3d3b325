/* SPDX-License-Identifier: MIT */
/*
 * Calls that make sockets. None is a flow yet, but its number may be one that a flow had: closed
 * where no hook could see it. Other descriptors need no such care: what is done to a number that
 * turns out not to be a socket is done again, without the flow.
 */
#include "preload/hook.h"
#include "preload/real.h"

EXPORT int socket(int domain, int type, int protocol)
{
	return fresh(real.socket(domain, type, protocol));
}

EXPORT int socketpair(int domain, int type, int protocol, int fd[2])
{
	int r = real.socketpair(domain, type, protocol, fd);

	if (r == 0) {
		fresh(fd[0]);
		fresh(fd[1]);
	}
	return r;
}

EXPORT int accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	return fresh(real.accept(fd, addr, len));
}

EXPORT int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return fresh(real.accept4(fd, addr, len, flags));
}
