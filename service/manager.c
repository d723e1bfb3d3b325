/* SPDX-License-Identifier: MIT */
#include "service/manager.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

#define FIRST_SOCKET 3

static int notify = -1;
static struct sockaddr_un to;
static socklen_t to_len;
static int64_t every, next;

static long number(const char *name)
{
	const char *v = getenv(name);

	return v ? strtol(v, NULL, 10) : 0;
}

int manager_socket(void)
{
	if (number("LISTEN_PID") != getpid() || number("LISTEN_FDS") < 1)
		return -1;
	fcntl(FIRST_SOCKET, F_SETFD, FD_CLOEXEC);
	fcntl(FIRST_SOCKET, F_SETFL, fcntl(FIRST_SOCKET, F_GETFL) | O_NONBLOCK);
	return FIRST_SOCKET;
}

static void tell(const char *what)
{
	if (notify >= 0)
		sendto(notify, what, strlen(what), MSG_NOSIGNAL | MSG_DONTWAIT,
		       (struct sockaddr *)&to, to_len);
}

void manager_ready(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path ? strlen(path) : 0;

	if (n < 2 || n >= sizeof(to.sun_path) || (*path != '/' && *path != '@'))
		return;
	to.sun_family = AF_UNIX;
	memcpy(to.sun_path, path, n);
	to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	if (*path == '@')
		to.sun_path[0] = 0;
	notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	tell("READY=1");
	/* Half of the time it is given. */
	every = number("WATCHDOG_USEC") / 2000;
	next = clock_ms() + every;
}

void manager_step(int64_t now)
{
	if (every <= 0 || now < next)
		return;
	tell("WATCHDOG=1");
	next = now + every;
}

int64_t manager_due(void)
{
	return every > 0 && notify >= 0 ? next : -1;
}
