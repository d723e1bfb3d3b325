/* SPDX-License-Identifier: MIT */
/* mifcont doctor: can this machine, and this program, be helped? */
#include "cli/doctor.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"

#define USAGE "usage: mifcont doctor [--json] [--pid PID | CMD...]"

static int usage(FILE *to, int status)
{
	fputs(USAGE "\n", to);
	return status;
}

static pid_t number(const char *s)
{
	char *end;

	errno = 0;
	long n = strtol(s, &end, 10);

	return errno || *end || end == s || n < 1 || n > INT_MAX ? -1 : (pid_t)n;
}

struct pol *doctor_policy(struct findings *f)
{
	char file[PATH_MAX], err[512];
	struct pol *p;

	if (!pol_find(file, sizeof(file))) {
		findings_add(f, VERDICT_WARN, "policy",
		             "write one: see mifcont-policy(5); without it no session is opened",
		             "there is no policy file: every peer is `auto`");
		return NULL;
	}
	p = pol_load(file, err, sizeof(err));
	if (p)
		findings_add(f, VERDICT_OK, "policy", NULL, "%s", file);
	else
		findings_add(f, VERDICT_FAIL, "policy", "programs run as if there were none", "%s",
		             err);
	return p;
}

/* In a few words, at the end. */
static void conclude(const struct findings *f, const char *what)
{
	static const char *const words[] = {"can be helped", "can be helped, within limits",
	                                    "cannot be helped as things are"};

	printf("%s %s\n", what, words[findings_worst(f)]);
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
	                                        {"pid", required_argument, NULL, 'p'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {NULL, 0, NULL, 0}};
	bool json = false;
	pid_t pid = 0;
	int o;

	optind = 0;
	while ((o = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		if (o == 'h')
			return usage(stdout, 0);
		if (o == 'j')
			json = true;
		else if (o == 'p')
			pid = number(optarg);
		else
			return 2;
	}
	if (pid < 0 || (pid && optind < argc))
		return usage(stderr, 2);

	struct findings *f = findings_new();

	if (!f) {
		perror("mifcont");
		return 1;
	}
	doctor_machine(f);
	struct pol *p = doctor_policy(f);

	if (p)
		doctor_relays(f, p);
	pol_free(p);
	if (pid)
		doctor_process(f, pid);
	else if (optind < argc)
		doctor_program(f, argv[optind]);
	bool written = findings_print(f, json);

	if (!json)
		conclude(f, pid             ? "this process"
		            : optind < argc ? "this program"
		                            : "programs on this machine");
	int status = !written || findings_worst(f) == VERDICT_FAIL;

	findings_free(f);
	return status;
}
