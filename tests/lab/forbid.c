/* SPDX-License-Identifier: MIT */
/*
 * Runs a command under a seccomp filter: forbid WHAT[,WHAT...] CMD...
 *
 * What is forbidden fails with EPERM: netlink (its sockets), threads (clone with CLONE_THREAD;
 * clone3 fails with ENOSYS, as sandboxes have it), eventfd, inotify, signals (rt_tgsigqueueinfo),
 * device (SO_BINDTODEVICE). What ends the process: barriers (membarrier), comparing (kcmp).
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define UNLESS_BIT(value, skip) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (value), 0, (skip))
#define REFUSE(err) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (err))

static struct sock_filter filter[64];
static unsigned short length;

static void add(const struct sock_filter *f, size_t n)
{
	memcpy(filter + length, f, n * sizeof(*f));
	length = (unsigned short)(length + n);
}

#define ADD(...)                                                                                   \
	do {                                                                                       \
		const struct sock_filter part[] = {__VA_ARGS__};                                   \
		add(part, sizeof(part) / sizeof(*part));                                           \
	} while (0)

static int forbid(const char *what)
{
	ADD(LOAD(nr));
	if (strcmp(what, "netlink") == 0)
		ADD(UNLESS(SYS_socket, 3), LOAD(args[0]), UNLESS(AF_NETLINK, 1), REFUSE(EPERM));
	else if (strcmp(what, "threads") == 0)
		ADD(UNLESS(SYS_clone3, 1), REFUSE(ENOSYS), UNLESS(SYS_clone, 3), LOAD(args[0]),
		    UNLESS_BIT(CLONE_THREAD, 1), REFUSE(EPERM));
	else if (strcmp(what, "eventfd") == 0)
		ADD(UNLESS(SYS_eventfd2, 1), REFUSE(EPERM));
	else if (strcmp(what, "inotify") == 0)
		ADD(UNLESS(SYS_inotify_init1, 1), REFUSE(EPERM));
	else if (strcmp(what, "signals") == 0)
		ADD(UNLESS(SYS_rt_tgsigqueueinfo, 1), REFUSE(EPERM));
	else if (strcmp(what, "barriers") == 0) /* and on pain of death */
		ADD(UNLESS(SYS_membarrier, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	else if (strcmp(what, "comparing") == 0) /* so, too */
		ADD(UNLESS(SYS_kcmp, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	else if (strcmp(what, "device") == 0)
		ADD(UNLESS(SYS_setsockopt, 3), LOAD(args[2]), UNLESS(SO_BINDTODEVICE, 1),
		    REFUSE(EPERM));
	else
		return -1;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	for (char *what = strtok(argv[1], ","); what; what = strtok(NULL, ","))
		if (length > 56 || forbid(what) < 0)
			return 2;
	ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));

	struct sock_fprog program = {length, filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
		perror("seccomp");
		return 1;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
