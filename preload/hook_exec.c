/* SPDX-License-Identifier: MIT */
/*
 * Becoming another program, making one, and ending. What the new program inherits it is told by an
 * environment variable (kin.h); what this one leaves behind is looked after by a keeper.
 */
#include <alloca.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "preload/agent.h"
#include "preload/hook.h"
#include "preload/keeper.h"
#include "preload/kin.h"
#include "preload/peers.h"
#include "preload/process.h"
#include "preload/pump.h"
#include "preload/raw.h"
#include "preload/real.h"

#define ENV_MOST 16384 /* an environment with more entries is passed on as it is */

/* --- the environment --- */

static size_t count(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

/* `to` has room for all of `env`, one more, and the end. */
static void add(char **to, char *const *env, char *kin)
{
	size_t n = 0;

	for (; env && *env; env++)
		if (strncmp(*env, KIN_VARIABLE "=", sizeof(KIN_VARIABLE)) != 0)
			to[n++] = *env;
	to[n++] = kin;
	to[n] = NULL;
}

/* The variable, in the caller's buffer; NULL: there is nothing to tell. */
static char *kin_entry(char *buf, size_t size)
{
	if (!process_enabled || (!flow_count() && !peers_any()))
		return NULL;
	memcpy(buf, KIN_VARIABLE "=", sizeof(KIN_VARIABLE));
	return kin_write(buf + sizeof(KIN_VARIABLE), size - sizeof(KIN_VARIABLE)) ? buf : NULL;
}

/* --- exec --- */

struct program {
	enum { BY_PATH, BY_NAME, BY_FD, BY_DIRECTORY } how;
	const char *path;
	int fd, flags;
	char *const *argv;
};

static int call(const struct program *p, char *const *env)
{
	switch (p->how) {
	case BY_PATH:
		return real.execve(p->path, p->argv, env);
	case BY_NAME:
		return real.execvpe(p->path, p->argv, env);
	case BY_FD:
		return real.fexecve(p->fd, p->argv, env);
	case BY_DIRECTORY:
		return real.execveat(p->fd, p->path, p->argv, env, p->flags);
	}
	return -1;
}

static int run(const struct program *p, char *const *env)
{
	char buf[4096 + 512];
	bool ours = process_enabled && flow_count() && process_ours(), last;
	int token = -1;

	if (!real.execve)
		real_bind();
	last = ours && keeper_has_flows();
	if (last) {
		int saved = errno;

		pumps_ask_inherited();
		token = keeper_before_exec();
		errno = saved;
	}
	char *kin = kin_entry(buf, sizeof(buf));
	size_t n = count(env);
	char *const *with = env;

	if (kin && n < ENV_MOST) {
		char **list = alloca((n + 2) * sizeof(*list));

		add(list, env, kin);
		with = list;
	}
	int r = call(p, with);

	keeper_stay(token);
	return r;
}

EXPORT int execve(const char *path, char *const argv[], char *const env[])
{
	struct program p = {.how = BY_PATH, .path = path, .argv = argv};

	return run(&p, env);
}

EXPORT int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

EXPORT int execvpe(const char *file, char *const argv[], char *const env[])
{
	struct program p = {.how = BY_NAME, .path = file, .argv = argv};

	return run(&p, env);
}

EXPORT int execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, environ);
}

EXPORT int fexecve(int fd, char *const argv[], char *const env[])
{
	struct program p = {.how = BY_FD, .fd = fd, .argv = argv};

	return run(&p, env);
}

EXPORT int execveat(int fd, const char *path, char *const argv[], char *const env[], int flags)
{
	struct program p = {
	    .how = BY_DIRECTORY, .fd = fd, .path = path, .argv = argv, .flags = flags};

	if (!real.execveat)
		real_bind();
	if (!real.execveat) {
		errno = ENOSYS;
		return -1;
	}
	return run(&p, env);
}

/* The arguments of execl and its relatives, made into a list on the caller's stack. */
#define LISTED(first, list, ap)                                                                    \
	do {                                                                                       \
		size_t n_ = 1;                                                                     \
		va_start(ap, first);                                                               \
		while (va_arg(ap, char *))                                                         \
			n_++;                                                                      \
		va_end(ap);                                                                        \
		(list) = alloca((n_ + 1) * sizeof(*(list)));                                       \
		(list)[0] = (char *)(first);                                                       \
		va_start(ap, first);                                                               \
		for (size_t i_ = 1; i_ <= n_; i_++)                                                \
			(list)[i_] = va_arg(ap, char *);                                           \
	} while (0)

EXPORT int execl(const char *path, const char *first, ...)
{
	va_list ap;
	char **argv;

	LISTED(first, argv, ap);
	va_end(ap);
	return execv(path, argv);
}

EXPORT int execlp(const char *file, const char *first, ...)
{
	va_list ap;
	char **argv;

	LISTED(first, argv, ap);
	va_end(ap);
	return execvp(file, argv);
}

EXPORT int execle(const char *path, const char *first, ...)
{
	va_list ap;
	char **argv;

	LISTED(first, argv, ap);
	char *const *env = va_arg(ap, char *const *);

	va_end(ap);
	return execve(path, argv, env);
}

/* --- spawn --- */

typedef int spawn_fn(pid_t *, const char *, const posix_spawn_file_actions_t *,
                     const posix_spawnattr_t *, char *const[], char *const[]);

static int spawned(spawn_fn *fn, pid_t *pid, const char *path,
                   const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
                   char *const argv[], char *const env[])
{
	char buf[4096 + 512];
	char *kin = kin_entry(buf, sizeof(buf));
	size_t n = count(env);

	if (!kin || n >= ENV_MOST)
		return fn(pid, path, actions, attr, argv, env);
	char **list = alloca((n + 2) * sizeof(*list));

	add(list, env, kin);
	return fn(pid, path, actions, attr, argv, list);
}

EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
	if (!real.posix_spawn)
		real_bind();
	return spawned(real.posix_spawn, pid, path, actions, attr, argv, env);
}

EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
	if (!real.posix_spawnp)
		real_bind();
	return spawned(real.posix_spawnp, pid, file, actions, attr, argv, env);
}

/* --- the end --- */

EXPORT void _exit(int status)
{
	if (!real._exit)
		real_bind();
	if (process_enabled && flow_count() && process_ours())
		process_leave(false);
	real._exit(status);
	__builtin_unreachable();
}

EXPORT void _Exit(int status)
{
	_exit(status);
}

/* --- daemon --- */

/* What libc's does after the fork. */
static int detach(int nochdir, int noclose)
{
	if (raw_call3(SYS_setsid, 0, 0, 0) < 0)
		return -1;
	if (!nochdir && chdir("/") < 0)
		return -1;
	if (noclose)
		return 0;
	int fd = raw_openat(AT_FDCWD, "/dev/null", O_RDWR, 0);

	if (fd < 0) {
		errno = ENODEV;
		return -1;
	}
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		raw_close(fd);
	return 0;
}

/*
 * The parent does nothing after the fork but end: the child is the same process going on, so it
 * takes over the flows as they are, and no keeper is needed.
 */
EXPORT int daemon(int nochdir, int noclose)
{
	if (!real.daemon)
		real_bind();
	if (!process_enabled || !process_ours() || !keeper_has_flows())
		return real.daemon(nochdir, noclose);
	agent_park();
	if (agent_running()) {
		agent_unpark();
		return real.daemon(nochdir, noclose);
	}
	process_succession(true);
	pid_t pid = fork();

	process_succession(false);
	if (pid > 0)
		raw_call3(SYS_exit_group, 0, 0, 0);
	if (pid == 0)
		process_renamed();
	agent_unpark();
	return pid < 0 ? -1 : detach(nochdir, noclose);
}
