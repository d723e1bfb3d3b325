/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "monitor/monitor.h"

#define PATHS 16

static void check_kernel(struct findings *f)
{
	struct utsname u;
	int major = 0, minor = 0;

	uname(&u);
	sscanf(u.release, "%d.%d", &major, &minor);
	bool new = major > 5 || (major == 5 && minor >= 7);

	findings_add(f, new ? VERDICT_OK : VERDICT_FAIL, "kernel",
	             "Linux 5.7 is needed: before it only root may bind a socket to a device",
	             "Linux %s", u.release);
}

static bool read_number(const char *path, int *n)
{
	char text[32];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (got <= 0)
		return false;
	text[got] = 0;
	*n = atoi(text);
	return true;
}

/* The kernel takes the stricter... the larger of the two. */
static int rp_filter(const char *interface)
{
	char path[128];
	int all = 0, own = 0;

	read_number("/proc/sys/net/ipv4/conf/all/rp_filter", &all);
	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%.15s/rp_filter", interface);
	read_number(path, &own);
	return all > own ? all : own;
}

static void nothing(void *ctx, const struct mif_event *ev)
{
	(void)ctx;
	(void)ev;
}

/* Paths to anywhere: no packet is sent to these addresses, which are nobody's (RFC 5737, 3849). */
static int paths_to_anywhere(const struct mif_monitor *m, sa_family_t family,
                             struct mif_path *paths)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	inet_pton(AF_INET, "203.0.113.1", &v4.sin_addr);
	inet_pton(AF_INET6, "2001:db8::1", &v6.sin6_addr);
	return mif_paths(m, family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
	                 paths, PATHS);
}

static void check_uplinks(struct findings *f)
{
	struct mif_monitor *m = NULL;
	struct mif_path paths[PATHS];
	char names[PATHS][IFNAMSIZ];
	int uplinks = 0, strict = 0;
	int r = mif_monitor_open(&m, nothing, NULL, true);

	if (r < 0) {
		findings_add(f, VERDICT_FAIL, "netlink",
		             "a sandbox forbids rtnetlink: nobody tells the library of interfaces",
		             "rtnetlink: %s", strerror(-r));
		return;
	}
	findings_add(f, VERDICT_OK, "netlink", NULL, "rtnetlink answers");
	for (int family = 0; family < 2; family++) {
		int n = paths_to_anywhere(m, family ? AF_INET6 : AF_INET, paths);

		for (int i = 0; i < n; i++) {
			const struct mif_path *p = &paths[i];
			char source[INET6_ADDRSTRLEN];
			bool known = false;

			inet_ntop(p->source.family, p->source.ip, source, sizeof(source));
			findings_add(f, VERDICT_OK, "uplink", NULL, "%s (%s) from %s, metric %u",
			             p->name, mif_kind_name(p->kind), source, p->metric);
			for (int k = 0; k < uplinks; k++)
				known |= strcmp(names[k], p->name) == 0;
			if (!known && uplinks < PATHS) {
				strcpy(names[uplinks++], p->name);
				strict += !family && rp_filter(p->name) == 1;
			}
		}
	}
	if (!uplinks)
		findings_add(
		    f, VERDICT_WARN, "uplink",
		    "only peers on the networks of its interfaces are reached; connections "
		    "wait for a route",
		    "no interface has a default route now");
	else if (uplinks == 1)
		findings_add(f, VERDICT_WARN, "uplink",
		             "connections wait for it when it is lost, or for another to come up; "
		             "each uplink needs a default route of its own (with another metric)",
		             "there is one uplink now: nothing to move to");
	if (strict && uplinks > 1)
		findings_add(f, VERDICT_WARN, "rp_filter",
		             "loose mode (2) lets answers in by every uplink: sysctl "
		             "net.ipv4.conf.all.rp_filter=2",
		             "strict on %d uplinks: only one of them works at a time, and no move "
		             "is made before the old one is lost",
		             strict);
	mif_monitor_close(m);
}

static void check_loopback(struct findings *f)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
	    c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool ok = l >= 0 && c >= 0 && bind(l, (struct sockaddr *)&a, len) == 0 &&
	          listen(l, 1) == 0 && getsockname(l, (struct sockaddr *)&a, &len) == 0 &&
	          (connect(c, (struct sockaddr *)&a, len) == 0 || errno == EINPROGRESS);
	int err = errno;

	/* It is there, or not, within the call. */
	if (ok && send(c, "", 1, MSG_NOSIGNAL) != 1) {
		err = errno;
		ok = false;
	}
	findings_add(f, ok ? VERDICT_OK : VERDICT_WARN, "loopback",
	             "programs wait on a loopback connection while theirs is replaced; without it "
	             "they see a UNIX socket: ip link set lo up",
	             ok ? "TCP over the loopback works" : "no TCP over the loopback: %s",
	             strerror(err));
	if (l >= 0)
		close(l);
	if (c >= 0)
		close(c);
}

static void check_proc(struct findings *f)
{
	static const char *const needed[] = {"/proc/self/fdinfo/0", "/proc/self/fd",
	                                     "/proc/thread-self/syscall"};

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		if (access(needed[i], R_OK) == 0 ||
		    (i == 0 && access("/proc/self/fdinfo", R_OK) == 0))
			continue;
		findings_add(f, VERDICT_FAIL, "proc",
		             "the library asks there what threads wait for, and what epoll has: "
		             "mount /proc",
		             "%s: %s", needed[i], strerror(errno));
		return;
	}
	findings_add(f, VERDICT_OK, "proc", NULL, "/proc is mounted");
}

static void check_limits(struct findings *f)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	findings_add(f, r.rlim_cur < 256 ? VERDICT_WARN : VERDICT_OK, "descriptors",
	             "each handover takes a few: raise it (ulimit -n)", "limit of %llu",
	             (unsigned long long)r.rlim_cur);
}

static void check_sandbox(struct findings *f)
{
	char line[256];
	int mode = 0;
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Seccomp: %d", &mode) == 1)
			break;
	if (file)
		fclose(file);
	if (mode)
		findings_add(
		    f, VERDICT_WARN, "seccomp",
		    "what the filter forbids is done without, and shown by `mifcont status`",
		    "this shell is under a seccomp filter");
	const char *off = getenv("MIFCONT_DISABLE");

	if (off && *off && strcmp(off, "0") != 0)
		findings_add(f, VERDICT_FAIL, "disabled", "unset it", "MIFCONT_DISABLE is set");
}

void doctor_machine(struct findings *f)
{
	check_kernel(f);
	check_uplinks(f);
	check_loopback(f);
	check_proc(f);
	check_limits(f);
	check_sandbox(f);
}
