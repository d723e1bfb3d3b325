/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "relay/relay.h"

static bool make_dirs(const char *dir)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s", dir) >= (int)sizeof(path))
		return false;
	for (char *p = path + 1; *p; p++)
		if (*p == '/') {
			*p = 0;
			mkdir(path, 0700);
			*p = '/';
		}
	return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static bool load(const char *path, int fd, struct ses_identity *key)
{
	struct stat st;
	uint8_t extra;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		log_error("%s: not a regular file", path);
		return false;
	}
	if (st.st_mode & 077) {
		log_error("%s: readable by others (mode %03o); expected mode 600", path,
		          (unsigned)st.st_mode & 0777);
		return false;
	}
	if (read(fd, key->secret, SES_KEY) != SES_KEY || read(fd, &extra, 1) != 0) {
		log_error("%s: %lld bytes; expected a key of %d bytes", path, (long long)st.st_size,
		          SES_KEY);
		return false;
	}
	return true;
}

static bool make(const char *path, struct ses_identity *key)
{
	char temp[PATH_MAX];

	if (snprintf(temp, sizeof(temp), "%s.%d", path, (int)getpid()) >= (int)sizeof(temp) ||
	    !random_fill(key->secret, SES_KEY))
		return false;
	int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0) {
		log_error("%s: %s", temp, strerror(errno));
		return false;
	}
	/* Whole or not at all: a relay with half a key would lock out every client that pinned it.
	 */
	bool ok = write(fd, key->secret, SES_KEY) == SES_KEY && fsync(fd) == 0;

	close(fd);
	ok = ok && rename(temp, path) == 0;
	if (!ok) {
		log_error("%s: %s", path, strerror(errno));
		unlink(temp);
	}
	return ok;
}

bool key_load(const char *dir, struct ses_identity *key)
{
	char path[PATH_MAX];
	bool ok;

	if (!make_dirs(dir)) {
		log_error("%s: cannot be made: %s", dir, strerror(errno));
		return false;
	}
	if (snprintf(path, sizeof(path), "%s/relay.key", dir) >= (int)sizeof(path))
		return false;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0) {
		ok = load(path, fd, key);
		close(fd);
	} else if (errno == ENOENT) {
		ok = make(path, key);
	} else {
		log_error("%s: %s", path, strerror(errno));
		ok = false;
	}
	if (ok)
		identity_complete(key);
	return ok;
}
