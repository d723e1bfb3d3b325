/* SPDX-License-Identifier: MIT */
#include "service/advert.h"

#include <errno.h>
#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "monitor/table.h"
#include "service/chance.h"
#include "service/loop.h"

/* RFC 4861, 10. */
#define SOLICITATIONS 3
#define SOLICITATION_MS 4000
#define FIRST_MS 1000

#define AT_ONCE 64
#define INTERFACES 1024
#define A_SECOND 100 /* advertisements of one interface that are looked at */

static struct interface {
	int ifindex; /* 0: free */
	int asks;    /* still to be made */
	int64_t due;
	int heard; /* advertisements, since */
	int64_t since;
} interfaces[INTERFACES];

static struct watch socket_watch = {.fd = -1};
static struct mif_monitor *monitor;
static advert_fn *tell;

static struct interface *of(int ifindex)
{
	for (int i = 0; i < INTERFACES; i++)
		if (interfaces[i].ifindex == ifindex)
			return &interfaces[i];
	return NULL;
}

int advert_open(void)
{
	struct icmp6_filter only;
	int on = 1, queue = 256 * 1024;
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6);

	if (fd < 0)
		return -errno;
	ICMP6_FILTER_SETBLOCKALL(&only);
	ICMP6_FILTER_SETPASS(ND_ROUTER_ADVERT, &only);
	if (setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &only, sizeof(only)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on)) < 0) {
		int e = -errno;

		close(fd);
		return e;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof(queue));
	socket_watch.fd = fd;
	return 0;
}

/* --- what comes in --- */

static bool too_many(int ifindex, int64_t now)
{
	struct interface *i = of(ifindex);

	if (!i)
		return true;
	if (now - i->since >= 1000) {
		i->since = now;
		i->heard = 0;
	}
	i->asks = 0; /* a router has spoken */
	return ++i->heard > A_SECOND;
}

static void heard(const struct msghdr *msg, const void *packet, size_t len)
{
	static struct ra ra;
	const struct sockaddr_in6 *from = msg->msg_name;
	int hops = -1, ifindex = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR((struct msghdr *)msg, c)) {
		if (c->cmsg_level != IPPROTO_IPV6)
			continue;
		if (c->cmsg_type == IPV6_HOPLIMIT && c->cmsg_len == CMSG_LEN(sizeof(hops))) {
			memcpy(&hops, CMSG_DATA(c), sizeof(hops));
		} else if (c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo to;

			memcpy(&to, CMSG_DATA(c), sizeof(to));
			ifindex = (int)to.ipi6_ifindex;
		}
	}
	/* A lower hop limit: it came from elsewhere, and no router may pass it on. */
	if (hops != 255 || ifindex <= 0 || !IN6_IS_ADDR_LINKLOCAL(&from->sin6_addr))
		return;
	/* Our own, where this machine is a router. */
	if (mif_interface_of(monitor, AF_INET6, &from->sin6_addr) == ifindex)
		return;
	if (too_many(ifindex, clock_ms()) || ra_parse(packet, len, &ra) < 0)
		return;
	tell(ifindex, from->sin6_addr.s6_addr, &ra);
}

static void on_socket(void *ctx, int fd, uint32_t events)
{
	static uint8_t packet[65536];

	(void)ctx;
	(void)events;
	for (int i = 0; i < AT_ONCE; i++) {
		_Alignas(struct cmsghdr) char control[256];
		struct sockaddr_in6 from;
		struct iovec iov = {packet, sizeof(packet)};
		struct msghdr msg = {
		    .msg_name = &from,
		    .msg_namelen = sizeof(from),
		    .msg_iov = &iov,
		    .msg_iovlen = 1,
		    .msg_control = control,
		    .msg_controllen = sizeof(control),
		};
		ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

		if (n < 0)
			return;
		if (!(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
			heard(&msg, packet, (size_t)n);
	}
}

/* --- asking --- */

static void solicit(int ifindex)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_scope_id = (uint32_t)ifindex};
	const struct nd_router_solicit rs = {.nd_rs_type = ND_ROUTER_SOLICIT};
	int hops = 255;

	inet_pton(AF_INET6, "ff02::2", &to.sin6_addr);
	setsockopt(socket_watch.fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops));
	/* No address yet, no IPv6: the next time, or never. */
	if (sendto(socket_watch.fd, &rs, sizeof(rs), MSG_DONTWAIT, (struct sockaddr *)&to,
	           sizeof(to)) < 0)
		log_debug("interface %d: no solicitation: %s", ifindex, strerror(errno));
}

void advert_event(const struct mif_event *ev, int64_t now)
{
	struct interface *i = of(ev->ifindex);
	bool usable = false;

	if (!monitor)
		return;

	switch (ev->type) {
	case MIF_INTERFACE_ANNOUNCEMENT:
	case MIF_INTERFACE_GOING_UP:
		if (!i && (i = of(0)) != NULL)
			*i = (struct interface){.ifindex = ev->ifindex};
		if (!i || !mif_interface(monitor, ev->ifindex, NULL, NULL, &usable) || !usable)
			return;
		i->asks = SOLICITATIONS;
		i->due = now + (int64_t)chance(FIRST_MS);
		break;
	case MIF_INTERFACE_GOING_AWAY:
		if (i)
			i->asks = 0;
		break;
	case MIF_NO_INTERFACE_ANNOUNCEMENT:
		if (i)
			*i = (struct interface){.ifindex = 0};
		break;
	default:
		break;
	}
}

void advert_step(int64_t now)
{
	for (int i = 0; i < INTERFACES; i++) {
		struct interface *f = &interfaces[i];

		if (!f->ifindex || !f->asks || now < f->due)
			continue;
		solicit(f->ifindex);
		f->asks--;
		f->due = now + SOLICITATION_MS;
	}
}

int64_t advert_due(void)
{
	int64_t due = -1;

	for (int i = 0; i < INTERFACES; i++)
		if (interfaces[i].ifindex && interfaces[i].asks &&
		    (due < 0 || interfaces[i].due < due))
			due = interfaces[i].due;
	return due;
}

int advert_start(struct mif_monitor *m, advert_fn *fn)
{
	struct mif_event there = {.type = MIF_INTERFACE_ANNOUNCEMENT};

	monitor = m;
	tell = fn;
	for (const struct if_link *l = mif_monitor_table(m)->links; l; l = l->hh.next) {
		there.ifindex = l->ifindex;
		if (!(l->flags & IFF_LOOPBACK) && !l->port)
			advert_event(&there, clock_ms());
	}
	socket_watch.ready = on_socket;
	return loop_watch(&socket_watch, EPOLLIN) ? 0 : -errno;
}
