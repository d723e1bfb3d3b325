/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "common/clock.h"
#include "common/userfile.h"
#include "policy/rules.h"
#include "session/client.h"
#include "session/known.h"

#define LIMIT_MS 6000 /* for one relay, its name included */
#define RELAYS 16

/* What the asking process writes to us: its verdict as a digit, then the words. */
#define TOLD 200

__attribute__((noreturn, format(printf, 3, 4))) static void tell(int to, enum verdict v,
                                                                 const char *fmt, ...)
{
	char text[TOLD];
	va_list ap;

	text[0] = (char)('0' + v);
	va_start(ap, fmt);
	vsnprintf(text + 1, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	_exit(write(to, text, strlen(text)) < 0);
}

static void check_key(int to, const struct pol_rule *r, const char *name, const uint8_t *key)
{
	static char text[65536];
	char path[PATH_MAX];
	ssize_t n = -1;

	if (r->relay_key_known) {
		if (memcmp(r->relay_key, key, KDF_KEY) != 0)
			tell(to, VERDICT_FAIL, "%s has another key than the policy says", name);
		tell(to, VERDICT_OK, "%s answers, with the policy's key", name);
	}
	if (userfile(USERFILE_STATE, "relays", path, sizeof(path))) {
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

		n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	}
	switch (n > 0 ? known_find(text, (size_t)n, name, key) : KNOWN_NOT) {
	case KNOWN_OTHER:
		tell(to, VERDICT_FAIL, "%s has another key than before: `mifcont relays`", name);
	case KNOWN_SAME:
		tell(to, VERDICT_OK, "%s answers, with the key it is known by", name);
	case KNOWN_NOT:
		tell(to, VERDICT_OK, "%s answers; its key is not known here yet", name);
	}
}

/* In a process of its own: the resolver waits for as long as it likes. */
__attribute__((noreturn)) static void consult(int to, const struct pol_rule *r, const char *name)
{
	const struct timeval patience = {2, 0}; /* for connect() and each answer */
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	uint8_t room[SES_HELLO_SIZE] __attribute__((aligned(16))), msg[SES_MSG_MAX];
	struct ses_hello *h = (struct ses_hello *)room;
	struct ses_assoc a;
	char port[8];
	int fd = -1, err = 0, e, n;
	size_t got = 0;

	snprintf(port, sizeof(port), "%u", r->relay_port);
	e = getaddrinfo(r->relay_host, port, &hints, &list);
	if (e)
		tell(to, VERDICT_FAIL, "%s: %s", name, gai_strerror(e));
	for (const struct addrinfo *i = list; i && fd < 0; i = i->ai_next) {
		fd = socket(i->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		if (fd >= 0 && connect(fd, i->ai_addr, i->ai_addrlen) < 0) {
			err = errno;
			close(fd);
			fd = -1;
		}
	}
	if (fd < 0)
		tell(to, VERDICT_FAIL, "%s is not reached: %s", name, strerror(err));
	n = ses_hello(h, msg);
	if (n < 0 || send(fd, msg, (size_t)n, MSG_NOSIGNAL) != n)
		tell(to, VERDICT_FAIL, "%s takes no greeting: %s", name, strerror(errno));
	for (;;) {
		int size = ses_msg_size(msg, got);

		if (size < 0)
			tell(to, VERDICT_FAIL, "%s: what answers there is no relay", name);
		if (size > 0 && got >= (size_t)size)
			break;
		ssize_t more = recv(fd, msg + got, sizeof(msg) - got, 0);

		if (more <= 0)
			tell(to, VERDICT_FAIL, "%s took the connection, but does not answer", name);
		got += (size_t)more;
	}
	if (ses_refused(msg, got) == SES_LEAVING)
		tell(to, VERDICT_WARN, "%s is leaving: it takes no new clients", name);
	if (ses_welcome(h, msg, got, &a) < 0)
		tell(to, VERDICT_FAIL, "%s: what answers there is no relay", name);
	check_key(to, r, name, a.relay_key);
	tell(to, VERDICT_FAIL, "%s: not judged", name);
}

static void ask_one(struct findings *f, const struct pol_rule *r, const char *name)
{
	static const char advice[] =
	    "see mifcont-relay(8); until it answers connections go straight";
	char text[TOLD + 1] = "";
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0) {
		alarm(LIMIT_MS / 1000 + 1);
		consult(ends[1], r, name);
	}
	close(ends[1]);
	struct pollfd p = {.fd = ends[0], .events = POLLIN};
	ssize_t n = pid > 0 && poll(&p, 1, LIMIT_MS) > 0 ? read(ends[0], text, TOLD) : 0;

	close(ends[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (n > 1 && text[0] >= '0' && text[0] <= '2')
		findings_add(f, (enum verdict)(text[0] - '0'), "relay", advice, "%s", text + 1);
	else
		findings_add(f, VERDICT_FAIL, "relay", advice, "%s: no answer in %d seconds", name,
		             LIMIT_MS / 1000);
}

void doctor_relays(struct findings *f, const struct pol *p)
{
	const struct pol_rule *done[RELAYS];
	char name[300];
	int n = 0;
	bool by_peer = false;

	for (unsigned i = 0; i < p->peers && n < RELAYS; i++) {
		const struct pol_rule *r = &p->peer[i].rule;
		bool again = false;

		if (r->continuity != POL_SESSION)
			continue;
		if (!r->relay_host) {
			by_peer = true;
			continue;
		}
		for (int k = 0; k < n; k++)
			again |= strcmp(done[k]->relay_host, r->relay_host) == 0 &&
			         done[k]->relay_port == r->relay_port &&
			         done[k]->relay_key_known == r->relay_key_known &&
			         memcmp(done[k]->relay_key, r->relay_key, KDF_KEY) == 0;
		if (again)
			continue;
		done[n++] = r;
		snprintf(name, sizeof(name), strchr(r->relay_host, ':') ? "[%s]:%u" : "%s:%u",
		         r->relay_host, r->relay_port);
		ask_one(f, r, name);
	}
	if (by_peer)
		findings_add(f, VERDICT_OK, "relay", NULL,
		             "sessions with relays on the peers' own hosts are tried at each "
		             "connection");
	else if (!n)
		findings_add(f, VERDICT_WARN, "relay",
		             "without one no byte can be sent twice: see mifcont-policy(5)",
		             "no peer of the policy has `continuity = session`");
}
