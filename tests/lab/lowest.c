/* SPDX-License-Identifier: MIT */
/*
 * A program that counts on the lowest free descriptor, as POSIX promises it, while its connection
 * is handed over. To be run as trial.h says:
 *
 *   numbers   every call that makes a descriptor, again and again: which number did it give?
 *   children  which descriptors has a forked child?
 *
 * Prints to stderr how often each was asked and how often the answer was another.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "trial.h"

#define LOSSES 4

static _Atomic bool over;
static int lowest;    /* the number that is free */
static int kept;      /* a file that is open, at a higher one */
static bool had[256]; /* what was open before */

static void *speak(void *arg)
{
	int fd = *(int *)arg;

	while (!atomic_load(&over))
		echo(fd, "while descriptors are made");
	return NULL;
}

static void *lose(void *arg)
{
	(void)arg;
	for (int i = 0; i < LOSSES; i++) {
		event("wlan0 down");
		pause_ms(400);
		event("wlan0 up");
		pause_ms(400);
	}
	atomic_store(&over, true);
	return NULL;
}

/* --- what makes one; each returns the number, and leaves it closed --- */

static int gone(int fd)
{
	must(fd >= 0, "no descriptor");
	close(fd);
	return fd;
}

static int by_open(void)
{
	return gone(open("/dev/null", O_RDONLY));
}

static int by_openat(void)
{
	return gone(openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC));
}

static int by_socket(void)
{
	return gone(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int by_dup(void)
{
	return gone(dup(kept));
}

static int by_fcntl(void)
{
	return gone(fcntl(kept, F_DUPFD_CLOEXEC, 0));
}

static int by_pipe(void)
{
	int fd[2];

	must(pipe(fd) == 0, "pipe");
	close(fd[1]);
	close(fd[0]);
	return fd[1] == fd[0] + 1 ? fd[0] : fd[1];
}

static int by_socketpair(void)
{
	int fd[2];

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0, "socketpair");
	close(fd[1]);
	close(fd[0]);
	return fd[1] == fd[0] + 1 ? fd[0] : fd[1];
}

static int by_eventfd(void)
{
	return gone(eventfd(0, 0));
}

static int by_epoll(void)
{
	return gone(epoll_create1(0));
}

static int by_timerfd(void)
{
	return gone(timerfd_create(CLOCK_MONOTONIC, 0));
}

static int by_inotify(void)
{
	return gone(inotify_init1(0));
}

static int by_fopen(void)
{
	FILE *f = fopen("/dev/null", "r");

	must(f != NULL, "fopen");
	int fd = fileno(f);

	fclose(f);
	return fd;
}

static int by_opendir(void)
{
	DIR *d = opendir("/proc/self");

	must(d != NULL, "opendir");
	int fd = dirfd(d);

	closedir(d);
	return fd;
}

static int by_mkstemp(void)
{
	char name[] = "/tmp/lowest-XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	return gone(fd);
}

static int by_number(void)
{
	return gone((int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY));
}

/* Onto a number that is known to be free: what is there must be what was put there, and stay. */
static int by_dup2(void)
{
	struct stat st;

	must(dup2(kept, lowest) == lowest, "dup2");
	for (int i = 0; i < 20; i++)
		if (fstat(lowest, &st) != 0 || !S_ISCHR(st.st_mode))
			return -1;
	close(lowest);
	return lowest;
}

static int by_fork(void)
{
	int status, fd = lowest;
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (pid == 0) {
		for (int n = 0; n < 256; n++)
			if ((fcntl(n, F_GETFD) >= 0) != had[n])
				_exit(1);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "waitpid");
	return WEXITSTATUS(status) == 0 ? fd : -1;
}

struct way {
	const char *name;
	int (*make)(void);
	unsigned long tries, wrong;
};

static struct way numbers[] = {{"open", by_open, 0, 0},
                               {"openat", by_openat, 0, 0},
                               {"socket", by_socket, 0, 0},
                               {"dup", by_dup, 0, 0},
                               {"fcntl", by_fcntl, 0, 0},
                               {"pipe", by_pipe, 0, 0},
                               {"socketpair", by_socketpair, 0, 0},
                               {"eventfd", by_eventfd, 0, 0},
                               {"epoll", by_epoll, 0, 0},
                               {"timerfd", by_timerfd, 0, 0},
                               {"inotify", by_inotify, 0, 0},
                               {"fopen", by_fopen, 0, 0},
                               {"opendir", by_opendir, 0, 0},
                               {"mkstemp", by_mkstemp, 0, 0},
                               {"syscall", by_number, 0, 0},
                               {"dup2", by_dup2, 0, 0},
                               {NULL, NULL, 0, 0}};

static struct way children[] = {{"fork", by_fork, 0, 0}, {NULL, NULL, 0, 0}};

static void try(struct way *all)
{
	int flow = dial(), null = open("/dev/null", O_RDWR);
	unsigned long wrong = 0;

	kept = fcntl(null, F_DUPFD, 100);
	close(null);
	echo(flow, "before");
	lowest = null;
	for (int n = 0; n < 256; n++)
		had[n] = fcntl(n, F_GETFD) >= 0;

	pthread_t speaker = begin(speak, &flow), loser = begin(lose, NULL);

	while (!atomic_load(&over))
		for (struct way *w = all; w->name; w++)
			for (int n = 0; n < (w->make == by_fork ? 1 : 20); n++) {
				w->tries++;
				w->wrong += w->make() != lowest;
			}
	join(loser);
	join(speaker);
	for (struct way *w = all; w->name; w++) {
		dprintf(2, "%s: %lu of %lu\n", w->name, w->wrong, w->tries);
		wrong += w->wrong;
	}
	must(wrong == 0, "%lu wrong numbers", wrong);
}

static void try_numbers(void)
{
	try(numbers);
}

static void try_children(void)
{
	try(children);
}

int main(int argc, char **argv)
{
	static const struct trial trials[] = {
	    {"numbers", try_numbers}, {"children", try_children}, {NULL, NULL}};

	return trial_main(argc, argv, trials);
}
