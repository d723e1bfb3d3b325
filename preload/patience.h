/* SPDX-License-Identifier: MIT */
/*
 * For how long is a lost path waited out where nothing but a prompt error is possible? Pure. A
 * connection whose address comes back in time goes on by itself; one whose address is gone for good
 * says nothing for many minutes, and its program could long have begun anew.
 */
#ifndef PRELOAD_PATIENCE_H
#define PRELOAD_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

struct patience {
	bool told;       /* the policy wants a prompt error */
	bool recognised; /* TLS or SSH: ends that are no ends are noticed, and can be begun anew */
	int outage_ms, gone_ms; /* of the policy */

	int64_t lost_ms; /* for how long the path is gone */
	bool unacked;    /* something that was sent is not acknowledged */
	bool unread;     /* something has come that the program has not read */
	int64_t sent_ms; /* since data was sent last, and since data came last */
	int64_t came_ms;
};

#define PATIENCE_IDLE (-1)

/*
 * 0: the connection is to be reset, now that another path is there. Else ask again in so many ms;
 * PATIENCE_IDLE: not before something is outstanding.
 */
int64_t patience_left(const struct patience *p);

#endif
