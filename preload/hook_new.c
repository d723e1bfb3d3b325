/* SPDX-License-Identifier: MIT */
/*
 * Calls that make sockets. None is a flow yet, but its number may be one that a flow had: closed
 * where no hook could see it. Other descriptors need no such care: what is done to a number that
 * turns out not to be a socket is done again, without the flow.
 */
#include "preload/doubles.h"
#include "preload/hook.h"
#include "preload/numbers.h"
#include "preload/real.h"

EXPORT int socket(int domain, int type, int protocol)
{
	unsigned at = numbers_enter();
	int r = real.socket(domain, type, protocol);

	numbers_leave(at);
	doubles_made(r);
	return fresh(r);
}

EXPORT int socketpair(int domain, int type, int protocol, int fd[2])
{
	unsigned at = numbers_enter();
	int r = real.socketpair(domain, type, protocol, fd);

	numbers_leave(at);
	if (r == 0) {
		fresh(fd[0]);
		fresh(fd[1]);
	}
	return r;
}

/*
 * A connection is accepted at some time, by who has not to know when: nobody expects a certain
 * number of these.
 */
EXPORT int accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	return fresh(real.accept(fd, addr, len));
}

EXPORT int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return fresh(real.accept4(fd, addr, len, flags));
}
