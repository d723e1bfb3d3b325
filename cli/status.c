/* SPDX-License-Identifier: MIT */
/* mifcont status: every flow of the user's processes. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/commands.h"

static const struct column {
	const char *title;
	int right; /* numbers */
} columns[] = {
    {"PID", 1},   {"PROGRAM", 0},  {"FD", 1},          {"PEER", 0},    {"CONTINUITY", 0},
    {"MEANS", 0}, {"STATE", 0},    {"PATH", 0},        {"STANDBY", 0}, {"HANDOVERS", 1},
    {"SENT", 1},  {"RECEIVED", 1}, {"UNCONFIRMED", 1}, {"NOTE", 0},
};
#define COLUMNS (sizeof(columns) / sizeof(*columns))
#define WIDEST 128

struct row {
	char cell[COLUMNS][WIDEST];
};

/* What comes from another process must not command the terminal. */
static void put_text(char cell[WIDEST], const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	size_t n = 0;

	for (; s && *s && n < WIDEST - 1; s++)
		cell[n++] = *s >= ' ' && *s < 0x7f ? *s : '?';
	cell[n] = 0;
	if (!n)
		strcpy(cell, "-");
}

static void put_number(char cell[WIDEST], const json_t *o, const char *key)
{
	snprintf(cell, WIDEST, "%lld", (long long)json_integer_value(json_object_get(o, key)));
}

static void fill(struct row *r, const json_t *process, const json_t *flow)
{
	char note[WIDEST], handover[WIDEST];

	put_number(r->cell[0], process, "pid");
	put_text(r->cell[1], process, "program");
	put_number(r->cell[2], flow, "fd");
	put_text(r->cell[3], flow, "peer");
	put_text(r->cell[4], flow, "continuity");
	put_text(r->cell[6], flow, "state");
	put_text(r->cell[7], json_object_get(flow, "path"), "interface");
	put_text(r->cell[8], flow, "standby");
	put_number(r->cell[9], flow, "handovers");
	put_number(r->cell[10], flow, "sent");
	put_number(r->cell[11], flow, "received");
	put_number(r->cell[12], flow, "unconfirmed");
	put_text(r->cell[5], flow, "means");
	put_text(handover, flow, "handover");
	put_text(note, flow, "note");
	if (strcmp(note, "-") == 0)
		snprintf(note, WIDEST, "%s", handover);
	if (json_is_true(json_object_get(flow, "covered")))
		snprintf(r->cell[13], WIDEST, "%s", strcmp(note, "-") == 0 ? "" : note);
	else
		snprintf(r->cell[13], WIDEST, "not covered%s%.100s",
		         strcmp(note, "-") == 0 ? "" : ": ", strcmp(note, "-") == 0 ? "" : note);
}

static void print_row(const struct row *r, const int width[COLUMNS])
{
	for (size_t c = 0; c < COLUMNS; c++) {
		int last = c == COLUMNS - 1;

		if (last && !r->cell[c][0])
			break;
		printf("%s%*s", c ? "  " : "",
		       last               ? 0
		       : columns[c].right ? width[c]
		                          : -width[c],
		       r->cell[c]);
	}
	putchar('\n');
}

/* Twice over the flows: the widths first. */
static void print_text(const json_t *all)
{
	int width[COLUMNS] = {0};
	unsigned rows = 0;
	struct row r;

	for (size_t c = 0; c < COLUMNS; c++)
		width[c] = (int)strlen(columns[c].title);
	for (int print = 0; print < 2; print++) {
		const json_t *process, *flow;
		size_t i, k;

		if (print && !rows) {
			puts("no covered flows");
			return;
		}
		if (print) {
			for (size_t c = 0; c < COLUMNS; c++)
				snprintf(r.cell[c], WIDEST, "%s", columns[c].title);
			print_row(&r, width);
		}
		json_array_foreach(all, i, process)
		{
			json_array_foreach(json_object_get(process, "flows"), k, flow)
			{
				fill(&r, process, flow);
				rows++;
				if (print)
					print_row(&r, width);
				for (size_t c = 0; !print && c < COLUMNS; c++)
					if ((int)strlen(r.cell[c]) > width[c])
						width[c] = (int)strlen(r.cell[c]);
			}
		}
	}
}

/* Where the policy has interfaces tested: those that are not known to lead anywhere. */
static void print_unconnected(const json_t *all)
{
	const json_t *process, *c;
	size_t i, k;

	json_array_foreach(all, i, process)
	{
		json_array_foreach(json_object_get(process, "connectivity"), k, c)
		{
			char pid[WIDEST], name[WIDEST], state[WIDEST];

			put_number(pid, process, "pid");
			put_text(name, c, "interface");
			put_text(state, c, "state");
			if (strcmp(state, "full") != 0)
				printf("process %s: %s: connectivity %s\n", pid, name, state);
		}
	}
}

int cmd_status(int argc, char **argv)
{
	static const struct option options[] = {
	    {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int json = 0, c;
	json_t *all;

	while ((c = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
		if (c == 'h')
			puts("usage: mifcont status [--json]");
		if (c != 'j')
			return c == 'h' ? 0 : 2;
		json = 1;
	}
	if (optind < argc) {
		fprintf(stderr, "mifcont status: %s: not expected\n", argv[optind]);
		return 2;
	}
	all = ask_processes();
	if (!all) {
		fputs("mifcont status: out of memory\n", stderr);
		return 1;
	}
	if (json) {
		/* Pure ASCII: nothing in it that a terminal would obey. */
		json_dumpf(all, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		putchar('\n');
	} else {
		print_text(all);
		print_unconnected(all);
	}
	json_decref(all);
	return fflush(stdout) != 0 || ferror(stdout);
}
