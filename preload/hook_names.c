/* SPDX-License-Identifier: MIT */
/* The resolver's calls: passed through, or, where the policy wants it, answered by the network of
 * the path; what they answer is noted. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "preload/answers.h"
#include "preload/hook.h"
#include "preload/names.h"
#include "preload/process.h"
#include "preload/real.h"
#include "preload/resolve.h"

/* There is no system call to fall back on for another library's constructor that is early. */
static void bind_early(void)
{
	if (!real.getaddrinfo)
		real_bind();
}

static bool worth_it(const char *name)
{
	/* A number is no name: nothing is learned from it. */
	return process_enabled && name && *name && !strchr(name, ':') &&
	       name[strspn(name, "0123456789.")] && process_ours();
}

static int ask(const char *name, const char *service, const struct addrinfo *hints,
               struct addrinfo **result)
{
	int saved = errno, r;

	if (worth_it(name) && resolve_getaddrinfo(name, service, hints, result, &r)) {
		errno = saved;
		return r;
	}
	errno = saved;
	return real.getaddrinfo(name, service, hints, result);
}

EXPORT int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result)
{
	bind_early();
	int r = ask(name, service, hints, result);

	if (r == 0 && worth_it(name)) {
		int saved = errno;

		for (const struct addrinfo *i = *result; i; i = i->ai_next)
			if (i->ai_addr)
				names_note(name, i->ai_addr);
		errno = saved;
	}
	return r;
}

EXPORT void freeaddrinfo(struct addrinfo *list)
{
	bind_early();
	/* On one C library some lists are ours. */
	if (!answers_free(list))
		real.freeaddrinfo(list);
}

static void note_host(const char *name, const struct hostent *h)
{
	int saved = errno;

	if (!h || !worth_it(name))
		return;
	for (char **p = h->h_addr_list; *p; p++) {
		union {
			struct sockaddr sa;
			struct sockaddr_in in;
			struct sockaddr_in6 in6;
		} a = {.sa.sa_family = (sa_family_t)h->h_addrtype};

		if (h->h_addrtype == AF_INET && h->h_length == 4)
			memcpy(&a.in.sin_addr, *p, 4);
		else if (h->h_addrtype == AF_INET6 && h->h_length == 16)
			memcpy(&a.in6.sin6_addr, *p, 16);
		else
			continue;
		names_note(name, &a.sa);
	}
	errno = saved;
}

/* As libc's own: one answer at a time. */
static struct hostent answer;
static char answer_buf[1024];

static bool by_path(const char *name, int family, struct hostent **h)
{
	int saved = errno, error, h_error;
	bool done = worth_it(name) && resolve_hostent(name, family, &answer, answer_buf,
	                                              sizeof(answer_buf), &error, &h_error);

	errno = saved;
	if (!done)
		return false;
	*h = h_error == NETDB_SUCCESS ? &answer : NULL;
	h_errno = h_error;
	return true;
}

/* The same into the caller's memory. */
static bool by_path_r(const char *name, int family, struct hostent *into, char *buf, size_t len,
                      struct hostent **result, int *err, int *r)
{
	int saved = errno;
	bool done = worth_it(name) && resolve_hostent(name, family, into, buf, len, r, err);

	errno = saved;
	if (done)
		*result = *err == NETDB_SUCCESS ? into : NULL;
	return done;
}

EXPORT struct hostent *gethostbyname(const char *name)
{
	bind_early();
	struct hostent *h;

	if (!by_path(name, AF_INET, &h))
		h = real.gethostbyname(name);
	note_host(name, h);
	return h;
}

EXPORT struct hostent *gethostbyname2(const char *name, int family)
{
	bind_early();
	struct hostent *h;

	if (!by_path(name, family, &h))
		h = real.gethostbyname2(name, family);
	note_host(name, h);
	return h;
}

EXPORT int gethostbyname_r(const char *name, struct hostent *into, char *buf, size_t len,
                           struct hostent **result, int *err)
{
	bind_early();
	int r;

	if (!by_path_r(name, AF_INET, into, buf, len, result, err, &r))
		r = real.gethostbyname_r(name, into, buf, len, result, err);
	if (r == 0)
		note_host(name, *result);
	return r;
}

EXPORT int gethostbyname2_r(const char *name, int family, struct hostent *into, char *buf,
                            size_t len, struct hostent **result, int *err)
{
	bind_early();
	int r;

	if (!by_path_r(name, family, into, buf, len, result, err, &r))
		r = real.gethostbyname2_r(name, family, into, buf, len, result, err);
	if (r == 0)
		note_host(name, *result);
	return r;
}
