/* SPDX-License-Identifier: MIT */
/* mifcont relays [forget NAME]: the relays met before, and their keys. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "common/userfile.h"
#include "session/known.h"

#define FILE_LIMIT 65536 /* as the library reads it */

static int usage(void)
{
	fputs("usage: mifcont relays [forget HOST:PORT]\n", stderr);
	return 2;
}

/* Writes what is not `name`'s back over the file, which is locked; how many lines went, or -1. */
static int forget(int fd, char *text, size_t len, const char *name)
{
	size_t kept = 0;
	int gone = 0;

	for (size_t at = 0; at < len;) {
		char *end = memchr(text + at, '\n', len - at);
		size_t n = end ? (size_t)(end - text) - at + 1 : len - at;

		if (known_is(text + at, end ? n - 1 : n, name)) {
			gone++;
		} else {
			memmove(text + kept, text + at, n);
			kept += n;
		}
		at += n;
	}
	if (gone && (pwrite(fd, text, kept, 0) != (ssize_t)kept || ftruncate(fd, (off_t)kept) < 0))
		return -1;
	return gone;
}

int cmd_relays(int argc, char **argv)
{
	static char text[FILE_LIMIT];
	char path[PATH_MAX];
	bool forgetting = argc == 3 && strcmp(argv[1], "forget") == 0;

	if (argc != 1 && !forgetting)
		return usage();
	if (!userfile(USERFILE_STATE, "relays", path, sizeof(path))) {
		fputs("mifcont: no $HOME, so no relay is remembered\n", stderr);
		return 1;
	}
	int fd = open(path, (forgetting ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 && errno == ENOENT && !forgetting)
		return 0;
	ssize_t n = fd < 0 || flock(fd, LOCK_EX) < 0 ? -1 : read(fd, text, sizeof(text));

	if (n < 0) {
		fprintf(stderr, "mifcont: %s: %s\n", path, strerror(errno));
		return 1;
	}
	if (!forgetting) {
		fwrite(text, 1, (size_t)n, stdout);
		return 0;
	}
	int gone = n == FILE_LIMIT ? -1 : forget(fd, text, (size_t)n, argv[2]);

	if (gone < 0)
		fprintf(stderr, "mifcont: %s: cannot be written, or is too long\n", path);
	else if (!gone)
		fprintf(stderr,
		        "mifcont: %s: no relay %s stands there; `mifcont relays` shows which do\n",
		        path, argv[2]);
	close(fd);
	return gone <= 0;
}
