/* SPDX-License-Identifier: MIT */
/*
 * One TCP connection being made, and the protocol message read from it. Agent only; never blocks.
 */
#ifndef PRELOAD_DIAL_H
#define PRELOAD_DIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/monitor.h"
#include "preload/flow.h"
#include "preload/waits.h"
#include "session/client.h"

struct dial {
	int fd; /* -1: no dial */
	bool connected;
	bool fast;            /* what was to be said first left in the SYN */
	struct mif_path path; /* ifindex 0: not bound, the host's routing decides */
	int64_t since_ms;
	uint8_t in[SES_MSG_MAX];
	size_t got;
	int slot;
};

/*
 * Starts to connect to `to`. With a path the socket is bound to its device and source address; that
 * takes a route through the device (mif_paths gives no other), otherwise the kernel would take the
 * peer for a neighbour. Negative errno: it failed at once.
 */
int dial_start(struct dial *d, const union flow_address *to, const struct mif_path *path);

/*
 * The same with a first message in the SYN (TCP Fast Open without a cookie), where this host has it
 * switched on. d->fast says whether it left; if not it is to be sent once connected, as ever. A
 * relay that does not take it is sent it again by the kernel, at once; a box that eats such SYNs
 * costs a second. Only for what may arrive twice.
 */
int dial_start_saying(struct dial *d, const union flow_address *to, const struct mif_path *path,
                      const void *msg, int len);

/* Has the far end answered the SYN? And did it take what was in it? */
bool dial_established(const struct dial *d);
bool dial_heard(const struct dial *d);

void dial_wait(struct dial *d, struct waits *w);

/* 0: connected. -EINPROGRESS: not yet. Else why it failed. */
int dial_progress(struct dial *d, const struct waits *w);

/*
 * Reads on until one whole message is in d->in; nothing behind it is taken from the kernel.
 * Its length; 0: not yet; negative errno (-EBADMSG, -ECONNRESET for an early end, ...).
 */
int dial_message(struct dial *d);

/* Sends all or fails: for messages into the empty buffer of a fresh connection. */
int dial_send(struct dial *d, const void *msg, int len);

void dial_close(struct dial *d);

/* The interface it leaves by, also while it is still connecting; 0: unknown. */
int dial_interface(const struct dial *d);

/* Is the path it takes there at all, as far as is known? */
bool dial_usable(const struct dial *d);

/* Takes the connection out of the dial; the caller has it now. */
int dial_take(struct dial *d);

union flow_address address_of(const struct ses_addr *a);
struct ses_addr address_to_session(const union flow_address *a);
socklen_t address_len(const union flow_address *a);
uint16_t address_port(const union flow_address *a);
const void *address_ip(const union flow_address *a, sa_family_t *family);

#endif
