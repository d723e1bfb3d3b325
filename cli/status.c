/* SPDX-License-Identifier: MIT */
/* mifcont status: asks every process that answers to an abstract socket "mifcont/<pid>". */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/commands.h"
#include "common/clock.h"

#define ANSWER_MAX (1 << 20)
#define PATIENCE_MS 1000

static int wait_for(int fd, short events, int64_t until)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left = until - clock_ms();

	return left > 0 && poll(&p, 1, (int)left) == 1;
}

/* The peer must be the process its name says, and ours to look at. */
static int genuine(int fd, int pid)
{
	struct ucred c;
	socklen_t len = sizeof(c);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) == 0 && c.pid == pid &&
	       (c.uid == geteuid() || geteuid() == 0);
}

static json_t *ask(int pid)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "mifcont/%d", pid);
	int64_t until = clock_ms() + PATIENCE_MS;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	json_t *answer = NULL;
	char *text = malloc(ANSWER_MAX);
	size_t len = 0;

	if (fd < 0 || !text ||
	    connect(fd, (struct sockaddr *)&a,
	            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) < 0 ||
	    !genuine(fd, pid) || send(fd, "status\n", 7, MSG_NOSIGNAL) != 7)
		goto out;
	while (len < ANSWER_MAX && wait_for(fd, POLLIN, until)) {
		ssize_t got = recv(fd, text + len, ANSWER_MAX - len, 0);

		if (got <= 0)
			break;
		len += (size_t)got;
	}
	answer = json_loadb(text, len, 0, NULL);
	if (!answer || !json_is_array(json_object_get(answer, "flows"))) {
		fprintf(stderr, "mifcont: process %d gave no usable answer\n", pid);
		json_decref(answer);
		answer = NULL;
	}
out:
	free(text);
	if (fd >= 0)
		close(fd);
	return answer;
}

static json_t *ask_all(void)
{
	json_t *all = json_array();
	FILE *f = fopen("/proc/net/unix", "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		const char *name = strstr(line, " @mifcont/");
		unsigned flags;
		int pid;

		/* A listener has the flag 0x10000; its accepted connections bear the same name. */
		if (!name || sscanf(name, " @mifcont/%d", &pid) != 1 || pid <= 0 ||
		    sscanf(line, "%*s %*s %*s %x", &flags) != 1 || !(flags & 0x10000))
			continue;
		json_t *one = ask(pid);

		if (one)
			json_array_append_new(all, one);
	}
	if (f)
		fclose(f);
	return all;
}

static const char *text_of(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "-";
}

static long long number_of(json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void print_text(json_t *all)
{
	size_t i, k;
	json_t *process, *flow;
	int lines = 0;

	json_array_foreach(all, i, process)
	{
		json_array_foreach(json_object_get(process, "flows"), k, flow)
		{
			json_t *path = json_object_get(flow, "path");
			int covered = json_is_true(json_object_get(flow, "covered"));

			if (!lines++)
				printf(
				    "%7s %-12s %4s %-24s %-10s %-10s %-8s %9s %12s %12s %11s  %s\n",
				    "PID", "PROGRAM", "FD", "PEER", "CONTINUITY", "STATE", "PATH",
				    "HANDOVERS", "SENT", "RECEIVED", "UNCONFIRMED", "NOTE");
			printf("%7lld %-12s %4lld %-24s %-10s %-10s %-8s %9lld %12lld %12lld "
			       "%11lld  %s%s\n",
			       number_of(process, "pid"), text_of(process, "program"),
			       number_of(flow, "fd"), text_of(flow, "peer"),
			       text_of(flow, "continuity"), text_of(flow, "state"),
			       text_of(path, "interface"), number_of(flow, "handovers"),
			       number_of(flow, "sent"), number_of(flow, "received"),
			       number_of(flow, "unconfirmed"), covered ? "" : "not covered ",
			       text_of(flow, "note"));
		}
	}
	if (!lines)
		puts("no flows");
}

int cmd_status(int argc, char **argv)
{
	int as_json = argc == 2 && strcmp(argv[1], "--json") == 0;

	if (argc > 1 && !as_json) {
		fputs("usage: mifcont status [--json]\n", stderr);
		return 2;
	}
	json_t *all = ask_all();

	if (as_json) {
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_text(all);
	}
	json_decref(all);
	return 0;
}
