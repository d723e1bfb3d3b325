/* SPDX-License-Identifier: MIT */
#include "preload/status.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/agent.h"
#include "preload/check.h"
#include "preload/choose.h"
#include "preload/desk.h"
#include "preload/dial.h"
#include "preload/flow.h"
#include "preload/kin.h"
#include "preload/link.h"
#include "preload/numbers.h"
#include "preload/own.h"
#include "preload/process.h"
#include "preload/raw.h"
#include "preload/splice.h"
#include "preload/prospect.h"

#define ASKERS 4
#define TEXT_FIRST 16384
#define TEXT_FLOW 1024 /* more than one takes; pages are touched as they are needed */
#define PATIENCE_MS 2000

static int listener = -1, slot = -1;
static int named; /* whom the listener is named after */
static bool tried;
static struct asker {
	int fd, slot;
	int64_t since_ms;
	bool answered;
	size_t len, sent;
	char *text; /* mapped, while answering */
	size_t room;
} asker[ASKERS] = {{.fd = -1}, {.fd = -1}, {.fd = -1}, {.fd = -1}};

static void open_listener(void)
{
	struct sockaddr_un a;
	int fd, r = -EADDRINUSE;

	named = raw_getpid();

	tried = true;
	fd = own_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	for (int i = 0; i < KIN_NAMES && r == -EADDRINUSE; i++)
		r = raw_bind(fd, (struct sockaddr *)&a, kin_name(&a, named, i));
	if (r < 0 || raw_listen(fd, ASKERS) < 0) {
		own_close(fd);
		return;
	}
	listener = fd;
}

void status_open(void)
{
	if (!tried)
		open_listener();
}

void status_wait(struct waits *w)
{
	status_open();
	slot = waits_add(w, listener, POLLIN);
	for (int i = 0; i < ASKERS; i++) {
		struct asker *a = &asker[i];

		a->slot = waits_add(w, a->fd, a->answered ? POLLOUT : POLLIN);
		if (a->fd >= 0)
			waits_until(w, a->since_ms + PATIENCE_MS);
	}
}

/* --- the answer --- */

static void say(struct asker *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(a->text + a->len, a->room - a->len, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < a->room - a->len)
		a->len += (size_t)n;
}

static void say_string(struct asker *a, const char *s)
{
	say(a, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			say(a, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			say(a, "\\u%04x", c);
		else
			say(a, "%c", c);
	}
	say(a, "\"");
}

static void say_address(struct asker *a, const union flow_address *addr, bool port)
{
	char ip[INET6_ADDRSTRLEN] = "?";
	sa_family_t family;
	const void *raw = address_ip(addr, &family);

	inet_ntop(family, raw, ip, sizeof(ip));
	if (!port)
		say(a, "\"%s\"", ip);
	else
		say(a, family == AF_INET6 ? "\"[%s]:%u\"" : "\"%s:%u\"", ip, address_port(addr));
}

static const char *state_name(const struct flow *f)
{
	static const char *const names[] = {"free",    "connecting", "stable", "moving",
	                                    "waiting", "closing",    "ended"};
	uint32_t s = atomic_load(&f->state);

	return s < sizeof(names) / sizeof(*names) ? names[s] : "?";
}

/* Where a loss costs the flow one round trip only. */
static void say_standby(struct asker *a, const struct flow *f)
{
	bool fast = false;
	const char *name = f->link ? link_spare(f->link, &fast) : "";
	char text[IFNAMSIZ + 16];

	snprintf(text, sizeof(text), "%.15s%s", name, fast ? " (Fast Open)" : "");
	if (name[0])
		say_string(a, text);
	else
		say(a, "null");
}

static void say_flow(struct asker *a, struct flow *f, bool first)
{
	char name[IFNAMSIZ] = "";
	struct stream_counts c = {0};
	uint64_t confirmed = atomic_load(&f->confirmed);
	bool tcp = f->kind != FLOW_UDP;
	struct prospect p;

	if (tcp && atomic_load(&f->state) != FLOW_CONNECTING)
		splice_counts(f, &c);
	prospect(f, &c, &p);
	mif_interface(agent_monitor(), f->ifindex, name, NULL, NULL);
	say(a, "%s{\"id\":%u,\"fd\":%d,\"proto\":\"%s\",\"peer\":", first ? "" : ",", f->id,
	    f->fds && !f->stands_in ? f->fd[0] : -1, tcp ? "tcp" : "udp");
	say_address(a, &f->peer, true);
	say(a, ",\"continuity\":\"%s\",\"state\":\"%s\",\"covered\":%s",
	    f->rule ? pol_continuity_name(f->rule->continuity) : "auto", state_name(f),
	    p.loses ? "false" : "true");
	say(a, ",\"means\":");
	say_string(a, p.means);
	say(a, ",\"handover\":");
	say_string(a, p.what);
	say(a, ",\"path\":{\"interface\":");
	say_string(a, name);
	say(a, ",\"source\":");
	say_address(a, &f->source, false);
	say(a, "},\"relay\":");
	if (f->link)
		say_address(a, link_relay(f->link), true);
	else
		say(a, "null");
	say(a, ",\"standby\":");
	say_standby(a, f);
	say(a, ",\"handovers\":%u,\"sent\":%llu,\"received\":%llu,\"unconfirmed\":%llu,\"note\":",
	    f->handovers, (unsigned long long)c.written, (unsigned long long)c.read,
	    f->kind == FLOW_SESSION
	        ? (unsigned long long)(c.written > confirmed ? c.written - confirmed : 0)
	        : (unsigned long long)c.unacked);
	say_string(a, f->note[0]                ? f->note
	              : f->left || f->stands_in ? "only other processes have the descriptor"
	              : atomic_load(&f->carried)
	                  ? "carried by the agent: other hands than the hooks "
	                    "have the descriptor"
	                  : "");
	say(a, "}");
}

/* Of those interfaces that a decision depended on. */
static void say_connectivity(struct asker *a)
{
	enum pol_connectivity says;
	const char *name;
	unsigned at = 0;

	if (!check_wanted())
		return;
	say(a, ",\"connectivity\":[");
	for (bool first = true; (name = check_next(&at, &says)); first = false) {
		say(a, "%s{\"interface\":", first ? "" : ",");
		say_string(a, name);
		say(a, ",\"state\":\"%s\"}", pol_connectivity_name(says));
	}
	say(a, "]");
}

static void answer(struct asker *a)
{
	bool first = true;

	a->room = TEXT_FIRST + (size_t)flow_count() * TEXT_FLOW;
	a->text = mmap(NULL, a->room, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (a->text == MAP_FAILED) {
		a->text = NULL;
		return;
	}
	/* While a program without a use for the network yet has taken this one's place with its
	 * descriptors, the process that looks after them answers in its name. */
	say(a, "{\"pid\":%d,\"program\":", named);
	say_string(a, program_invocation_short_name);
	say(a, ",\"policy\":");
	say_string(a, process_policy_file()[0] ? process_policy_file() : "(none)");
	say(a, ",\"agent\":\"running\"");
	say_connectivity(a);
	say(a, ",\"flows\":[");
	for (unsigned i = 0; i < flow_count(); i++) {
		struct flow *f = flow_at(i);
		uint32_t s = atomic_load(&f->state);

		/* Room is left for the end, whatever the flows need. */
		if (s == FLOW_FREE || s == FLOW_ENDED || s == FLOW_INHERITED ||
		    a->len > a->room - 4096)
			continue;
		say_flow(a, f, first);
		first = false;
	}
	say(a, "]}\n");
}

static void done(struct asker *a)
{
	own_close(a->fd);
	if (a->text)
		munmap(a->text, a->room);
	*a = (struct asker){.fd = -1, .slot = -1};
}

/* The same user and root may look. */
static bool welcome(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return raw_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

/* What is asked, and the descriptor that comes with it. */
static long hear(int fd, char *to, size_t size, int *given)
{
	char room[CMSG_SPACE(sizeof(int))];
	struct iovec v = {to, size};
	struct msghdr m = {
	    .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};

	numbers_hold();
	long n = raw_recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		memcpy(given, CMSG_DATA(c), sizeof(*given));
		*given = own_fd(*given);
	}
	numbers_free();
	return n;
}

/* One whole number, and no more than it may be. */
static bool number(const char **p, int64_t most, int64_t *n)
{
	*n = 0;
	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; (*p)++)
		if ((*n = *n * 10 + (**p - '0')) > most)
			return false;
	return true;
}

static void choice(int ifindex, int64_t flow)
{
	log_info("the user's choice for %s is interface %d", flow ? "one flow" : "all", ifindex);
	if (!flow)
		choose_switch(ifindex);
	for (unsigned i = 0; i < flow_count(); i++)
		if (!flow || flow_at(i)->id == flow)
			flow_at(i)->chosen_ifindex = flow ? ifindex : 0;
	choose_again();
}

/*
 * "status", "drain IFINDEX MS" (0 ms: take it back) or "switch IFINDEX FLOW" (interface 0: take it
 * back; flow 0: all of the process). All are answered by the status as it is then. False: none of
 * these.
 */
static bool obey(const char *ask)
{
	bool drain = strncmp(ask, "drain ", 6) == 0;
	int64_t ifindex, n;
	const char *p = ask + (drain ? 6 : 7);

	if (strcmp(ask, "status\n") == 0)
		return true;
	if (!drain && strncmp(ask, "switch ", 7) != 0)
		return false;
	if (!number(&p, INT32_MAX, &ifindex) || *p++ != ' ' || !number(&p, UINT32_MAX, &n) ||
	    strcmp(p, "\n") != 0)
		return false;
	if (drain) {
		log_info("interface %d is %s", (int)ifindex,
		         n ? "about to be turned off" : "not to be turned off after all");
		choose_drain((int)ifindex, n);
	} else {
		choice((int)ifindex, n);
	}
	/* This turn has looked at the flows already. */
	agent_kick();
	return true;
}

static void serve(struct asker *a)
{
	char ask[128];

	if (!a->answered) {
		int given = -1;
		long n = hear(a->fd, ask, sizeof(ask) - 1, &given);

		if (n == -EAGAIN)
			return;
		ask[n > 0 ? n : 0] = 0;
		if (n > 6 && memcmp(ask, "share ", 6) == 0) {
			desk_take(a->fd, ask + 6, given);
			*a = (struct asker){.fd = -1, .slot = -1};
			return;
		}
		own_close(given);
		if (!obey(ask)) {
			done(a);
			return;
		}
		answer(a);
		a->answered = true;
		if (!a->text) {
			done(a);
			return;
		}
	}
	while (a->sent < a->len) {
		long n = raw_sendto(a->fd, a->text + a->sent, a->len - a->sent,
		                    MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);

		if (n == -EAGAIN)
			return;
		if (n <= 0)
			break;
		a->sent += (size_t)n;
	}
	done(a);
}

void status_step(const struct waits *w)
{
	int64_t now = clock_ms();

	for (int i = 0; i < ASKERS; i++) {
		struct asker *a = &asker[i];

		if (a->fd >= 0 && waits_got(w, a->slot))
			serve(a);
		else if (a->fd >= 0 && now - a->since_ms > PATIENCE_MS)
			done(a);
	}
	if (!waits_got(w, slot))
		return;
	int fd = own_accept(listener, NULL, NULL, SOCK_NONBLOCK);

	for (int i = 0; i < ASKERS && fd >= 0; i++) {
		if (asker[i].fd >= 0 || !welcome(fd))
			continue;
		asker[i] = (struct asker){.fd = fd, .slot = -1, .since_ms = now};
		return;
	}
	own_close(fd);
}

void status_close(void)
{
	own_close(listener);
	listener = -1;
	tried = false;
}

void status_forget(void)
{
	listener = -1;
	tried = false;
	for (int i = 0; i < ASKERS; i++)
		asker[i] = (struct asker){.fd = -1, .slot = -1};
}
