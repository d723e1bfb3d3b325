/* SPDX-License-Identifier: MIT */
#include "policy/user.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NAME:PASSWORD:NUMBER:... */
static bool of_line(const char *line, const char *name, uint32_t *uid)
{
	size_t len = strlen(name);
	const char *at = strncmp(line, name, len) == 0 && line[len] == ':' ? line + len + 1 : NULL;
	char *end;

	at = at ? strchr(at, ':') : NULL;
	if (!at || at[1] < '0' || at[1] > '9')
		return false;
	unsigned long n = strtoul(at + 1, &end, 10);

	*uid = (uint32_t)n;
	return *end == ':' && n < UINT32_MAX;
}

bool user_number(const char *name, uint32_t *uid)
{
	FILE *f = fopen("/etc/passwd", "re");
	bool found = false, begins = true;
	char line[512];

	while (f && !found && fgets(line, sizeof(line), f)) {
		found = begins && of_line(line, name, uid);
		/* The rest of a line that is too long is no line. */
		begins = strchr(line, '\n') != NULL;
	}
	if (f)
		fclose(f);
	return found;
}
