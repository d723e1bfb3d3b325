/* SPDX-License-Identifier: MIT */
/*
 * What the kernel tells about this process in /proc, read without stdio, opendir or memory of the
 * heap: the agent asks in the middle of a handover, hooks in any thread, on any stack.
 *
 * Descriptors are looked up under /proc/thread-self: /proc/self/fd is empty once the first thread
 * has left by pthread_exit.
 */
#ifndef PRELOAD_PROCFS_H
#define PRELOAD_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An own descriptor of /proc, which is not to be found by its name any more after chroot(); -1:
 * none. The caller's.
 */
void proc_root(int fd);

/* raw_openat() for a path that begins with /proc/. */
int proc_at(const char *path, int flags);

/* A directory of numbers: fd, task. */
struct proc_dir {
	int fd;
	long have, at;
	int64_t next; /* where what comes behind the last name begins */
	_Alignas(8) char buf[2048];
};

/* 0 or negative errno. To be closed if 0. */
int proc_dir_open(struct proc_dir *d, const char *path);
void proc_dir_close(struct proc_dir *d);

/* The next name that is a number; -1: no more. */
int proc_dir_next(struct proc_dir *d);

/* Goes to where `next` was once, in the same directory. */
void proc_dir_seek(struct proc_dir *d, int64_t next);

/* Opens `before` + number + `after` for reading. Descriptor (close-on-exec) or negative errno. */
int proc_open(const char *before, int number, const char *after);

/* The same, read into `to` (at most size - 1 bytes, ended with 0) and closed. Length or negative
 * errno. */
long proc_read(const char *before, int number, const char *after, char *to, size_t size);

/*
 * Reads a number (base 10 or 16, "0x" allowed with 16, "-" with 10) behind leading blanks and moves
 * `p` past it. False: there is none.
 */
bool proc_number(const char **p, int base, uint64_t *v);

/* Just behind the next `word` in this line, or NULL. */
const char *proc_after(const char *line, const char *word);

/* Is the calling thread under a seccomp filter, or is that not to be known? */
bool proc_sandboxed(void);

#endif
