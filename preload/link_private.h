/* SPDX-License-Identifier: MIT */
/* What link.c (connections) and link_place.c (which relay, and where) share. */
#ifndef PRELOAD_LINK_PRIVATE_H
#define PRELOAD_LINK_PRIVATE_H

#include "preload/choose.h"
#include "preload/link.h"
#include "preload/lookup.h"
#include "preload/standby.h"

#define LINKS 64
#define GIVEN_UP 16

struct link {
	bool used;
	char name[300]; /* ADDRESS:PORT or HOST:PORT: what its key is known under */
	const struct pol_rule *rule;
	union flow_address relay[LOOKUP_ADDRESSES]; /* the first is the one to dial */
	unsigned relays;                            /* 0: its name is not resolved yet */
	bool looking;
	bool leaving; /* it takes no new sessions */
	bool key_changed;
	uint64_t
	    given_up[GIVEN_UP]; /* sessions the relay may not know to be thrown away; the newest */
	unsigned given_up_next;
	uint64_t pings;        /* how many were sent: each one's number */
	int64_t ping_ms;       /* when the one that is not answered was; 0: none */
	int ping_patience;     /* ms until that is taken for silence */
	int ping_ifindex;      /* the path it is about */
	int64_t owed_until_ms; /* the relay's host has not confirmed one of them yet; 0: it has */
	unsigned greetings;    /* refused by relays that are leaving */
	bool have_identity;
	struct ses_identity identity;
	bool have_assoc;
	struct ses_assoc assoc;

	int control; /* the connection in use; -1 */
	int slot;
	struct whereabouts at;
	uint8_t in[4096];
	size_t got;
	uint8_t out[4096];
	size_t pending;

	struct dial dial[2]; /* racing to become the next control connection */
	bool dialling, asked;
	int first_ifindex; /* the path of the first of the two */
	int asker;         /* which dial the handshake runs on */
	int64_t begun_ms, asked_ms, retry_ms, again_ms, shunned_ms;
	bool failed;
	struct fastopen_table fast;
	struct standby standby;
	_Alignas(16) uint8_t hello[SES_HELLO_SIZE];
};

extern struct link links[LINKS];
extern int links_beyond; /* behind the last that was ever used */

/* link.c */
void link_stop_dialling(struct link *l);
void link_drop_control(struct link *l);
bool link_needed(const struct link *l); /* does any flow use it? */

/* link_place.c */
void link_locate(struct link *l,
                 const union flow_address *peer); /* as far as it is known at once */
bool link_trusted(struct link *l); /* the relay the policy means, or the one that was here before */

#endif
