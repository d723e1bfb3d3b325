/* SPDX-License-Identifier: MIT */
#include "preload/dial.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "common/clock.h"
#include "preload/agent.h"
#include "preload/choose.h"
#include "preload/own.h"
#include "preload/raw.h"

socklen_t address_len(const union flow_address *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in);
}

uint16_t address_port(const union flow_address *a)
{
	return ntohs(a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in.sin_port);
}

const void *address_ip(const union flow_address *a, sa_family_t *family)
{
	if (a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
		*family = AF_INET;
		return &a->in6.sin6_addr.s6_addr[12];
	}
	*family = a->sa.sa_family;
	return a->sa.sa_family == AF_INET6 ? (const void *)&a->in6.sin6_addr
	                                   : (const void *)&a->in.sin_addr;
}

union flow_address address_of(const struct ses_addr *s)
{
	union flow_address a;

	memset(&a, 0, sizeof(a));
	if (s->family == 6) {
		a.in6.sin6_family = AF_INET6;
		a.in6.sin6_port = htons(s->port);
		memcpy(&a.in6.sin6_addr, s->ip, 16);
	} else {
		a.in.sin_family = AF_INET;
		a.in.sin_port = htons(s->port);
		memcpy(&a.in.sin_addr, s->ip, 4);
	}
	return a;
}

struct ses_addr address_to_session(const union flow_address *a)
{
	struct ses_addr s = {.port = address_port(a)};
	sa_family_t family;
	const void *ip = address_ip(a, &family);

	s.family = family == AF_INET6 ? 6 : 4;
	memcpy(s.ip, ip, family == AF_INET6 ? 16 : 4);
	return s;
}

static int bind_to(int fd, sa_family_t family, const struct mif_path *path)
{
	union flow_address a;

	memset(&a, 0, sizeof(a));
	a.sa.sa_family = family;
	if (family == AF_INET6 && path->source.family == AF_INET) {
		a.in6.sin6_addr.s6_addr[10] = a.in6.sin6_addr.s6_addr[11] = 0xff;
		memcpy(&a.in6.sin6_addr.s6_addr[12], path->source.ip, 4);
	} else if (family == AF_INET6) {
		memcpy(&a.in6.sin6_addr, path->source.ip, 16);
	} else {
		memcpy(&a.in.sin_addr, path->source.ip, 4);
	}
	/* Source alone would leave by the default route's interface; allowed once per socket
	 * without privilege. */
	int r = raw_setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, path->name,
	                       (socklen_t)strnlen(path->name, IFNAMSIZ));

	return r < 0 ? r : raw_bind(fd, &a.sa, address_len(&a));
}

/* Not in every libc's headers. */
enum { FASTOPEN_NO_COOKIE = 34, HEARD_SYN_DATA = 32 };

/* Connects with the message in the SYN. Negative errno: nothing was begun. */
static int say(int fd, const union flow_address *to, const void *msg, int len, bool *fast)
{
	int one = 1;
	int r = raw_setsockopt(fd, IPPROTO_TCP, FASTOPEN_NO_COOKIE, &one, sizeof(one));

	if (r < 0)
		return r;
	long n = raw_sendto(fd, msg, (size_t)len, MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL,
	                    &to->sa, address_len(to));

	*fast = n == len;
	/* The kernel may take it for wiser to send a plain SYN: that is under way then. */
	return n >= 0 ? -EINPROGRESS : (int)n;
}

int dial_start_saying(struct dial *d, const union flow_address *to, const struct mif_path *path,
                      const void *msg, int len)
{
	int one = 1;
	int fd = own_socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

	memset(d, 0, sizeof(*d));
	d->fd = -1;
	d->slot = -1;
	if (fd < 0)
		return fd;
	/* The messages are small and each is waited for. The program's own wish is copied before
	 * the splice. */
	raw_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	int r = 0;

	if (path) {
		d->path = *path;
		r = bind_to(fd, to->sa.sa_family, path);
	}
	if (r == 0)
		r = msg ? say(fd, to, msg, len, &d->fast) : -EOPNOTSUPP;
	/* Switched off here (EOPNOTSUPP), or not known to this kernel. */
	if (r == -EOPNOTSUPP || r == -ENOPROTOOPT)
		r = raw_connect(fd, &to->sa, address_len(to));
	if (r < 0 && r != -EINPROGRESS) {
		own_close(fd);
		return r;
	}
	d->fd = fd;
	/* Nothing is to be done once it is connected: the answer is what is waited for. */
	d->connected = r == 0 || d->fast;
	d->since_ms = clock_ms();
	return 0;
}

int dial_start(struct dial *d, const union flow_address *to, const struct mif_path *path)
{
	return dial_start_saying(d, to, path, NULL, 0);
}

static bool ask_kernel(const struct dial *d, struct tcp_info *t)
{
	socklen_t len = sizeof(*t);

	memset(t, 0, sizeof(*t));
	return d->fd >= 0 && raw_getsockopt(d->fd, IPPROTO_TCP, TCP_INFO, t, &len) == 0;
}

bool dial_established(const struct dial *d)
{
	struct tcp_info t;

	return ask_kernel(d, &t) && t.tcpi_state != TCP_SYN_SENT && t.tcpi_state != TCP_CLOSE;
}

bool dial_heard(const struct dial *d)
{
	struct tcp_info t;

	return ask_kernel(d, &t) && t.tcpi_options & HEARD_SYN_DATA;
}

void dial_wait(struct dial *d, struct waits *w)
{
	d->slot = waits_add(w, d->fd, d->connected ? POLLIN : POLLOUT);
}

int dial_progress(struct dial *d, const struct waits *w)
{
	if (d->connected)
		return 0;
	if (!waits_got(w, d->slot))
		return -EINPROGRESS;
	int err = 0;
	socklen_t len = sizeof(err);
	int r = raw_getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &err, &len);

	if (r < 0 || err)
		return r < 0 ? r : -err;
	d->connected = true;
	return 0;
}

int dial_message(struct dial *d)
{
	for (;;) {
		int size = ses_msg_size(d->in, d->got);

		if (size < 0)
			return size;
		if (size && d->got == (size_t)size)
			return size;
		size_t want = size ? (size_t)size : SES_HEADER;
		long n =
		    raw_recvfrom(d->fd, d->in + d->got, want - d->got, MSG_DONTWAIT, NULL, NULL);

		if (n == -EAGAIN)
			return 0;
		if (n <= 0)
			return n ? (int)n : -ECONNRESET;
		d->got += (size_t)n;
	}
}

int dial_send(struct dial *d, const void *msg, int len)
{
	long n = raw_sendto(d->fd, msg, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);

	if (n < 0)
		return (int)n;
	return n == len ? 0 : -EMSGSIZE;
}

int dial_interface(const struct dial *d)
{
	union flow_address own;
	socklen_t len = sizeof(own);

	if (d->path.ifindex || d->fd < 0 || raw_getsockname(d->fd, &own.sa, &len) < 0)
		return d->path.ifindex;
	return choose_interface(&own);
}

bool dial_usable(const struct dial *d)
{
	int ifindex = dial_interface(d);
	bool usable = true;

	return !ifindex || !mif_interface(agent_monitor(), ifindex, NULL, NULL, &usable) || usable;
}

int dial_take(struct dial *d)
{
	int fd = d->fd;

	d->fd = -1;
	return fd;
}

void dial_close(struct dial *d)
{
	own_close(dial_take(d));
}
