/* SPDX-License-Identifier: MIT */
/*
 * One log line at a time, to a descriptor the owner chose, by a single write(2). Silent by default.
 *
 * Formats into a bounded buffer on the stack; does not allocate, lock or use stdio, and leaves
 * errno alone, so that the preloaded library may log anywhere except in signal handlers.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

enum log_level { LOG_NONE, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/*
 * "LEVEL:FILE" as in MIFCONT_LOG. The file is opened for appending, created with mode 0600,
 * O_CLOEXEC. 0, or negative errno and the log stays silent (-EINVAL: not of this form).
 */
int log_setup(const char *spec);

/* Log to an open descriptor (the relay's stderr). */
void log_to_fd(int fd, enum log_level level);

/* The descriptor in use (-1: none), and a way to tell the log that it was moved. */
int log_fd(void);
void log_set_fd(int fd);

extern enum log_level log_level;

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Levels that are off cost one comparison. */
#define log_at(level, ...)                                                                         \
	do {                                                                                       \
		if ((level) <= log_level)                                                          \
			log_line((level), __VA_ARGS__);                                            \
	} while (0)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

#endif
