/* SPDX-License-Identifier: MIT */
/*
 * Keeping the table true. Sans-I/O: the owner feeds what the two sockets gave and sends the dump
 * requests it is asked to send.
 *
 * Subscribe first, then dump links, addresses and routes on another socket. Events are applied the
 * moment they are read, also during a dump. A dump that was interrupted is repeated; after an
 * overrun of the event socket everything is dumped again and the difference told. IPv4 routes
 * vanish without a word when an interface goes down or loses its last address, so routes are dumped
 * again shortly after every change of a link and every end of an address.
 */
#ifndef MONITOR_MIRROR_H
#define MONITOR_MIRROR_H

#include "monitor/domains.h"
#include "monitor/table.h"

enum mirror_phase { MIRROR_IDLE, MIRROR_LINKS, MIRROR_ADDRESSES, MIRROR_ROUTES4, MIRROR_ROUTES6 };

struct mirror {
	struct iftable table;
	struct domains *domains; /* NULL: nobody wants them */
	mif_event_fn *fn;
	void *ctx;
	enum mirror_phase phase;
	bool asked; /* the request of this phase is out */
	bool interrupted;
	bool partial; /* some phase of this round was given up */
	bool whole;   /* this round is not of routes alone */
	int tries;
	uint32_t seq;
	bool want_all, want_routes; /* another round, once this one is over */
	int64_t due;                /* not before that */
	int64_t deadline;           /* for an answer */
	unsigned answers;           /* how long this round's answers were */
	bool enumerated;            /* the first round is over: events are told */
	bool fed, feeding;          /* see mirror_feed() */
};

/* A dump request for the owner to send. */
struct mirror_request {
	uint16_t type; /* RTM_GETLINK ... */
	sa_family_t family;
	uint32_t seq;
};

void mirror_init(struct mirror *m, mif_event_fn *fn, void *ctx);
void mirror_free(struct mirror *m);

/* What one recvmsg() on the event socket, or on the dump socket, gave. */
void mirror_events(struct mirror *m, const void *buf, size_t len, int64_t now);
void mirror_answers(struct mirror *m, const void *buf, size_t len, int64_t now);

/* The event socket lost something (ENOBUFS, a message cut short); an answer on the dump socket did.
 */
void mirror_overrun(struct mirror *m);
void mirror_answer_lost(struct mirror *m);

/*
 * Is there a request to be sent now? Only to be asked when the event socket has been read empty:
 * events older than the request must not count as newer than its answer. If sending fails, say so.
 */
bool mirror_request(struct mirror *m, int64_t now, struct mirror_request *r);
void mirror_not_sent(struct mirror *m, int64_t now);

/* When mirror_request() is to be called even without input (may be in the past); -1: never. */
int64_t mirror_due(const struct mirror *m);

/*
 * Instead of the sockets: somebody else's table, message by message. First all there is, between
 * mirror_feed() and mirror_fed(), which tells the difference; from there on each message is an
 * event, and nothing is asked of the kernel. mirror_unfeed(): that has ended, the mirror is to
 * dump everything and to tell the difference.
 */
struct nlmsghdr;
void mirror_feed(struct mirror *m);
void mirror_feed_one(struct mirror *m, const struct nlmsghdr *message,
                     int64_t now); /* rtparse_whole() holds */
void mirror_fed(struct mirror *m);
void mirror_unfeed(struct mirror *m);

/* At the end of a turn: tells of changed routes; and then frees what is gone. */
void mirror_tell_routes(struct mirror *m);
void mirror_flush(struct mirror *m);

#endif
