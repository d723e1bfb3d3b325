/* SPDX-License-Identifier: MIT */
/*
 * Who may open which targets: the ports and patterns of --allow, and the clients' file. Pure but
 * for reading that file.
 */
#ifndef RELAY_ACCESS_H
#define RELAY_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "session/server.h"

struct access;

/* Nothing is allowed. NULL: no memory. */
struct access *access_new(void);
void access_free(struct access *a);

/*
 * One --allow: a port of this host, or a pattern as in the policy file for any target. False with
 * what was expected in *why.
 */
bool access_allow(struct access *a, const char *text, const char **why);

/* Does anything that was allowed lie beyond this host? */
bool access_beyond(const struct access *a);

/* Was anything allowed at all? */
bool access_any(const struct access *a);

/*
 * Reads the file of clients, replacing those read before. False with a message "FILE:LINE: ..." in
 * `err`: those read before stay in force. From the first success on only listed clients are served.
 */
bool access_clients(struct access *a, const char *file, char *err, size_t err_len);

unsigned access_count(const struct access *a);

enum access_verdict {
	ACCESS_DENIED,
	ACCESS_STRANGER, /* no listed client */
	ACCESS_ADDRESS,  /* dial the address that the client named */
	ACCESS_NAME,     /* resolve the name and dial what it stands for */
};

/*
 * May it be opened? `here` is the address the client came to: a target there is this host's own,
 * and needs no more than its port to be allowed. Any other takes a pattern, and a listed client.
 */
enum access_verdict access_judge(const struct access *a, const struct server_request *r,
                                 const struct ses_addr *here);

/*
 * May this address that a name was resolved to be dialled for this client? The relay's own
 * loopback, link-local and multicast addresses only where a pattern gives them as addresses: a name
 * in somebody's zone must not open what listens there.
 */
bool access_address(const struct access *a, const struct server_request *r,
                    const struct ses_addr *to);

#endif
