/* SPDX-License-Identifier: MIT */
/*
 * POSIX asynchronous I/O: a thread of libc reads and writes, past every hook. So the flow is
 * carried by the agent.
 */
#include <aio.h>

#include "preload/hook.h"
#include "preload/kin.h"
#include "preload/real.h"

static void used(int fd)
{
	int saved = errno;

	kin_used(fd);

	struct flow *f = flow_of(fd);

	if (f && f->kind == FLOW_SESSION)
		written_by_kernel(f);
	errno = saved;
}

EXPORT int aio_read(struct aiocb *c)
{
	if (!real.aio_read)
		real_bind();
	used(c->aio_fildes);
	return real.aio_read(c);
}

EXPORT int aio_write(struct aiocb *c)
{
	if (!real.aio_write)
		real_bind();
	used(c->aio_fildes);
	return real.aio_write(c);
}

EXPORT int lio_listio(int mode, struct aiocb *const list[], int n, struct sigevent *done)
{
	if (!real.lio_listio)
		real_bind();
	for (int i = 0; i < n; i++)
		if (list[i])
			used(list[i]->aio_fildes);
	return real.lio_listio(mode, list, n, done);
}

#if defined(__GLIBC__)
/* Where a long has 64 bits these are the same. */
_Static_assert(sizeof(struct aiocb) == sizeof(struct aiocb64), "one kind of control block");

EXPORT int aio_read64(struct aiocb64 *c)
{
	return aio_read((struct aiocb *)c);
}

EXPORT int aio_write64(struct aiocb64 *c)
{
	return aio_write((struct aiocb *)c);
}

EXPORT int lio_listio64(int mode, struct aiocb64 *const list[], int n, struct sigevent *done)
{
	return lio_listio(mode, (struct aiocb *const *)list, n, done);
}
#endif
