/* SPDX-License-Identifier: MIT */
/*
 * Streams on sockets. What stdio writes leaves inside libc, past every hook; what it reads is no
 * trouble. So a flow that is to be written by stdio is carried by the agent.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "preload/hook.h"
#include "preload/kin.h"
#include "preload/process.h"
#include "preload/pump.h"
#include "preload/real.h"

#define ASK_MS 1500 /* no longer than a lost path may take anyway; usually a millisecond */

/* This descriptor will be written past the hooks. */
static void written_unseen(int fd)
{
	struct flow *f = flow_of(fd);

	if (!f || f->kind != FLOW_SESSION || atomic_load(&f->carried) || !process_ours())
		return;
	if (atomic_load(&f->state) == FLOW_INHERITED)
		kin_claim(f);
	else
		pump_ask(f, ASK_MS);
}

EXPORT FILE *fdopen(int fd, const char *mode)
{
	int saved = errno;

	if (!real.fdopen)
		real_bind();
	if (mode && (mode[0] == 'w' || mode[0] == 'a' || strchr(mode, '+')))
		written_unseen(fd);
	errno = saved;
	return real.fdopen(fd, mode);
}

EXPORT int vdprintf(int fd, const char *format, va_list args)
{
	int saved = errno;

	if (!real.vdprintf)
		real_bind();
	written_unseen(fd);
	errno = saved;
	return real.vdprintf(fd, format, args);
}

EXPORT int dprintf(int fd, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vdprintf(fd, format, args);

	va_end(args);
	return n;
}

/* The fortified ones are declared nowhere. */
int __vdprintf_chk(int fd, int flag, const char *format, va_list args);
int __dprintf_chk(int fd, int flag, const char *format, ...);

EXPORT int __vdprintf_chk(int fd, int flag, const char *format, va_list args)
{
	int saved = errno;

	if (!real.__vdprintf_chk)
		real_bind();
	written_unseen(fd);
	errno = saved;
	return real.__vdprintf_chk(fd, flag, format, args);
}

EXPORT int __dprintf_chk(int fd, int flag, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = __vdprintf_chk(fd, flag, format, args);

	va_end(args);
	return n;
}
