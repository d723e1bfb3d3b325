/* SPDX-License-Identifier: MIT */
#include "preload/replay.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "preload/raw.h"
#include "preload/reopen.h"

#define TRIM_EVERY (1u << 18)
#define UNANSWERED 65536
#define PAGE UINT64_C(4096)

static enum pol_records kind_of(const struct flow *f)
{
	return f->rule ? f->rule->records : POL_RECORDS_NONE;
}

/*
 * The end of the last line up to `count`, searched backwards from there: all before it are whole,
 * and where the ring begins at the mark, so is what came before.
 */
static bool line_start(const struct flow *f, uint64_t count, uint64_t *start)
{
	const struct ring *r = &f->ring;

	for (uint64_t at = count; at > r->base; at--) {
		const void *p;

		if (!ring_peek(r, at - 1, &p))
			return false;
		if (*(const char *)p == '\n') {
			*start = at;
			return true;
		}
	}
	*start = r->base;
	return r->base == f->mark.at;
}

/* The greatest end of a record up to `count`, found from the mark on; `r` is left there. */
static bool record_start(const struct flow *f, uint64_t count, struct records *r, uint64_t *start)
{
	struct records on = f->mark;

	*r = f->mark;
	if (kind_of(f) == POL_RECORDS_LINE) {
		bool found = line_start(f, count, start);

		r->at = r->start = *start;
		return found;
	}
	while (on.at < count && !on.bad) {
		const void *p;
		size_t n;

		if (!ring_holds(&f->ring, on.at) || (n = ring_peek(&f->ring, on.at, &p)) == 0)
			return false;
		if (n > count - on.at)
			n = (size_t)(count - on.at);
		records_take(&on, kind_of(f), &f->rule->length, p, n);
		if (records_whole(&on))
			*r = on;
	}
	*start = r->at;
	return !on.bad && ring_holds(&f->ring, r->at);
}

/*
 * Of a dialogue with answers: what was acknowledged and not answered may have been lost behind the
 * peer's kernel, or its answer on the way. But not all protocols answer everything.
 */
static uint64_t owed_from(const struct flow *f, uint64_t acked)
{
	const struct opening *o = atomic_load(&f->opening);
	uint64_t answered = o ? atomic_load(&o->answered) : acked;

	return answered < acked && acked - answered <= UNANSWERED ? answered : acked;
}

bool replay_start(struct flow *f, const struct stream_counts *c, uint64_t *from)
{
	enum pol_replay how = f->rule ? f->rule->replay : POL_REPLAY_NONE;
	uint64_t acked = c->written - c->unacked;
	struct records r;

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
	const struct opening *o = atomic_load(&f->opening);

	if (reopen_stands(f, c))
		return false;
	if (kind_of(f) == POL_RECORDS_NONE)
		return true;
	/*
	 * What was not acknowledged in full, or nothing: but for the beginning of a record that the
	 * program has not finished, which nobody has had yet.
	 */
	if (!record_start(f, how == POL_REPLAY_NONE ? f->ring.tail : owed_from(f, acked), &r, from))
		return false;
	/* Its own beginning has been said already. */
	if (o && *from < o->end)
		*from = o->end;
	return true;
}

bool replay_between(struct flow *f)
{
	struct records r;
	uint64_t start = 0;

	if (kind_of(f) == POL_RECORDS_NONE || !atomic_load(&f->keeps))
		return true;
	if (!lock_try(&f->writing, thread_id()))
		return false;
	/* What cannot be told is found out when it matters. */
	bool between = !record_start(f, f->ring.tail, &r, &start) || start == f->ring.tail;

	lock_release(&f->writing);
	return between;
}

/* The pages that hold nothing but what has been forgotten go back. */
static void give_back(const struct ring *r, uint64_t from, uint64_t to)
{
	from = (from + PAGE - 1) & ~(PAGE - 1);
	to &= ~(PAGE - 1);
	while (from < to) {
		size_t at = (size_t)from & (r->cap - 1), n = (size_t)(to - from);

		n = n < r->cap - at ? n : r->cap - at;
		madvise(r->mem + at, n, MADV_DONTNEED);
		from += n;
	}
}

void replay_trim(struct flow *f, int fd, uint32_t gen)
{
	uint64_t tail = f->ring.tail, base = f->ring.base, start = 0;
	struct records r;
	int unacked = 0;

	if (tail - f->trimmed < TRIM_EVERY)
		return;
	/* Of the file that was written to, not of one that has taken its place. */
	if (raw_ioctl(fd, SIOCOUTQ, &unacked) < 0 || unacked < 0 || (uint64_t)unacked > tail ||
	    atomic_load(&f->hold) || atomic_load(&f->gen) != gen)
		return;
	f->trimmed = tail;
	start = owed_from(f, tail - (uint64_t)unacked);
	if (kind_of(f) != POL_RECORDS_NONE && !record_start(f, start, &r, &start))
		return;
	if (kind_of(f) != POL_RECORDS_NONE)
		f->mark = r;
	ring_confirm(&f->ring, start);
	give_back(&f->ring, base, start);
}
