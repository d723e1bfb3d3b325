/* SPDX-License-Identifier: MIT */
#include "preload/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

#include "preload/own.h"
#include "preload/raw.h"

struct entry {
	uint64_t inode;
	int64_t offset;
	unsigned short len;
	unsigned char type;
	char name[];
};

static _Atomic int root = -1;

void proc_root(int fd)
{
	atomic_store(&root, fd);
}

int proc_at(const char *path, int flags)
{
	int at = atomic_load(&root), fd = -ENOENT;

	/* The program may have closed it by a raw call, and have something else there. */
	if (at >= 0)
		fd = own_open(at, path + strlen("/proc/"), flags, 0);
	return fd >= 0 ? fd : own_open(AT_FDCWD, path, flags, 0);
}

int proc_dir_open(struct proc_dir *d, const char *path)
{
	d->have = d->at = 0;
	d->next = 0;
	d->fd = proc_at(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return d->fd < 0 ? d->fd : 0;
}

void proc_dir_close(struct proc_dir *d)
{
	own_shut(d->fd);
}

int proc_dir_next(struct proc_dir *d)
{
	for (;;) {
		if (d->at >= d->have) {
			d->at = 0;
			d->have = raw_getdents64(d->fd, d->buf, sizeof(d->buf));
			if (d->have <= 0)
				return -1;
		}
		const struct entry *e = (const struct entry *)(d->buf + d->at);
		const char *name = e->name;
		uint64_t v;

		d->at += e->len;
		d->next = e->offset;
		if (proc_number(&name, 10, &v) && *name == 0)
			return (int)v;
	}
}

void proc_dir_seek(struct proc_dir *d, int64_t next)
{
	raw_call3(SYS_lseek, d->fd, (long)next, SEEK_SET);
	d->have = d->at = 0;
	d->next = next;
}

int proc_open(const char *before, int number, const char *after)
{
	char path[96], digits[12];
	size_t b = strlen(before), a = strlen(after), n = 0, at = b;

	if (number < 0 || b + a + sizeof(digits) >= sizeof(path))
		return -ENAMETOOLONG;
	do
		digits[n++] = (char)('0' + number % 10);
	while (number /= 10);
	memcpy(path, before, b);
	while (n)
		path[at++] = digits[--n];
	memcpy(path + at, after, a + 1);
	return proc_at(path, O_RDONLY | O_CLOEXEC);
}

long proc_read(const char *before, int number, const char *after, char *to, size_t size)
{
	int fd = proc_open(before, number, after);
	size_t have = 0;
	long n = 0;

	if (fd < 0)
		return fd;
	while (have < size - 1 && (n = raw_read(fd, to + have, size - 1 - have)) > 0)
		have += (size_t)n;
	own_shut(fd);
	to[have] = 0;
	return n < 0 ? n : (long)have;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return 99;
}

bool proc_number(const char **p, int base, uint64_t *v)
{
	const char *s = *p;
	bool minus = false;

	while (*s == ' ' || *s == '\t')
		s++;
	if (base == 10 && *s == '-') {
		minus = true;
		s++;
	}
	if (base == 16 && s[0] == '0' && s[1] == 'x')
		s += 2;
	if (digit(*s) >= base)
		return false;
	for (*v = 0; digit(*s) < base; s++)
		*v = *v * (uint64_t)base + (uint64_t)digit(*s);
	if (minus)
		*v = -*v;
	*p = s;
	return true;
}

const char *proc_after(const char *line, const char *word)
{
	size_t n = strlen(word);

	for (; *line && *line != '\n'; line++)
		if (strncmp(line, word, n) == 0)
			return line + n;
	return NULL;
}

bool proc_sandboxed(void)
{
	char status[4096];
	const char *at =
	    proc_read("/proc/self/task/", (int)raw_gettid(), "/status", status, sizeof(status)) > 0
	        ? strstr(status, "\nSeccomp:\t")
	        : NULL;

	return !at || at[10] != '0';
}
