/* SPDX-License-Identifier: MIT */
#include "session/known.h"

#include <string.h>

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Length of the word at *p, which is moved to it. */
static size_t word(const char **p, const char *end)
{
	const char *start;

	while (*p < end && blank(**p))
		(*p)++;
	start = *p;
	while (start < end && !blank(*start) && *start != '#')
		start++;
	return (size_t)(start - *p);
}

bool known_is(const char *line, size_t len, const char *name)
{
	const char *p = line;
	size_t n = word(&p, line + len);

	return n == strlen(name) && memcmp(p, name, n) == 0;
}

enum known known_find(const char *text, size_t len, const char *name, const uint8_t key[KDF_KEY])
{
	const char *end = text + len;
	enum known found = KNOWN_NOT;

	while (text < end) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));
		const char *p = text;
		uint8_t k[KDF_KEY];

		if (!line_end)
			line_end = end;
		if (known_is(text, (size_t)(line_end - text), name)) {
			p += word(&p, line_end);
			size_t n = word(&p, line_end);

			if (key_from_text(p, n, k)) {
				if (kdf_same(k, key, KDF_KEY))
					return KNOWN_SAME;
				found = KNOWN_OTHER;
			}
		}
		text = line_end + 1;
	}
	return found;
}

size_t known_line(const char *name, const uint8_t key[KDF_KEY], char *out, size_t room)
{
	size_t n = strlen(name);

	if (n + 1 + KEY_TEXT + 1 > room)
		return 0;
	memcpy(out, name, n);
	out[n++] = ' ';
	key_to_text(key, out + n);
	n += KEY_TEXT - 1;
	out[n++] = '\n';
	return n;
}
