/* SPDX-License-Identifier: MIT */
/*
 * What mifcontd and its clients say to each other (mifcontd(8)). Pure.
 *
 * A record, one message of a SOCK_SEQPACKET socket, holds netlink messages: the kernel's own about
 * links, addresses and routes, so that they go into the same table by the same way, and those
 * below. A connection begins with HELLO; then comes all there is, between BEGIN and END, then what
 * changes, and again all there is whenever the client has not kept up.
 */
#ifndef MONITOR_SHARED_H
#define MONITOR_SHARED_H

#include <linux/netlink.h>

#include "monitor/mirror.h"
#include "monitor/pvd.h"

#define SHARED_SOCKET "/run/mifcont/mifcontd.sock"
#define SHARED_VERSION 1
#define SHARED_RECORD 16384 /* as long as a record may be */
#define SHARED_MESSAGE 2048 /* as long as one message gets */

enum shared_type {
	SHARED_HELLO = 0x4d00, /* uint32 version, uint64 cookie of the network namespace */
	SHARED_BEGIN,
	SHARED_END,
	SHARED_NEW_ITEM, /* of a provisioning domain: attributes below */
	SHARED_DEL_ITEM,
	SHARED_ASK, /* from the client: uint32 interface, the state of which it wants to know now */
	SHARED_ANSWER, /* it has been told by now */
	SHARED_CHECK,  /* either way: what a connectivity check has found, struct shared_check */
};

/*
 * One process's finding, for the others of its user: what `says` means is theirs, but that 0 is:
 * somebody is about to find out. `question` tells what was asked.
 */
struct shared_check {
	uint64_t question;
	int32_t ifindex;
	uint32_t says;
	uint32_t age_ms; /* of the finding */
	uint32_t unused;
};

/* --- for the service: each writes one message to `buf` (SHARED_MESSAGE bytes, aligned for
 * uint32_t) and returns its length. What is `gone` is named by its key alone. --- */

size_t shared_hello(void *buf, uint64_t network);
size_t shared_mark(void *buf, enum shared_type type);
size_t shared_link(void *buf, const struct if_link *l, bool gone);
size_t shared_address(void *buf, const struct if_address *a, bool gone);
size_t shared_route(void *buf, const struct if_route *r, bool gone);
size_t shared_item(void *buf, const struct pvd_key *of, enum pvd_source source,
                   const struct pvd_item *item, bool gone);
size_t shared_unreached(void *buf, int ifindex, sa_family_t family, const uint8_t router[16]);
size_t shared_ask(void *buf, int ifindex);
size_t shared_check(void *buf, const struct shared_check *c);

/* The interface a client's record asks for; 0: it is no such record. */
int shared_asked(const void *record, size_t len);

/* Its finding; false: it is no such record. */
bool shared_checked(const void *record, size_t len, struct shared_check *out);

/* --- for the client --- */

#define SHARED_EARLY 16

enum shared_state { SHARED_NEW, SHARED_GREETED, SHARED_LOADING, SHARED_LIVE };

struct shared {
	struct mirror *mirror;
	struct pvd_table *domains;
	uint64_t network;                                         /* ours */
	void (*checked)(void *ctx, const struct shared_check *c); /* may be NULL */
	void *checked_ctx;
	struct shared_check early[SHARED_EARLY]; /* heard before anybody was there to listen */
	unsigned earlies;
	enum shared_state state;
	unsigned answers;          /* to what was asked, so far */
	struct heard_item *loaded; /* items between BEGIN and END: they count when all are there */
	unsigned count, room;
};

#define SHARED_ITEMS 65536 /* more are let go */

/*
 * One record. From BEGIN on the mirror is fed (mirror_feed()). 0, or a negative errno: this is no
 * service for us (-EXDEV: it is in another network namespace, -EPROTO); then the caller closes the
 * connection and calls shared_lost().
 */
int shared_receive(struct shared *s, const void *record, size_t len, int64_t now);

/*
 * The service is gone: the mirror is to look for itself again. What routers said of the implicit
 * domains stays for as long as it was said to hold, as if the kernel had passed it on.
 */
void shared_lost(struct shared *s, int64_t now);

void shared_free(struct shared *s);

#endif
