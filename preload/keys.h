/* SPDX-License-Identifier: MIT */
/*
 * Keys kept in files: the relays met before, and this client's own. Agent only, and only at the
 * first contact with a relay; raw system calls, nothing allocated.
 */
#ifndef PRELOAD_KEYS_H
#define PRELOAD_KEYS_H

#include "session/identity.h"

/* Remembers where the files are while the environment is still ours to read: from the constructor.
 */
void keys_locate(void);

enum keys_verdict {
	KEYS_GOOD,    /* the key known under this name, or the first one seen: it is remembered */
	KEYS_CHANGED, /* another one is known */
};

/*
 * Judges a relay's key under the name the policy or the peer's address gives it. Without a file (no
 * home, not writable) every first key of the process is good.
 */
enum keys_verdict keys_judge(const char *name, const uint8_t key[KDF_KEY]);

/* The file of known relays, for messages; "" if there is none. */
const char *keys_file(void);

/*
 * Reads the client's own key from `file`, NULL: the usual place. -ENOENT: there is none; -EPERM:
 * others may read it; -EBADMSG: no key. */
int keys_own(const char *file, struct ses_identity *id);

#endif
