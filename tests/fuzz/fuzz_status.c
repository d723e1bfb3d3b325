/* SPDX-License-Identifier: MIT */
/*
 * What the command line tool reads of others: a process's answer to "status" and the table it
 * becomes, the list of listeners, and programs' files. The first byte says which.
 */
#include "cli/elf.h"
#include "tests/fuzz/input.h"

/* Their readers are their own affair, but to be met without a socket. */
#include "cli/ask.c"
#include "cli/status.c"

#define PID 7

static FILE *nowhere;

static void table(const json_t *answer)
{
	const json_t *flow;
	size_t i;

	json_array_foreach(json_object_get(answer, "flows"), i, flow)
	{
		struct row r;

		memset(&r, 0xff, sizeof(r));
		fill(&r, answer, flow);
		for (size_t c = 0; c < COLUMNS; c++) {
			must(memchr(r.cell[c], 0, WIDEST) != NULL, "a cell without an end");
			for (const char *s = r.cell[c]; *s; s++)
				must(*s >= ' ' && *s < 0x7f, "a cell that commands a terminal");
		}
	}
}

static void answer(struct input *in)
{
	struct question q = {.pid = PID, .fd = -1, .len = in->left};
	FILE *there = stderr;

	q.text = (char *)exactly(in->p, in->left);
	/* It complains of most of them. */
	stderr = nowhere;
	finish(&q);
	stderr = there;
	must(!q.text, "the answer's text was kept");
	if (!q.answer)
		return;
	must(json_integer_value(json_object_get(q.answer, "pid")) == PID, "another's answer");
	table(q.answer);
	json_decref(q.answer);
}

static void line(struct input *in)
{
	char text[512];
	size_t n = in->left < sizeof(text) ? in->left : sizeof(text) - 1;

	take_bytes(in, text, n);
	text[n] = 0;
	struct name who;

	must(!listed(text, &who) || (who.pid > 0 && who.instance >= 0), "a process of no number");
}

static void program(struct input *in)
{
	char interpreter[64], rest[64], program_name[32];
	size_t size = in->left;
	uint8_t *p = exactly(in->p, size);
	enum elf_verdict v = elf_examine(p, size);

	must(v <= ELF_UNKNOWN, "no verdict");
	memset(interpreter, 'x', sizeof(interpreter));
	memset(rest, 'x', sizeof(rest));
	if (elf_script(p, size, interpreter, rest, sizeof(rest)) == 0) {
		must(v == ELF_SCRIPT, "a script that is none");
		must(memchr(interpreter, 0, sizeof(interpreter)) && *interpreter, "no interpreter");
		must(memchr(rest, 0, sizeof(rest)) != NULL, "arguments without an end");
		must(!strpbrk(interpreter, " \t\n"), "an interpreter of two words");
		if (elf_env_program(rest, program_name, sizeof(program_name)) == 0)
			must(*program_name && strlen(program_name) < sizeof(program_name) &&
			         strstr(rest, program_name),
			     "a program that is not in the line");
	}
	free(p);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	nowhere = fopen("/dev/null", "we");
	must(nowhere != NULL, "/dev/null");
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	switch (size ? data[0] : 0) {
	case 'l':
		take_u8(&in);
		line(&in);
		break;
	case '#':
	case 0x7f:
		program(&in);
		break;
	default:
		answer(&in);
	}
	return 0;
}
