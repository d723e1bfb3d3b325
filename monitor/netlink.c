/* SPDX-License-Identifier: MIT */
#include "monitor/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the kernel may queue for us; without privilege it cuts this to net.core.rmem_max. It is used
 * only in a storm. */
#define QUEUE (1024 * 1024)
#define STRANGERS 16 /* datagrams not from the kernel thrown away at a time */

static int open_with(struct rtsock *s, uint32_t groups)
{
	struct sockaddr_nl own = {.nl_family = AF_NETLINK, .nl_groups = groups};
	struct stat st;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	s->fd = -1;
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0 || fstat(fd, &st) < 0) {
		int e = -errno;

		close(fd);
		return e;
	}
	s->fd = fd;
	s->inode = st.st_ino;
	return 0;
}

/* The messages' fields are in host order, and a filter's loads take them for network order. */
#define LOAD(size, at) BPF_STMT(BPF_LD | (size) | BPF_ABS, at)
#define TABLE_AT (NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_table))
#define FAILED_AT (NLMSG_HDRLEN + offsetof(struct ndmsg, ndm_state))

/*
 * Nobody is to be woken for nothing. Of the neighbours only those that do not answer are heard of:
 * of other changes a busy network has some each second. What was asked for comes with our own
 * number. And of the routes only those of the main table, for an address alone makes three others.
 */
static void hear_chosen(const struct rtsock *s)
{
	struct sock_filter code[] = {
	    LOAD(BPF_H, offsetof(struct nlmsghdr, nlmsg_type)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 1, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 2),
	    LOAD(BPF_B, TABLE_AT),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RT_TABLE_MAIN, 7, 6),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELNEIGH), 5, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWNEIGH), 0, 5),
	    LOAD(BPF_W, offsetof(struct nlmsghdr, nlmsg_pid)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3),
	    LOAD(BPF_H, FAILED_AT),
	    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htons(NUD_FAILED), 1, 0),
	    BPF_STMT(BPF_RET | BPF_K, 0),
	    BPF_STMT(BPF_RET | BPF_K, ~0u),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(*code), code};
	int group = RTNLGRP_NEIGH;

	/* Without the filter better nothing of the neighbours at all. */
	if (setsockopt(s->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0)
		setsockopt(s->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
}

int rtsock_open_events(struct rtsock *s)
{
	int queue = QUEUE;
	int r = open_with(s, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
	                         RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);

	if (r == 0) {
		if (setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof(queue)) < 0)
			setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof(queue));
		hear_chosen(s);
	}
	return r;
}

int rtsock_open_dumps(struct rtsock *s)
{
	int on = 1;
	int r = open_with(s, 0);

	/* Since Linux 4.20: the kernel then dumps the one routing table asked for. Else we sort it
	 * out. */
	if (r == 0)
		setsockopt(s->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return r;
}

bool rtsock_intact(const struct rtsock *s)
{
	struct stat st;

	return s->fd >= 0 && fstat(s->fd, &st) == 0 && S_ISSOCK(st.st_mode) &&
	       st.st_ino == s->inode;
}

void rtsock_close(struct rtsock *s)
{
	if (rtsock_intact(s))
		close(s->fd);
	s->fd = -1;
}

ssize_t rtsock_receive(const struct rtsock *s, void *buf, size_t size)
{
	for (int i = 0; i < STRANGERS; i++) {
		struct sockaddr_nl from = {.nl_family = AF_UNSPEC};
		struct iovec iov = {buf, size};
		struct msghdr msg = {
		    .msg_name = &from,
		    .msg_namelen = sizeof(from),
		    .msg_iov = &iov,
		    .msg_iovlen = 1,
		};
		ssize_t n = recvmsg(s->fd, &msg, MSG_DONTWAIT);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		/* Any process may send to a netlink socket; only the kernel has port 0. */
		if (msg.msg_namelen != sizeof(from) || from.nl_family != AF_NETLINK ||
		    from.nl_pid != 0)
			continue;
		return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
	}
	return -EAGAIN;
}

static int send_request(const struct rtsock *s, const struct nlmsghdr *nlh)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t n = sendto(s->fd, nlh, nlh->nlmsg_len, MSG_DONTWAIT | MSG_NOSIGNAL,
	                   (struct sockaddr *)&kernel, sizeof(kernel));

	return n < 0 ? -errno : 0;
}

static struct nlmsghdr *header(void *buf, uint16_t type, uint16_t flags, uint32_t seq)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = seq;
	return nlh;
}

int rtsock_dump(const struct rtsock *s, uint16_t type, sa_family_t family, uint32_t seq)
{
	uint32_t buf[64];
	struct nlmsghdr *nlh = header(buf, type, NLM_F_DUMP, seq);

	/* Strict checking wants the right header for each, and zeroes in it. */
	if (type == RTM_GETLINK) {
		mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
		mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	} else if (type == RTM_GETADDR) {
		struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

		ifa->ifa_family = (uint8_t)family;
	} else {
		struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

		rtm->rtm_family = (uint8_t)family;
		rtm->rtm_table = RT_TABLE_MAIN;
	}
	return send_request(s, nlh);
}

int rtsock_ask_link(const struct rtsock *s, int ifindex)
{
	uint32_t buf[64];
	struct nlmsghdr *nlh = header(buf, RTM_GETLINK, 0, 1);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_index = ifindex;
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return send_request(s, nlh);
}

int rtsock_ask_neighbour(const struct rtsock *s, int ifindex, sa_family_t family, const void *ip)
{
	uint32_t buf[64];
	struct nlmsghdr *nlh = header(buf, RTM_GETNEIGH, 0, 1);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(nlh, sizeof(*nd));

	nd->ndm_family = (uint8_t)family;
	nd->ndm_ifindex = ifindex;
	mnl_attr_put(nlh, NDA_DST, family == AF_INET ? 4 : 16, ip);
	return send_request(s, nlh);
}

int rtsock_hear_options(const struct rtsock *s)
{
	int group = RTNLGRP_ND_USEROPT;

	return setsockopt(s->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0
	           ? -errno
	           : 0;
}
