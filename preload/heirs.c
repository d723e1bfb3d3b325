/* SPDX-License-Identifier: MIT */
#include "preload/heirs.h"

#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/own.h"
#include "preload/raw.h"
#include "preload/survey.h"

#define FIRST_MS 50   /* from one look to the next, at first, */
#define LAST_MS 5000  /* and at last */
#define TURN_MS 2     /* from one part of a look to the next */
#define BLIND_MS 2000 /* where it cannot be told who has what they have so long to come */

void heirs_note(struct flow *f)
{
	uint64_t inode = __atomic_load_n(&f->inode, __ATOMIC_RELAXED);

	for (unsigned i = 0; i < FLOW_KIN; i++)
		if (f->kin[i] == inode)
			return;
	f->kin[f->kins++ % FLOW_KIN] = inode;
}

void heirs_note_all(void)
{
	for (unsigned i = 0; i < flow_count(); i++) {
		struct flow *f = flow_at(i);
		uint32_t s = atomic_load(&f->state);

		if (f->kind == FLOW_SESSION && s != FLOW_FREE && s != FLOW_ENDED &&
		    s != FLOW_INHERITED && !f->stands_in)
			heirs_note(f);
	}
}

static void stand(struct flow *f, int fd)
{
	f->heirs_since_ms = clock_ms();
	f->heirs_ms = 0;
	f->heirs_pause_ms = FIRST_MS;
	f->heirs_told = false;
	__atomic_store_n(&f->fd[0], fd, __ATOMIC_RELAXED);
	__atomic_store_n(&f->fds, 1, __ATOMIC_RELAXED);
	/* Now the agent may look. */
	__atomic_store_n(&f->stands_in, true, __ATOMIC_RELEASE);
}

/* Is what is on the descriptor all that relatives can have, and what the flow goes on by? */
static bool all_the_same(const struct flow *f)
{
	for (unsigned i = 0; i < FLOW_KIN; i++)
		if (f->kin[i] && f->kin[i] != f->inode)
			return false;
	return !atomic_load(&f->carried) && f->old_fd < 0 && !f->move &&
	       atomic_load(&f->share) != SHARE_ASKED && atomic_load(&f->state) != FLOW_CONNECTING;
}

bool heirs_stand_in(struct flow *f, int fd)
{
	uint32_t s = atomic_load(&f->state);

	if (f->kind != FLOW_SESSION || f->fds != 1 || f->fd[0] != fd || f->stands_in ||
	    !atomic_load(&f->shared) || s == FLOW_INHERITED || s == FLOW_ENDED || s == FLOW_FREE ||
	    (s == FLOW_CONNECTING && !f->nonblocking_dial))
		return false;
	/* Of that the kernel tells by itself: see kin_before_close(). */
	if (all_the_same(f) || !flow_owns(f, fd))
		return false;
	int ours = own_copy(fd);

	if (ours < 0)
		return false;
	flow_mark(fd, NULL);
	stand(f, ours);
	return true;
}

void heirs_stand_in_for(struct flow *f, int fd)
{
	int ours = own_copy(fd);

	if (ours < 0)
		return;
	__atomic_store_n(&f->inode, raw_inode(ours), __ATOMIC_RELAXED);
	stand(f, ours);
}

/* --- looking --- */

static bool looking;
static int64_t turn_ms; /* when it goes on */
static struct survey survey;
static struct flow *asked[SURVEY_SOCKETS];
static uint32_t asked_id[SURVEY_SOCKETS];

static void add(struct flow *f, uint64_t inode)
{
	if (!inode || survey.n == SURVEY_SOCKETS)
		return;
	survey.inode[survey.n] = inode;
	asked_id[survey.n] = f->id;
	asked[survey.n++] = f;
}

static bool due(const struct flow *f, int64_t now)
{
	return f->stands_in && f->fds && now >= f->heirs_ms;
}

/* For as many as there is room for; the others are due still. */
static void gather(int64_t now)
{
	memset(&survey, 0, sizeof(survey));
	for (unsigned i = 0; i < flow_count(); i++) {
		struct flow *f = flow_at(i);

		if (!due(f, now) || survey.n + FLOW_KIN + 2 > SURVEY_SOCKETS)
			continue;
		for (unsigned k = 0; k < FLOW_KIN; k++)
			add(f, f->kin[k]);
		add(f, raw_inode(f->fd[0]));
		f->heirs_found = false;
		f->heirs_ms = now + f->heirs_pause_ms;
		f->heirs_pause_ms =
		    f->heirs_pause_ms < LAST_MS / 2 ? 2 * f->heirs_pause_ms : LAST_MS;
	}
}

static void settle(int64_t now)
{
	for (int i = 0; i < survey.n; i++) {
		struct flow *f = asked[i];

		if (f->id != asked_id[i] || !f->stands_in)
			continue;
		bool found = survey.blind ? now - f->heirs_since_ms < BLIND_MS : survey.found[i];

		f->heirs_found |= found;
		f->heirs_told = true;
	}
}

bool heirs_gone(struct flow *f, int64_t now, struct waits *w)
{
	if (!f->stands_in || !f->fds)
		return false;
	if (!looking && due(f, now)) {
		gather(now);
		looking = survey.n > 0;
		turn_ms = now;
	}
	if (looking && now >= turn_ms) {
		if (survey_turn(&survey)) {
			looking = false;
			settle(now);
		}
		turn_ms = clock_ms() + TURN_MS;
	}
	waits_until(w, looking ? turn_ms : f->heirs_ms);
	if (!f->heirs_told)
		return false;
	f->heirs_told = false;
	if (!f->heirs_found)
		log_debug("flow %u: no other process has it any more", f->id);
	return !f->heirs_found;
}

void heirs_forget(void)
{
	looking = false;
}
