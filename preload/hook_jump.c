/* SPDX-License-Identifier: MIT */
/*
 * Leaving a signal handler by longjmp(), out of a call on a flow that it interrupted: the old way
 * to give a call a time limit. The call's hook will never go on, so what it would have done at its
 * end is done before.
 */
#include <setjmp.h>
#include <string.h>
#include <unistd.h>

#include "preload/hook.h"
#include "preload/real.h"

void _longjmp(jmp_buf env, int value) __attribute__((noreturn));
void __longjmp_chk(jmp_buf env, int value) __attribute__((noreturn));

#if defined(__x86_64__)
#define STACK_POINTER 6 /* of what setjmp() saves */

/* Where the stack will be. */
static uintptr_t target(const struct __jmp_buf_tag *env)
{
	uint64_t sp;

	/* The registers come first in both libcs' structures, under different names. */
	memcpy(&sp, (const uint64_t *)(const void *)env + STACK_POINTER, sizeof(sp));

#if defined(__GLIBC__)
	/* Kept in disguise, by a secret in the thread's own block. */
	__asm__("ror $17, %0\n\txor %%fs:0x30, %0" : "+r"(sp));
#endif
	return sp;
}
#else
static uintptr_t target(const struct __jmp_buf_tag *env)
{
	(void)env;
	return 0;
}
#endif

static void prepare(const struct __jmp_buf_tag *env)
{
	if (calls_any())
		writers_jump(target(env));
}

EXPORT void longjmp(jmp_buf env, int value)
{
	if (!real.longjmp)
		real_bind();
	prepare(env);
	real.longjmp(env, value);
	__builtin_unreachable();
}

EXPORT void _longjmp(jmp_buf env, int value)
{
	if (!real._longjmp)
		real_bind();
	prepare(env);
	real._longjmp(env, value);
	__builtin_unreachable();
}

EXPORT void siglongjmp(sigjmp_buf env, int value)
{
	if (!real.siglongjmp)
		real_bind();
	prepare(env);
	real.siglongjmp(env, value);
	__builtin_unreachable();
}

EXPORT void __longjmp_chk(jmp_buf env, int value)
{
	if (!real.__longjmp_chk)
		real_bind();
	prepare(env);
	real.__longjmp_chk(env, value);
	__builtin_unreachable();
}
