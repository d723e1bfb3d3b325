/* SPDX-License-Identifier: MIT */
#include "preload/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/log.h"
#include "common/userfile.h"
#include "preload/own.h"
#include "preload/raw.h"
#include "session/known.h"

#define FILE_MAX 65536 /* some hundred relays */

static char relays[4096], own[4096];

void keys_locate(void)
{
	if (!userfile(USERFILE_STATE, "relays", relays, sizeof(relays)))
		relays[0] = 0;
	if (!userfile(USERFILE_CONFIG, "client.key", own, sizeof(own)))
		own[0] = 0;
}

const char *keys_file(void)
{
	return relays;
}

static void make_dirs(char *path)
{
	for (char *p = path + 1; *p; p++)
		if (*p == '/') {
			*p = 0;
			raw_call3(SYS_mkdirat, AT_FDCWD, (long)path, 0700);
			*p = '/';
		}
}

/* How much was read, at most `room`; negative errno. */
static long read_all(int fd, char *to, size_t room)
{
	size_t n = 0;

	while (n < room) {
		long r = raw_read(fd, to + n, room - n);

		if (r < 0 && r != -EINTR)
			return r;
		if (r == 0)
			break;
		if (r > 0)
			n += (size_t)r;
	}
	return (long)n;
}

enum keys_verdict keys_judge(const char *name, const uint8_t key[KDF_KEY])
{
	static char text[FILE_MAX];
	char line[512];
	enum known known = KNOWN_NOT;
	const int flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

	if (!relays[0])
		return KEYS_GOOD;
	int fd = own_open(AT_FDCWD, relays, flags, 0);

	if (fd == -ENOENT) {
		make_dirs(relays);
		fd = own_open(AT_FDCWD, relays, flags | O_CREAT, 0600);
	}
	/* One that may be read but not written to is the administrator's. */
	bool fixed = fd == -EACCES || fd == -EROFS;

	if (fixed)
		fd = own_open(AT_FDCWD, relays, (flags & ~(O_RDWR | O_APPEND)) | O_RDONLY, 0);
	if (fd < 0)
		return KEYS_GOOD;
	/* Processes that meet a relay at the same time write it once. Who cannot have the lock does
	 * without. */
	raw_call3(SYS_flock, fd, LOCK_EX | LOCK_NB, 0);
	long n = read_all(fd, text, sizeof(text));

	if (n > 0)
		known = known_find(text, (size_t)n, name, key);
	if (known == KNOWN_NOT && !fixed && n >= 0 && n < FILE_MAX - (long)sizeof(line)) {
		size_t len = known_line(name, key, line + 1, sizeof(line) - 1);
		/* A last line that somebody left without its end. */
		bool open = n > 0 && text[n - 1] != '\n';

		line[0] = '\n';
		if (len)
			raw_write(fd, line + !open, len + open);
	}
	own_shut(fd);
	return known == KNOWN_OTHER ? KEYS_CHANGED : KEYS_GOOD;
}

int keys_own(const char *file, struct ses_identity *id)
{
	struct stat st;
	char text[KEY_TEXT + 1];
	int r;

	if (!file)
		file = own;
	if (!*file)
		return -ENOENT;
	int fd = own_open(AT_FDCWD, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);

	if (fd < 0)
		return fd;
	long n = read_all(fd, text, sizeof(text));
	bool open = fstat(fd, &st) < 0 || st.st_mode & 077;

	own_shut(fd);
	if (open)
		r = -EPERM;
	else if (n < KEY_TEXT - 1 || (n > KEY_TEXT - 1 && text[KEY_TEXT - 1] != '\n') ||
	         !key_from_text(text, KEY_TEXT - 1, id->secret))
		r = -EBADMSG;
	else
		r = 0;
	if (r == 0)
		identity_complete(id);
	wipe(text, sizeof(text));
	return r;
}
