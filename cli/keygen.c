/* SPDX-License-Identifier: MIT */
/* mifcont keygen [FILE]: this client's own key. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "common/userfile.h"
#include "session/identity.h"

static void make_dirs(char *path)
{
	for (char *p = path + 1; *p; p++)
		if (*p == '/') {
			*p = 0;
			mkdir(path, 0700);
			*p = '/';
		}
}

/* 0: made. An existing file is never written over: the relays know that key. */
static int make(const char *path, struct ses_identity *id)
{
	char text[KEY_TEXT + 1];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || !identity_make(id)) {
		fprintf(stderr, "mifcont: %s: %s\n", path, strerror(errno));
		return 1;
	}
	key_to_text(id->secret, text);
	text[KEY_TEXT - 1] = '\n';
	bool ok = write(fd, text, KEY_TEXT) == KEY_TEXT && fsync(fd) == 0;

	ok = close(fd) == 0 && ok;
	wipe(text, sizeof(text));
	if (!ok) {
		fprintf(stderr, "mifcont: %s: %s\n", path, strerror(errno));
		unlink(path);
	}
	return !ok;
}

/* 0: read. 1: there, but no key of ours. -1: not there. */
static int load(const char *path, struct ses_identity *id)
{
	char text[KEY_TEXT + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 && errno == ENOENT)
		return -1;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	bool ok = n >= KEY_TEXT - 1 && (n == KEY_TEXT - 1 || text[KEY_TEXT - 1] == '\n') &&
	          key_from_text(text, KEY_TEXT - 1, id->secret);

	if (fd >= 0)
		close(fd);
	wipe(text, sizeof(text));
	if (!ok) {
		fprintf(stderr,
		        "mifcont: %s: cannot be read, or holds no key; expected what mifcont "
		        "keygen writes\n",
		        path);
		return 1;
	}
	identity_complete(id);
	return 0;
}

int cmd_keygen(int argc, char **argv)
{
	char path[PATH_MAX], text[KEY_TEXT];
	struct ses_identity id;

	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		fputs("usage: mifcont keygen [FILE]\n", stderr);
		return 2;
	}
	if (argc == 2 && snprintf(path, sizeof(path), "%s", argv[1]) >= (int)sizeof(path)) {
		fputs("mifcont: the name of the file is too long\n", stderr);
		return 2;
	}
	if (argc == 1 && !userfile(USERFILE_CONFIG, "client.key", path, sizeof(path))) {
		fputs("mifcont: no $HOME; expected: mifcont keygen FILE\n", stderr);
		return 2;
	}
	int r = load(path, &id);

	if (r < 0) {
		if (argc == 1)
			make_dirs(path);
		r = make(path, &id);
		if (!r)
			fprintf(stderr, "made %s; the line for the relay's file of clients:\n",
			        path);
	}
	if (r)
		return 1;
	key_to_text(id.public, text);
	wipe(&id, sizeof(id));
	puts(text);
	return 0;
}
