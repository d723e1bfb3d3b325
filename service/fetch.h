/* SPDX-License-Identifier: MIT */
/*
 * HTTPS within one provisioning domain: the name is looked up at that domain's servers, and all of
 * it goes by that interface from that address. Redirections are followed, to HTTPS. One answer of a
 * bounded size, in bounded time.
 */
#ifndef SERVICE_FETCH_H
#define SERVICE_FETCH_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define FETCH_SERVERS 4
#define FETCH_URL 512
#define FETCH_BODY (64 * 1024)

struct fetch_address {
	sa_family_t family;
	uint8_t ip[16];
};

struct fetch_how {
	char interface[IFNAMSIZ];
	struct fetch_address source;
	unsigned servers;
	struct fetch_address server[FETCH_SERVERS];
	char url[FETCH_URL];
	const char *type; /* of the answer, a constant: "application/pvd+json" */
};

enum fetch_result {
	FETCH_GOT,
	FETCH_UNREACHED, /* no name, no connection: it may work another time */
	FETCH_REFUSED,   /* TLS, HTTP, or another type of answer */
};

struct fetch;

/* Called from fetch_step() or from fetch_start(), once; `fetch` is no more then. */
typedef void fetch_fn(void *ctx, enum fetch_result r, const char *body, size_t len,
                      const char *why);

/* Certificates are verified by these authorities (NULL: the host's). False: no libcurl. */
bool fetch_init(const char *authorities);

/* NULL: no memory. */
struct fetch *fetch_start(const struct fetch_how *how, fetch_fn *done, void *ctx);
void fetch_cancel(struct fetch *f);

void fetch_step(int64_t now);
int64_t fetch_due(int64_t now);

#endif
