/* SPDX-License-Identifier: MIT */
/*
 * The connection that a link holds ready on the path a loss would take, so that the first flow that
 * loses its own asks for its session at once. Agent only; never blocks.
 *
 * It is made once, some time after the first session, and then silent: no timer, no packet. Whether
 * it still reaches the relay is known when it is used, so who uses it dials the relay beside it.
 */
#ifndef PRELOAD_STANDBY_H
#define PRELOAD_STANDBY_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/dial.h"
#include "preload/waits.h"

struct link;

enum standby_state { STANDBY_NONE, STANDBY_DIALLING, STANDBY_ASKED, STANDBY_READY };

struct standby {
	enum standby_state state;
	struct dial dial;
	int64_t due_ms;   /* to be thought about; 0: not before something happens */
	int64_t begun_ms; /* when the last one was begun */
	bool fast;        /* none is needed: Fast Open works on that path */
	char name[IFNAMSIZ];
};

/* The link is new. */
void standby_init(struct standby *s);

/* Something changed that may matter: flows, paths, the policy. Looked at a moment later. */
void standby_stir(struct link *l);

/* The network changed: one whose path is gone is thrown away now. */
void standby_review(struct link *l);

/* It is of no use any more. */
void standby_drop(struct link *l);

void standby_wait(struct link *l, struct waits *w);
void standby_step(struct link *l, const struct waits *w);

/* Takes the connection that is ready on this path into `d`; false: there is none. */
bool standby_take(struct link *l, const struct mif_path *path, struct dial *d);

/* Its interface, "" for none; for status. */
const char *standby_interface(const struct link *l, bool *fast);

#endif
