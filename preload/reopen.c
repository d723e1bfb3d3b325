/* SPDX-License-Identifier: MIT */
#include "preload/reopen.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/flowtalk.h"
#include "preload/move_private.h"
#include "preload/raw.h"

#define MUTE 3
#define PATIENCE_MS 5000 /* with all of a new connection's opening */

void reopen_begin(struct flow *f)
{
	if (!f->opening_mem) {
		int saved = errno;
		size_t size = sizeof(struct opening);
		void *p =
		    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p != MAP_FAILED) {
			/* There may be a password in it. */
			madvise(p, size, MADV_DONTDUMP);
			f->opening_mem = p;
		}
		errno = saved;
	}
	if (!f->opening_mem) {
		atomic_store(&f->foreign, true);
		return;
	}
	memset(f->opening_mem, 0, sizeof(*f->opening_mem));
	opening_begin(f->opening_mem, f->rule);
	atomic_store(&f->opening, f->opening_mem);
	atomic_store(&f->special, true);
}

void reopen_end(struct flow *f)
{
	if (atomic_load(&f->opening))
		opening_lose(atomic_load(&f->opening), "over");
}

void reopen_wrote(struct flow *f, const struct iovec *iov, size_t count, size_t from, size_t len)
{
	struct opening *o = atomic_load(&f->opening);

	for (size_t i = 0; o && i < count && len; i++) {
		size_t skip = from < iov[i].iov_len ? from : iov[i].iov_len;
		size_t n = iov[i].iov_len - skip < len ? iov[i].iov_len - skip : len;

		if (n)
			opening_wrote(o, (const char *)iov[i].iov_base + skip, n);
		from -= skip;
		len -= n;
	}
}

void reopen_received(struct flow *f, const struct iovec *iov, size_t count, ssize_t n, int flags)
{
	struct opening *o = atomic_load(&f->opening);

	if (!o || n <= 0 || flags & (MSG_PEEK | MSG_ERRQUEUE | MSG_OOB))
		return;
	if (flags & MSG_TRUNC) {
		opening_lose(o, "bytes that were thrown away unread");
		return;
	}
	for (size_t i = 0, left = (size_t)n; i < count && left; i++) {
		size_t len = iov[i].iov_len < left ? iov[i].iov_len : left;

		if (len)
			opening_read(o, iov[i].iov_base, len);
		left -= len;
	}
}

const char *reopen_stands(struct flow *f, const struct stream_counts *c)
{
	struct opening *o = atomic_load(&f->opening);

	return o ? opening_stands(o, c->read, c->written) : NULL;
}

/* --- a handover --- */

/* The peer does not take it as it did: with what it said no program can go on. */
static void refused(struct move *m)
{
	struct flow *f = m->flow;
	bool gentle = m->gentle;

	opening_lose(atomic_load(&f->opening), "its peer has not answered its opening as before");
	move_fail(m, "the opening was not answered as it was");
	if (gentle)
		return;
	splice_reset(f);
	flowtalk_end(f);
}

/* Who says something else will not say what is waited for; who says nothing may not be reached. */
static void unanswered(struct move *m)
{
	if (m->opening.lines || ++m->flow->mute == MUTE)
		refused(m);
	else
		move_fail(m, "no answer to its opening");
}

/* 1: go on; 0: not yet; else the connection's end, or -EPROTO. */
static int hear(struct move *m, const struct opening *o)
{
	uint8_t heard[2048];
	long n = raw_recvfrom(m->fd, heard, sizeof(heard), MSG_PEEK | MSG_DONTWAIT, NULL, NULL);

	if (n == -EAGAIN)
		return 0;
	if (n <= 0)
		return n ? (int)n : -EPROTO;
	int took = opening_hear(o, &m->opening, heard, (size_t)n);

	if (took < 0)
		return took;
	raw_recvfrom(m->fd, heard, (size_t)took, MSG_DONTWAIT, NULL, NULL);
	explicit_bzero(heard, sizeof(heard));
	return 1;
}

static int say(struct move *m, const struct opening *o, const void *p, size_t len)
{
	long n = raw_sendto(m->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);

	if (n == -EAGAIN)
		return 0;
	if (n <= 0)
		return n ? (int)n : -EPIPE;
	opening_said(o, &m->opening, (size_t)n);
	return 1;
}

bool over_says(const struct move *m)
{
	size_t len;

	return opening_say(atomic_load(&m->flow->opening), &m->opening, &len) != NULL;
}

void over_reopen(struct move *m)
{
	struct flow *f = m->flow;
	const struct opening *o = atomic_load(&f->opening);
	int r = 1;

	while (r > 0 && !opening_done(o, &m->opening)) {
		size_t len;
		const void *p = opening_say(o, &m->opening, &len);

		r = p ? say(m, o, p, len) : hear(m, o);
	}
	if (r == -EPROTO)
		refused(m);
	else if (r < 0)
		move_fail(m, "lost again in its opening");
	else if (r > 0)
		m->phase = SKIPPING;
	else if (r == 0 && clock_ms() - m->since_ms > PATIENCE_MS)
		unanswered(m);
	if (r > 0)
		f->mute = 0;
}
