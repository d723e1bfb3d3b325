/* SPDX-License-Identifier: MIT */
/* mifcont-relay: the far end of sessions, beside unmodified servers. */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log.h"
#include "relay/handoff.h"
#include "relay/relay.h"
#include "relay/resolve.h"

struct config config = {
    .linger_ms = 24 * 3600 * 1000LL,
    .keepalive_s = 15 * 60,
    .max_sessions = 10000,
    .max_handshakes = 1024,
    .max_memory = 4ull << 30,
    .ring = 16u << 20,
    .rate = 100,
};
struct ses_identity relay_key;
struct access *access_rules;
struct limits *client_limits;

static const char usage[] =
    "usage: mifcont-relay --allow PORT [--allow PORT ...] [options]\n"
    "\n"
    "  --listen ADDRESS:PORT  where clients connect (default [::]:7343; may be repeated)\n"
    "  --allow PORT           a service of this host that sessions may reach (may be repeated)\n"
    "  --allow HOST:PORT      any other target, for listed clients only; HOST is an address, a\n"
    "                         prefix or a pattern, as in a policy file\n"
    "  --authorized-clients FILE  serve only the clients whose keys stand there\n"
    "  --advertise ADDRESS:PORT   where clients are to come back to (may be repeated)\n"
    "  --take-over            the sessions and listeners of the relay that runs with the same\n"
    "                         state directory, which then ends: for upgrades\n"
    "  --proxy-protocol PORT|HOST:PORT  targets that are told the client's address (v2)\n"
    "  --state-dir DIR        where the relay's key is kept\n"
    "  --linger TIME          how long a session without connection is kept (default 24h)\n"
    "  --keepalive TIME       after which a connection at rest is asked (default 15m)\n"
    "  --max-sessions N       (default 10000)\n"
    "  --max-memory SIZE      of all rings together (default 4G)\n"
    "  --ring SIZE            kept for each session and direction (default 16M)\n"
    "  --max-handshakes N     connections that have not said who they are (default 1024)\n"
    "  --rate N               new sessions a second from one client, ten times as many at\n"
    "                         once (default 100)\n"
    "  --log LEVEL            error, warn, info or debug (default info)\n"
    "  --help, --version\n";

static void complain(const char *what, const char *value, const char *expected)
{
	fprintf(stderr, "mifcont-relay: %s %s; expected %s\n", what, value, expected);
	exit(2);
}

static long long number(const char *option, const char *text, const char *suffixes,
                        const long long *scale, const char *expected)
{
	char *end;
	long long n = strtoll(text, &end, 10);

	if (end == text || n <= 0)
		complain(option, text, expected);
	if (*end) {
		const char *s = strchr(suffixes, *end);

		if (!s || end[1] || n > LLONG_MAX / scale[s - suffixes])
			complain(option, text, expected);
		n *= scale[s - suffixes];
	}
	return n;
}

static size_t size_of(const char *option, const char *text)
{
	static const long long scale[] = {1 << 10, 1 << 20, 1 << 30, 1 << 10, 1 << 20, 1 << 30};

	return (size_t)number(option, text, "kMGKmg", scale, "a size such as 64k, 16M or 4G");
}

static int64_t time_of(const char *option, const char *text)
{
	static const long long scale[] = {1000, 60000, 3600000, 86400000};
	char *end;

	strtoll(text, &end, 10);
	if (!*end)
		complain(option, text, "a time such as 30s, 10m, 24h or 2d");
	return number(option, text, "smhd", scale, "a time such as 30s, 10m, 24h or 2d");
}

static void allow(const char *text)
{
	const char *why;

	if (!access_allow(access_rules, text, &why))
		complain("--allow", text, why);
}

static void keepalive(const char *text)
{
	int64_t ms = time_of("--keepalive", text);

	/* The kernel's bound of TCP_KEEPIDLE is MAX_TCP_KEEPIDLE, 32767 s. */
	if (ms < 1000 || ms > 32767000)
		complain("--keepalive", text, "1s to 9h");
	config.keepalive_s = (int)(ms / 1000);
}

static void advertise(const char *text)
{
	if (config.advertised == SES_RELAY_ADDRS)
		complain("--advertise", text, "at most 8 of them");
	if (!address_parse(text, &config.advertise[config.advertised++]))
		complain("--advertise", text,
		         "ADDRESS:PORT, as 192.0.2.1:7343 or [2001:db8::1]:7343");
}

static void tell_client(const char *text)
{
	const char *why = "at most 8 of them";
	char any[128];

	snprintf(any, sizeof(any), text[strspn(text, "0123456789")] ? "%s" : "*:%s", text);
	if (config.proxies == 8 || !pattern_parse(any, &config.proxy[config.proxies++], &why))
		complain("--proxy-protocol", text, why);
}

bool clients_load(void)
{
	char err[512];

	if (!config.clients)
		return true;
	if (access_clients(access_rules, config.clients, err, sizeof(err))) {
		log_info("%s: %u clients", config.clients, access_count(access_rules));
		return true;
	}
	log_error("%s", err);
	return false;
}

static const char *default_state_dir(void)
{
	static char dir[PATH_MAX];
	const char *v;

	if ((v = getenv("STATE_DIRECTORY")) && *v)
		return v;
	if (geteuid() == 0)
		return "/var/lib/mifcont";
	if ((v = getenv("XDG_STATE_HOME")) && *v)
		snprintf(dir, sizeof(dir), "%s/mifcont", v);
	else if ((v = getenv("HOME")) && *v)
		snprintf(dir, sizeof(dir), "%s/.local/state/mifcont", v);
	else
		complain("no state directory:", "no $HOME", "--state-dir DIR");
	return dir;
}

static void options(int argc, char **argv)
{
	static const struct option list[] = {
	    {"listen", required_argument, NULL, 'l'},
	    {"allow", required_argument, NULL, 'a'},
	    {"state-dir", required_argument, NULL, 'd'},
	    {"authorized-clients", required_argument, NULL, 'c'},
	    {"advertise", required_argument, NULL, 'A'},
	    {"take-over", no_argument, NULL, 't'},
	    {"proxy-protocol", required_argument, NULL, 'p'},
	    {"max-handshakes", required_argument, NULL, 'H'},
	    {"rate", required_argument, NULL, 'R'},
	    {"linger", required_argument, NULL, 'i'},
	    {"keepalive", required_argument, NULL, 'k'},
	    {"max-sessions", required_argument, NULL, 's'},
	    {"max-memory", required_argument, NULL, 'm'},
	    {"ring", required_argument, NULL, 'r'},
	    {"log", required_argument, NULL, 'L'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	static const long long none[1];
	static const char *const levels[] = {"error", "warn", "info", "debug"};
	int o, level = -1;

	while ((o = getopt_long(argc, argv, "", list, NULL)) != -1) {
		switch (o) {
		case 'l':
			if (config.listens == 8)
				complain("--listen", optarg, "at most 8 of them");
			config.listen[config.listens++] = optarg;
			break;
		case 'a':
			allow(optarg);
			break;
		case 'd':
			config.state_dir = optarg;
			break;
		case 'c':
			config.clients = optarg;
			break;
		case 'A':
			advertise(optarg);
			break;
		case 't':
			config.take_over = true;
			break;
		case 'p':
			tell_client(optarg);
			break;
		case 'H':
			config.max_handshakes =
			    (unsigned)number("--max-handshakes", optarg, "", none, "a number");
			break;
		case 'R':
			config.rate = (unsigned)number("--rate", optarg, "", none, "a number");
			if (config.rate > 1000000)
				complain("--rate", optarg, "at most 1000000");
			break;
		case 'i':
			config.linger_ms = time_of("--linger", optarg);
			break;
		case 'k':
			keepalive(optarg);
			break;
		case 's':
			config.max_sessions =
			    (unsigned)number("--max-sessions", optarg, "", none, "a number");
			break;
		case 'm':
			config.max_memory = size_of("--max-memory", optarg);
			break;
		case 'r':
			config.ring = size_of("--ring", optarg);
			if (config.ring < RING_MIN || config.ring > 1u << 30)
				complain("--ring", optarg, "64k to 1G");
			break;
		case 'L':
			level = -1;
			for (int i = 0; i < 4; i++)
				if (strcmp(optarg, levels[i]) == 0)
					level = i;
			if (level < 0)
				complain("--log", optarg, "error, warn, info or debug");
			log_to_fd(2, (enum log_level)(LOG_ERROR + level));
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'V':
			puts("mifcont-relay 0.1");
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind < argc)
		complain("argument", argv[optind], "options only (see --help)");
}

int main(int argc, char **argv)
{
	struct rlimit files;
	char text[KEY_TEXT];

	log_to_fd(2, LOG_INFO);
	access_rules = access_new();
	if (!access_rules)
		return 1;
	options(argc, argv);
	if (access_beyond(access_rules) && !config.clients) {
		fputs("mifcont-relay: --allow HOST:PORT without --authorized-clients FILE: targets "
		      "beyond "
		      "this host are for listed clients only\n",
		      stderr);
		return 2;
	}
	if (!access_any(access_rules) && !config.clients) {
		fputs("mifcont-relay: no --allow PORT: a relay that serves no port is of no use, "
		      "and one that serves "
		      "every port would be an open door; name the services sessions may reach\n",
		      stderr);
		return 2;
	}
	if (!config.listens)
		config.listen[config.listens++] = "[::]:7343";
	if (!config.state_dir)
		config.state_dir = default_state_dir();
	/* Rings are addressed by masks. */
	size_t ring = RING_MIN;

	while (ring < config.ring)
		ring *= 2;
	config.ring = ring;
	if (sodium_init() < 0) {
		fputs("mifcont-relay: no randomness\n", stderr);
		return 1;
	}
	if (!key_load(config.state_dir, &relay_key))
		return 1;
	/* Two descriptors for each session. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	signal(SIGPIPE, SIG_IGN);
	if (config.clients && !clients_load())
		return 1;
	client_limits = limits_new(config.rate, 10 * config.rate, 16384);
	if (config.clients)
		resolve_start();
	key_to_text(relay_key.public, text);
	log_info("relay key %s", text);
	if (!loop_start())
		return 1;
	if (config.take_over) {
		int r = handoff_take();

		if (r < 0)
			return 1;
		/* Nobody there: an ordinary start. */
		config.take_over = r == 1;
	}
	return loop_run();
}
