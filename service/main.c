/* SPDX-License-Identifier: MIT */
/* mifcontd: looks at the network for all processes of the machine, and at what only one with a
 * privilege can see. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "monitor/pvd.h"
#include "monitor/shared.h"
#include "service/advert.h"
#include "service/fetch.h"
#include "service/loop.h"
#include "service/manager.h"
#include "service/networks.h"
#include "service/portal.h"
#include "service/rights.h"
#include "service/share.h"

static const char usage[] =
    "usage: mifcontd [options]\n"
    "\n"
    "  --socket PATH    where clients connect (default " SHARED_SOCKET ")\n"
    "  --user NAME      what to become when started as root (default nobody)\n"
    "  --ca-file FILE   whose certificates are believed, instead of the host's\n"
    "  --log LEVEL      error, warn, info or debug (default info)\n"
    "  --help, --version\n";

static struct {
	const char *socket, *user, *authorities;
} options = {.socket = SHARED_SOCKET, .user = "nobody"};

static struct mif_monitor *monitor;
static bool stop;

static void complain(const char *what, const char *value, const char *expected)
{
	fprintf(stderr, "mifcontd: %s %s; expected %s\n", what, value, expected);
	exit(2);
}

static void set_log(const char *text)
{
	static const char *const levels[] = {"error", "warn", "info", "debug"};

	for (int i = 0; i < 4; i++)
		if (strcmp(text, levels[i]) == 0) {
			log_to_fd(2, (enum log_level)(LOG_ERROR + i));
			return;
		}
	complain("--log", text, "error, warn, info or debug");
}

static void read_options(int argc, char **argv)
{
	static const struct option list[] = {
	    {"socket", required_argument, NULL, 's'},
	    {"user", required_argument, NULL, 'u'},
	    {"ca-file", required_argument, NULL, 'c'},
	    {"log", required_argument, NULL, 'L'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int o;

	log_to_fd(2, LOG_INFO);
	while ((o = getopt_long(argc, argv, "", list, NULL)) != -1) {
		switch (o) {
		case 's':
			options.socket = optarg;
			break;
		case 'u':
			options.user = optarg;
			break;
		case 'c':
			options.authorities = optarg;
			break;
		case 'L':
			set_log(optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'V':
			puts("mifcontd 1");
			exit(0);
		default:
			exit(2);
		}
	}
	if (optind < argc)
		complain(argv[optind], "is not expected", "options only");
}

/* --- what happens --- */

static void on_event(void *ctx, const struct mif_event *ev)
{
	(void)ctx;
	log_debug("%s %s: %s", mif_event_name(ev->type), ev->name, ev->reason);
	advert_event(ev, clock_ms());
	networks_event(ev);
	if (ev->type == MIF_ROUTER_NOT_REACHED)
		share_unreached(ev);
	if (ev->type == MIF_INTERFACE_GOING_AWAY)
		share_left(ev->ifindex);
}

static void on_domains(void *ctx, int ifindex)
{
	(void)ctx;
	(void)ifindex;
	portals_note();
	share_note();
}

static void on_advert(int ifindex, const uint8_t router[16], const struct ra *ra)
{
	networks_heard(ifindex, router, ra);
	/* Longer lifetimes are news, too. */
	share_note();
}

static void on_monitor(void *ctx, int fd, uint32_t events)
{
	(void)ctx;
	(void)fd;
	(void)events;
	share_note();
}

static void on_signal(void *ctx, int fd, uint32_t events)
{
	struct signalfd_siginfo s;

	(void)ctx;
	(void)events;
	while (read(fd, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo != SIGUSR1) {
			stop = true;
			continue;
		}
		log_info("%u clients", share_clients());
		networks_log();
		portals_log();
	}
}

static void earlier(int64_t *due, int64_t other)
{
	if (other >= 0 && (*due < 0 || other < *due))
		*due = other;
}

static int wait_ms(int64_t now)
{
	int timeout = mif_monitor_timeout(monitor);
	int64_t due = timeout < 0 ? -1 : now + timeout;

	earlier(&due, advert_due());
	earlier(&due, networks_due());
	earlier(&due, portals_due());
	earlier(&due, fetch_due(now));
	earlier(&due, share_due());
	earlier(&due, manager_due());
	if (due < 0)
		return -1;
	return due <= now ? 0 : due - now > INT_MAX ? INT_MAX : (int)(due - now);
}

static int turn(void)
{
	int64_t now = clock_ms();
	int timeout, r;

	if (!loop_turn(wait_ms(now)))
		return -EIO;
	timeout = mif_monitor_timeout(monitor);
	if (timeout == 0)
		share_note();
	r = mif_monitor_process(monitor);
	/* What the kernel passes on of advertisements the service has read in full. */
	pvd_withdraw(mif_monitor_pvds(monitor), 0, NULL, PVD_BY_USEROPT);
	now = clock_ms();
	fetch_step(now);
	advert_step(now);
	networks_step(now);
	portals_step(now);
	share_step(now);
	manager_step(now);
	return r;
}

/* --- at the beginning --- */

static void many_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static void make_directory(void)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(options.socket, '/');

	if (!slash || slash == options.socket || (size_t)(slash - options.socket) >= sizeof(dir))
		return;
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - options.socket), options.socket);
	mkdir(dir, 0755);
}

static bool watch_signals(void)
{
	static struct watch w = {.ready = on_signal};
	sigset_t ours;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGUSR1);
	sigprocmask(SIG_BLOCK, &ours, NULL);
	w.fd = signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
	return w.fd >= 0 && loop_watch(&w, EPOLLIN);
}

static bool watch_monitor(void)
{
	static struct watch w[MIF_MONITOR_FDS];
	int fds[MIF_MONITOR_FDS], n = mif_monitor_fds(monitor, fds);

	for (int i = 0; i < n; i++) {
		w[i] = (struct watch){.fd = fds[i], .ready = on_monitor};
		if (!loop_watch(&w[i], EPOLLIN))
			return false;
	}
	return true;
}

/* In this order: what needs rights, then without them what reads foreign bytes. */
static int start(void)
{
	int r, raw = advert_open(), given = manager_socket();

	if (raw < 0)
		log_warn("no router advertisements: %s%s", strerror(-raw),
		         raw == -EPERM ? " (they take CAP_NET_RAW)" : "");
	if (!loop_start() || !watch_signals())
		return -errno;
	r = mif_monitor_open_alone(&monitor, on_event, NULL, true);
	if (r < 0) {
		log_error("no rtnetlink: %s", strerror(-r));
		return r;
	}
	if (given < 0)
		make_directory();
	r = share_start(options.socket, given, monitor);
	if (r < 0) {
		log_error("%s: %s", options.socket, strerror(-r));
		return r;
	}
	if (!rights_drop(options.user))
		return -EPERM;
	networks_start(monitor);
	portals_start(monitor);
	mif_monitor_follow_domains(monitor, on_domains, NULL);
	if (!watch_monitor() || (raw == 0 && (r = advert_start(monitor, on_advert)) < 0))
		return r < 0 ? r : -EIO;
	if (!fetch_init(options.authorities)) {
		log_error("libcurl does not start");
		return -EIO;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int r;

	read_options(argc, argv);
	many_files();
	r = start();
	if (r < 0)
		return 1;
	log_info("ready at %s", options.socket);
	manager_ready();
	while (!stop && r == 0)
		r = turn();
	if (r < 0)
		log_error("%s", strerror(-r));
	share_end();
	mif_monitor_close(monitor);
	return r < 0;
}
