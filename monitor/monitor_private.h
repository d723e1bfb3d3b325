/* SPDX-License-Identifier: MIT */
/* Between the files of the monitor alone. */
#ifndef MONITOR_MONITOR_PRIVATE_H
#define MONITOR_MONITOR_PRIVATE_H

#include "monitor/mirror.h"
#include "monitor/monitor.h"
#include "monitor/netlink.h"
#include "monitor/served.h"

struct mif_monitor {
	struct rtsock events, dumps;
	struct mirror mirror;
	struct domains domains;
	mif_domains_fn *domains_fn;
	void *domains_ctx;
	mif_event_fn *fn;
	void *ctx;
	struct served served;
	mif_check_fn *check_fn;
	void *check_ctx;
	int (*move)(int fd);
	void (*close)(int fd);
	void (*begin)(void);
	void (*end)(void);
	bool news; /* something was heard of the kernel since a service was last looked for */
	int error; /* for good: a socket was taken away */
	bool more; /* the event socket was not read empty: call again at once */
	uint32_t buf[RTSOCK_BUFFER / sizeof(uint32_t)];
};

/* Opens what is not open yet, and closes one. 0 or negative errno. */
int monitor_open_netlink(struct mif_monitor *m);
int monitor_open_dumps(struct mif_monitor *m);
void monitor_close_one(struct mif_monitor *m, struct rtsock *s);
/* Around the making of descriptors: see mif_monitor_tell_fds(). */
void monitor_begin(const struct mif_monitor *m);
void monitor_end(const struct mif_monitor *m);
void monitor_move_one(struct rtsock *s, int (*move)(int fd));

#endif
