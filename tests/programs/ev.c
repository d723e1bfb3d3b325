// SPDX-License-Identifier: MIT
// Ten echo connections of libev's loop: ev HOST PORT
#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PEERS = 10, LINES = 150, SIZE = 2000 };
static struct sockaddr_in to = {.sin_family = AF_INET};
static int left;

static void must(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "%s: %s\n", what, strerror(errno));
		exit(1);
	}
}

struct peer {
	ev_io io; /* first */
	ev_timer timer;
	int n, i, out, in;
	char line[SIZE], got[SIZE];
};

static void fill(struct peer *p)
{
	memset(p->line, 'x', SIZE);
	snprintf(p->line, 30, "%d %d", p->n, p->i);
	p->line[SIZE - 1] = '\n';
	p->out = p->in = 0;
}

static void ready(struct ev_loop *loop, ev_io *w, int events)
{
	struct peer *p = (struct peer *)w;
	int fd = w->fd;

	if (events & EV_WRITE) {
		ssize_t k = write(fd, p->line + p->out, (size_t)(SIZE - p->out));

		must(k > 0 || errno == EAGAIN, "write");
		if (k > 0)
			p->out += (int)k;
		if (p->out == SIZE) {
			ev_io_stop(loop, w);
			ev_io_set(w, fd, EV_READ);
			ev_io_start(loop, w);
		}
	}
	if (events & EV_READ) {
		ssize_t k = read(fd, p->got + p->in, (size_t)(SIZE - p->in));

		must(k > 0 || (k < 0 && errno == EAGAIN), "read");
		if (k > 0)
			p->in += (int)k;
		if (p->in < SIZE)
			return;
		must(!memcmp(p->line, p->got, SIZE), "compare");
		ev_io_stop(loop, w);
		if (++p->i == LINES) {
			close(fd);
			if (!--left)
				ev_break(loop, EVBREAK_ALL);
			return;
		}
		fill(p);
		ev_timer_set(&p->timer, 0.015, 0);
		ev_timer_start(loop, &p->timer);
	}
}

static void again(struct ev_loop *loop, ev_timer *t, int events)
{
	struct peer *p = t->data;

	(void)events;
	ev_io_set(&p->io, p->io.fd, EV_WRITE);
	ev_io_start(loop, &p->io);
}

static void by_libev(void)
{
	struct ev_loop *loop = ev_default_loop(0);

	left = PEERS;
	for (int n = 0; n < PEERS; n++) {
		struct peer *p = calloc(1, sizeof(*p));
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		p->n = n;
		fill(p);
		must(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS,
		     "connect");
		ev_io_init(&p->io, ready, fd, EV_WRITE);
		ev_timer_init(&p->timer, again, 0.015, 0);
		p->timer.data = p;
		ev_io_start(loop, &p->io);
	}
	ev_run(loop, 0);
	puts("libev");
}

int main(int argc, char **a)
{
	must(argc == 3, "arguments");
	inet_pton(AF_INET, a[1], &to.sin_addr);
	to.sin_port = htons((unsigned short)atoi(a[2]));
	by_libev();
	return 0;
}
