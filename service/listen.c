/* SPDX-License-Identifier: MIT */
#include "service/listen.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char own_path[sizeof(((struct sockaddr_un *)0)->sun_path)];

int listen_at(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	strcpy(at.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* One that answers is another service at work; one that does not is a leftover. */
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 || errno == EAGAIN) {
		close(fd);
		return -EADDRINUSE;
	}
	unlink(path);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || chmod(path, 0666) < 0 ||
	    listen(fd, 128) < 0) {
		int e = -errno;

		close(fd);
		return e;
	}
	strcpy(own_path, path);
	return fd;
}

void listen_end(void)
{
	if (*own_path)
		unlink(own_path);
}
