/* SPDX-License-Identifier: MIT */
/* Being served by mifcontd: when to connect, when to give up, and when to try again. */
#ifndef MONITOR_SERVED_H
#define MONITOR_SERVED_H

#include "monitor/service.h"
#include "monitor/shared.h"

struct served {
	struct rtsock socket;
	struct shared shared;
	bool never;        /* not wanted */
	bool known;        /* there was one in this process's life: it may come back any time */
	int64_t deadline;  /* by which all there is must have been told */
	int64_t again;     /* no attempt before that */
	int64_t pause;     /* before the next one */
	unsigned asked;    /* questions, see shared.answers */
	int64_t answer_by; /* to the last of them */
};

void served_init(struct served *s, struct mirror *mirror, struct pvd_table *domains);

/* Connects if there is something to connect to, and it is time to try. True: connected just now. */
bool served_try(struct served *s, int64_t now);

static inline bool served_connected(const struct served *s)
{
	return s->socket.fd >= 0;
}

/* All there is has been told. */
static inline bool served_live(const struct served *s)
{
	return s->shared.state == SHARED_LIVE;
}

/*
 * Reads what there is, at most `reads` records. False: the service is lost, served_lost() has to
 * be called.
 */
bool served_read(struct served *s, void *buf, size_t size, int reads, int64_t now);

/* The socket has been closed: the mirror looks for itself again, and another attempt is due later.
 */
void served_lost(struct served *s, int64_t now);

/* About one interface, now. */
int served_ask(struct served *s, int ifindex, int64_t now);

/* When served_read() or served_try() have something to do without input; -1: never. */
int64_t served_due(const struct served *s);

#endif
