/* SPDX-License-Identifier: MIT */
/* mifcont run: a program under the library, with a word of warning where that cannot work. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/elf.h"
#include "policy/policy.h"

static void warn(const char *program, const char *why)
{
	fprintf(stderr, "mifcont: %s %s; it runs without session continuity\n", program, why);
}

/* Where execvp() would find it. */
static int find_program(const char *name, char *path, size_t room)
{
	const char *list = getenv("PATH");

	if (strchr(name, '/'))
		return snprintf(path, room, "%s", name) < (int)room && access(path, F_OK) == 0 ? 0
		                                                                               : -1;
	for (const char *p = list ? list : "/bin:/usr/bin"; *p;) {
		size_t n = strcspn(p, ":");

		if (snprintf(path, room, "%.*s/%s", (int)n, n ? p : ".", name) < (int)room &&
		    access(path, X_OK) == 0)
			return 0;
		p += n + (p[n] == ':');
	}
	return -1;
}

static void examine(const char *program, const char *path, int depth)
{
	char interpreter[PATH_MAX], argument[PATH_MAX], found[PATH_MAX], caps[64];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	unsigned char *file = MAP_FAILED;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (fd >= 0)
		close(fd);
	if (file == MAP_FAILED)
		return;
	if ((st.st_mode & S_ISUID && st.st_uid != geteuid()) ||
	    (st.st_mode & S_ISGID && st.st_gid != getegid()))
		warn(program, "is set-user-ID or set-group-ID: the loader ignores LD_PRELOAD");
	else if (geteuid() != 0 && getxattr(path, "security.capability", caps, sizeof(caps)) > 0)
		warn(program, "has file capabilities: the loader ignores LD_PRELOAD");
	switch (elf_examine(file, (size_t)st.st_size)) {
	case ELF_STATIC:
		warn(program, "is statically linked: nothing can be preloaded");
		break;
	case ELF_GO:
		warn(program, "is a Go program: it makes its own system calls");
		break;
	case ELF_FOREIGN:
		warn(program, "is for another machine or word size than the library");
		break;
	case ELF_SCRIPT:
		if (depth < 4 && elf_script(file, (size_t)st.st_size, interpreter, argument,
		                            sizeof(interpreter)) == 0) {
			size_t n = strlen(interpreter);
			int env = n >= 4 && strcmp(interpreter + n - 4, "/env") == 0;

			if (!env || find_program(argument, found, sizeof(found)) < 0)
				snprintf(found, sizeof(found), "%s", interpreter);
			examine(program, found, depth + 1);
		}
		break;
	case ELF_DYNAMIC:
	case ELF_UNKNOWN:
		break;
	}
	munmap(file, (size_t)st.st_size);
}

static int find_library(char *path, size_t room)
{
	static const char *const places[] = {"", "../lib/", "../lib/x86_64-linux-gnu/",
	                                     "../lib/aarch64-linux-gnu/"};
	char self[PATH_MAX];
	const char *given = getenv("MIFCONT_LIBRARY");
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (given && *given)
		return realpath(given, path) ? 0 : -1;
	if (n <= 0)
		return -1;
	self[n] = 0;
	*(strrchr(self, '/') + 1) = 0;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		char candidate[2 * PATH_MAX];

		snprintf(candidate, sizeof(candidate), "%s%slibmifcont.so", self, places[i]);
		if (realpath(candidate, path))
			return 0;
	}
	(void)room;
	return -1;
}

static int preload(const char *library)
{
	const char *before = getenv("LD_PRELOAD");
	char *value = NULL;
	int r;

	/* Behind what the user preloads already, and not twice. */
	if (before && *before) {
		if (strstr(before, library))
			return 0;
		if (asprintf(&value, "%s:%s", before, library) < 0)
			return -1;
		r = setenv("LD_PRELOAD", value, 1);
		free(value);
		return r;
	}
	return setenv("LD_PRELOAD", library, 1);
}

static int use_policy(const char *file)
{
	char err[512], path[PATH_MAX];
	struct pol *p = pol_load(file, err, sizeof(err));

	if (!p) {
		fprintf(stderr, "mifcont: %s\n", err);
		return -1;
	}
	pol_free(p);
	return realpath(file, path) ? setenv("MIFCONT_POLICY", path, 1) : -1;
}

int cmd_run(int argc, char **argv)
{
	static const struct option options[] = {
	    {"policy", required_argument, NULL, 'p'},
	    {"log", required_argument, NULL, 'l'},
	    {NULL, 0, NULL, 0},
	};
	char library[PATH_MAX], path[PATH_MAX];
	int o;

	while ((o = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (o == 'p' && use_policy(optarg) < 0)
			return 2;
		if (o == 'l')
			setenv("MIFCONT_LOG", optarg, 1);
		if (o == '?')
			return 2;
	}
	if (optind == argc) {
		fputs("usage: mifcont run [--policy FILE] [--log LEVEL:FILE] -- CMD...\n", stderr);
		return 2;
	}
	if (find_program(argv[optind], path, sizeof(path)) == 0)
		examine(argv[optind], path, 0);
	if (find_library(library, sizeof(library)) < 0)
		warn(argv[optind], "cannot be covered: libmifcont.so was not found beside mifcont, "
		                   "in ../lib or in $MIFCONT_LIBRARY");
	else if (preload(library) < 0)
		return 125;
	execvp(argv[optind], argv + optind);
	fprintf(stderr, "mifcont: %s: %s\n", argv[optind], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}
