/* SPDX-License-Identifier: MIT */
/* The resolver's calls: passed through; what they answer is noted. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "preload/hook.h"
#include "preload/names.h"
#include "preload/process.h"
#include "preload/real.h"

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

EXPORT int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result)
{
	bind_early();
	int r = real.getaddrinfo(name, service, hints, result);

	if (r == 0 && worth_it(name)) {
		int saved = errno;

		for (const struct addrinfo *i = *result; i; i = i->ai_next)
			if (i->ai_addr)
				names_note(name, i->ai_addr);
		errno = saved;
	}
	return r;
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

EXPORT struct hostent *gethostbyname(const char *name)
{
	bind_early();
	struct hostent *h = real.gethostbyname(name);

	note_host(name, h);
	return h;
}

EXPORT struct hostent *gethostbyname2(const char *name, int family)
{
	bind_early();
	struct hostent *h = real.gethostbyname2(name, family);

	note_host(name, h);
	return h;
}

EXPORT int gethostbyname_r(const char *name, struct hostent *into, char *buf, size_t len,
                           struct hostent **result, int *err)
{
	bind_early();
	int r = real.gethostbyname_r(name, into, buf, len, result, err);

	if (r == 0)
		note_host(name, *result);
	return r;
}

EXPORT int gethostbyname2_r(const char *name, int family, struct hostent *into, char *buf,
                            size_t len, struct hostent **result, int *err)
{
	bind_early();
	int r = real.gethostbyname2_r(name, family, into, buf, len, result, err);

	if (r == 0)
		note_host(name, *result);
	return r;
}
