/* SPDX-License-Identifier: MIT */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>

static const char *const names[] = {"none", "error", "warn", "info", "debug"};

enum log_level log_level = LOG_NONE;
static int out = -1;

int log_setup(const char *spec)
{
	const char *colon = strchr(spec, ':');

	if (!colon || !colon[1])
		return -EINVAL;
	for (int l = LOG_ERROR; l <= LOG_DEBUG; l++) {
		if (strlen(names[l]) != (size_t)(colon - spec) ||
		    strncmp(spec, names[l], (size_t)(colon - spec)) != 0)
			continue;
		int fd =
		    open(colon + 1, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
		if (fd < 0)
			return -errno;
		log_to_fd(fd, (enum log_level)l);
		return 0;
	}
	return -EINVAL;
}

void log_to_fd(int fd, enum log_level level)
{
	out = fd;
	log_level = level;
}

int log_fd(void)
{
	return out;
}

void log_set_fd(int fd)
{
	out = fd;
	if (fd < 0)
		log_level = LOG_NONE;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char buf[512];
	int saved = errno;
	struct timespec t;
	va_list ap;

	clock_gettime(CLOCK_REALTIME, &t);
	/* Seconds of the day suffice to line up logs, and need no time zone file. */
	long day = (long)(t.tv_sec % 86400);
	int n = snprintf(buf, sizeof(buf), "%02ld:%02ld:%02ld.%03ld %-5s %d ", day / 3600,
	                 day / 60 % 60, day % 60, t.tv_nsec / 1000000, names[level], (int)getpid());
	va_start(ap, fmt);
	int m = vsnprintf(buf + n, sizeof(buf) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	n += m < 0 ? 0 : m;
	if (n > (int)sizeof(buf) - 2)
		n = (int)sizeof(buf) - 2;
	buf[n++] = '\n';
	/* The raw call: in the preloaded library write() is a hook. */
	if (out >= 0)
		syscall(SYS_write, out, buf, (size_t)n);
	errno = saved;
}
