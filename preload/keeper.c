/* SPDX-License-Identifier: MIT */
#include "preload/keeper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "preload/agent.h"
#include "preload/flow.h"
#include "preload/own.h"
#include "preload/process.h"
#include "preload/raw.h"
#include "preload/real.h"

static bool alive(const struct flow *f)
{
	uint32_t s = atomic_load(&f->state);

	return f->kind == FLOW_SESSION && s != FLOW_FREE && s != FLOW_ENDED && s != FLOW_INHERITED;
}

bool keeper_has_flows(void)
{
	for (unsigned i = 0; i < flow_count(); i++)
		if (alive(flow_at(i)))
			return true;
	return false;
}

bool keeper_needed(void)
{
	for (unsigned i = 0; i < flow_count(); i++) {
		const struct flow *f = flow_at(i);

		if (alive(f) &&
		    (atomic_load(&f->carried) || f->left || (f->fds && atomic_load(&f->shared))))
			return true;
	}
	return false;
}

/* The program's descriptors: those of flows by the hook, so that they end as with the program's own
 * close(); the others at once. */
static void close_program(void)
{
	unsigned from = 0;

	for (unsigned i = 0; i < flow_count(); i++) {
		struct flow *f = flow_at(i);

		while (alive(f) && f->fds && !f->stands_in)
			close(f->fd[0]);
	}
	for (int own; (own = own_next(from)) >= 0; from = (unsigned)own + 1)
		if ((unsigned)own > from)
			raw_call3(SYS_close_range, from, own - 1, 0);
	raw_call3(SYS_close_range, from, ~0u, 0);
	/* The numbers below 3 have a meaning to whatever is called from here. */
	while (raw_openat(AT_FDCWD, "/dev/null", O_RDWR, 0) == 0 || from < 2)
		from++;
}

static void quiet_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	/* What may end it: kill, and its own alarm clock should it ever stand still. */
	for (int sig = 1; sig < SIGRTMIN; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&all);
	sigaddset(&all, SIGTERM);
	sigaddset(&all, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &all, NULL);
}

static bool owner_gone(int sync)
{
	struct pollfd p = {.fd = sync, .events = POLLIN};
	struct timespec none = {0, 0};

	return raw_ppoll(&p, 1, &none, NULL) > 0;
}

/* `sync` becomes readable at the end of the owner: with a byte if it stays after all. */
__attribute__((noreturn)) static void keep(int sync, bool wait)
{
	char stays;

	quiet_signals();
	raw_call3(SYS_setsid, 0, 0, 0);
	prctl(PR_SET_NAME, "mifcont-keeper");
	if (wait && raw_read(sync, &stays, 1) == 1)
		raw_call3(SYS_exit_group, 0, 0, 0);
	/* Until the owner is gone it may write: what is carried must be carried on. */
	bool there = true;

	while (agent_keep(there ? 10 : 10000))
		if (there && owner_gone(sync)) {
			close_program();
			there = false;
		}
	raw_call3(SYS_exit_group, 0, 0, 0);
	__builtin_unreachable();
}

/* The keeper's descriptor of the pipe; the owner's is returned. Negative errno. */
static int spawn(bool wait)
{
	int pipe[2], r = own_pipe(pipe);

	if (r < 0)
		return r;
	process_succession(true);
	pid_t pid = fork();

	if (pid == 0) {
		/* Nobody's child: the program must not find one it has not made. */
		pid = fork();
		if (pid != 0)
			raw_call3(SYS_exit_group, pid < 0, 0, 0);
		process_succession(false);
		own_close(pipe[1]);
		keep(pipe[0], wait);
	}
	process_succession(false);
	own_close(pipe[0]);
	int status = 1;

	if (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == ECHILD)
		status = 0; /* the program has its children reaped by the kernel */
	if (pid < 0 || status) {
		own_close(pipe[1]);
		return -EAGAIN;
	}
	return pipe[1];
}

/* A child of ours comes and goes: the program's handler must not be told. */
static int spawn_unseen(bool wait)
{
	sigset_t child, before, pending;
	struct timespec none = {0, 0};

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &child, &before);
	int r = spawn(wait);

	if (!sigismember(&pending, SIGCHLD))
		sigtimedwait(&child, NULL, &none);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

bool keeper_leave(void)
{
	agent_park();
	if (agent_running())
		return false;
	int r = spawn_unseen(false);

	if (r < 0)
		log_warn("no keeper: %s", strerrordesc_np(-r));
	return r >= 0;
}

int keeper_before_exec(void)
{
	int saved = errno, r;

	agent_park();
	r = agent_running() ? -EBUSY : spawn_unseen(true);
	if (r < 0)
		agent_unpark();
	errno = saved;
	return r < 0 ? -1 : r;
}

void keeper_stay(int token)
{
	int saved = errno;
	char stays = 1;

	if (token < 0)
		return;
	raw_write(token, &stays, 1);
	own_close(token);
	agent_unpark();
	errno = saved;
}
