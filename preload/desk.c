/* SPDX-License-Identifier: MIT */
#include "preload/desk.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "preload/heirs.h"
#include "preload/kin.h"
#include "preload/own.h"
#include "preload/pump.h"
#include "preload/raw.h"

#define CALLERS 64
#define ALIVE_MS 500 /* who has to wait is told so this often */

static struct caller {
	struct flow *flow; /* NULL: free */
	uint32_t id;
	int fd, given, slot;
	int64_t told_ms;
} callers[CALLERS];

/* False: it did not go out whole, or the caller is gone. */
static bool reply(int fd, enum kin_verdict verdict, const struct flow *f, int given)
{
	struct kin_answer a = {.verdict = (uint8_t)verdict};
	char room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec v = {&a, sizeof(a)};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};

	if (given >= 0) {
		m.msg_control = room;
		m.msg_controllen = sizeof(room);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &given, sizeof(int));
		a.peer = f->peer;
		a.local = f->local;
	}
	return raw_sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == (long)sizeof(a);
}

static void dismiss(struct caller *c)
{
	own_close(c->fd);
	own_close(c->given);
	*c = (struct caller){.fd = -1, .given = -1, .slot = -1};
}

void desk_take(int fd, const char *line, int given)
{
	struct flow *f = kin_wanted(line);

	for (int i = 0; f && i < CALLERS; i++) {
		if (callers[i].flow)
			continue;
		callers[i] = (struct caller){.flow = f,
		                             .id = f->id,
		                             .fd = fd,
		                             .given = given < 0 ? -1 : given,
		                             .slot = -1,
		                             .told_ms = clock_ms()};
		return;
	}
	reply(fd, KIN_NO, NULL, -1);
	own_close(given);
	own_close(fd);
}

/*
 * What is on the program's descriptors: an end of a pair, or, of a flow that cannot be carried, the
 * bare connection, since the relative's may be one that was left long ago. -EAGAIN: it is not
 * decided yet.
 */
static int end_for(struct caller *c)
{
	struct flow *f = c->flow;

	if (f->id != c->id || atomic_load(&f->state) == FLOW_FREE ||
	    atomic_load(&f->state) == FLOW_ENDED)
		return -ENOENT;
	int spare = pump_spare(f);

	if (spare >= 0)
		return spare;
	if (f->closed)
		return -ENOENT;
	if (f->left && c->given >= 0) {
		int connection = c->given;

		c->given = -1;
		int end = pump_adopt(f, connection);

		if (end >= 0)
			heirs_stand_in_for(f, end);
		return end;
	}
	pump_ask(f, 0);
	int s = pump_state(f);

	return s == 0 ? -EAGAIN : flow_duplicate(f);
}

static void serve(struct caller *c, int64_t now)
{
	int fd = end_for(c);

	if (fd == -EAGAIN) {
		if (now - c->told_ms < ALIVE_MS)
			return;
		c->told_ms = now;
		if (!reply(c->fd, KIN_WAIT, NULL, -1))
			dismiss(c);
		return;
	}
	reply(c->fd, fd < 0 ? KIN_NO : KIN_GIVEN, c->flow, fd);
	own_close(fd);
	dismiss(c);
}

void desk_wait(struct waits *w)
{
	for (int i = 0; i < CALLERS; i++)
		if (callers[i].flow) {
			callers[i].slot = waits_add(w, callers[i].fd, POLLIN);
			waits_until(w, clock_ms() + 10);
		}
}

void desk_step(const struct waits *w)
{
	int64_t now = clock_ms();

	for (int i = 0; i < CALLERS; i++) {
		struct caller *c = &callers[i];

		if (!c->flow)
			continue;
		/* They have nothing more to say: who does has gone. */
		if (waits_got(w, c->slot))
			dismiss(c);
		else
			serve(c, now);
	}
}

void desk_forget(void)
{
	for (int i = 0; i < CALLERS; i++)
		callers[i] = (struct caller){.fd = -1, .given = -1, .slot = -1};
}
