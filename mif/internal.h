/* SPDX-License-Identifier: MIT */
/* What a handle of libmif is made of. */
#ifndef MIF_INTERNAL_H
#define MIF_INTERNAL_H

#include <sys/types.h>

#include "monitor/mif.h"
#include "monitor/monitor.h"
#include "monitor/resolvers.h"
#include "monitor/subscriber.h"

#define MIF_TRANSLATIONS 64 /* outstanding at a time */
#define MIF_CONNECTIONS 256

/* A descriptor in the handle's epoll. */
struct watch {
	void (*ready)(struct watch *w, uint32_t events);
	void *arg;
	int fd;
};

struct translation;
struct connection;

struct mif {
	struct mif_monitor *monitor;
	struct resolvers resolvers;
	struct subscriber sub;
	struct translation *translations;
	struct connection *connections;
	unsigned translation_count, connection_count;
	mif_event_fn *tap;
	void *tap_ctx;
	int epoll, timer, wake;
	pid_t owner;      /* a forked child shares the epoll, and only closes */
	bool woken;       /* `wake` is readable */
	int64_t timer_ms; /* what the timer is set to */
	int polled[MIF_MONITOR_FDS + 1], polls; /* the monitor's descriptors and inotify */
};

/* mif_open(), which hands on the monitor's own events, too. `*m` is set before the first. */
int mif_open_tapped(struct mif **m, mif_event_fn *tap, void *ctx);

/* 0 or negative errno. */
int watch_add(struct mif *m, struct watch *w, uint32_t events);
int watch_change(struct mif *m, struct watch *w, uint32_t events);
void watch_remove(struct mif *m, struct watch *w);

/* A socket of one domain: bound to its interface, and to `source` where that has a family. */
int scope_socket(int fd, const char *device, const struct sockaddr_storage *source);

/* Translations, connections. Each step does what is due and says until when it can wait. */
int names_post(struct mif *m, const struct mif_message *msg);
void names_step(struct mif *m, int64_t now, int64_t *until);
void names_close(struct mif *m);
int connect_post(struct mif *m, const struct mif_message *msg);
void connect_step(struct mif *m, int64_t now, int64_t *until);
void connect_close(struct mif *m);

/* An address of the domain for a peer's or server's family, best first; their number. */
int scope_sources(struct mif *m, const struct domain *d, const struct sockaddr *peer,
                  struct sockaddr_storage *out, int max);

#endif
