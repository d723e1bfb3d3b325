/* SPDX-License-Identifier: MIT */
/* mifcont run: a program under the library, with a word of warning where that cannot work. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/inspect.h"
#include "common/log.h"
#include "policy/policy.h"

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#else
#define MULTIARCH "."
#endif

#define USAGE "usage: mifcont run [--policy FILE] [--log LEVEL:FILE] -- CMD..."

/* --- the library ---------------------------------------------------------------------------- */

static bool regular(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, R_OK) == 0;
}

static bool find_library(char path[PATH_MAX])
{
	static const char *const places[] = {"", "../lib/", "../lib/" MULTIARCH "/"};
	const char *given = getenv("MIFCONT_LIBRARY");
	char self[PATH_MAX], candidate[2 * PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (given && *given)
		return regular(given) && realpath(given, path);
	if (n <= 0)
		return false;
	self[n] = 0;
	*(strrchr(self, '/') + 1) = 0;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(candidate, sizeof(candidate), "%s%slibmifcont.so", self, places[i]);
		if (regular(candidate) && realpath(candidate, path))
			return true;
	}
	return false;
}

/* Is it one of the names in the list, which are parted by colons or spaces? */
static bool listed(const char *list, const char *library)
{
	size_t want = strlen(library);

	for (const char *p = list; *p;) {
		size_t n = strcspn(p, ": ");

		if (n == want && memcmp(p, library, n) == 0)
			return true;
		p += n;
		p += strspn(p, ": ");
	}
	return false;
}

/* Behind what the user preloads already, and not twice. */
static int preload(const char *library)
{
	const char *before = getenv("LD_PRELOAD");
	char *value = NULL;
	int r;

	if (!before || !*before)
		return setenv("LD_PRELOAD", library, 1);
	if (listed(before, library))
		return 0;
	if (asprintf(&value, "%s:%s", before, library) < 0)
		return -1;
	r = setenv("LD_PRELOAD", value, 1);
	free(value);
	return r;
}

/* -1: out of memory. Where there is no way to preload it says so, and the program runs as it is. */
static int add_library(const char *program)
{
	char library[PATH_MAX];
	const char *disabled = getenv("MIFCONT_DISABLE");

	if (disabled && *disabled && strcmp(disabled, "0") != 0)
		fputs("mifcont: MIFCONT_DISABLE is set: the library will do nothing\n", stderr);
	if (!inspect(program))
		return 0;
	if (!find_library(library)) {
		fputs("mifcont: libmifcont.so not found; expected it beside mifcont, in ../lib or "
		      "as $MIFCONT_LIBRARY; the program runs without session continuity\n",
		      stderr);
		return 0;
	}
	if (strpbrk(library, ": $")) {
		fprintf(stderr,
		        "mifcont: %s cannot be preloaded: the loader takes no path with a space, "
		        "colon or dollar; the program runs without session continuity\n",
		        library);
		return 0;
	}
	return preload(library);
}

/* --- options -------------------------------------------------------------------------------- */

/* A relative name would mean another file once the program changes its directory. */
static int set_absolute(const char *variable, const char *prefix, const char *file)
{
	char path[PATH_MAX], value[PATH_MAX + 16];

	if (!realpath(file, path))
		return -1;
	snprintf(value, sizeof(value), "%s%s", prefix, path);
	return setenv(variable, value, 1);
}

static int use_policy(const char *file)
{
	char err[512];
	struct pol *p = pol_load(file, err, sizeof(err));

	if (!p) {
		fprintf(stderr, "mifcont: %s\n", err);
		return -1;
	}
	pol_free(p);
	if (set_absolute("MIFCONT_POLICY", "", file) == 0)
		return 0;
	fprintf(stderr, "mifcont: %s: %s\n", file, strerror(errno));
	return -1;
}

static int use_log(const char *spec)
{
	int r = log_setup(spec);
	char prefix[16];

	if (r == -EINVAL)
		fprintf(stderr,
		        "mifcont: --log %s; expected LEVEL:FILE with error, warn, info or debug\n",
		        spec);
	else if (r < 0)
		fprintf(stderr, "mifcont: --log %s: %s\n", spec, strerror(-r));
	if (r < 0)
		return -1;
	snprintf(prefix, sizeof(prefix), "%.*s:", (int)strcspn(spec, ":"), spec);
	return set_absolute("MIFCONT_LOG", prefix, strchr(spec, ':') + 1);
}

/* A mistake in the policy that is in force anyway: the library would keep it to its log. */
static void look_at_policy(void)
{
	char file[PATH_MAX], err[512];
	struct pol *p;

	if (!pol_find(file, sizeof(file)))
		return;
	p = pol_load(file, err, sizeof(err));
	if (!p)
		fprintf(stderr, "mifcont: %s; the program runs without a policy\n", err);
	pol_free(p);
}

int cmd_run(int argc, char **argv)
{
	static const struct option options[] = {{"policy", required_argument, NULL, 'p'},
	                                        {"log", required_argument, NULL, 'l'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {NULL, 0, NULL, 0}};
	bool policy = false;
	int o, saved;

	optind = 0;
	while ((o = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		if (o == 'h') {
			puts(USAGE);
			return 0;
		}
		if (o == '?' || (o == 'p' && use_policy(optarg) < 0) ||
		    (o == 'l' && use_log(optarg) < 0))
			return 2;
		policy = policy || o == 'p';
	}
	if (optind == argc) {
		fputs(USAGE "\n", stderr);
		return 2;
	}
	if (!policy)
		look_at_policy();
	if (add_library(argv[optind]) < 0) {
		fprintf(stderr, "mifcont: %s\n", strerror(errno));
		return 125;
	}
	execvp(argv[optind], argv + optind);
	saved = errno;
	fprintf(stderr, "mifcont: %s: %s\n", argv[optind], strerror(saved));
	return saved == ENOENT ? 127 : 126;
}
