/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include "preload/hook.h"

#include <fcntl.h>
#include <pthread.h>

#include "common/clock.h"
#include "preload/agent.h"
#include "preload/counts.h"
#include "preload/process.h"
#include "preload/pump.h"
#include "preload/raw.h"
#include "preload/web.h"

bool path_error(int err)
{
	switch (err) {
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
	case ETIMEDOUT:
	case ENETDOWN:
	case ENETUNREACH:
	case ENETRESET:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
		return true;
	}
	return false;
}

void flow_stir(struct flow *f)
{
	if (!atomic_exchange(&f->stirred, true))
		agent_kick();
}

#define HOLD_MS 1000 /* the agent takes microseconds, unless the machine is overwhelmed */

static bool covered(const struct flow *f)
{
	return (f->kind == FLOW_SESSION || f->kind == FLOW_REDIAL ||
	        (f->kind == FLOW_HTTP && web_hopeful(f))) &&
	       !atomic_load(&f->foreign) && atomic_load(&f->keeps) &&
	       !atomic_load(&f->peer_reset) && !atomic_load(&f->carried) && agent_there();
}

bool peers_word(const struct flow *f, int err)
{
	return f->kind == FLOW_HTTP && (err == ECONNRESET || err == EPIPE);
}

bool hold_flow(struct flow *f, int fd, uint32_t gen)
{
	/* What a program asks of a socket whose connect() was refused, the kernel answers. */
	if (!covered(f) || counts_refused(fd))
		return false;
	/*
	 * While the agent exchanges the file (it holds the lock) the descriptor and what is known
	 * of it disagree: that is not the program's doing.
	 */
	bool busy = lock_owner(&f->table) != 0, ours = flow_owns(f, fd);

	if (atomic_load(&f->gen) != gen)
		return true;
	if (!ours && !busy)
		return false;
	if (!atomic_exchange(&f->failed, true))
		agent_kick();
	/* What tells that it was the peer's doing may come a moment after the reset itself. */
	for (int waited = 0;
	     waited < HOLD_MS && atomic_load(&f->gen) == gen && !atomic_load(&f->peer_reset);
	     waited += 5)
		futex_wait(&f->gen, gen, 5);
	return atomic_load(&f->gen) != gen;
}

/*
 * The relay announces the end on the control connection before the FIN leaves on this one; the
 * agent may be a moment behind.
 */
static bool end_announced(const struct flow *f)
{
	for (int i = 0; i < 20 && !atomic_load(&f->peer_ended); i++)
		futex_wait((_Atomic uint32_t *)&f->gen, atomic_load(&f->gen), 1);
	return atomic_load(&f->peer_ended);
}

bool end_is_true(struct flow *f, int fd)
{
	struct counts k;

	if (f->kind != FLOW_SESSION || !covered(f))
		return true;
	if (!end_announced(f))
		return false;
	/* Announced, but has all of it come this way? The base of the counts is the agent's; it is
	 * stable between exchanges. */
	return counts_read(fd, &k) < 0 || flow_read_count(f, &k) >= atomic_load(&f->peer_end);
}

bool event_is_true(const struct flow *f, short events)
{
	if (!covered(f) || atomic_load(&f->peer_reset))
		return true;
	/* The peer's end says nothing of the other direction, which an error cuts off. */
	if (events & POLLERR)
		return false;
	/* Both directions are over, as far as the kernel knows: and as far as we do? */
	if (events & POLLHUP && !atomic_load(&f->half_closed))
		return false;
	return end_announced(f);
}

void written_by_kernel(struct flow *f)
{
	if (atomic_load(&f->carried) || !process_ours())
		return;
	if (f->kind != FLOW_SESSION || !pump_ask(f, PUMP_MS))
		atomic_store(&f->foreign, true);
}

bool nonblocking(int fd, int flags)
{
	if (flags & MSG_DONTWAIT)
		return true;
	int fl = raw_fcntl(fd, F_GETFL, 0);

	return fl >= 0 && fl & O_NONBLOCK;
}

int64_t call_left_ns(const struct call *c, int fd, int option)
{
	struct timeval limit = {0, 0};
	socklen_t len = sizeof(limit);

	if (raw_getsockopt(fd, SOL_SOCKET, option, &limit, &len) < 0)
		return 0;
	int64_t left = c->began_ns + (int64_t)limit.tv_sec * 1000000000 +
	               (int64_t)limit.tv_usec * 1000 - clock_ns();

	/* The limit was taken off meanwhile: as the kernel did not see it in time, for ever. */
	if (!limit.tv_sec && !limit.tv_usec)
		return INT64_MAX;
	return left > 0 ? left : 0;
}

int futex_wait_as_call(_Atomic uint32_t *word, uint32_t value, int ms)
{
	int type;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	int r = futex_wait(word, value, ms);

	pthread_setcanceltype(type, &type);
	return r;
}
