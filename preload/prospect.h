/* SPDX-License-Identifier: MIT */
/* What a handover now would do with a flow, for people. Agent only. */
#ifndef PRELOAD_PROSPECT_H
#define PRELOAD_PROSPECT_H

#include "preload/flow.h"
#include "preload/splice.h"

struct prospect {
	const char *means; /* by which it goes on: "session", "http", "records", ... or "none" */
	bool loses;        /* something, or the connection */
	char what[128];    /* becomes of it */
};

void prospect(struct flow *f, const struct stream_counts *c, struct prospect *p);

#endif
