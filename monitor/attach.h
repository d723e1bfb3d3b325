/* SPDX-License-Identifier: MIT */
/*
 * Which network is an interface attached to? Gives the implicit provisioning domain of an interface
 * its identifier: one for an attachment, however its addresses change meanwhile, the same one when
 * the interface comes back to the same network, another in another network. Pure.
 *
 * A network is known by its default routers: by their link-layer addresses where the kernel has
 * resolved them, else by their addresses together with the prefixes; where there is no router, by
 * the prefixes. An IPv6 router's link-local address is nearly unique in itself.
 */
#ifndef MONITOR_ATTACH_H
#define MONITOR_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATTACH_ID 32
#define ATTACH_ROUTERS 8
#define ATTACH_PREFIXES 16
#define ATTACH_NETWORKS 8 /* remembered per interface */
#define ATTACH_LLADDR 32

struct attach_router {
	uint8_t family, ip[16];
	uint8_t lladdr_len, lladdr[ATTACH_LLADDR]; /* length 0: not known (yet) */
};

struct attach_prefix {
	uint8_t family, len, ip[16];
};

/* What is seen of a network now. Unused bytes are zero. */
struct attach_network {
	unsigned routers, prefixes;
	struct attach_router router[ATTACH_ROUTERS];
	struct attach_prefix prefix[ATTACH_PREFIXES];
};

struct attachment {
	char id[ATTACH_ID]; /* "": not attached */
	struct attach_network now;
	unsigned known, oldest;
	struct {
		char id[ATTACH_ID];
		struct attach_network network;
	} memory[ATTACH_NETWORKS];
};

/*
 * The interface is configured, or its configuration changed. `salt` is the machine's, `name` the
 * interface's: the same network is another domain on another interface. True: the identifier is not
 * what it was.
 */
bool attach_seen(struct attachment *a, const struct attach_network *n, const char *salt,
                 const char *name);

/* It is not configured any more. */
void attach_lost(struct attachment *a);

/* The link-layer address of a router is known now. True: it turned out to be another network, and
 * the identifier changed. */
bool attach_lladdr(struct attachment *a, uint8_t family, const uint8_t ip[16],
                   const uint8_t *lladdr, size_t len, const char *salt, const char *name);

#endif
