/* SPDX-License-Identifier: MIT */
/*
 * The processes with the library in them, and what they say of their flows. Anybody may listen at
 * an abstract name, so neither the name nor the answer is trusted.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <jansson.h>

/*
 * Asks every process of the caller (for root: every process) in this network namespace that listens
 * at "mifcont/PID", or "mifcont/PID.INSTANCE" (preload/kin.h), all at once, and waits for none for
 * longer than a second, or five if it is still speaking. An array of one object for each answer, by
 * process number; the caller's to release, NULL if memory ran out. Who gave no answer, or one that
 * cannot be used, is named on stderr.
 */
json_t *ask_processes(void);

/*
 * The same with another question than for the status ("drain ...", see preload/status.c), which is
 * answered by the status, too; `pid`: only that process, 0 for all.
 */
json_t *ask_processes_to(const char *question, int pid);

/* How many were there and gave no answer that can be used, when they were asked last. */
unsigned ask_missed(void);

/* Is the answer of this process of the agreed form, to the last field? If not, `why` says so. */
int ask_valid(const json_t *answer, int pid, const char **why);

#endif
