/* SPDX-License-Identifier: MIT */
#include "policy/scan.h"

#include <string.h>

struct at {
	char *p;
	int line;
};

static bool wrong(struct scan *s, int line, const char *error)
{
	s->error_line = line;
	s->error = error;
	return false;
}

static bool blank_comment(struct at *a, struct scan *s)
{
	if (*a->p == '#' || a->p[1] == '/') {
		while (*a->p && *a->p != '\n')
			*a->p++ = ' ';
		return true;
	}

	char *end = strstr(a->p + 2, "*/");

	if (!end)
		return wrong(s, a->line, "a comment that never ends; expected */");
	for (end += 2; a->p < end; a->p++) {
		if (*a->p == '\n')
			a->line++;
		else
			*a->p = ' ';
	}
	return true;
}

static bool skip_quoted(struct at *a, struct scan *s)
{
	char quote = *a->p++;

	for (; *a->p != quote; a->p++) {
		if (*a->p == '\\' && a->p[1] && a->p[1] != '\n')
			a->p++;
		else if (a->p[0] == '$' && a->p[1] == '{')
			return wrong(s, a->line,
			             "${...} in quotes; expected plain text, since the environment "
			             "is the program's and not the policy's");
		if ((unsigned char)*a->p < ' ' || *a->p == 0x7f)
			return wrong(s, a->line,
			             "a quote that does not end on its line, or a control "
			             "character; expected a closing quote");
	}
	a->p++;
	return true;
}

static enum scan_kind kind_of(const char *word, size_t len)
{
	static const char *const words[] = {"interface", "peer", "stability", "connectivity"};
	int kind = 0;

	while (kind < SCAN_OTHER &&
	       (strlen(words[kind]) != len || memcmp(word, words[kind], len) != 0))
		kind++;
	return (enum scan_kind)kind;
}

static bool word_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

/*
 * "opening" is a key and a section, which libconfuse cannot have under one name: the section's is
 * OPENING.
 */
static void tell_opening(char *word, const char *end)
{
	const char *next = end + strspn(end, " \t\n");

	if (end - word == 7 && memcmp(word, "opening", 7) == 0 && *next == '{')
		memcpy(word, "OPENING", 7);
}

static bool note_section(struct scan *s, enum scan_kind kind, int begins, int line)
{
	if (kind == SCAN_OTHER)
		return true;
	if (s->sections[kind] == SCAN_SECTIONS)
		return wrong(s, line, "too many sections; expected at most 1024 of a kind");
	s->line[kind][s->sections[kind]++] = begins;
	return true;
}

bool scan(char *text, struct scan *s)
{
	enum scan_kind kind = SCAN_OTHER;
	struct at a = {text, 1};
	int begins = 0, depth = 0, opened = 0;

	memset(s, 0, sizeof(*s));
	while (*a.p) {
		char c = *a.p;

		if (c == '#' || (c == '/' && (a.p[1] == '/' || a.p[1] == '*'))) {
			if (!blank_comment(&a, s))
				return false;
			continue;
		}
		if (c == '"' || c == '\'') {
			if (!skip_quoted(&a, s))
				return false;
			continue;
		}
		if (word_character(c)) {
			char *word = a.p;

			while (word_character(*a.p))
				a.p++;
			if (depth == 1)
				tell_opening(word, a.p);
			if (depth == 0 && !begins) {
				begins = a.line;
				kind = kind_of(word, (size_t)(a.p - word));
			}
			continue;
		}
		if (c == '\n')
			a.line++;
		else if (c == '\r')
			*a.p = ' '; /* a file from elsewhere */
		else if (c == '{') {
			if (depth++ == 0) {
				opened = a.line;
				if (!note_section(s, kind, begins, opened))
					return false;
			}
			begins = 0;
		} else if (c == '}') {
			depth -= depth > 0;
		} else if (c != ' ' && c != '\t' && c != '=') {
			return wrong(s, a.line,
			             "a character that has no meaning outside of quotes; expected "
			             "patterns and addresses in \"quotes\"");
		}
		a.p++;
	}
	/* Perhaps only half of it has been written yet; libconfuse would take that half. */
	return depth == 0 || wrong(s, opened, "a section that is not closed; expected }");
}
