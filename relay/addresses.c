/* SPDX-License-Identifier: MIT */
/* Addresses of the relay's connections and of its host. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/relay.h"

bool address_read(const union address *a, struct ses_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (a->sa.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
		out->family = 6;
		memcpy(out->ip, &a->in6.sin6_addr, 16);
		out->port = ntohs(a->in6.sin6_port);
	} else if (a->sa.sa_family == AF_INET6) {
		out->family = 4;
		memcpy(out->ip, &a->in6.sin6_addr.s6_addr[12], 4);
		out->port = ntohs(a->in6.sin6_port);
	} else if (a->sa.sa_family == AF_INET) {
		out->family = 4;
		memcpy(out->ip, &a->in.sin_addr, 4);
		out->port = ntohs(a->in.sin_port);
	} else {
		return false;
	}
	return true;
}

uint32_t address_local(int fd, struct ses_addr *out)
{
	union address a;
	socklen_t len = sizeof(a);

	memset(out, 0, sizeof(*out));
	if (getsockname(fd, &a.sa, &len) < 0 || !address_read(&a, out))
		return 0;
	return out->family == 6 ? a.in6.sin6_scope_id : 0;
}

socklen_t address_write(const struct ses_addr *from, uint32_t scope, union address *a)
{
	memset(a, 0, sizeof(*a));
	if (from->family == 6) {
		a->in6.sin6_family = AF_INET6;
		memcpy(&a->in6.sin6_addr, from->ip, 16);
		a->in6.sin6_port = htons(from->port);
		if (IN6_IS_ADDR_LINKLOCAL(&a->in6.sin6_addr))
			a->in6.sin6_scope_id = scope;
		return sizeof(a->in6);
	}
	a->in.sin_family = AF_INET;
	memcpy(&a->in.sin_addr, from->ip, 4);
	a->in.sin_port = htons(from->port);
	return sizeof(a->in);
}

bool address_parse(const char *text, struct ses_addr *out)
{
	char host[INET6_ADDRSTRLEN + 2];
	const char *colon = strrchr(text, ':');
	char *end;

	memset(out, 0, sizeof(*out));
	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return false;
	long port = strtol(colon + 1, &end, 10);

	if (*end || end == colon + 1 || port < 1 || port > 65535)
		return false;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = 0;
	out->port = (uint16_t)port;
	size_t n = strlen(host);

	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = 0;
		out->family = 6;
		return inet_pton(AF_INET6, host + 1, out->ip) == 1;
	}
	out->family = 4;
	return inet_pton(AF_INET, host, out->ip) == 1;
}

const char *address_text(const struct ses_addr *a, char *out, size_t len)
{
	char ip[INET6_ADDRSTRLEN] = "?";

	inet_ntop(a->family == 6 ? AF_INET6 : AF_INET, a->ip, ip, sizeof(ip));
	snprintf(out, len, a->family == 6 ? "[%s]:%u" : "%s:%u", ip, a->port);
	return out;
}

unsigned addresses_to_resume(int fd, struct ses_addr *out)
{
	struct ifaddrs *list, *i;
	unsigned n = 1;

	if (config.advertised) {
		memcpy(out, config.advertise, config.advertised * sizeof(*out));
		return config.advertised;
	}
	address_local(fd, &out[0]);
	if (getifaddrs(&list) < 0)
		return n;
	for (i = list; i && n < SES_RELAY_ADDRS; i = i->ifa_next) {
		const union address *s = (const union address *)i->ifa_addr;
		struct ses_addr a;

		if (!s || !address_read(s, &a) || (a.family == 4 && a.ip[0] == 127) ||
		    (a.family == 6 && (IN6_IS_ADDR_LOOPBACK(&s->in6.sin6_addr) ||
		                       IN6_IS_ADDR_LINKLOCAL(&s->in6.sin6_addr))))
			continue;
		a.port = out[0].port;
		if (a.family == out[0].family && memcmp(a.ip, out[0].ip, 16) == 0)
			continue;
		out[n++] = a;
	}
	freeifaddrs(list);
	return n;
}
