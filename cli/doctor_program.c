/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/doctor.h"
#include "cli/inspect.h"

struct ctx {
	struct findings *f;
	bool found;
};

static void say(void *ctx, const char *name, const char *file, const char *why)
{
	struct ctx *c = ctx;

	c->found = true;
	findings_add(c->f, VERDICT_FAIL, "program", "it runs as it would without us",
	             strcmp(name, file) == 0 ? "%s %s%s" : "%s (%s) %s", name,
	             strcmp(name, file) == 0 ? "" : file, why);
}

/* Calls by name of what the hooks cannot see. Strings of the file are a hint, not a proof. */
static void look_for_rings(struct findings *f, const char *file)
{
	static const char *const signs[] = {"io_uring_setup", "liburing.so", "io_uring_queue_init"};
	char buf[65536 + 32];
	size_t kept = 0;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	for (ssize_t n; fd >= 0 && (n = read(fd, buf + kept, sizeof(buf) - kept)) > 0;) {
		size_t have = kept + (size_t)n;

		for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++)
			if (memmem(buf, have, signs[i], strlen(signs[i]))) {
				findings_add(f, VERDICT_WARN, "io_uring",
				             "connections used through it are not moved; for libuv "
				             "and node set "
				             "UV_USE_IO_URING=0 should `mifcont status` show that "
				             "it is used "
				             "for sockets",
				             "%s knows io_uring, which no hook sees", file);
				close(fd);
				return;
			}
		kept = have < 31 ? have : 31;
		memmove(buf, buf + have - kept, kept);
	}
	if (fd >= 0)
		close(fd);
}

static void look_at_environment(struct findings *f)
{
	const char *before = getenv("LD_PRELOAD");

	if (before && *before)
		findings_add(f, VERDICT_OK, "preload", NULL,
		             "LD_PRELOAD is set already: the library goes behind %s", before);
}

void doctor_program(struct findings *f, const char *command)
{
	struct ctx c = {.f = f};
	char file[PATH_MAX];

	if (!inspect_find(command, file, sizeof(file))) {
		findings_add(f, VERDICT_FAIL, "program", "is it installed, and in $PATH?",
		             "%s: no such program", command);
		return;
	}
	inspect_with(command, say, &c);
	look_at_environment(f);
	look_for_rings(f, file);
	if (!c.found)
		findings_add(f, VERDICT_OK, "program", NULL, "%s can be preloaded", file);
}

/* --- a running process --- */

static bool has_library(pid_t pid, bool *readable)
{
	char path[64], line[4096];
	bool there = false;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *file = fopen(path, "re");

	*readable = file != NULL;
	while (file && !there && fgets(line, sizeof(line), file))
		there = strstr(line, "/libmifcont.so") != NULL;
	if (file)
		fclose(file);
	return there;
}

static int rings(pid_t pid)
{
	char path[64], name[512], target[64];
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *d = opendir(path);

	for (struct dirent *e; d && (e = readdir(d));) {
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		ssize_t len = readlink(name, target, sizeof(target) - 1);

		target[len > 0 ? len : 0] = 0;
		n += strcmp(target, "anon_inode:[io_uring]") == 0;
	}
	if (d)
		closedir(d);
	return n;
}

static int seccomp_mode(pid_t pid)
{
	char path[64], line[256];
	int mode = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Seccomp: %d", &mode) == 1)
			break;
	if (file)
		fclose(file);
	return mode;
}

static void tell_flows(struct findings *f, const json_t *process)
{
	const json_t *flow;
	size_t i;

	json_array_foreach(json_object_get(process, "flows"), i, flow)
	{
		bool covered = json_is_true(json_object_get(flow, "covered"));
		const char *note = json_string_value(json_object_get(flow, "note"));

		findings_add(f, covered ? VERDICT_OK : VERDICT_WARN, "flow",
		             "it ends with its path, or waits for it", "%s, %s: %s%s%s",
		             json_string_value(json_object_get(flow, "peer")),
		             json_string_value(json_object_get(flow, "continuity")),
		             covered ? "covered" : "not covered", note && *note ? ", " : "",
		             note ? note : "");
	}
}

static void ask(struct findings *f, pid_t pid)
{
	json_t *all = ask_processes();
	const json_t *process;
	bool answered = false;
	size_t i;

	json_array_foreach(all, i,
	                   process) if (json_integer_value(json_object_get(process, "pid")) == pid)
	{
		answered = true;
		tell_flows(f, process);
	}
	if (!answered)
		findings_add(f, VERDICT_OK, "status", NULL,
		             "no connection of it is the library's affair so far");
	json_decref(all);
}

void doctor_process(struct findings *f, pid_t pid)
{
	char path[64], exe[PATH_MAX];
	bool readable;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	ssize_t n = readlink(path, exe, sizeof(exe) - 1);

	exe[n > 0 ? n : 0] = 0;
	if (has_library(pid, &readable)) {
		findings_add(f, VERDICT_OK, "library", NULL, "is loaded in process %d (%s)", pid,
		             exe);
		ask(f, pid);
	} else if (!readable) {
		findings_add(f, VERDICT_FAIL, "library", "ask as its user, or as root",
		             "process %d: %s", pid, strerror(errno));
		return;
	} else {
		findings_add(f, VERDICT_FAIL, "library", "start it by `mifcont run -- CMD...`",
		             "is not loaded in process %d (%s)", pid, exe);
		if (*exe)
			doctor_program(f, exe);
	}
	int ring = rings(pid);

	if (ring)
		findings_add(f, VERDICT_WARN, "io_uring",
		             "connections used through it are not moved",
		             "it has %d io_uring instances open", ring);
	if (seccomp_mode(pid))
		findings_add(f, VERDICT_WARN, "seccomp",
		             "what the filter forbids is done without: see its flows above",
		             "it is under a seccomp filter");
}
