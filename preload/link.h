/* SPDX-License-Identifier: MIT */
/*
 * The association with one relay and its control connection. Agent only; never blocks.
 *
 * A link is made at the first session towards a relay and lives as long as the process. Its control
 * connection moves between paths on its own: flows do not wait for it.
 */
#ifndef PRELOAD_LINK_H
#define PRELOAD_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/dial.h"
#include "preload/fastopen.h"
#include "preload/flow.h"
#include "preload/places.h"
#include "preload/waits.h"
#include "session/client.h"

struct link;

/* The link to the relay that this rule gives this peer, new or old. NULL: no room for another. */
struct link *link_to(const struct pol_rule *rule, const union flow_address *peer);

/*
 * Is it known where the relay is? 0: yes. -EINPROGRESS: its name is being looked up (begun here);
 * else why it is not to be had.
 */
int link_located(struct link *l);

/* Begins the first contact unless it is made or under way. */
void link_begin(struct link *l);

/* The association, NULL until the first contact is made. */
struct ses_assoc *link_assoc(struct link *l);

/* The relay could not be reached a short while ago: do not make the program wait for it again. */
bool link_shunned(const struct link *l);

/* True once the first contact is known to have failed. */
bool link_failed(const struct link *l);

/* Marks the relay as unusable for a while. */
void link_shun(struct link *l);

/* Sends a frame, or remembers nothing: after a new control connection every flow's state is told
 * again. */
void link_send(struct link *l, const struct ses_frame *f);

/*
 * A session that is thrown away, be it an OPEN that nobody waits for any more or a close() that
 * resets: the relay is told, now and over each further control connection, so that the service is
 * not left with a connection that nobody uses.
 */
void link_give_up(struct link *l, uint64_t sid);

/*
 * Where the relay is to be dialled: where it said it is at home, else where the policy has it. The
 * other family's address where there is one and the first is not reached by this path; never NULL.
 */
const union flow_address *link_relay(const struct link *l);
bool link_address(const struct link *l, sa_family_t family, union flow_address *to);

/* All of its addresses, the one of link_relay() first. */
void link_places(const struct link *l, struct places *p);

/* And how NAT64 translators reach them. */
void link_all_places(const struct link *l, struct places *p);

/* The addresses at which a session may be resumed, as the relay says: one of the other family leads
 * the control connection there, too. */
void link_learn(struct link *l, const struct ses_client *ses);

/* Is this connection (its far end) one to where the relay is at home? */
bool link_at_home(const struct link *l, int fd);

/* The relay's name, for messages. */
const char *link_name(const struct link *l);

/* The key the client shows it; NULL: none. */
const struct ses_identity *link_identity(const struct link *l);

/* Is the relay to resolve names itself? Only where the policy gives one by address or name. */
bool link_gateway(const struct link *l);

/* Why the relay is not to be used although it answers; NULL: it is. */
const char *link_refusal(const struct link *l);

/* What is known of Fast Open towards it; the caller keeps it up to date. */
struct fastopen_table *link_fastopen(struct link *l);

/* Takes the connection that is held ready on this path into `d`; false: there is none. */
bool link_standby(struct link *l, const struct mif_path *path, struct dial *d);

/* On which interface a loss costs one round trip only, by such a connection or by Fast Open; "":
 * none. */
const char *link_spare(const struct link *l, bool *fast);

/*
 * Does anything come back over this path? The relay is asked over the control connection, if that
 * is there; without an answer for so many ms the path is doubted (pulse_doubt()).
 */
void link_ask(struct link *l, int ifindex, int patience_ms);

/* A flow has come, moved or gone: is what is held ready still what is needed? */
void link_stir(struct link *l);

/* Something changed (MIF event): look whether the control connection should move. */
void links_review(void);

/* The machine has slept: control connections are made anew. */
void links_slept(void);

/* Does the path over this interface still work? Every relay that is talked to over it is asked. */
void links_ask(int ifindex);

/* An interface has a new address, or came back: it may be in another network now. */
void links_path_new(int ifindex);

void links_wait(struct waits *w);
void links_step(const struct waits *w);

/*
 * At exit(), with the agent parked: tells the relays that the process is over. A FIN alone could be
 * that of a box in between, and is believed only after some seconds.
 */
void links_farewell(void);

/* In a forked child, and for no other use: wipes keys, forgets descriptors (they are closed
 * elsewhere). */
void links_forget(void);

/* Called for each frame that arrives. */
typedef void link_frame_fn(struct link *l, const struct ses_frame *f);
/* Called when a control connection (the first or a further one) is up: tell the state of every flow
 * again. */
typedef void link_up_fn(struct link *l);
void links_set_handlers(link_frame_fn *frame, link_up_fn *up);

#endif
