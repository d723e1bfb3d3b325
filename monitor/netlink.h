/* SPDX-License-Identifier: MIT */
/*
 * The two rtnetlink sockets. Plain non-blocking descriptors rather than mnl_sockets: the owner
 * of the process may give them other numbers.
 */
#ifndef MONITOR_NETLINK_H
#define MONITOR_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* As large as the kernel fills when it dumps. */
#define RTSOCK_BUFFER 32768

struct rtsock {
	int fd;
	uint64_t inode; /* of the socket: so that a number closed behind our back is noticed */
};

/* Open for events (subscribed to links, addresses and routes), or for dumps. 0 or negative errno.
 */
int rtsock_open_events(struct rtsock *s);
int rtsock_open_dumps(struct rtsock *s);
void rtsock_close(struct rtsock *s);

/* Is the descriptor still the socket we opened? */
bool rtsock_intact(const struct rtsock *s);

/*
 * One datagram from the kernel; anybody else's is thrown away. Its length, or -EAGAIN (none),
 * -ENOBUFS (something was lost), -EMSGSIZE (cut short), or another negative errno. Never blocks.
 */
ssize_t rtsock_receive(const struct rtsock *s, void *buf, size_t size);

/* Ask for a dump; for the state of one link (the answer looks like an event). 0 or negative errno.
 */
int rtsock_dump(const struct rtsock *s, uint16_t type, sa_family_t family, uint32_t seq);
int rtsock_ask_link(const struct rtsock *s, int ifindex);

/* For the link-layer address of a neighbour; the answer looks like an event, too. */
int rtsock_ask_neighbour(const struct rtsock *s, int ifindex, sa_family_t family, const void *ip);

/* Subscribe to the router advertisements' options that the kernel hands on. 0 or negative errno. */
int rtsock_hear_options(const struct rtsock *s);

#endif
