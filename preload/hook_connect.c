/* SPDX-License-Identifier: MIT */
/* connect() and what a program can ask a socket about itself. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/agent.h"
#include "preload/counts.h"
#include "preload/dial.h"
#include "preload/doubles.h"
#include "preload/flowtalk.h"
#include "preload/hook.h"
#include "preload/kin.h"
#include "preload/mptcp.h"
#include "preload/names.h"
#include "preload/own.h"
#include "preload/peers.h"
#include "preload/placeholder.h"
#include "preload/process.h"
#include "preload/raw.h"
#include "preload/real.h"
#include "preload/reopen.h"
#include "preload/replay.h"
#include "preload/rings.h"
#include "preload/splice.h"
#include "preload/web.h"
#include "session/kdf.h"

static int option(int fd, int level, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	return raw_getsockopt(fd, level, name, &v, &len) == 0 ? v : -1;
}

/* Peers no path can be lost to, or that are many: loopback, multicast, broadcast, link-local, our
 * own. */
static bool stays_here(const union flow_address *a)
{
	sa_family_t family;
	const void *ip = address_ip(a, &family);

	if (family == AF_INET6) {
		const struct in6_addr *v6 = ip;

		return IN6_IS_ADDR_LOOPBACK(v6) || IN6_IS_ADDR_MULTICAST(v6) ||
		       IN6_IS_ADDR_LINKLOCAL(v6) || IN6_IS_ADDR_UNSPECIFIED(v6);
	}
	uint32_t v4;

	memcpy(&v4, ip, 4);
	v4 = ntohl(v4);
	return v4 >> 24 == 127 || v4 >> 28 >= 14 || v4 >> 16 == 0xa9fe || v4 == 0;
}

/* In network order: any number but those for "not set" and for a socket of another family. */
static bool leaves_by(int fd, int level, int name)
{
	int ifindex = option(fd, level, name);

	return ifindex != 0 && ifindex != -1;
}

static bool pinned_to_device(int fd)
{
	char device[IFNAMSIZ] = "";
	socklen_t device_len = sizeof(device);

	if (raw_getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &device_len) == 0 && device[0])
		return true;
	return leaves_by(fd, IPPROTO_IP, IP_UNICAST_IF) ||
	       leaves_by(fd, IPPROTO_IPV6, IPV6_UNICAST_IF);
}

static bool pinned_to_source(int fd)
{
	union flow_address own;
	socklen_t len = sizeof(own);

	if (raw_getsockname(fd, &own.sa, &len) < 0)
		return true;
	if (own.sa.sa_family == AF_INET6)
		return !IN6_IS_ADDR_UNSPECIFIED(&own.in6.sin6_addr);
	return own.sa.sa_family == AF_INET && own.in.sin_addr.s_addr != 0;
}

/* The program chose the source or the device itself: that is its will (RFC 6897 4.2.1). */
static bool pinned(int fd)
{
	return pinned_to_device(fd) || pinned_to_source(fd);
}

/*
 * A datagram socket that is bound to an address is of no use once that is gone: where the policy
 * wants datagrams to move in so many words it does then, and not before.
 */
static bool follows(const struct pol_rule *rule, bool bound)
{
	return rule->continuity != POL_NONE && (!bound || rule->continuity == POL_REDIAL);
}

static uint64_t inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static const struct pol_rule *rule_for(const union flow_address *a, int protocol)
{
	struct pol_peer p = {.port = address_port(a), .protocol = protocol};
	sa_family_t family;
	const void *ip = address_ip(a, &family);

	p.family = family;
	memcpy(p.ip, ip, family == AF_INET6 ? 16 : 4);
	char name[NAME_MAX_LEN + 1];

	if (names_find(family, ip, name))
		p.host = name;
	process_describe(&p);
	return pol_match(process_policy(), &p);
}

static bool timed(int fd, int name)
{
	struct timeval t = {0, 0};
	socklen_t len = sizeof(t);

	return raw_getsockopt(fd, SOL_SOCKET, name, &t, &len) == 0 && (t.tv_sec || t.tv_usec);
}

/* A receive that is to wait for more than a byte waits in the kernel. */
static bool waits_for_more(int fd)
{
	int least = 1;
	socklen_t len = sizeof(least);

	return raw_getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, &len) == 0 && least > 1;
}

/* Its other numbers. False: more than can be exchanged. */
static bool add_doubles(struct flow *f, int fd)
{
	int fds[FLOW_ALIASES + 1], n = doubles_of(f->inode, fds, FLOW_ALIASES + 1);
	bool all = true;

	for (int i = 0; i < n && all; i++)
		all = fds[i] == fd || flow_add_fd(f, fresh(fds[i]));
	return all;
}

static struct flow *adopt(int fd, enum flow_kind kind, const union flow_address *peer,
                          const struct pol_rule *rule)
{
	struct flow *f = flow_new(kind);

	if (!f)
		return NULL;
	f->peer = *peer;
	f->address_len = address_len(peer);
	f->rule = rule;
	f->inode = inode(fd);
	f->owner = raw_getpid();
	if (kind == FLOW_SESSION && !random_fill(f->ticket, sizeof(f->ticket)))
		atomic_store(&f->share, SHARE_REFUSED);
	atomic_store(&f->timed_in, timed(fd, SO_RCVTIMEO));
	atomic_store(&f->timed_out, timed(fd, SO_SNDTIMEO));
	atomic_store(&f->special, waits_for_more(fd));
	if (flow_add_fd(f, fd) && (doubles_alone(fd) || add_doubles(f, fd)))
		return f;
	while (f->fds)
		flow_drop_fd(f, f->fd[0]);
	atomic_store(&f->state, FLOW_ENDED);
	return NULL;
}

/* Left alone: stands in the table so that the question is not asked again for each datagram. */
static struct flow hands_off = {.kind = FLOW_RESET, .state = FLOW_ENDED};

bool flow_stale(int fd)
{
	struct flow *f = flow_of(fd);
	int saved = errno;
	bool gone = false;

	if (!f || !process_ours())
		return false;
	if (f == &hands_off) {
		flow_mark(fd, NULL);
		return true;
	}
	/* Not while the agent exchanges the file: then number and flow disagree for a moment. */
	if (lock_owner(&f->table) != thread_id() && lock_take(&f->table, thread_id(), 100)) {
		gone = flow_of(fd) == f && !flow_owns(f, fd);
		if (gone)
			flow_drop_fd(f, fd);
		lock_release(&f->table);
	}
	errno = saved;
	return gone;
}

/* --- sessions --- */

/* A non-blocking connect() answers EINPROGRESS at once: meanwhile the descriptor holds a socket
 * that is connecting for ever. */
static int show_connecting(struct flow *f)
{
	int app, guard[2];
	int r = placeholder_connecting(f->peer.sa.sa_family, &app, guard);
	if (r < 0)
		return r;
	f->guard_fd[0] = guard[0];
	f->guard_fd[1] = guard[1];
	r = splice_put(f, app);
	own_close(app);
	return r;
}

/* A blocking connect() that a handover restarted finds the new socket connected: that is success.
 */
static int connect_on(struct flow *f, int fd, const struct sockaddr *addr, socklen_t len)
{
	uint32_t gen = atomic_load(&f->gen);
	int saved = errno, r = real.connect(fd, addr, len);

	if (r < 0 && (errno != EISCONN || atomic_load(&f->gen) == gen))
		return r;
	f->connect_told = true;
	errno = saved;
	return 0;
}

static int connect_session(int fd, const union flow_address *peer, const struct pol_rule *rule,
                           const struct sockaddr *addr, socklen_t len)
{
	bool nonblock = nonblocking(fd, 0);
	struct flow *f;

	if (!agent_ensure())
		return real.connect(fd, addr, len);
	f = adopt(fd, FLOW_SESSION, peer, rule);
	if (!f)
		return real.connect(fd, addr, len);
	f->nonblocking_dial = nonblock;
	if (nonblock) {
		int r = show_connecting(f);

		if (r < 0) {
			log_info("flow %u: no placeholder: %s", f->id, strerrordesc_np(-r));
			lock_take(&f->table, thread_id(), -1);
			flow_drop_fd(f, fd);
			lock_release(&f->table);
			atomic_store(&f->state, FLOW_ENDED);
			return real.connect(fd, addr, len);
		}
	}
	atomic_store(&f->asked_dial, true); /* and all that is known of it before */
	agent_kick();
	if (nonblock) {
		errno = EINPROGRESS;
		return -1;
	}
	struct call c = {.began_ns = clock_ns()};
	bool limited = atomic_load(&f->timed_out);

	while (!atomic_load(&f->dialled)) {
		int64_t left = limited ? call_left_ns(&c, fd, SO_SNDTIMEO) / 1000000 + 1 : -1;
		int r = futex_wait_as_call(&f->dialled, 0, left > INT32_MAX ? -1 : (int)left);

		/* As with the real one, the attempt goes on. */
		if (r == -EINTR || r == -ETIMEDOUT) {
			errno = r == -EINTR ? EINTR : EINPROGRESS;
			return -1;
		}
	}
	if (f->dial_result == -EINPROGRESS)
		return connect_on(f, fd, addr, len);
	if (f->dial_result < 0) {
		errno = -f->dial_result;
		return -1;
	}
	f->connect_told = true;
	return 0;
}

/* --- straight to the peer --- */

static int connect_straight(int fd, const union flow_address *peer, const struct pol_rule *rule,
                            bool tcp, bool bound, const struct sockaddr *addr, socklen_t len)
{
	int r = real.connect(fd, addr, len), err = errno;
	struct flow *f;

	if (r < 0 && err != EINPROGRESS)
		return r;
	bool redial = rule->continuity == POL_REDIAL;

	f = adopt(fd, !tcp ? FLOW_UDP : redial ? FLOW_REDIAL : FLOW_RESET, peer, rule);
	if (f) {
		f->connect_told = r == 0;
		socklen_t own = sizeof(f->local);

		raw_getsockname(fd, &f->local.sa, &own);
		f->connected_udp = !tcp;
		f->source_bound = bound;
		if (tcp && redial)
			flow_make_ring(f, REPLAY_RING);
		if (tcp && redial && (rule->opening != POL_OPENING_NONE || rule->answer_ends))
			reopen_begin(f);
		if (tcp && rule->continuity == POL_HTTP)
			web_begin(f);
		atomic_store(&f->state, FLOW_STABLE);
		bool running = agent_ensure();

		agent_kick();
		/*
		 * The host may still route by an interface that has lost its carrier. What is sent
		 * first would be lost with it, and for a datagram nobody would know: let the agent
		 * look before.
		 */
		for (int i = 0; !tcp && running && i < 20 && !atomic_load(&f->looked); i++)
			futex_wait(&f->looked, 0, 1);
	}
	errno = err;
	return r;
}

/*
 * As MPTCP, which the kernel looks after, where it can be had; else as any connection of which the
 * policy wants nothing in particular.
 */
static int connect_mptcp(int fd, const union flow_address *peer, const struct pol_rule *rule,
                         const struct sockaddr *addr, socklen_t len)
{
	struct flow *f = adopt(fd, FLOW_RESET, peer, rule);
	bool is = f && mptcp_put(f);

	if (f) {
		lock_take(&f->table, thread_id(), -1);
		flow_drop_fd(f, fd);
		lock_release(&f->table);
		atomic_store(&f->state, FLOW_ENDED);
	}
	return is ? real.connect(fd, addr, len)
	          : connect_straight(fd, peer, rule, true, false, addr, len);
}

void datagram_flow(int fd, const struct sockaddr *to, socklen_t len)
{
	union flow_address peer;
	int saved = errno;
	struct flow *f = NULL;

	if (len > sizeof(peer) || len < sizeof(peer.in) || !process_ours() ||
	    (to->sa_family != AF_INET && (to->sa_family != AF_INET6 || len < sizeof(peer.in6))))
		return;
	memset(&peer, 0, sizeof(peer));
	memcpy(&peer, to, len);
	if (option(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM &&
	    option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_UDP && !stays_here(&peer) &&
	    !pinned_to_device(fd)) {
		const struct pol_rule *rule = rule_for(&peer, IPPROTO_UDP);
		bool bound = pinned_to_source(fd);

		if (follows(rule, bound))
			f = adopt(fd, FLOW_UDP, &peer, rule);
		if (f)
			f->source_bound = bound;
	}
	if (f) {
		socklen_t own = sizeof(f->local);

		raw_getsockname(fd, &f->local.sa, &own);
		f->unconnected = true;
		atomic_store(&f->state, FLOW_STABLE);
		agent_ensure();
		agent_kick();
	} else {
		flow_mark(fd, &hands_off);
	}
	errno = saved;
}

/* Is it to be answered by what is recorded? False where the kernel's answer is the right one. */
static bool told(int fd, const struct flow **f)
{
	*f = flow_of(fd);
	if (!*f || (*f)->kind == FLOW_RESET)
		return false;
	uint32_t s = atomic_load(&(*f)->state);

	return s == FLOW_STABLE || s == FLOW_MOVING || s == FLOW_WAITING || s == FLOW_INHERITED;
}

/* Is it another one than the kernel's? */
static bool differs(const struct flow *f)
{
	return atomic_load(&f->gen) > 0 || atomic_load(&f->state) == FLOW_INHERITED;
}

/*
 * A connection's connect() says so once: the first one after one that did not wait or that a signal
 * ended, and after that EISCONN. The kernel would count anew with each new socket.
 */
static int connect_again(struct flow *f, int fd, const struct sockaddr *addr, socklen_t len)
{
	const struct flow *seen;
	int r;

	if (f && f->kind != FLOW_UDP && told(fd, &seen) && seen == f && differs(f) &&
	    flow_owns(f, fd)) {
		r = f->connect_told ? -1 : 0;
		if (r < 0)
			errno = EISCONN;
	} else {
		r = real.connect(fd, addr, len);
	}
	if (f && r == 0)
		f->connect_told = true;
	return r;
}

EXPORT int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	union flow_address peer;

	if (!process_enabled || !addr || len < sizeof(peer.in) || len > sizeof(peer) ||
	    !raw_readable(addr, len) ||
	    (addr->sa_family != AF_INET &&
	     (addr->sa_family != AF_INET6 || len < sizeof(peer.in6))) ||
	    !process_ours())
		return real.connect(fd, addr, len);
	int saved = errno;

	memset(&peer, 0, sizeof(peer));
	memcpy(&peer, addr, len);
	if (flow_of(fd))
		flow_stale(fd);
	struct flow *f = flow_of(fd);

	int type = option(fd, SOL_SOCKET, SO_TYPE), protocol = option(fd, SOL_SOCKET, SO_PROTOCOL);
	bool tcp = type == SOCK_STREAM && protocol == IPPROTO_TCP;
	bool udp = type == SOCK_DGRAM && protocol == IPPROTO_UDP;

	errno = saved;
	/* A datagram socket may be connected anew, another after a connect() that was refused: to
	 * another peer, say. */
	if (f && (udp || (tcp && counts_refused(fd))) && lock_take(&f->table, thread_id(), 100)) {
		flow_drop_fd(f, fd);
		while (tcp && f->fds)
			flow_drop_fd(f, f->fd[0]);
		lock_release(&f->table);
		f->closed = true;
		f = NULL;
	}
	bool bound = udp && pinned_to_source(fd);

	if (f || (!tcp && !udp) || stays_here(&peer) || (udp ? pinned_to_device(fd) : pinned(fd)) ||
	    (tcp && option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 0))
		return connect_again(f, fd, addr, len);
	const struct pol_rule *rule = rule_for(&peer, tcp ? IPPROTO_TCP : IPPROTO_UDP);

	errno = saved;
	if (!follows(rule, bound) || (tcp && doubles_shared(fd, inode(fd))))
		return real.connect(fd, addr, len);
	/*
	 * What a ring has under way cannot be called over to another socket: neither a plain
	 * connection's receive, nor the wait for a connection that has not been made yet.
	 */
	bool session = tcp && rule->continuity == POL_SESSION;

	if (session ? nonblocking(fd, 0) && rings_here() : rings_told())
		return real.connect(fd, addr, len);
	if (session)
		return connect_session(fd, &peer, rule, addr, len);
	if (tcp && rule->continuity == POL_MPTCP)
		return connect_mptcp(fd, &peer, rule, addr, len);
	return connect_straight(fd, &peer, rule, tcp, bound, addr, len);
}

bool connect_keeps(int fd, const struct sockaddr *addr, socklen_t len)
{
	union flow_address peer;
	int saved = errno;
	bool keeps = false;

	if (!process_enabled || !addr || len < sizeof(peer.in) || len > sizeof(peer) ||
	    (addr->sa_family != AF_INET &&
	     (addr->sa_family != AF_INET6 || len < sizeof(peer.in6))) ||
	    !process_ours() || flow_of(fd))
		return false;
	memset(&peer, 0, sizeof(peer));
	memcpy(&peer, addr, len);
	if (option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM &&
	    option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP && !stays_here(&peer) &&
	    !pinned(fd)) {
		enum pol_continuity c = rule_for(&peer, IPPROTO_TCP)->continuity;

		keeps = c == POL_SESSION || c == POL_REDIAL || c == POL_HTTP;
	}
	errno = saved;
	return keeps;
}

/* --- what the program sees --- */

static int tell(const union flow_address *a, struct sockaddr *to, socklen_t *len)
{
	socklen_t have = address_len(a);

	memcpy(to, a, *len < have ? *len : have);
	*len = have;
	return 0;
}

/* Of a connection that has ended both ways the kernel knows no peer any more. */
static bool unconnected(int fd)
{
	union flow_address peer;
	socklen_t len = sizeof(peer);

	return raw_getpeername(fd, &peer.sa, &len) == -ENOTCONN;
}

EXPORT int getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
	const struct flow *f;

	if (addr && len && told(fd, &f) && (atomic_load(&f->through_relay) || differs(f)) &&
	    flow_owns(f, fd))
		return atomic_load(&f->half_closed) && unconnected(fd)
		           ? real.getpeername(fd, addr, len)
		           : tell(&f->peer, addr, len);
	union flow_address peer, local;

	if (addr && len && peers_any() && peers_find(fd, &peer, &local) && !unconnected(fd))
		return tell(&peer, addr, len);
	return real.getpeername(fd, addr, len);
}

EXPORT int getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	const struct flow *f;

	if (addr && len && told(fd, &f) && differs(f) && f->local.sa.sa_family && flow_owns(f, fd))
		return tell(&f->local, addr, len);
	union flow_address peer, local;

	if (addr && len && peers_any() && peers_find(fd, &peer, &local) && local.sa.sa_family)
		return tell(&local, addr, len);
	return real.getsockname(fd, addr, len);
}

/* A connection that was made over IPv4 may go by an IPv6 socket: to the program it is what it was.
 */
static void show_domain(const struct flow *f, void *value, const socklen_t *len)
{
	int domain = f->peer.sa.sa_family;

	if (len && *len == sizeof(domain) && domain &&
	    (atomic_load(&f->through_relay) || atomic_load(&f->gen) > 0))
		memcpy(value, &domain, sizeof(domain));
}

EXPORT int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	if (level == SOL_SOCKET && name == SO_ERROR)
		kin_used(fd);

	struct flow *f = flow_of(fd);
	uint32_t gen = f ? atomic_load(&f->gen) : 0;
	int r = real.getsockopt(fd, level, name, value, len);

	if (f && r == 0 && level == SOL_SOCKET && name == SO_DOMAIN && flow_owns(f, fd))
		show_domain(f, value, len);
	/* An error of the path that the agent is about to hide must not be shown either. */
	if (f && r == 0 && level == SOL_SOCKET && name == SO_ERROR && len && *len == sizeof(int)) {
		int saved = errno, err;

		memcpy(&err, value, sizeof(err));
		if (err && path_error(err) && f->kind == FLOW_SESSION &&
		    atomic_load(&f->through_relay) && hold_flow(f, fd, gen))
			memset(value, 0, sizeof(err));
		errno = saved;
	}
	return r;
}

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	kin_used(fd);

	struct flow *f = flow_of(fd);
	int r;

	if (!f)
		return real.setsockopt(fd, level, name, value, len);
	/* Urgent data makes the unread count lie. A relay says when some comes, and of a connection
	 * that is dialled again it is not asked (ivykis, so syslog-ng, has it on every socket). */
	if (level == SOL_SOCKET && name == SO_OOBINLINE && f->kind != FLOW_SESSION &&
	    f->kind != FLOW_REDIAL)
		atomic_store(&f->foreign, true);
	/* The kernel makes records of what is written (TLS): no hook can say what was sent. */
	if (level == IPPROTO_TCP && name == TCP_ULP)
		written_by_kernel(f);
	if (level == IPPROTO_TCP && name == TCP_REPAIR)
		atomic_store(&f->foreign, true); /* it sets the counts themselves */
	/* Not between the copy of the options and the exchange. */
	bool locked = lock_owner(&f->table) != thread_id() && lock_take(&f->table, thread_id(), 50);

	r = real.setsockopt(fd, level, name, value, len);
	if (r == 0 && level == SOL_SOCKET) {
		int saved = errno;

		/* By either of their numbers. */
		atomic_store(&f->timed_in, timed(fd, SO_RCVTIMEO));
		atomic_store(&f->timed_out, timed(fd, SO_SNDTIMEO));
		if (waits_for_more(fd))
			atomic_store(&f->special, true);
		errno = saved;
	}
	if (locked)
		lock_release(&f->table);
	return r;
}

EXPORT int shutdown(int fd, int how)
{
	struct flow *f = flow_of(fd);
	int r;

	kin_used(fd);
	f = flow_of(fd);
	if (!f || how == SHUT_RD || atomic_load(&f->carried) || !process_ours())
		return real.shutdown(fd, how);
	bool locked = lock_owner(&f->table) != thread_id() && lock_take(&f->table, thread_id(), -1);

	/* Known before the FIN is sent: a resume that comes in between tells it, too. */
	atomic_store(&f->half_closed, true);
	r = real.shutdown(fd, how);
	if (locked)
		lock_release(&f->table);
	int saved = errno;

	if (f->kind == FLOW_SESSION)
		agent_kick();
	errno = saved;
	return r;
}
