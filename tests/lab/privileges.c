/* SPDX-License-Identifier: MIT */
/*
 * Changing what a process may do while it has a connection: privileges NAME HOST PORT, as root,
 * with an echo server there. See trial.h. Each ends with the connection in use while the network
 * changes, and with all threads having the same rights.
 */
#include "tests/lab/trial.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NOBODY 65534

int capset(void *header, const void *data);

/* --- do all threads have the same rights? --- */

static bool rights_line(const char *l)
{
	static const char *const names[] = {
	    "Uid:", "Gid:", "Groups:", "Cap", "NoNewPrivs:", "Seccomp:"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strncmp(l, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static void rights_of(const char *task, char *out, size_t room)
{
	char path[300], line[256];
	size_t len = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", task);
	FILE *f = fopen(path, "re");

	out[0] = 0;
	if (!f)
		return; /* it has just ended */
	while (fgets(line, sizeof(line), f))
		if (rights_line(line))
			len += (size_t)snprintf(out + len, room - len, "%s", line);
	fclose(f);
}

static int differing(char *a, char *b, size_t room)
{
	DIR *d = opendir("/proc/self/task");
	int threads = 0, bad = 0;

	must(d, "/proc/self/task");
	rights_of("../../self", a, room);
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		rights_of(e->d_name, b, room);
		threads++;
		if (b[0] && strcmp(a, b) != 0) {
			bad++;
			break;
		}
	}
	closedir(d);
	return bad;
}

static void all_alike(const char *when)
{
	static char a[2048], b[2048];

	if (differing(a, b, sizeof(a)))
		fail("%s: threads with other rights:\n%s--\n%s", when, a, b);
}

/* --- the connection afterwards --- */

struct answer {
	int fd, way;
};

/* Blocked while everything happens, in the call or in a wait for it. */
static void *answers(void *arg)
{
	const struct answer *a = arg;
	struct pollfd p = {.fd = a->fd, .events = POLLIN};
	struct timeval limit = {20, 0};
	char got[6];
	fd_set r;

	FD_ZERO(&r);
	FD_SET(a->fd, &r);
	if (a->way == 1)
		must(poll(&p, 1, -1) == 1 && p.revents == POLLIN, "poll said %x", p.revents);
	else if (a->way == 2)
		must(select(a->fd + 1, &r, NULL, NULL, &limit) == 1, "select");
	get(a->fd, got, sizeof(got));
	must(memcmp(got, "later.", sizeof(got)) == 0, "other bytes");
	return NULL;
}

/* Used, moved, and waited for while it is moved. */
static void goes_on(int fd)
{
	echo(fd, "before");
	for (int i = 0; i < 3; i++) {
		struct answer a = {fd, i};
		pthread_t t = begin(answers, &a);

		pause_ms(100);
		event("wlan0 down");
		pause_ms(300);
		put(fd, "later.", 6);
		join(t);
		echo(fd, "on the other path");
		event("wlan0 up");
		pause_ms(300);
		echo(fd, "back");
	}
}

static void no_way_back(void)
{
	must(setuid(0) == -1 && errno == EPERM, "root regained by setuid");
	must(seteuid(0) == -1 && errno == EPERM, "root regained by seteuid");
	must(setresuid(-1, 0, -1) == -1 && errno == EPERM, "root regained by setresuid");
	must(setgid(0) == -1 && errno == EPERM, "group regained by setgid");
	must(setgroups(0, NULL) == -1 && errno == EPERM, "groups changed");
}

/* --- ways to drop --- */

static void drop(void)
{
	int fd = dial();

	echo(fd, "as root");
	must(initgroups("nobody", NOBODY) == 0, "initgroups");
	must(setgroups(0, NULL) == 0, "setgroups");
	must(setgid(NOBODY) == 0, "setgid");
	must(setuid(NOBODY) == 0, "setuid");
	all_alike("dropped");
	no_way_back();
	all_alike("tried to regain");
	goes_on(fd);
}

static void resuid(void)
{
	int fd = dial();

	echo(fd, "as root");
	must(setresgid(NOBODY, NOBODY, NOBODY) == 0, "setresgid");
	must(setresuid(NOBODY, NOBODY, NOBODY) == 0, "setresuid");
	all_alike("dropped");
	goes_on(fd);
}

static void back_and_forth(void)
{
	int fd = dial();

	echo(fd, "as root");
	for (int i = 0; i < 50; i++) {
		must(setegid(NOBODY) == 0 && seteuid(NOBODY) == 0, "down");
		all_alike("down");
		must(seteuid(0) == 0 && setegid(0) == 0, "up");
		all_alike("up");
	}
	must(setreuid(NOBODY, 0) == 0 && setreuid(0, 0) == 0, "setreuid");
	must(setregid(NOBODY, 0) == 0 && setregid(0, 0) == 0, "setregid");
	goes_on(fd);
	must(seteuid(NOBODY) == 0, "down");
	goes_on(fd);
	must(seteuid(0) == 0, "up");
	all_alike("up");
}

/* With other threads of the program's own, glibc changes them all, and ends the process where they
 * would differ. */
static void *sleeper(void *arg)
{
	for (;;)
		pause_ms(1000);
	return arg;
}

static void threads_too(void)
{
	int fd = dial();

	for (int i = 0; i < 4; i++)
		begin(sleeper, NULL);
	echo(fd, "as root");
	must(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0, "dropping");
	all_alike("dropped");
	no_way_back();
	goes_on(fd);
}

static void caps(uint32_t keep)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {{keep, keep, 0}, {0, 0, 0}};

	must(capset(&h, d) == 0, "capset");
}

static void no_caps(void)
{
	int fd = dial();

	echo(fd, "with all");
	caps(0);
	all_alike("without capabilities");
	must(setuid(1) == -1 && errno == EPERM, "setuid without CAP_SETUID");
	must(setgid(1) == -1 && errno == EPERM, "setgid without CAP_SETGID");
	goes_on(fd);
}

static void keep_caps(void)
{
	int fd = dial();

	echo(fd, "with all");
	must(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0, "KEEPCAPS");
	must(prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0) == 1, "KEEPCAPS is gone");
	must(setuid(NOBODY) == 0, "setuid");
	caps(1u << CAP_SETGID);
	must(setgid(NOBODY - 1) == 0, "setgid with CAP_SETGID");
	all_alike("one capability kept");
	caps(0);
	must(setgid(1) == -1 && errno == EPERM, "setgid without it");
	goes_on(fd);
}

static void bounding(void)
{
	int fd = dial();

	echo(fd, "with all");
	must(prctl(PR_CAPBSET_DROP, CAP_SYS_MODULE, 0, 0, 0) == 0, "CAPBSET_DROP");
	all_alike("bounding set");
	must(prctl(PR_SET_SECUREBITS, 0x2f, 0, 0, 0) == 0, "SECUREBITS");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "NO_NEW_PRIVS");
	must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0, "CAP_AMBIENT");
	all_alike("no new privileges");
	must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0,
	     "DUMPABLE");
	must(prctl(PR_SET_NAME, "trial", 0, 0, 0) == 0, "NAME");
	goes_on(fd);
	must(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0, "DUMPABLE is back");
}

/* What the kernel grants only where there is no other thread, and changes nothing. */
static void often(void)
{
	int fd = dial();

	echo(fd, "before");
	for (int i = 0; i < 300; i++)
		must(unshare(CLONE_THREAD) == 0, "unshare, the %d. time", i + 1);
	goes_on(fd);
}

/* By number, past the C library's own names. */
static void raw(void)
{
	int fd = dial();

	echo(fd, "as root");
	must(syscall(SYS_setgroups, 0, NULL) == 0, "setgroups");
	must(syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) == 0, "setresgid");
	must(syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0, "setresuid");
	all_alike("dropped by number");
	must(setuid(0) == -1 && errno == EPERM, "root regained");
	goes_on(fd);
	all_alike("at the end");
}

/* --- seccomp --- */

static void filter(long forbidden, unsigned action, unsigned flags)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)forbidden, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, action),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {sizeof(code) / sizeof(*code), code};

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "NO_NEW_PRIVS");
	if (flags)
		must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog) == 0, "seccomp");
	else
		must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) == 0, "SET_SECCOMP");
}

static void filtered(void)
{
	int fd = dial();

	echo(fd, "free");
	filter(SYS_ptrace, SECCOMP_RET_ERRNO | EPERM, 0);
	filter(SYS_membarrier, SECCOMP_RET_KILL_PROCESS, 0);
	all_alike("under a filter");
	must(syscall(SYS_ptrace, 0, 0, 0, 0) == -1 && errno == EPERM, "ptrace");
	goes_on(fd);
}

static void filtered_all(void)
{
	int fd = dial();

	begin(sleeper, NULL);
	echo(fd, "free");
	filter(SYS_ptrace, SECCOMP_RET_ERRNO | EPERM, SECCOMP_FILTER_FLAG_TSYNC);
	all_alike("under a filter");
	goes_on(fd);
}

/* The usual sandbox of a worker: no new sockets, no files, no threads, or the process is over. The
 * connection is there as long as its path is. */
static void sandboxed(void)
{
	static const int allowed[] = {SYS_read,
	                              SYS_write,
	                              SYS_recvfrom,
	                              SYS_sendto,
	                              SYS_exit_group,
	                              SYS_exit,
	                              SYS_poll,
	                              SYS_nanosleep,
	                              SYS_rt_sigreturn,
	                              SYS_futex,
	                              SYS_brk,
	                              SYS_mmap,
	                              SYS_munmap,
	                              SYS_clock_gettime,
	                              SYS_fstat,
	                              SYS_newfstatat,
	                              SYS_clock_nanosleep,
	                              SYS_rt_sigprocmask,
	                              SYS_close};
	struct sock_filter code[64];
	size_t n = 0;
	int fd = dial();

	echo(fd, "free");
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	                                         offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		                                         (uint32_t)allowed[i], 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	struct sock_fprog prog = {(unsigned short)n, code};

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "NO_NEW_PRIVS");
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) == 0, "SET_SECCOMP");
	for (int i = 0; i < 20; i++) {
		echo(fd, "in the sandbox");
		pause_ms(50);
	}
	event("wlan0 down");
	pause_ms(300);
	event("wlan0 up");
	echo(fd, "the path is back");
}

static void strict(void)
{
	int fd = dial();
	char out[8] = "strictly", in[8];

	echo(fd, "free");
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) == 0, "strict");
	/* read, write, _exit and sigreturn are all that is left. */
	for (int i = 0; i < 10; i++) {
		if (write(fd, out, sizeof(out)) != sizeof(out))
			syscall(SYS_exit, 1);
		for (size_t got = 0; got < sizeof(in);) {
			ssize_t n = read(fd, in + got, sizeof(in) - got);

			if (n <= 0)
				syscall(SYS_exit, 2);
			got += (size_t)n;
		}
		if (memcmp(in, out, sizeof(in)) != 0)
			syscall(SYS_exit, 3);
	}
	write(1, "end\n", 4);
	syscall(SYS_exit, 0);
}

/* --- other worlds --- */

static void new_world(void)
{
	int fd = dial();

	echo(fd, "in the old");
	must(unshare(CLONE_NEWNS) == 0, "unshare(NEWNS)");
	must(unshare(CLONE_NEWUTS | CLONE_NEWIPC) == 0, "unshare(NEWUTS)");
	must(unshare(CLONE_FS | CLONE_SYSVSEM) == 0, "unshare(FS)");
	goes_on(fd);
}

static void new_user(void)
{
	int fd = dial();

	echo(fd, "in the old");
	must(unshare(CLONE_NEWUSER) == 0, "unshare(NEWUSER)");
	all_alike("in a new user namespace");
	goes_on(fd);
}

static void into(void)
{
	int fd = dial(), ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	echo(fd, "in the old");
	must(ns >= 0 && setns(ns, CLONE_NEWNS) == 0, "setns(mnt)");
	close(ns);
	ns = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
	must(ns >= 0 && setns(ns, 0) == 0, "setns(uts)");
	close(ns);
	goes_on(fd);
}

/* The connection stays where it was made; what the machine does there is no longer to be known. */
static void other_network(void)
{
	int fd = dial();

	echo(fd, "in the old");
	must(unshare(CLONE_NEWNET) == 0, "unshare(NEWNET)");
	for (int i = 0; i < 10; i++) {
		echo(fd, "from the new");
		pause_ms(50);
	}
	event("wlan0 down");
	pause_ms(300);
	event("wlan0 up");
	echo(fd, "the path is back");
}

static void other_root(void)
{
	char dir[] = "/tmp/trial.XXXXXX";
	int fd = dial();

	echo(fd, "free");
	/* Gone already, so that nothing is left of it. */
	must(mkdtemp(dir) && chdir(dir) == 0 && rmdir(dir) == 0 && chroot(".") == 0, "chroot");
	must(setgid(NOBODY) == 0 && setuid(NOBODY) == 0, "dropping");
	must(access("/proc/self", F_OK) < 0, "/proc is there");
	goes_on(fd);
}

/* Dies with its parent: the one that asked for it is the thread that made it. */
static void death_signal(void)
{
	int fd = dial(), sig = 0;

	echo(fd, "free");
	must(prctl(PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0) == 0, "PDEATHSIG");
	must(prctl(PR_GET_PDEATHSIG, &sig, 0, 0, 0) == 0 && sig == SIGUSR1, "PDEATHSIG is gone");
	/* The threads that end meanwhile are nobody's parents here. */
	must(setgroups(0, NULL) == 0, "setgroups");
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		pause_ms(700);
		_exit(7);
	}
	must(setgroups(0, NULL) == 0 && setegid(NOBODY) == 0 && setegid(0) == 0, "groups");
	goes_on(fd);
	int status;

	must(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7,
	     "a child died of a thread's end");
}

/* A thread that changes itself alone, by number, as NFS servers and Samba do: the others keep what
 * they have. */
static void *alone(void *arg)
{
	int fd = *(int *)arg;

	must(syscall(SYS_setresuid, -1, NOBODY, -1) == 0, "setresuid of a thread");
	echo(fd, "as another user");
	event("wlan0 down");
	echo(fd, "moved");
	must(syscall(SYS_geteuid) == NOBODY, "somebody else again");
	must(syscall(SYS_setresuid, -1, 0, -1) == 0, "back");
	event("wlan0 up");
	return NULL;
}

static void one_thread(void)
{
	int fd = dial();

	echo(fd, "as root");
	join(begin(alone, &fd));
	must(geteuid() == 0, "the others changed, too");
	goes_on(fd);
	all_alike("at the end");
}

int main(int argc, char **argv)
{
	static const struct trial all[] = {
	    {"drop", drop},
	    {"resuid", resuid},
	    {"back-and-forth", back_and_forth},
	    {"threads", threads_too},
	    {"capset", no_caps},
	    {"keepcaps", keep_caps},
	    {"prctl", bounding},
	    {"often", often},
	    {"raw", raw},
	    {"filter", filtered},
	    {"filter-all", filtered_all},
	    {"sandbox", sandboxed},
	    {"strict", strict},
	    {"unshare", new_world},
	    {"new-user", new_user},
	    {"setns", into},
	    {"new-network", other_network},
	    {"chroot", other_root},
	    {"death-signal", death_signal},
	    {"one-thread", one_thread},
	    {0},
	};

	return trial_main(argc, argv, all);
}
