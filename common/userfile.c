/* SPDX-License-Identifier: MIT */
#include "common/userfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>

bool userfile(enum userfile kind, const char *name, char *path, size_t len)
{
	bool state = kind == USERFILE_STATE;
	const char *v;
	int n = -1;

	if (getauxval(AT_SECURE))
		return false;
	if ((v = getenv(state ? "XDG_STATE_HOME" : "XDG_CONFIG_HOME")) && *v == '/')
		n = snprintf(path, len, "%s/mifcont/%s", v, name);
	else if ((v = getenv("HOME")) && *v == '/')
		n = snprintf(path, len, "%s/%s/mifcont/%s", v, state ? ".local/state" : ".config",
		             name);
	return n > 0 && (size_t)n < len;
}
