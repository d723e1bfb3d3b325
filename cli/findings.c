/* SPDX-License-Identifier: MIT */
#include "cli/findings.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST 128

struct finding {
	enum verdict verdict;
	const char *check, *advice;
	char what[256];
};

struct findings {
	struct finding item[MOST];
	int n;
	enum verdict worst;
};

struct findings *findings_new(void)
{
	return calloc(1, sizeof(struct findings));
}

void findings_free(struct findings *f)
{
	free(f);
}

void findings_add(struct findings *f, enum verdict v, const char *check, const char *advice,
                  const char *fmt, ...)
{
	va_list ap;

	if (f->n == MOST) {
		f->worst = VERDICT_FAIL;
		return;
	}
	struct finding *i = &f->item[f->n++];

	*i = (struct finding){.verdict = v, .check = check, .advice = advice};
	va_start(ap, fmt);
	vsnprintf(i->what, sizeof(i->what), fmt, ap);
	va_end(ap);
	/* File names and the words of other processes must not command the terminal. */
	for (char *p = i->what; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	if (v > f->worst)
		f->worst = v;
}

enum verdict findings_worst(const struct findings *f)
{
	return f->worst;
}

static const char *const names[] = {"ok", "warn", "fail"};

static bool print_json(const struct findings *f)
{
	json_t *all = json_array();
	bool ok = all != NULL;

	for (int i = 0; ok && i < f->n; i++) {
		const struct finding *x = &f->item[i];
		json_t *o = json_pack("{s:s, s:s, s:s, s:s?}", "check", x->check, "verdict",
		                      names[x->verdict], "found", x->what, "advice", x->advice);

		ok = o && json_array_append_new(all, o) == 0;
	}
	ok = ok && json_dumpf(all, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;
	json_decref(all);
	return ok;
}

bool findings_print(const struct findings *f, bool json)
{
	if (json)
		return print_json(f) && fflush(stdout) == 0;
	for (int i = 0; i < f->n; i++) {
		const struct finding *x = &f->item[i];

		printf("%-5s %-12s %s\n", names[x->verdict], x->check, x->what);
		if (x->verdict != VERDICT_OK && x->advice)
			printf("%-18s %s\n", "", x->advice);
	}
	return fflush(stdout) == 0;
}
