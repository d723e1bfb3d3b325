/* SPDX-License-Identifier: MIT */
/* Everything off an interface before it is turned off; and the user's own choice of path. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/ask.h"
#include "cli/commands.h"
#include "common/clock.h"

#define TIMEOUT_S 10
#define FOR_S 60
#define MOST_S 86400
#define LOOK_MS 50

static int whole(const char *text, long least, long most, long *n)
{
	char *end;

	errno = 0;
	*n = strtol(text, &end, 10);
	return errno == 0 && end != text && !*end && *n >= least && *n <= most;
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/*
 * Is it worth waiting for this flow? What is not covered stays where it is; what is waiting has no
 * path at all.
 */
static int may_leave(const json_t *flow)
{
	return json_is_true(json_object_get(flow, "covered")) ||
	       strcmp(text(flow, "continuity"), "redial") == 0;
}

/* Flows on the interface: those that may leave it yet, and the others. */
static void count(const json_t *all, const char *name, unsigned *leaving, unsigned *staying,
                  int print)
{
	const json_t *process, *flow;
	size_t i, k;

	*leaving = *staying = 0;
	json_array_foreach(all, i, process)
	{
		json_array_foreach(json_object_get(process, "flows"), k, flow)
		{
			if (strcmp(text(json_object_get(flow, "path"), "interface"), name) != 0)
				continue;
			*(may_leave(flow) ? leaving : staying) += 1;
			if (print)
				fprintf(stderr,
				        "mifcont drain: process %" JSON_INTEGER_FORMAT
				        ": the flow to %s stays on %s: %s\n",
				        json_integer_value(json_object_get(process, "pid")),
				        text(flow, "peer"), name,
				        may_leave(flow) ? "no other path has answered yet"
				                        : "nothing can carry it over");
		}
	}
}

static int wait_until_left(const char *name, long timeout_s)
{
	int64_t until = clock_ms() + timeout_s * 1000;
	unsigned leaving = 0, staying = 0;

	for (;;) {
		int64_t asked = clock_ms();
		json_t *all = ask_processes();

		if (!all)
			return 1;
		/* Who says nothing may have flows on it yet. */
		unsigned missed = ask_missed();

		count(all, name, &leaving, &staying, 0);
		int over = !(leaving + missed) || clock_ms() >= until;

		if (over)
			count(all, name, &leaving, &staying, 1);
		json_decref(all);
		if (over)
			return leaving || staying || missed;
		/* Where thousands are to leave their process has better to do than to list them. */
		int64_t pause = 4 * (clock_ms() - asked);

		pause = pause < LOOK_MS ? LOOK_MS : pause > 1000 ? 1000 : pause;
		nanosleep(&(struct timespec){pause / 1000, pause % 1000 * 1000000L}, NULL);
	}
}

static unsigned interface(const char *command, const char *name)
{
	unsigned n = if_nametoindex(name);

	if (!n)
		fprintf(stderr, "mifcont %s: %s: no such interface\n", command, name);
	return n;
}

int cmd_drain(int argc, char **argv)
{
	static const struct option options[] = {{"timeout", required_argument, NULL, 't'},
	                                        {"for", required_argument, NULL, 'f'},
	                                        {"undo", no_argument, NULL, 'u'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {NULL, 0, NULL, 0}};
	long timeout = TIMEOUT_S, lasts = FOR_S;
	int undo = 0, c;
	char question[64];

	while ((c = getopt_long(argc, argv, "t:f:uh", options, NULL)) != -1) {
		switch (c) {
		case 't':
		case 'f':
			if (!whole(optarg, c == 't' ? 0 : 1, MOST_S,
			           c == 't' ? &timeout : &lasts)) {
				fprintf(stderr,
				        "mifcont drain: %s: expected whole seconds, up to %d\n",
				        optarg, MOST_S);
				return 2;
			}
			break;
		case 'u':
			undo = 1;
			break;
		case 'h':
			puts("usage: mifcont drain [--timeout SECONDS] [--for SECONDS] [--undo] "
			     "INTERFACE");
			return 0;
		default:
			return 2;
		}
	}
	if (optind != argc - 1) {
		fputs("mifcont drain: expected one interface\n", stderr);
		return 2;
	}
	unsigned ifindex = interface("drain", argv[optind]);

	if (!ifindex)
		return 2;
	snprintf(question, sizeof(question), "drain %u %ld\n", ifindex, undo ? 0 : lasts * 1000);
	json_decref(ask_processes_to(question, 0));
	return undo ? 0 : wait_until_left(argv[optind], timeout);
}

static int has_flow(const json_t *process, long id)
{
	const json_t *flow;
	size_t i;

	json_array_foreach(json_object_get(process, "flows"), i, flow)
	{
		if (json_integer_value(json_object_get(flow, "id")) == id)
			return 1;
	}
	return 0;
}

int cmd_switch(int argc, char **argv)
{
	static const struct option options[] = {{"pid", required_argument, NULL, 'p'},
	                                        {"flow", required_argument, NULL, 'f'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {NULL, 0, NULL, 0}};
	long pid = 0, flow = 0;
	unsigned ifindex = 0;
	char question[64];
	int c;

	while ((c = getopt_long(argc, argv, "p:f:h", options, NULL)) != -1) {
		switch (c) {
		case 'p':
		case 'f':
			if (!whole(optarg, 1, INT_MAX, c == 'p' ? &pid : &flow)) {
				fprintf(stderr, "mifcont switch: %s: expected %s\n", optarg,
				        c == 'p' ? "a process number"
				                 : "a flow's id, as status has it");
				return 2;
			}
			break;
		case 'h':
			puts("usage: mifcont switch [--pid PID [--flow ID]] INTERFACE | auto");
			return 0;
		default:
			return 2;
		}
	}
	if (optind != argc - 1 || (flow && !pid)) {
		fputs(flow && !pid ? "mifcont switch: --flow needs --pid: ids are a process's own\n"
		                   : "mifcont switch: expected one interface, or auto\n",
		      stderr);
		return 2;
	}
	if (strcmp(argv[optind], "auto") != 0 && !(ifindex = interface("switch", argv[optind])))
		return 2;
	snprintf(question, sizeof(question), "switch %u %ld\n", ifindex, flow);

	json_t *all = ask_processes_to(question, (int)pid);
	int none = !all || (pid && json_array_size(all) == 0);
	int unknown = flow && !none && !has_flow(json_array_get(all, 0), flow);

	json_decref(all);
	if (none)
		fprintf(stderr, "mifcont switch: process %ld does not answer\n", pid);
	if (unknown)
		fprintf(stderr, "mifcont switch: process %ld has no flow %ld\n", pid, flow);
	return none || unknown || ask_missed();
}
