/* SPDX-License-Identifier: MIT */
/*
 * mifcont mif: the MIF API by hand. Requests are lines, of the arguments or of standard input; each
 * message that comes is a line of output.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/mif_print.h"
#include "common/clock.h"

#define QUIET_MS 300 /* --once: nothing more is said for so long */
#define WORDS 8

struct session {
	struct mif *mif;
	bool json, once, failed;
	int outstanding; /* translations and connections */
	int64_t last;    /* message */
	char line[4096];
	size_t have;
	bool input_over;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

/* --- requests --- */

static bool read_address(const char *ip, const char *port, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	char *end;
	unsigned long n = port ? strtoul(port, &end, 10) : 0;

	if ((port && (*end || n < 1 || n > 65535)) || !ip)
		return false;
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, ip, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)n);
		return true;
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)n);
	return inet_pton(AF_INET6, ip, &in6->sin6_addr) == 1;
}

static bool set_pvd(struct mif_message *m, const char *pvd)
{
	return !pvd || snprintf(m->pvd, sizeof(m->pvd), "%s", pvd) < (int)sizeof(m->pvd);
}

static bool announcements(struct mif_message *m, const char *what, const char *of, bool on)
{
	if (!what)
		return false;
	if (strcmp(what, "interfaces") == 0 && !of) {
		m->type = on ? MIF_ANNOUNCE_INTERFACES : MIF_STOP_ANNOUNCING_INTERFACES;
		return true;
	}
	if (strcmp(what, "pvd") == 0) {
		m->type = on ? MIF_ANNOUNCE_PVD : MIF_STOP_ANNOUNCING_PVD;
		m->interface = of ? mif_interface_named(of) : 0;
		return !of || m->interface > 0;
	}
	if (strcmp(what, "element") == 0)
		m->type = on ? MIF_ANNOUNCE_ELEMENT : MIF_STOP_ANNOUNCING_ELEMENT;
	else if (strcmp(what, "address") == 0)
		m->type = on ? MIF_ANNOUNCE_ADDRESS : MIF_STOP_ANNOUNCING_ADDRESS;
	else
		return false;
	return set_pvd(m, of);
}

/* get PVD [ELEMENT [INFORMATION]]; "any" and what is missing is any. */
static bool get(struct mif_message *m, char **w)
{
	int e = 0, i = 0;

	m->type = MIF_GET_CONFIGURATION_DATA;
	while (w[2] && strcasecmp(w[2], mif_element_name((enum mif_element)e)) != 0)
		if (strcmp(mif_element_name((enum mif_element)e++), "unknown") == 0)
			return false;
	while (w[2] && w[3] && strcasecmp(w[3], mif_information_name((enum mif_information)i)) != 0)
		if (strcmp(mif_information_name((enum mif_information)i++), "unknown") == 0)
			return false;
	m->element = (enum mif_element)e;
	m->information = (enum mif_information)i;
	return w[1] && set_pvd(m, w[1]);
}

static bool number(const char *word, unsigned *out)
{
	char *end;

	if (!word || !*word)
		return false;
	*out = (unsigned)strtoul(word, &end, 10);
	return !*end;
}

/* translate ID NAME [PVD] */
static bool translate(struct mif_message *m, char **w)
{
	m->type = MIF_TRANSLATE_NAME;
	return number(w[1], &m->id) && w[2] && set_pvd(m, w[3]) &&
	       snprintf(m->name, sizeof(m->name), "%s", w[2]) < (int)sizeof(m->name);
}

/* connect pvd [PVD] | connect ID ADDRESS PORT [from SOURCE] [PVD] */
static bool connection(struct mif_message *m, char **w)
{
	if (w[1] && strcmp(w[1], "pvd") == 0) {
		m->type = MIF_CONNECT_TO_PVD;
		return set_pvd(m, w[2]);
	}
	m->type = MIF_CONNECT_TO_ADDRESS;
	if (!number(w[1], &m->id) || !w[2] || !w[3] || !read_address(w[2], w[3], &m->address))
		return false;
	if (w[4] && strcmp(w[4], "from") == 0) {
		m->type = MIF_CONNECT_TO_ADDRESS_FROM_ADDRESS;
		return read_address(w[5], NULL, &m->source) && set_pvd(m, w[6]);
	}
	return set_pvd(m, w[4]);
}

static bool note(struct mif_message *m, const char *what)
{
	if (what && strcmp(what, "wants-to-connect") == 0)
		m->type = MIF_WANTS_TO_CONNECT;
	else if (what && strcmp(what, "idle") == 0)
		m->type = MIF_CONNECTION_IS_IDLE;
	else if (what && strcmp(what, "can-be-broken") == 0)
		m->type = MIF_CONNECTION_CAN_BE_BROKEN;
	return m->type != 0;
}

static bool understand(struct mif_message *m, char **w)
{
	if (strcmp(w[0], "announce") == 0)
		return announcements(m, w[1], w[1] ? w[2] : NULL, true);
	if (strcmp(w[0], "stop") == 0 && w[1] && strcmp(w[1], "translating") == 0) {
		m->type = MIF_STOP_TRANSLATING_NAME;
		return number(w[2], &m->id);
	}
	if (strcmp(w[0], "stop") == 0 && w[1] && strcmp(w[1], "connecting") == 0) {
		m->type = MIF_STOP_CONNECTING;
		return number(w[2], &m->id);
	}
	if (strcmp(w[0], "stop") == 0)
		return announcements(m, w[1], w[1] ? w[2] : NULL, false);
	if (strcmp(w[0], "get") == 0)
		return get(m, w);
	if (strcmp(w[0], "translate") == 0)
		return translate(m, w);
	if (strcmp(w[0], "connect") == 0)
		return connection(m, w);
	return strcmp(w[0], "note") == 0 && note(m, w[1]);
}

static void request(struct session *s, char *line)
{
	char *w[WORDS + 1] = {NULL}, *rest = NULL, whole[256];
	struct mif_message m;
	int n = 0, r;

	snprintf(whole, sizeof(whole), "%s", line);
	for (char *p = strtok_r(line, " \t", &rest); p && n < WORDS;
	     p = strtok_r(NULL, " \t", &rest))
		w[n++] = p;
	if (!n || w[0][0] == '#')
		return;
	memset(&m, 0, sizeof(m));
	if (!understand(&m, w)) {
		fprintf(stderr, "mifcont mif: not understood: %s\n", whole);
		s->failed = true;
		return;
	}
	r = mif_post(s->mif, &m);
	if (r < 0) {
		fprintf(stderr, "mifcont mif: %s: %s\n", whole, strerror(-r));
		s->failed = true;
		return;
	}
	if (m.type == MIF_TRANSLATE_NAME || m.type == MIF_CONNECT_TO_ADDRESS ||
	    m.type == MIF_CONNECT_TO_ADDRESS_FROM_ADDRESS)
		s->outstanding++;
	else if ((m.type == MIF_STOP_TRANSLATING_NAME || m.type == MIF_STOP_CONNECTING) &&
	         s->outstanding)
		s->outstanding--;
}

/* What there is of standard input, by lines. */
static void read_input(struct session *s)
{
	ssize_t n = read(0, s->line + s->have, sizeof(s->line) - 1 - s->have);
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		s->input_over = true;
		s->line[s->have] = 0;
		request(s, s->line);
		return;
	}
	s->have += (size_t)n;
	s->line[s->have] = 0;
	while ((end = memchr(s->line, '\n', s->have))) {
		*end = 0;
		request(s, s->line);
		s->have -= (size_t)(end + 1 - s->line);
		memmove(s->line, end + 1, s->have + 1);
	}
	if (s->have == sizeof(s->line) - 1) {
		fprintf(stderr, "mifcont mif: a line is too long\n");
		s->failed = true;
		s->have = 0;
	}
}

/* --- messages --- */

static void show(struct session *s, const struct mif_message *m)
{
	mif_print(m, s->json);
	s->last = clock_ms();
	if (m->type == MIF_NO_NAME_TRANSLATION || m->type == MIF_CONNECTED ||
	    m->type == MIF_NOT_CONNECTED)
		s->outstanding -= s->outstanding > 0;
	if (m->type == MIF_CONNECTED)
		close(m->fd);
}

static int run(struct session *s, int64_t end)
{
	struct pollfd input = {.fd = 0, .events = POLLIN};
	struct mif_message m;
	int r;

	s->last = clock_ms();
	while (!stop) {
		int64_t now = clock_ms();
		int wait = end && end - now < 1000 ? (int)(end - now) : 1000;

		while ((r = mif_get(s->mif, &m)) > 0)
			show(s, &m);
		if (r < 0)
			return r;
		if (ferror(stdout))
			return -EIO;
		if (end && now >= end)
			return 0;
		if (s->once && s->input_over && !s->outstanding) {
			if (now - s->last >= QUIET_MS)
				return 0;
			wait = QUIET_MS;
		}
		input.revents = 0;
		r = mif_check(s->mif, &input, s->input_over ? 0 : 1, wait);
		if (r < 0 && r != -EINTR)
			return r;
		if (!s->input_over && input.revents)
			read_input(s);
	}
	return 0;
}

static int start(struct session *s, char **requests, int n, double seconds)
{
	int r = mif_open(&s->mif);

	if (r < 0)
		return r;
	s->input_over = n > 0;
	for (int i = 0; i < n; i++) {
		char line[1024];

		snprintf(line, sizeof(line), "%s", requests[i]);
		request(s, line);
	}
	r = run(s, seconds > 0 ? clock_ms() + (int64_t)(seconds * 1000) : 0);
	mif_close(s->mif);
	return r;
}

int cmd_mif(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
	                                        {"once", no_argument, NULL, '1'},
	                                        {"for", required_argument, NULL, 'f'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {NULL, 0, NULL, 0}};
	struct sigaction sa = {.sa_handler = on_signal};
	struct session s = {.mif = NULL};
	double seconds = 0;
	int c, r;

	optind = 0;
	while ((c = getopt_long(argc, argv, "j1f:h", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			s.json = true;
			break;
		case '1':
			s.once = true;
			break;
		case 'f':
			seconds = strtod(optarg, NULL);
			break;
		case 'h':
			puts("usage: mifcont mif [--json] [--once] [--for SECONDS] [REQUEST...]");
			return 0;
		default:
			return 2;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	r = start(&s, argv + optind, argc - optind, seconds);
	if (r == 0 && fflush(stdout) != 0)
		r = -EIO;
	if (r < 0)
		fprintf(stderr, "mifcont mif: %s\n", strerror(-r));
	return r < 0 || s.failed;
}
