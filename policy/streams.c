/* SPDX-License-Identifier: MIT */
#include "policy/streams.h"

#include <stdio.h>

extern FILE *pol_stdin, *pol_stdout, *pol_stderr;

FILE *pol_stdin, *pol_stdout, *pol_stderr;

void pol_streams(void)
{
	pol_stdin = stdin;
	pol_stdout = stdout;
	pol_stderr = stderr;
}
