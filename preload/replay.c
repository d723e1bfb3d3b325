/* SPDX-License-Identifier: MIT */
#include "preload/replay.h"

/*
 * The start of the record that holds the byte before `count`, searched backwards in the ring.
 * A record ends with a newline.
 */
static bool line_start(const struct ring *r, uint64_t count, uint64_t *start)
{
	for (uint64_t at = count; at > r->base; at--) {
		const void *p;

		if (!ring_peek(r, at - 1, &p))
			return false;
		if (*(const char *)p == '\n') {
			*start = at;
			return true;
		}
	}
	/* The first record of the stream begins where the stream does. */
	*start = 0;
	return r->base == 0;
}

bool replay_start(struct flow *f, const struct stream_counts *c, uint64_t *from)
{
	enum pol_replay how = f->rule ? f->rule->replay : POL_REPLAY_NONE;
	uint64_t acked = c->written - c->unacked;

	*from = f->ring.tail;
	/* Nothing is known of the protocol: only a connection nobody has used may be exchanged. */
	if (f->kind == FLOW_RESET)
		return c->written == 0 && c->read == 0 && c->unread == 0 && !c->peer_fin &&
		       !atomic_load(&f->begun);
	if (!atomic_load(&f->keeps))
		return c->written == 0 || how == POL_REPLAY_NONE;
	/* The hooks did not see all that was written: where records begin is not known. */
	if (c->written != f->ring.tail)
		return false;
	if (c->unacked == 0 || how == POL_REPLAY_NONE)
		return true;
	if (how == POL_REPLAY_LINE)
		return line_start(&f->ring, acked, from);
	/* Where a length-prefixed record begins cannot be told from its end. */
	return false;
}
