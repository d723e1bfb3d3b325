/* SPDX-License-Identifier: MIT */
#include "preload/alone.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "preload/procfs.h"
#include "preload/raw.h"

#define AGAIN_MS 100 /* from one look to the next */
#define LINKS 50000  /* at most; where there are more, somebody is taken to have them all */
#define FLOWS 64     /* at a time */

struct survey {
	struct flow *flow[FLOWS];
	uint64_t inode[FLOWS];
	bool found[FLOWS];
	int n, links;
};

static void all_found(struct survey *s)
{
	memset(s->found, true, sizeof(s->found));
}

static void gather(struct survey *s)
{
	for (unsigned i = 0; i < flow_count() && s->n < FLOWS; i++) {
		struct flow *f = flow_at(i);
		uint32_t state = atomic_load(&f->state);

		if (f->kind != FLOW_HTTP || !atomic_load(&f->shared) || state == FLOW_FREE ||
		    state == FLOW_ENDED || state == FLOW_INHERITED)
			continue;
		s->inode[s->n] = f->old_fd >= 0 ? raw_inode(f->old_fd) : f->inode;
		s->flow[s->n++] = f;
		/* Should the program fork in the middle of this, it is shared again. */
		atomic_store(&f->shared, false);
	}
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

static void look_at(struct survey *s, int pid)
{
	char path[32], name[16], link[64];
	struct proc_dir d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	int r = proc_dir_open(&d, path);

	if (r < 0) {
		if ((r == -EACCES || r == -EPERM) && is_child(pid))
			all_found(s);
		return;
	}
	for (int fd; (fd = proc_dir_next(&d)) >= 0;) {
		snprintf(name, sizeof(name), "%d", fd);
		long n = raw_readlinkat(d.fd, name, link, sizeof(link) - 1);

		link[n > 0 ? n : 0] = 0;
		note(s, link);
		if (--s->links < 0) {
			all_found(s);
			break;
		}
	}
	proc_dir_close(&d);
}

bool alone(struct flow *f)
{
	static int64_t next_ms;
	static struct survey s;
	int me = (int)raw_getpid();
	struct proc_dir d;

	if (!atomic_load(&f->shared))
		return true;
	if (clock_ms() < next_ms)
		return false;
	memset(&s, 0, sizeof(s));
	s.links = LINKS;
	gather(&s);
	if (proc_dir_open(&d, "/proc/") < 0) {
		all_found(&s);
	} else {
		for (int pid; s.links >= 0 && (pid = proc_dir_next(&d)) >= 0;)
			if (pid != me)
				look_at(&s, pid);
		proc_dir_close(&d);
	}
	for (int i = 0; i < s.n; i++)
		if (s.found[i])
			atomic_store(&s.flow[i]->shared, true);
	next_ms = clock_ms() + AGAIN_MS;
	return !atomic_load(&f->shared);
}
