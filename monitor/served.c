/* SPDX-License-Identifier: MIT */
#include "monitor/served.h"

#include <errno.h>
#include <string.h>

#define LOAD_MS 500    /* for all there is; a service that is slower than that is no help */
#define ANSWER_MS 1000 /* to a question: it hangs, or the machine does */
#define FIRST_PAUSE_MS 1000
#define LAST_PAUSE_MS 64000

void served_init(struct served *s, struct mirror *mirror, struct pvd_table *domains)
{
	memset(s, 0, sizeof(*s));
	s->socket.fd = -1;
	s->shared.mirror = mirror;
	s->shared.domains = domains;
	s->pause = FIRST_PAUSE_MS;
}

bool served_try(struct served *s, int64_t now)
{
	if (s->never || served_connected(s) || now < s->again)
		return false;
	s->again = now + s->pause;
	if (s->pause < LAST_PAUSE_MS)
		s->pause *= 2;
	if (service_connect(&s->socket, &s->shared.network) < 0)
		return false;
	s->deadline = now + LOAD_MS;
	return true;
}

bool served_read(struct served *s, void *buf, size_t size, int reads, int64_t now)
{
	bool was_live = served_live(s);

	for (int i = 0; i < reads; i++) {
		ssize_t n = service_receive(&s->socket, buf, size);

		if (n == -EAGAIN)
			break;
		if (n < 0)
			return false;
		n = shared_receive(&s->shared, buf, (size_t)n, now);
		/* Of another network: it never will be of ours. */
		if (n == -EXDEV)
			s->never = true;
		if (n < 0)
			return false;
	}
	/* All is told anew. */
	if (was_live && !served_live(s))
		s->deadline = now + LOAD_MS;
	if (!served_live(s))
		return now < s->deadline;
	s->known = true;
	s->pause = FIRST_PAUSE_MS;
	return s->asked == s->shared.answers || now < s->answer_by;
}

void served_lost(struct served *s, int64_t now)
{
	s->socket.fd = -1;
	s->asked = 0;
	if (s->again < now + s->pause)
		s->again = now + s->pause;
	shared_lost(&s->shared, now);
}

int served_ask(struct served *s, int ifindex, int64_t now)
{
	int r = service_ask(&s->socket, ifindex);

	/* It has not read what was asked before: that will be answered, too. */
	if (r == -EAGAIN)
		return 0;
	if (r == 0 && s->asked++ == s->shared.answers)
		s->answer_by = now + ANSWER_MS;
	return r;
}

int64_t served_due(const struct served *s)
{
	if (served_connected(s)) {
		if (!served_live(s))
			return s->deadline;
		return s->asked != s->shared.answers ? s->answer_by : -1;
	}
	return s->known && !s->never ? s->again : -1;
}
