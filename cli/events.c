/* SPDX-License-Identifier: MIT */
/* mifcont events: the MIF API's event stream as the library in a program sees it, live. */
#include "cli/commands.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <linux/if_addr.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/mif_print.h"
#include "mif/internal.h"

struct printer {
	struct mif *mif;
	bool json;
	bool broken; /* standard output takes no more */
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

/* --- one event --- */

static bool has_address(const struct mif_event *ev)
{
	return ev->type == MIF_ADDRESS_ANNOUNCEMENT || ev->type == MIF_NO_ADDRESS_ANNOUNCEMENT ||
	       ev->type == MIF_ROUTER_NOT_REACHED;
}

static void lifetime(char *out, size_t size, uint32_t s)
{
	if (s == UINT32_MAX)
		snprintf(out, size, "forever");
	else
		snprintf(out, size, "%us", s);
}

static void print_text(const struct mif_event *ev, const char *when, const char *ip)
{
	printf("%s %s", when, mif_event_name(ev->type));
	if (ev->ifindex)
		printf(" %s (%d)", ev->name, ev->ifindex);
	if (has_address(ev))
		printf(" %s/%u", ip, ev->address.prefix_len);
	if (ev->type == MIF_ADDRESS_ANNOUNCEMENT) {
		char valid[16], preferred[16];

		lifetime(valid, sizeof(valid), ev->address.valid_s);
		lifetime(preferred, sizeof(preferred), ev->address.preferred_s);
		printf(" valid %s preferred %s%s", valid, preferred,
		       ev->address.flags & IFA_F_DEPRECATED ? " deprecated" : "");
	}
	printf(": %s\n", ev->reason);
}

/* A lifetime that does not end is null. */
static json_t *json_lifetime(uint32_t s)
{
	return s == UINT32_MAX ? json_null() : json_integer(s);
}

static void print_json(const struct printer *p, const struct mif_event *ev, const char *when,
                       const char *ip)
{
	json_t *o = json_object();
	enum mif_kind kind;

	json_object_set_new(o, "time", json_string(when));
	json_object_set_new(o, "event", json_string(mif_event_name(ev->type)));
	if (ev->ifindex) {
		/* The kernel takes any bytes for a name; JSON does not. */
		json_t *name = json_string(ev->name);

		json_object_set_new(o, "interface", name ? name : json_null());
		json_object_set_new(o, "ifindex", json_integer(ev->ifindex));
		if (mif_interface(p->mif->monitor, ev->ifindex, NULL, &kind, NULL))
			json_object_set_new(o, "kind", json_string(mif_kind_name(kind)));
	}
	if (has_address(ev)) {
		int family = ev->address.family == AF_INET ? 4 : 6;

		json_object_set_new(o, "family", json_integer(family));
		json_object_set_new(o, "address", json_string(ip));
		json_object_set_new(o, "prefix", json_integer(ev->address.prefix_len));
	}
	if (ev->type == MIF_ADDRESS_ANNOUNCEMENT) {
		json_object_set_new(o, "valid", json_lifetime(ev->address.valid_s));
		json_object_set_new(o, "preferred", json_lifetime(ev->address.preferred_s));
		json_object_set_new(o, "deprecated",
		                    json_boolean(ev->address.flags & IFA_F_DEPRECATED));
	}
	json_object_set_new(o, "reason", json_string(ev->reason));
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

static void print_message(const struct printer *p, const struct mif_message *m)
{
	if (m->type == MIF_PVD || m->type == MIF_NO_PVD || m->type == MIF_ELEMENT ||
	    m->type == MIF_NO_ELEMENT)
		mif_print(m, p->json);
}

/* Domains and their elements; the rest the monitor's own events say, and more of it. */
static void print_domains(struct printer *p)
{
	struct mif_message m;

	while (subscriber_get(&p->mif->sub, &m))
		print_message(p, &m);
	if (ferror(stdout))
		p->broken = true;
}

static void print_event(void *ctx, const struct mif_event *ev)
{
	struct printer *p = ctx;
	char when[48], ip[INET6_ADDRSTRLEN] = "";

	/* No domain is told to be gone after its interface. */
	if (ev->type == MIF_NO_INTERFACE_ANNOUNCEMENT)
		print_domains(p);
	mif_timestamp(when, sizeof(when));
	if (has_address(ev))
		inet_ntop(ev->address.family, ev->address.ip, ip, sizeof(ip));
	if (p->json)
		print_json(p, ev, when, ip);
	else
		print_text(ev, when, ip);
	if (ferror(stdout))
		p->broken = true;
}

/* --- the command --- */

/* Until a signal, or until nobody reads the output any more. 0 or negative errno. */
static int follow(struct printer *p, const sigset_t *unblocked)
{
	while (!stop && !p->broken) {
		struct pollfd polled = {.fd = mif_fd(p->mif), .events = POLLIN};
		struct mif_message none;
		int r;

		/* Signals come in only here: none is missed between the test and the wait. */
		if (ppoll(&polled, 1, NULL, unblocked) < 0 && errno != EINTR)
			return -errno;
		r = mif_get(p->mif, &none);
		if (r < 0)
			return r;
		if (r)
			print_message(p, &none);
		print_domains(p);
	}
	return p->broken ? -EIO : 0;
}

static int subscribe(struct printer *p)
{
	static const enum mif_type wanted[] = {MIF_ANNOUNCE_PVD, MIF_ANNOUNCE_ELEMENT};
	int r = mif_open_tapped(&p->mif, print_event, p);

	for (int i = 0; r == 0 && i < 2; i++)
		r = mif_post(p->mif, &(struct mif_message){.type = wanted[i]});
	if (r == 0)
		print_domains(p);
	return r;
}

static void catch_signals(sigset_t *unblocked)
{
	struct sigaction sa = {.sa_handler = on_signal};
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigprocmask(SIG_BLOCK, &ours, unblocked);
	sigdelset(unblocked, SIGINT);
	sigdelset(unblocked, SIGTERM);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

int cmd_events(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
	                                        {"once", no_argument, NULL, '1'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {NULL, 0, NULL, 0}};
	struct printer p = {.mif = NULL};
	bool once = false;
	sigset_t unblocked;
	int r, c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "j1h", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			p.json = true;
			break;
		case '1':
			once = true;
			break;
		case 'h':
			puts("usage: mifcont events [--json] [--once]");
			return 0;
		default:
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "mifcont events: %s: not expected\n", argv[optind]);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	catch_signals(&unblocked);
	r = subscribe(&p);
	if (r == 0 && !once)
		r = follow(&p, &unblocked);
	mif_close(p.mif);
	if (r == 0 && fflush(stdout) != 0)
		r = -EIO;
	if (r < 0)
		fprintf(stderr, "mifcont events: %s\n", strerror(-r));
	return r < 0;
}
