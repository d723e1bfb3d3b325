/* SPDX-License-Identifier: MIT */
#include "cli/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli/elf.h"

#define DEPTH 4 /* so many interpreters of interpreters the kernel allows */

/* Who is told: set for the time of one inspection. */
static inspect_say *sayer;
static void *sayer_ctx;

static void warn(const char *name, const char *file, const char *why)
{
	sayer(sayer_ctx, name, file, why);
}

static void say_on_stderr(void *ctx, const char *name, const char *file, const char *why)
{
	(void)ctx;
	if (strcmp(name, file) == 0)
		fprintf(stderr, "mifcont: %s %s; it runs without session continuity\n", name, why);
	else
		fprintf(stderr, "mifcont: %s (%s) %s; it runs without session continuity\n", name,
		        file, why);
}

static bool executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

bool inspect_find(const char *name, char *path, size_t room)
{
	const char *p = getenv("PATH");

	if (strchr(name, '/'))
		return snprintf(path, room, "%s", name) < (int)room && executable(path);
	/* What execvp() takes for an unset one; an empty part is the working directory. */
	for (p = p ? p : "/bin:/usr/bin";; p++) {
		size_t n = strcspn(p, ":");

		if (snprintf(path, room, "%.*s%s%s", (int)n, p, n ? "/" : "./", name) < (int)room &&
		    executable(path))
			return true;
		p += n;
		if (!*p)
			return false;
	}
}

/* The loader ignores LD_PRELOAD where a program gets rights its caller does not have. */
static void look_at_rights(const char *name, const char *file, const struct stat *st)
{
	char caps[64];

	if ((st->st_mode & S_ISUID && st->st_uid != getuid()) ||
	    (st->st_mode & S_ISGID && st->st_mode & S_IXGRP && st->st_gid != getgid()))
		warn(name, file, "is set-user-ID or set-group-ID: the loader ignores LD_PRELOAD");
	else if (getuid() != 0 && getxattr(file, "security.capability", caps, sizeof(caps)) > 0)
		warn(name, file, "has file capabilities: the loader ignores LD_PRELOAD");
}

static bool examine(const char *name, const char *file, int depth);

static bool examine_script(const char *name, const unsigned char *text, size_t len, int depth)
{
	char interpreter[PATH_MAX], rest[PATH_MAX], program[PATH_MAX], found[PATH_MAX];

	if (depth == DEPTH || elf_script(text, len, interpreter, rest, sizeof(rest)) < 0)
		return true;

	const char *base = strrchr(interpreter, '/');

	if (base && strcmp(base, "/env") == 0 &&
	    elf_env_program(rest, program, sizeof(program)) == 0 &&
	    inspect_find(program, found, sizeof(found)))
		return examine(name, found, depth + 1);
	return examine(name, interpreter, depth + 1);
}

static bool judge(const char *name, const char *file, const struct stat *st,
                  const unsigned char *bytes, int depth)
{
	enum elf_verdict v = elf_examine(bytes, (size_t)st->st_size);

	if (v == ELF_SCRIPT)
		return examine_script(name, bytes, (size_t)st->st_size, depth);
	look_at_rights(name, file, st);
	if (v == ELF_STATIC)
		warn(name, file, "is statically linked: nothing can be preloaded");
	else if (v == ELF_GO)
		warn(name, file, "is a Go program: it makes its own system calls");
	else if (v == ELF_FOREIGN)
		warn(name, file, "is for another machine or word size than the library");
	else if (v == ELF_MUSL)
		warn(name, file, "uses another C library (musl) than the library");
	return v != ELF_FOREIGN && v != ELF_MUSL;
}

static bool examine(const char *name, const char *file, int depth)
{
	struct stat st;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	bool may = true;
	void *bytes = MAP_FAILED;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (fd >= 0)
		close(fd);
	if (bytes == MAP_FAILED) {
		/* What may be executed but not read can still be set-user-ID. */
		if (stat(file, &st) == 0 && S_ISREG(st.st_mode))
			look_at_rights(name, file, &st);
		return true;
	}
	may = judge(name, file, &st, bytes, depth);
	munmap(bytes, (size_t)st.st_size);
	return may;
}

bool inspect_with(const char *name, inspect_say *say, void *ctx)
{
	char path[PATH_MAX];

	sayer = say;
	sayer_ctx = ctx;
	/* Not found: execvp() will say so. */
	return !inspect_find(name, path, sizeof(path)) ||
	       examine(name, strchr(name, '/') ? name : path, 0);
}

bool inspect(const char *name)
{
	return inspect_with(name, say_on_stderr, NULL);
}
