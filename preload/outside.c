/* SPDX-License-Identifier: MIT */
/*
 * Three processes, for a program must find no child that it has not made: the first ends at once
 * and is waited for here (it tells nobody of its end, and only __WALL sees it), the second, now
 * init's, waits for the third, which becomes the shell. All are forks by the raw system call in
 * the memory of a stranger, in which any lock may be held for ever: between fork and exec there
 * are system calls and nothing else.
 */
#include "preload/outside.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "preload/procfs.h"
#include "preload/own.h"
#include "preload/raw.h"

#define LIMIT_S 60
#define OLD_KERNEL_FDS 65536
#define KEPT_VARS 24
#define SIGNALS 64
#define SET_BYTES (SIGNALS / 8)

/* What a command that speaks for the user needs to find its way. */
static const char *const kept[] = {"HOME=",
                                   "PATH=",
                                   "USER=",
                                   "LOGNAME=",
                                   "LANG=",
                                   "XDG_RUNTIME_DIR=",
                                   "TZ=",
                                   "DISPLAY=",
                                   "WAYLAND_DISPLAY=",
                                   "SSH_AUTH_SOCK=",
                                   "DBUS_SESSION_BUS_ADDRESS=",
                                   "XDG_CONFIG_HOME=",
                                   "KRB5CCNAME="};

static int raw_fork(int exit_signal)
{
	return (int)raw_call6(SYS_clone, exit_signal, 0, 0, 0, 0, 0);
}

__attribute__((noreturn)) static void raw_exit(int status)
{
	for (;;)
		raw_call3(SYS_exit_group, status, 0, 0);
}

static void block(uint64_t set)
{
	raw_call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&set, 0, SET_BYTES, 0, 0);
}

/* What the program ignores would stay ignored. */
static void default_signals(void)
{
	struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		uint64_t mask;
	} none;

	memset(&none, 0, sizeof(none));
	for (int sig = 1; sig <= SIGNALS; sig++)
		raw_call6(SYS_rt_sigaction, sig, (long)&none, 0, SET_BYTES, 0, 0);
}

/* All others are closed, and the numbers below 3 are /dev/null. Returns its new number. */
static int only_keep(int fd)
{
	int kept_fd = (int)raw_call3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 10);

	if (kept_fd < 0)
		raw_exit(1);
	if (raw_call3(SYS_close_range, kept_fd + 1, ~0u, 0) < 0) /* before Linux 5.9 */
		for (int i = kept_fd + 1; i < OLD_KERNEL_FDS; i++)
			raw_close(i);
	for (int i = 0; i < kept_fd; i++)
		raw_close(i);
	for (int i = 0; i < 3; i++)
		raw_openat(AT_FDCWD, "/dev/null", O_RDWR, 0);
	return kept_fd;
}

static bool wanted(const char *var)
{
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (strncmp(var, kept[i], strlen(kept[i])) == 0)
			return true;
	return false;
}

/*
 * The environment as the kernel has it: another thread may have been changing the program's own at
 * the moment of the fork. Only in the child, whose copy of `block` is its own.
 */
static int environment(const char *const *vars, const char **envp)
{
	static char text[65536];
	int n = 0, fd = raw_openat(AT_FDCWD, "/proc/self/environ", O_RDONLY | O_CLOEXEC, 0);
	size_t have = 0;
	long got;
	bool path = false;

	while (fd >= 0 && have < sizeof(text) - 1 &&
	       (got = raw_read(fd, text + have, sizeof(text) - 1 - have)) > 0)
		have += (size_t)got;
	text[have] = 0;
	for (const char *p = text; p < text + have && n < KEPT_VARS; p += strlen(p) + 1)
		if (wanted(p)) {
			path = path || strncmp(p, "PATH=", 5) == 0;
			envp[n++] = p;
		}
	if (!path)
		envp[n++] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	envp[n++] = "MIFCONT_DISABLE=1";
	while (*vars)
		envp[n++] = *vars++;
	envp[n] = NULL;
	return n;
}

__attribute__((noreturn)) static void shell(const char *command, const char *const *vars)
{
	const char *argv[] = {"sh", "-c", command, NULL};
	const char *envp[KEPT_VARS + 16];

	raw_call3(SYS_setsid, 0, 0, 0);
	environment(vars, envp);
	block(0);
	raw_call3(SYS_execve, (long)"/bin/sh", (long)argv, (long)envp);
	raw_exit(127);
}

/* Waits for the shell, and says how it ended. */
__attribute__((noreturn)) static void wait_for(int shell_pid, int fd)
{
	struct timespec limit = {LIMIT_S, 0};
	uint64_t child = 1ull << (SIGCHLD - 1);
	int status = 0;

	raw_call6(SYS_rt_sigtimedwait, (long)&child, 0, (long)&limit, SET_BYTES, 0, 0);
	if (raw_call6(SYS_wait4, shell_pid, (long)&status, WNOHANG, 0, 0, 0) == 0) {
		raw_call3(SYS_kill, -shell_pid, SIGKILL, 0);
		raw_call3(SYS_kill, shell_pid, SIGKILL, 0);
		raw_call6(SYS_wait4, shell_pid, (long)&status, 0, 0, 0, 0);
	}
	raw_write(fd, &status, sizeof(status));
	raw_exit(0);
}

int outside_run(const char *command, const char *const *vars)
{
	int pipe[2], r;

	/* It may have a new process killed, or the one that makes it. */
	if (proc_sandboxed())
		return -EPERM;
	r = own_pipe(pipe);
	if (r < 0)
		return r;
	int first = raw_fork(0);

	if (first == 0) {
		block(~0ull);
		int second = raw_fork(0);

		if (second != 0)
			raw_exit(second < 0);
		prctl(PR_SET_NAME, "mifcont-errand");
		raw_call3(SYS_setsid, 0, 0, 0);
		default_signals();
		int told = only_keep(pipe[1]), third = raw_fork(SIGCHLD);

		if (third == 0)
			shell(command, vars);
		if (third < 0)
			raw_exit(1);
		wait_for(third, told);
	}
	own_close(pipe[1]);
	int status = 0;

	if (first > 0)
		r = (int)raw_call6(SYS_wait4, first, (long)&status, __WALL, 0, 0, 0);
	if (first < 0 || (r >= 0 && status)) {
		own_close(pipe[0]);
		return first < 0 ? first : -EAGAIN;
	}
	return pipe[0];
}
