/* SPDX-License-Identifier: MIT */
#include "relay/handoff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "relay/handoff_code.h"

#define MAGIC "mifcont relay handoff 3"
#define PACKET 65536
#define FDS_MAX (1 + SERVE_CONNS)
#define SETTLE_MS 2000 /* for handshakes and connects under way */
#define PATIENCE_S 10  /* for each packet */

enum kind { HEAD = 1, DOOR, LISTENER, ASSOCIATION, SESSION, BYTES, GRAVES, END, READY, GO };

/* Everything is written to, and read from, one packet at a time. */
struct packet {
	struct codec c;
	int fd[FDS_MAX];
	int fds;
	uint8_t bytes[PACKET];
};

static struct packet packet;
static struct source door = {.kind = SOURCE_NONE, .fd = -1};
static int successor = -1;
static int64_t asked_ms;

/* --- packets --- */

static struct codec *begin(enum kind kind)
{
	uint8_t k = (uint8_t)kind;

	packet.fds = 0;
	packet.c = (struct codec){.at = packet.bytes, .end = packet.bytes + PACKET};
	code_bytes(&packet.c, &k, 1);
	return &packet.c;
}

static void attach(int fd)
{
	packet.fd[packet.fds++] = fd;
}

static bool put(int sock)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(packet.fd))];
	} control;
	struct iovec v = {packet.bytes, (size_t)(packet.c.at - packet.bytes)};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};

	if (packet.c.bad)
		return false;
	if (packet.fds) {
		memset(&control, 0, sizeof(control));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE((size_t)packet.fds * sizeof(int));
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);

		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN((size_t)packet.fds * sizeof(int));
		memcpy(CMSG_DATA(h), packet.fd, (size_t)packet.fds * sizeof(int));
	}
	return sendmsg(sock, &m, MSG_NOSIGNAL) == (ssize_t)v.iov_len;
}

/* The kind of the packet received; 0: nothing good. */
static enum kind get(int sock)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(packet.fd))];
	} control;
	struct iovec v = {packet.bytes, PACKET};
	struct msghdr m = {.msg_iov = &v,
	                   .msg_iovlen = 1,
	                   .msg_control = &control,
	                   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	uint8_t kind = 0;

	packet.fds = 0;
	if (n <= 0 || m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return 0;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
			packet.fds = (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(packet.fd, CMSG_DATA(h), (size_t)packet.fds * sizeof(int));
		}
	packet.c = (struct codec){.reading = true, .at = packet.bytes, .end = packet.bytes + n};
	code_bytes(&packet.c, &kind, 1);
	return (enum kind)kind;
}

static void patience(int sock)
{
	struct timeval limit = {PATIENCE_S, 0};

	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

/* --- the old process --- */

static bool give_association(struct association *a, void *arg)
{
	struct codec *c = begin(ASSOCIATION);
	bool control = a->control != NULL;

	code_association(c, a);
	code_bool(c, &control);
	if (control) {
		code_conn(c, a->control);
		attach(a->control->source.fd);
	}
	return put(*(int *)arg);
}

static bool give_ring(const struct ring *r, int sock)
{
	const void *p;
	size_t n;

	for (uint64_t at = r->base; (n = ring_peek(r, at, &p)) > 0; at += n) {
		struct codec *c = begin(BYTES);

		n = min_size(n, PACKET - 64);
		code_size(c, &n);
		code_bytes(c, (void *)p, n);
		if (!put(sock))
			return false;
	}
	return true;
}

static bool give_session(struct session *s, void *arg)
{
	int sock = *(int *)arg;
	struct codec *c = begin(SESSION);

	/* Its client asks again. */
	if (s->connecting)
		return true;
	code_bytes(c, s->assoc->a.id, sizeof(s->assoc->a.id));
	code_session(c, s);
	attach(s->target.fd);
	for (int i = 0; i < SERVE_CONNS; i++) {
		bool there = s->conn[i] != NULL;

		code_bool(c, &there);
		if (there) {
			code_conn(c, s->conn[i]);
			attach(s->conn[i]->source.fd);
		}
	}
	return put(sock) && give_ring(&s->s.s2c, sock) && give_ring(&s->s.c2s, sock);
}

static bool give_grave(const uint8_t token[SES_TOKEN], int64_t until, void *arg)
{
	struct codec *c = begin(GRAVES);

	code_bytes(c, (void *)token, SES_TOKEN);
	code_i64(c, &until);
	return put(*(int *)arg);
}

static bool give_listener(struct source *l, void *arg)
{
	begin(LISTENER);
	attach(l->fd);
	return put(*(int *)arg);
}

static bool give_all(int sock)
{
	struct codec *c = begin(HEAD);

	code_bytes(c, (void *)MAGIC, sizeof(MAGIC));
	if (!put(sock))
		return false;
	/* With the door itself: nobody who comes meanwhile finds it closed. */
	begin(DOOR);
	attach(door.fd);
	if (!put(sock) || !loop_each_listener(give_listener, &sock) ||
	    !assocs_each(give_association, &sock) || !sessions_each(give_session, &sock) ||
	    !tokens_each_grave(give_grave, &sock))
		return false;
	begin(END);
	if (!put(sock) || get(sock) != READY)
		return false;
	begin(GO);
	return put(sock);
}

bool handoff_pending(void)
{
	return successor >= 0;
}

bool handoff_step(int64_t now)
{
	if (successor < 0 ||
	    (now - asked_ms < SETTLE_MS && (conns_unsettled() || sessions_connecting())))
		return false;
	log_info("handing %u sessions over", sessions_count());
	bool done = give_all(successor);

	if (!done)
		log_error("handing over failed: %s; going on", strerror(errno));
	close(successor);
	successor = -1;
	return done;
}

void handoff_event(void)
{
	struct ucred who = {.uid = (uid_t)-1};
	socklen_t len = sizeof(who);
	int fd = accept4(door.fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len);
	if ((who.uid != geteuid() && who.uid != 0) || successor >= 0) {
		log_warn("somebody of uid %d wanted our sessions: refused", (int)who.uid);
		close(fd);
		return;
	}
	log_info("process %d is to take over", (int)who.pid);
	patience(fd);
	successor = fd;
	asked_ms = loop_now();
}

static bool address(struct sockaddr_un *a)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	return snprintf(a->sun_path, sizeof(a->sun_path), "%s/relay.sock", config.state_dir) <
	       (int)sizeof(a->sun_path);
}

void handoff_offer(void)
{
	struct sockaddr_un a;
	int fd;

	if (door.fd >= 0) {
		loop_watch(&door, EPOLLIN); /* it came with the sessions */
		return;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || !address(&a)) {
		log_warn("%s: no socket there: no process can take over from this one",
		         config.state_dir);
		return;
	}
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0) {
		/* It must not lose its successor to us. */
		log_warn("%s: another relay holds this directory", a.sun_path);
		close(fd);
		return;
	}
	unlink(a.sun_path);
	mode_t before = umask(077);
	bool ok = bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 4) == 0;

	umask(before);
	if (!ok) {
		log_warn("%s: %s: no process can take over from this one", a.sun_path,
		         strerror(errno));
		close(fd);
		return;
	}
	door = (struct source){.kind = SOURCE_HANDOFF, .fd = fd};
	loop_watch(&door, EPOLLIN);
}

/* --- the new process --- */

static struct conn *take_conn(struct codec *c, int fd)
{
	struct conn *n = conn_adopt(fd);

	if (n)
		code_conn(c, n);
	if (!n || c->bad)
		return NULL;
	return n;
}

static bool take_association(struct codec *c)
{
	struct association *a = calloc(1, sizeof(*a));
	bool control = false;

	if (!a)
		return false;
	code_association(c, a);
	code_bool(c, &control);
	if (c->bad || control != (packet.fds == 1))
		return false;
	assoc_adopt(a);
	if (!control)
		return true;
	struct conn *n = take_conn(c, packet.fd[0]);

	if (!n || n->role != ROLE_CONTROL)
		return false;
	n->assoc = a;
	a->control = n;
	return true;
}

static bool take_bytes(struct ring *r, uint64_t base, uint64_t tail, int sock)
{
	r->base = r->tail = base;
	while (r->tail < tail) {
		size_t n = 0;

		if (get(sock) != BYTES)
			return false;
		code_size(&packet.c, &n);
		if (packet.c.bad || n > (size_t)(packet.c.end - packet.c.at) ||
		    n > tail - r->tail || !n)
			return false;
		ring_put(r, packet.c.at, n);
	}
	return true;
}

static bool take_session(struct codec *c, int sock)
{
	struct session *s = calloc(1, sizeof(*s));
	uint8_t id[16];
	int fds = 0;

	if (!s)
		return false;
	code_bytes(c, id, sizeof(id));
	code_session(c, s);
	s->assoc = assoc_find(id);
	if (c->bad || !s->assoc || !packet.fds)
		return false;
	s->target = (struct source){.kind = SOURCE_TARGET, .fd = packet.fd[fds++]};
	for (int i = 0; i < SERVE_CONNS; i++) {
		bool there = false;

		code_bool(c, &there);
		if (!there)
			continue;
		if (fds == packet.fds || !(s->conn[i] = take_conn(c, packet.fd[fds++])) ||
		    s->conn[i]->role != ROLE_DATA || s->conn[i]->index != i || !s->s.conn[i].used)
			return false;
		s->conn[i]->session = s;
		s->conn[i]->assoc = s->assoc;
	}
	/* The packet is over; what follows is the content of the rings. */
	struct ring s2c = s->s.s2c, c2s = s->s.c2s;

	if (!memory_take(s, s2c.cap, c2s.cap))
		return false;
	s->s.s2c.mem = s->memory;
	s->s.c2s.mem = (uint8_t *)s->memory + s2c.cap;
	s->s.s2c_limit = s2c.cap;
	s->s2c_since = s2c.base;
	s->c2s_since = c2s.base;
	sessions_add(s);
	return take_bytes(&s->s.s2c, s2c.base, s2c.tail, sock) &&
	       take_bytes(&s->s.c2s, c2s.base, c2s.tail, sock);
}

static bool take_grave(struct codec *c)
{
	uint8_t token[SES_TOKEN];
	int64_t until = 0;

	code_bytes(c, token, sizeof(token));
	code_i64(c, &until);
	if (!c->bad)
		tokens_adopt_grave(token, until);
	return !c->bad;
}

static bool take_all(int sock)
{
	char magic[sizeof(MAGIC)] = "";

	if (get(sock) != HEAD)
		return false;
	code_bytes(&packet.c, magic, sizeof(magic));
	if (memcmp(magic, MAGIC, sizeof(magic)) != 0) {
		log_error(
		    "the process there speaks of its sessions in another way than this version");
		return false;
	}
	for (;;) {
		bool ok = false;

		switch (get(sock)) {
		case DOOR:
			ok = packet.fds == 1;
			if (ok)
				door = (struct source){.kind = SOURCE_HANDOFF, .fd = packet.fd[0]};
			break;
		case LISTENER:
			ok = packet.fds == 1 && loop_adopt_listener(packet.fd[0]);
			break;
		case ASSOCIATION:
			ok = take_association(&packet.c);
			break;
		case SESSION:
			ok = take_session(&packet.c, sock);
			break;
		case GRAVES:
			ok = take_grave(&packet.c);
			break;
		case END:
			begin(READY);
			return put(sock) && get(sock) == GO;
		default:
			break;
		}
		if (!ok)
			return false;
	}
}

int handoff_take(void)
{
	struct sockaddr_un a;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0 || !address(&a) || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		log_info("%s: nobody to take over from", config.state_dir);
		if (fd >= 0)
			close(fd);
		return 0;
	}
	patience(fd);
	bool ok = take_all(fd);

	close(fd);
	wipe(&packet, sizeof(packet));
	if (!ok) {
		log_error("taking over failed: %s", strerror(errno));
		return -1;
	}
	log_info("took over %u sessions", sessions_count());
	assocs_watch();
	sessions_watch();
	return 1;
}
