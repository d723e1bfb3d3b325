/* SPDX-License-Identifier: MIT */
#include "preload/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "preload/procfs.h"
#include "preload/own.h"
#include "preload/raw.h"

#define ROUNDS 3

static void all_found(struct survey *s)
{
	memset(s->found, true, sizeof(s->found));
}

static void blind(struct survey *s)
{
	s->blind = true;
	all_found(s);
}

/* The number that was given last to a process or thread; -1: unknown. */
static int newest_number(void)
{
	char text[128];
	uint64_t v;
	int fd = proc_at("/proc/loadavg", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	long n = raw_read(fd, text, sizeof(text) - 1);

	own_shut(fd);
	text[n > 0 ? n : 0] = 0;
	const char *p = strrchr(text, ' ');

	return p && proc_number(&p, 10, &v) ? (int)v : -1;
}

/* Is this process our child? Of its stat, behind the name in parentheses: state, parent. */
static bool is_child(int pid)
{
	char text[512];
	uint64_t parent;

	if (proc_read("/proc/", pid, "/stat", text, sizeof(text)) <= 0)
		return false;
	const char *p = strrchr(text, ')');

	if (!p || strlen(p) < 4)
		return false;
	p += 3;
	return proc_number(&p, 10, &parent) && parent == (uint64_t)raw_getpid();
}

static void note(struct survey *s, const char *link)
{
	static const char begin[] = "socket:[";
	uint64_t inode;

	if (strncmp(link, begin, sizeof(begin) - 1) != 0)
		return;
	link += sizeof(begin) - 1;
	if (!proc_number(&link, 10, &inode))
		return;
	for (int i = 0; i < s->n; i++)
		s->found[i] = s->found[i] || s->inode[i] == inode;
}

/* The process s->pid, from where it was left. False: the turn was over before its end. */
static bool look_at(struct survey *s, int *steps)
{
	char path[32], name[16], link[64];
	struct proc_dir d;
	bool whole = true;

	snprintf(path, sizeof(path), "/proc/%d/fd", s->pid);
	int r = proc_dir_open(&d, path);

	if (r < 0) {
		if ((r == -EACCES || r == -EPERM) && is_child(s->pid))
			all_found(s);
		return true;
	}
	if (s->inside)
		proc_dir_seek(&d, s->fds_at);
	for (int fd; whole && (fd = proc_dir_next(&d)) >= 0;) {
		snprintf(name, sizeof(name), "%d", fd);
		long n = raw_readlinkat(d.fd, name, link, sizeof(link) - 1);

		link[n > 0 ? n : 0] = 0;
		note(s, link);
		s->done++;
		s->fds_at = d.next;
		whole = --*steps > 0;
	}
	proc_dir_close(&d);
	return whole;
}

/* All have been looked at: was it in the order of their beginnings? */
static bool in_order(struct survey *s)
{
	int newest = newest_number();

	if (newest >= s->newest || newest < 0)
		return true;
	if (++s->rounds == ROUNDS) {
		blind(s);
		return true;
	}
	s->newest = newest;
	s->pids_at = 0;
	s->inside = false;
	return false;
}

/* From where it was left. False: the turn was over before the end. */
static bool look(struct survey *s, struct proc_dir *d)
{
	int steps = SURVEY_STEPS, me = (int)raw_getpid();

	proc_dir_seek(d, s->pids_at);
	for (int pid; (pid = proc_dir_next(d)) >= 0; s->pids_at = d->next) {
		s->inside = s->inside && pid == s->pid;
		s->pid = pid;
		if (pid == me)
			continue;
		if (steps <= 0)
			return false;
		steps -= SURVEY_PROCESS;
		s->inside = !look_at(s, &steps);
		if (s->inside)
			return false;
	}
	s->inside = false; /* it has ended, and was the last */
	return true;
}

bool survey_turn(struct survey *s)
{
	struct proc_dir d;

	if (!s->newest)
		s->newest = newest_number();
	if (s->done > SURVEY_LINKS || proc_dir_open(&d, "/proc/") < 0) {
		blind(s);
		return true;
	}
	bool over = look(s, &d);

	proc_dir_close(&d);
	return over && in_order(s);
}
