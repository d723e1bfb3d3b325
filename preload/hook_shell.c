/* SPDX-License-Identifier: MIT */
/*
 * Commands that libc itself gives to a shell. It makes their process past every hook, so that the
 * shell could not be told what it inherits (kin.h). It is told by the command: the first shell
 * becomes the one that was asked for, with the variable in its environment. Signals, cancelling,
 * the stream and the status stay libc's own.
 */
#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wordexp.h>

#include "preload/hook.h"
#include "preload/kin.h"
#include "preload/process.h"
#include "preload/pump.h"
#include "preload/real.h"

#define COMMAND_MOST 16384 /* of the caller's stack */

/* Around the value of the variable and the command. $0 is what libc makes it. */
static const char before[] = KIN_VARIABLE "='";
static const char between[] = "' exec /bin/sh -c '";
static const char after[] = "' sh";

/* Is there a flow whose descriptor the shell will have, while the hooks write to it? */
static bool passed_on(void)
{
	if (!process_enabled || !flow_count() || !process_ours())
		return false;
	for (unsigned i = 0; i < flow_count(); i++) {
		const struct flow *f = flow_at(i);

		if (f->kind == FLOW_SESSION && !atomic_load(&f->carried) && flow_inheritable(f))
			return true;
	}
	return false;
}

static void carry(void)
{
	int saved = errno;

	pumps_ask_inherited();
	errno = saved;
}

/* How long the command is between single quotes. */
static size_t quoted_len(const char *command)
{
	size_t n = 0;

	for (; *command; command++)
		n += *command == '\'' ? 4 : 1;
	return n;
}

/* Appends the command, of which each quote ends the quoted part and is followed by another. */
static char *quote(char *to, const char *command)
{
	for (; *command; command++)
		if (*command == '\'')
			to = stpcpy(to, "'\\''");
		else
			*to++ = *command;
	*to = 0;
	return to;
}

/*
 * What is to be run in the command's place, on the caller's stack; the command itself where nothing
 * is inherited. One that is too long, or may be taken for an option by some shells, goes as it is:
 * then the agent carries what is inherited, whoever uses it.
 */
#define TOLD(told, command)                                                                        \
	do {                                                                                       \
		(told) = (command);                                                                \
		if (!(command) || !passed_on())                                                    \
			break;                                                                     \
		char kin_[4096 + 512];                                                             \
		size_t n_ = strlen(command) < COMMAND_MOST ? quoted_len(command) : COMMAND_MOST;   \
		if (n_ >= COMMAND_MOST || *(command) == '-' || *(command) == '+') {                \
			carry();                                                                   \
		} else if (kin_write(kin_, sizeof(kin_))) {                                        \
			char *room_ = alloca(sizeof(before) + strlen(kin_) + sizeof(between) +     \
			                     n_ + sizeof(after));                                  \
			(told) = room_;                                                            \
			room_ = stpcpy(stpcpy(stpcpy(room_, before), kin_), between);              \
			stpcpy(quote(room_, command), after);                                      \
		}                                                                                  \
	} while (0)

EXPORT int system(const char *command)
{
	const char *told;

	if (!real.system)
		real_bind();
	TOLD(told, command);
	return real.system(told);
}

EXPORT FILE *popen(const char *command, const char *mode)
{
	const char *told;

	if (!real.popen)
		real_bind();
	TOLD(told, command);
	return real.popen(told, mode);
}

/* Declared nowhere. */
FILE *_IO_popen(const char *command, const char *mode);

EXPORT FILE *_IO_popen(const char *command, const char *mode)
{
	return popen(command, mode);
}

/* The words are libc's to understand: who may run a command may write to what it inherits. */
EXPORT int wordexp(const char *words, wordexp_t *to, int flags)
{
	if (!real.wordexp)
		real_bind();
	if (words && !(flags & WRDE_NOCMD) && (strstr(words, "$(") || strchr(words, '`')) &&
	    passed_on())
		carry();
	return real.wordexp(words, to, flags);
}
