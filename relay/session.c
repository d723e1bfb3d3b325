/* SPDX-License-Identifier: MIT */
/* Sessions: opening, resuming, ending. Their bytes are data.c's business. */
#include <errno.h>
#include <ifaddrs.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utlist.h>

#include "common/bytes.h"
#include "common/log.h"
#include "relay/relay.h"

#define TENTATIVE_MS 10000
#define OPEN_MS 20000
#define FIN_GRACE_MS 2000
#define UNANSWERED_MS 1000
#define COVER_MS 10000
#define TOMBSTONE_MS 60000
#define TOMBSTONES_MAX 65536

static struct session *sessions, *dead;
static unsigned nsessions;
static struct token *tokens;
static unsigned tombstones;

size_t sessions_memory(void)
{
	struct session *s;
	size_t sum = 0;

	DL_FOREACH(sessions, s)
	sum += ring_used(&s->s.s2c) + ring_used(&s->s.c2s);
	return sum;
}

/* --- tokens --- */

/* Keeps a token for each epoch that may come next. */
static bool refresh_tokens(struct session *s)
{
	uint32_t first = s->s.epoch_committed + 1, last = s->s.epoch_seen + SERVE_AHEAD;
	struct token *t, *next;

	LL_FOREACH_SAFE(s->tokens, t, next)
	{
		if (t->epoch >= first && t->epoch <= last)
			continue;
		LL_DELETE(s->tokens, t);
		HASH_DEL(tokens, t);
		free(t);
	}
	for (uint32_t e = s->tokens ? s->tokens->epoch + 1 : first; e <= last; e++) {
		t = calloc(1, sizeof(*t));
		if (!t)
			return false;
		t->session = s;
		t->epoch = e;
		serve_token(&s->s, e, t->token);
		HASH_ADD(hh, tokens, token, SES_TOKEN, t);
		/* Newest first: the head has the highest epoch. */
		LL_PREPEND(s->tokens, t);
	}
	return true;
}

/* After the end the tokens answer "gone" for a while, so that a late client knows at once. */
static void bury_tokens(struct session *s)
{
	struct token *t, *next;

	LL_FOREACH_SAFE(s->tokens, t, next)
	{
		LL_DELETE(s->tokens, t);
		if (tombstones < TOMBSTONES_MAX) {
			t->session = NULL;
			t->until_ms = loop_now() + TOMBSTONE_MS;
			tombstones++;
		} else {
			HASH_DEL(tokens, t);
			free(t);
		}
	}
}

/* --- opening --- */

static void local_address(int fd, struct ses_addr *out)
{
	union address a;
	socklen_t len = sizeof(a);

	memset(out, 0, sizeof(*out));
	if (getsockname(fd, &a.sa, &len) < 0)
		return;
	if (a.sa.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&a.in6.sin6_addr)) {
		out->family = 6;
		memcpy(out->ip, &a.in6.sin6_addr, 16);
		out->port = ntohs(a.in6.sin6_port);
	} else if (a.sa.sa_family == AF_INET6) {
		out->family = 4;
		memcpy(out->ip, &a.in6.sin6_addr.s6_addr[12], 4);
		out->port = ntohs(a.in6.sin6_port);
	} else {
		out->family = 4;
		memcpy(out->ip, &a.in.sin_addr, 4);
		out->port = ntohs(a.in.sin_port);
	}
}

/* Where this session may be resumed: the address the client used, then this host's other global
 * ones. */
static unsigned resume_addresses(int fd, struct ses_addr *out)
{
	struct ifaddrs *list, *i;
	unsigned n = 1;

	local_address(fd, &out[0]);
	if (getifaddrs(&list) < 0)
		return n;
	for (i = list; i && n < SES_RELAY_ADDRS; i = i->ifa_next) {
		struct ses_addr a = {.port = out[0].port};
		const union address *s = (const union address *)i->ifa_addr;

		if (!s)
			continue;
		if (s->sa.sa_family == AF_INET && ntohl(s->in.sin_addr.s_addr) >> 24 != 127) {
			a.family = 4;
			memcpy(a.ip, &s->in.sin_addr, 4);
		} else if (s->sa.sa_family == AF_INET6 &&
		           !IN6_IS_ADDR_LOOPBACK(&s->in6.sin6_addr) &&
		           !IN6_IS_ADDR_LINKLOCAL(&s->in6.sin6_addr)) {
			a.family = 6;
			memcpy(a.ip, &s->in6.sin6_addr, 16);
		} else {
			continue;
		}
		if (a.family == out[0].family && memcmp(a.ip, out[0].ip, 16) == 0)
			continue;
		out[n++] = a;
	}
	freeifaddrs(list);
	return n;
}

static void answer_open(struct session *s, uint32_t err)
{
	struct conn *c = s->conn[0];
	struct ses_addr addr[SES_RELAY_ADDRS];
	uint8_t out[SES_MSG_MAX];
	unsigned n = err ? 0 : resume_addresses(c->source.fd, addr);

	conn_send(c, out,
	          server_opened(&s->assoc->a, s->sid, err, (uint32_t)config.ring, addr, n, out));
}

static void refuse_open(struct conn *c, struct association *a, uint64_t sid, uint32_t err)
{
	uint8_t out[SES_MSG_MAX];
	int n = server_opened(&a->a, sid, err, 0, NULL, 0, out);

	send(c->source.fd, out, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	conn_close(c);
}

static int dial(const struct ses_addr *to)
{
	union address a;
	socklen_t len;
	int one = 1;

	memset(&a, 0, sizeof(a));
	if (to->family == 6) {
		a.in6.sin6_family = AF_INET6;
		memcpy(&a.in6.sin6_addr, to->ip, 16);
		a.in6.sin6_port = htons(to->port);
		len = sizeof(a.in6);
	} else {
		a.in.sin_family = AF_INET;
		memcpy(&a.in.sin_addr, to->ip, 4);
		a.in.sin_port = htons(to->port);
		len = sizeof(a.in);
	}
	int fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, &a.sa, len) < 0 && errno != EINPROGRESS) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

void session_open(struct conn *c, int len)
{
	struct association *a = assoc_find(c->in + SES_HEADER);
	struct ses_addr target, here;
	uint64_t sid;
	uint32_t ring, err = 0;
	struct session *s = NULL;
	/* The client may have to send its whole ring again while the target reads nothing. */
	size_t back = 2 * config.ring;

	if (!a) {
		conn_refuse(c, SES_UNKNOWN);
		return;
	}
	int r = server_open(&a->a, c->in, (size_t)len, &sid, &target, &ring);

	if (r < 0) {
		conn_refuse(c, r == -EALREADY ? SES_TOO_OLD : SES_UNAUTHENTIC);
		return;
	}
	local_address(c->source.fd, &here);
	/* Only services of this very host, at the address the client came to, and only listed ones.
	 */
	if (target.family != here.family || memcmp(target.ip, here.ip, 16) != 0 ||
	    !config.allowed[target.port])
		err = EACCES;
	else if (nsessions >= config.max_sessions || sessions_memory() >= config.max_memory)
		err = ENOBUFS;
	if (err) {
		log_info("session to port %u refused: %s", target.port, strerror((int)err));
		refuse_open(c, a, sid, err);
		return;
	}
	int fd = dial(&target);

	if (fd >= 0)
		s = calloc(1, sizeof(*s));
	if (s)
		s->memory = mmap(NULL, config.ring + back, PROT_READ | PROT_WRITE,
		                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!s || s->memory == MAP_FAILED) {
		err = fd < 0 ? (uint32_t)-fd : ENOBUFS;
		if (fd >= 0)
			close(fd);
		free(s);
		refuse_open(c, a, sid, err);
		return;
	}
	serve_init(&s->s, &a->a, sid, s->memory, config.ring, (char *)s->memory + config.ring,
	           back);
	s->target = (struct source){.kind = SOURCE_TARGET, .fd = fd};
	s->sid = sid;
	s->assoc = a;
	a->sessions++;
	s->connecting = true;
	s->conn[0] = c;
	DL_APPEND(sessions, s);
	nsessions++;
	refresh_tokens(s);
	c->role = ROLE_OPENING;
	conn_settle(c);
	c->deadline_ms = loop_now() + OPEN_MS;
	c->session = s;
	c->assoc = a;
	c->index = 0;
	loop_watch(&c->source, EPOLLRDHUP);
	loop_watch(&s->target, EPOLLOUT);
}

/* The target's connect is decided. */
static void opened(struct session *s)
{
	struct conn *c = s->conn[0];
	int err = 0;
	socklen_t len = sizeof(err);

	getsockopt(s->target.fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (!c) {
		session_end(s, "client gone before the target answered");
		return;
	}
	if (err) {
		answer_open(s, (uint32_t)err);
		session_end(s, strerror(err));
		return;
	}
	s->connecting = false;
	c->role = ROLE_DATA;
	c->deadline_ms = 0;
	answer_open(s, 0);
	if (c->role == ROLE_DEAD)
		return;
	log_debug("session %llu open", (unsigned long long)s->sid);
	data_update(s);
}

void session_target_event(struct session *s, uint32_t events)
{
	if (s->connecting)
		opened(s);
	else
		data_target_ready(s, events);
}

/* --- resuming --- */

void session_resume(struct conn *c, int len)
{
	struct token *t;
	uint8_t out[SES_MSG_MAX];
	int out_len, replaced;

	HASH_FIND(hh, tokens, c->in + SES_HEADER, SES_TOKEN, t);
	if (!t || !t->session) {
		conn_refuse(c, t ? SES_GONE : SES_UNKNOWN);
		return;
	}
	struct session *s = t->session;

	if (s->connecting) {
		conn_refuse(c, SES_UNKNOWN);
		return;
	}
	int slot = serve_resume(&s->s, c->in, (size_t)len, out, &out_len, &replaced);

	if (slot < 0) {
		log_info("resume of session %llu refused: reason %d (s2c %llu..%llu%s)",
		         (unsigned long long)s->sid, -slot, (unsigned long long)s->s.s2c.base,
		         (unsigned long long)s->s.s2c.tail, s->s.covered ? "" : ", uncovered");
		conn_refuse(c, (enum ses_refusal) - slot);
		return;
	}
	if (replaced >= 0 && s->conn[replaced]) {
		s->conn[replaced]->session = NULL;
		conn_close(s->conn[replaced]);
	}
	refresh_tokens(s);
	c->role = ROLE_DATA;
	conn_settle(c);
	c->session = s;
	c->assoc = s->assoc;
	c->index = slot;
	c->tentative = true;
	c->deadline_ms = loop_now() + TENTATIVE_MS;
	s->conn[slot] = c;
	conn_send(c, out, out_len);
	if (c->role != ROLE_DEAD)
		data_update(s);
}

void session_commit(struct conn *c, int len)
{
	struct session *s = c->session;
	unsigned losers;

	if (serve_commit(&s->s, c->index, c->in, (size_t)len, &losers) < 0) {
		log_warn("session %llu: COMMIT not valid", (unsigned long long)s->sid);
		session_conn_gone(c, false);
		return;
	}
	for (int i = 0; i < SERVE_CONNS; i++)
		if (losers >> i & 1 && s->conn[i]) {
			s->conn[i]->session = NULL;
			conn_reset(s->conn[i]);
			s->conn[i] = NULL;
		}
	c->tentative = false;
	c->deadline_ms = 0;
	s->detached_ms = s->fin_ms = s->asked_ms = 0;
	s->reset_seen = false;
	refresh_tokens(s);
	log_debug("session %llu resumed, epoch %u", (unsigned long long)s->sid,
	          s->s.epoch_committed);
	data_update(s);
}

/* --- ending --- */

void session_end(struct session *s, const char *why)
{
	log_debug("session %llu over: %s (s2c %llu, c2s %llu)", (unsigned long long)s->sid, why,
	          (unsigned long long)s->s.s2c.tail, (unsigned long long)s->s.c2s.tail);
	for (int i = 0; i < SERVE_CONNS; i++)
		if (s->conn[i]) {
			s->conn[i]->session = NULL;
			conn_close(s->conn[i]);
			s->conn[i] = NULL;
		}
	if (s->target.fd >= 0) {
		loop_watch(&s->target, 0);
		close(s->target.fd);
		s->target.fd = -1;
	}
	munmap(s->memory, config.ring * 3);
	bury_tokens(s);
	wipe(s->s.root, sizeof(s->s.root));
	s->assoc->sessions--;
	DL_DELETE(sessions, s);
	DL_APPEND(dead, s);
	nsessions--;
}

void session_reset_target(struct session *s, const char *why)
{
	struct linger now = {1, 0};

	if (s->target.fd >= 0)
		setsockopt(s->target.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	session_end(s, why);
}

/* The client's stream ends where it is: the process is over, and all it sent has been read. */
static void end_of_client(struct session *s)
{
	if (s->reset_seen) {
		session_reset_target(s, "the client's process ended with data unread");
		return;
	}
	if (s->s.c2s_end == SES_NO_END)
		s->s.c2s_end = s->s.c2s.tail;
	s->s.client_closed = true;
	data_update(s);
}

void session_conn_gone(struct conn *c, bool orderly)
{
	struct session *s = c->session;

	if (!s) {
		conn_close(c);
		return;
	}
	bool was_committed = c->index == s->s.committed;

	s->conn[c->index] = NULL;
	serve_lost(&s->s, c->index);
	c->session = NULL;
	conn_close(c);
	if (s->connecting) {
		session_end(s, "client gone before the target answered");
		return;
	}
	if (!was_committed) {
		/* A tentative one: the old connection goes on where it stopped. */
		data_update(s);
		return;
	}
	s->detached_ms = loop_now();
	s->reset_seen = !orderly;
	if (s->assoc->ended || s->s.detached_for_good) {
		end_of_client(s);
		return;
	}
	log_debug("session %llu detached", (unsigned long long)s->sid);
	data_update(s);
}

/* Questions asked over the earlier control connection may be lost with it: ask again, and count
 * from now. */
void session_control_new(struct association *a)
{
	struct session *s;

	DL_FOREACH(sessions, s)
	if (s->assoc == a)
		s->asked_ms = s->ask_ms = s->s.asked = 0;
}

void session_process_over(struct association *a)
{
	struct session *s, *next;

	DL_FOREACH_SAFE(sessions, s, next)
	{
		/* One whose connection lives may have been handed to another process: it decides by
		 * itself. */
		if (s->assoc != a || s->connecting)
			continue;
		if (s->s.committed < 0)
			end_of_client(s);
		else
			data_update(s);
	}
}

void session_frame(struct association *a, const struct ses_frame *f)
{
	struct session *s, *next;

	if (f->type == SES_F_PING) {
		struct ses_frame pong = *f;

		pong.type = SES_F_PONG;
		assoc_send(a, &pong);
		return;
	}
	DL_FOREACH_SAFE(sessions, s, next)
	{
		if (s->assoc != a || s->sid != f->sid)
			continue;
		if (f->type == SES_F_ASK) {
			struct ses_frame ack = serve_ack(&s->s, s->sid);

			assoc_send(a, &ack);
			return;
		}
		if (f->type == SES_F_ACK)
			s->asked_ms = 0;
		serve_frame(&s->s, f);
		if (s->s.client_reset)
			session_reset_target(s, "reset by the client");
		else if (!s->connecting)
			data_update(s);
		return;
	}
	/* A session that is over: say so, as far as it can be said. */
	if (f->type == SES_F_ASK || f->type == SES_F_CLOSE) {
		struct ses_frame ack = {.type = SES_F_ACK,
		                        .sid = f->sid,
		                        .count = f->type == SES_F_CLOSE ? f->end : UINT64_MAX,
		                        .end = SES_NO_END};

		assoc_send(a, &ack);
	}
}

/* --- time --- */

/* Has the client's kernel acknowledged all that the ring holds? Only then silence is not the
 * path's. */
static bool all_taken(const struct session *s)
{
	int unacked = 1;

	if (s->s.committed < 0 || s->s.conn[s->s.committed].sent != s->s.s2c.tail)
		return false;
	return ioctl(s->conn[s->s.committed]->source.fd, SIOCOUTQ, &unacked) == 0 && unacked == 0;
}

static void sweep_one(struct session *s, int64_t now)
{
	struct association *a = s->assoc;

	if (s->detached_ms && now - s->detached_ms > config.linger_ms) {
		session_reset_target(s, "nobody came back");
		return;
	}
	/* FIN, but neither EOF nor the end of the process: the path was cut by somebody in between.
	 */
	if (s->fin_ms && now - s->fin_ms > FIN_GRACE_MS && s->s.committed >= 0) {
		s->fin_ms = 0;
		/*
		 * With the control connection reset at the same time it was the process all the
		 * same: one that ends with frames unread resets it. What cuts paths does not send
		 * FINs.
		 */
		if (!a->control) {
			end_of_client(s);
			return;
		}
		session_conn_gone(s->conn[s->s.committed], true);
		return;
	}
	/* Data lives, control does not and does not return: no confirmations will come. */
	if (s->s.committed >= 0 && !a->control && a->gone_ms && !s->s.detached_for_good &&
	    now - a->gone_ms > (a->ended ? 1000 : COVER_MS)) {
		s->s.detached_for_good = true;
		serve_uncover(&s->s);
		data_update(s);
		return;
	}
	/* A client that takes everything but does not answer: flow before cover. */
	if (s->asked_ms && now - s->asked_ms > UNANSWERED_MS && !ring_room(&s->s.s2c) &&
	    all_taken(s)) {
		s->asked_ms = 0;
		serve_uncover(&s->s);
		data_update(s);
		return;
	}
	if (s->ask_ms && now >= s->ask_ms)
		data_update(s);
}

void sessions_sweep(int64_t now)
{
	struct session *s, *next;
	struct token *t, *tnext;

	DL_FOREACH_SAFE(sessions, s, next)
	sweep_one(s, now);
	DL_FOREACH_SAFE(dead, s, next)
	{
		DL_DELETE(dead, s);
		free(s);
	}
	if (!tombstones)
		return;
	HASH_ITER(hh, tokens, t, tnext)
	{
		if (t->session || now < t->until_ms)
			continue;
		HASH_DEL(tokens, t);
		free(t);
		tombstones--;
	}
}

void sessions_log(void)
{
	struct session *s;

	log_info("%u sessions, %zu bytes kept, %u connections", nsessions, sessions_memory(),
	         conns_count());
	DL_FOREACH(sessions, s)
	log_info("session %llu: %s, s2c %llu..%llu, c2s %llu..%llu, epoch %u",
	         (unsigned long long)s->sid,
	         s->s.committed < 0 ? "detached"
	         : s->s.covered     ? "covered"
	                            : "uncovered",
	         (unsigned long long)s->s.s2c.base, (unsigned long long)s->s.s2c.tail,
	         (unsigned long long)s->s.c2s.base, (unsigned long long)s->s.c2s.tail,
	         s->s.epoch_committed);
}
