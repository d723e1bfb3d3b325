/* SPDX-License-Identifier: MIT */
#include "cli/ask.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

#define NAMES_MAX 4096
#define AT_ONCE 64
#define ANSWER_FIRST (1 << 14)
#define ANSWER_MAX (1 << 26)    /* a process with as many flows as there can be */
#define ANSWERS_MAX (1ul << 28) /* of all that are heard at the same time */
#define PATIENCE_MS 1000        /* for the next piece of it */
#define WHOLE_MS 5000

/* --- who is there --------------------------------------------------------------------------- */

/* "@mifcont/PID", or "@mifcont/PID.INSTANCE". */
struct name {
	int pid, instance;
};

static bool number(const char **text, int *value)
{
	char *end;
	long v;

	if (**text < '1' || **text > '9')
		return false;
	errno = 0;
	v = strtol(*text, &end, 10);
	*text = end;
	*value = v <= INT_MAX ? (int)v : 0;
	return errno == 0 && *value;
}

/* Does this line of /proc/net/unix tell of such a listener? */
static bool listed(const char *line, struct name *who)
{
	static const char prefix[] = "@mifcont/";
	unsigned flags;
	const char *name = strstr(line, prefix);

	/* A listener has the flag 0x10000; its accepted connections bear the same name. */
	if (!name || sscanf(line, "%*s %*s %*s %8x", &flags) != 1 || !(flags & 0x10000))
		return false;
	name += sizeof(prefix) - 1;
	who->instance = 0;
	if (!number(&name, &who->pid) || (*name == '.' && (name++, !number(&name, &who->instance))))
		return false;
	return *name == '\n';
}

static int by_number(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid > y->pid ? 1 : -1;
	return (x->instance > y->instance) - (x->instance < y->instance);
}

/* Of this process, or of all: 0. */
static unsigned list(struct name names[NAMES_MAX], int pid)
{
	FILE *f = fopen("/proc/net/unix", "re");
	unsigned n = 0, different = 0;
	char line[512];

	while (f && n < NAMES_MAX && fgets(line, sizeof(line), f))
		if (listed(line, &names[n]) && (!pid || names[n].pid == pid))
			n++;
	if (f)
		fclose(f);
	qsort(names, n, sizeof(*names), by_number);
	for (unsigned i = 0; i < n; i++)
		if (i == 0 || by_number(&names[i], &names[i - 1]) != 0)
			names[different++] = names[i];
	return different;
}

/* --- what they say -------------------------------------------------------------------------- */

struct question {
	int pid, fd; /* -1: over */
	int64_t until, last;
	char *text;
	size_t len, room;
	json_t *answer;
};

static unsigned missed;
static size_t held;

unsigned ask_missed(void)
{
	return missed;
}

static void complain(int pid, const char *why)
{
	missed++;
	fprintf(stderr, "mifcont: process %d: %s\n", pid, why);
}

static void over(struct question *q)
{
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
	free(q->text);
	q->text = NULL;
	held -= q->room;
	q->room = 0;
}

static int make_room(struct question *q)
{
	size_t more = q->room ? q->room : ANSWER_FIRST;
	char *larger;

	if (q->room + more > ANSWER_MAX || held + more > ANSWERS_MAX ||
	    !(larger = realloc(q->text, q->room + more)))
		return 0;
	q->text = larger;
	q->room += more;
	held += more;
	return 1;
}

static void begin(struct question *q, const struct name *who, const char *words)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int pid = who->pid,
	    n = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1,
	                 who->instance ? "mifcont/%d.%d" : "mifcont/%d", pid, who->instance);
	socklen_t a_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	struct ucred c;
	socklen_t len = sizeof(c);

	*q = (struct question){
	    .pid = pid, .until = clock_ms() + PATIENCE_MS, .last = clock_ms() + WHOLE_MS};
	q->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (q->fd < 0 || connect(q->fd, (struct sockaddr *)&a, a_len) < 0) {
		/* ECONNREFUSED: it has ended since. */
		if (errno != ECONNREFUSED)
			complain(pid, errno == EAGAIN ? "too many are asking" : strerror(errno));
		over(q);
		return;
	}
	if (getsockopt(q->fd, SOL_SOCKET, SO_PEERCRED, &c, &len) < 0 ||
	    (c.uid != geteuid() && geteuid() != 0)) {
		/* Another user's: not ours to look at, and nothing worth a word. */
		over(q);
	} else if (c.pid != pid) {
		complain(pid, "another process listens under its name");
		over(q);
	} else if (send(q->fd, words, strlen(words), MSG_NOSIGNAL) != (ssize_t)strlen(words)) {
		complain(pid, "cannot be asked");
		over(q);
	}
}

static void finish(struct question *q)
{
	json_error_t e;
	json_t *answer = json_loadb(q->text, q->len, JSON_REJECT_DUPLICATES, &e);
	const char *why = "its answer is not JSON";

	if (answer && ask_valid(answer, q->pid, &why))
		q->answer = json_incref(answer);
	else
		complain(q->pid, why);
	json_decref(answer);
	over(q);
}

static void take(struct question *q)
{
	if (q->len == q->room && !make_room(q)) {
		complain(q->pid, "its answer is too long");
		over(q);
		return;
	}
	ssize_t n = recv(q->fd, q->text + q->len, q->room - q->len, 0);

	if (n > 0) {
		q->len += (size_t)n;
		q->until = clock_ms() + PATIENCE_MS;
		if (q->until > q->last)
			q->until = q->last;
	} else if (n == 0) {
		finish(q);
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		complain(q->pid, strerror(errno));
		over(q);
	}
}

/* Hears all of them out, or until their time is over. */
static void converse(struct question *q, unsigned n)
{
	for (;;) {
		struct pollfd p[AT_ONCE];
		int64_t now = clock_ms(), next = INT64_MAX;

		for (unsigned i = 0; i < n; i++) {
			if (q[i].fd >= 0 && q[i].until <= now) {
				complain(q[i].pid, "gave no answer in time");
				over(&q[i]);
			}
			if (q[i].fd >= 0 && q[i].until < next)
				next = q[i].until;
			p[i] = (struct pollfd){.fd = q[i].fd, .events = POLLIN};
		}
		if (next == INT64_MAX)
			return;
		if (poll(p, n, (int)(next - now)) <= 0)
			continue;
		for (unsigned i = 0; i < n; i++)
			if (q[i].fd >= 0 && p[i].revents)
				take(&q[i]);
	}
}

json_t *ask_processes(void)
{
	return ask_processes_to("status\n", 0);
}

json_t *ask_processes_to(const char *question, int pid)
{
	static struct name names[NAMES_MAX];
	static struct question q[AT_ONCE];
	unsigned n = list(names, pid);
	json_t *all = json_array();

	missed = 0;
	for (unsigned first = 0; all && first < n; first += AT_ONCE) {
		unsigned count = n - first < AT_ONCE ? n - first : AT_ONCE;

		for (unsigned i = 0; i < count; i++)
			begin(&q[i], &names[first + i], question);
		converse(q, count);
		for (unsigned i = 0; i < count; i++)
			if (q[i].answer)
				json_array_append_new(all, q[i].answer);
	}
	return all;
}
