/* SPDX-License-Identifier: MIT */
/* A policy file that is being read: what its files (file.c, keys.c, sections.c) share. */
#ifndef POLICY_LOADING_H
#define POLICY_LOADING_H

#include <confuse.h>

#include "policy/rules.h"
#include "policy/scan.h"

enum key {
	PREFER,
	METERED,
	NAT64,
	CONTINUITY,
	REPLAY,
	RECORDS,
	STICKY,
	BOUND,
	ON_HANDOVER,
	RESOLVE,
	RELAY, /* with those that follow: only of sessions */
	RELAY_KEY,
	IDENTITY,
	STANDBY,
	STABLE,
	HOLD,
	DAMP,
	SPREAD,
	SILENCE,
	OUTAGE,
	GONE,
	URL,
	PORTAL_API,
	EXPECT,
	OFFSET,
	WIDTH,
	ORDER,
	COUNTS,
	OPENING,
	OPENING_WORDS,
	BINDING_WORDS,
	ANSWER_ENDS,
	SEND,
	ANSWER,
	KEYS
};

extern const char *const key_names[KEYS];

/* The keys of one section, and where each of them stands. */
struct keys {
	cfg_t *section;
	int line[KEYS];
};

struct load {
	const char *file;
	char *err;
	size_t room;
	struct pol *pol;
	struct scan scan;
	bool trusted; /* whoever could write the file may run commands as this user anyway */
	struct keys keys, inner; /* of the section that is read, and of one in it */
	struct pol_length length;
	struct pol_step step[POL_STEPS];
	unsigned steps;
	int opening_line; /* of the opening section in this peer; 0: none */
	int length_line;  /* of the length section in this peer; 0: none */
};

/* libconfuse hands its callbacks no context of ours. One load at a time in a thread. */
extern __thread struct load *now;

/* Keeps the message, FILE:LINE in front of it (line 0: FILE alone), if it is the first: what
 * follows may come from it. */
__attribute__((format(printf, 2, 3))) void complain(int line, const char *fmt, ...);

/* Is it a section of this name? */
bool section_is(const cfg_t *cfg, const char *section);

/* Keys of another section than the last time: none has been seen yet. */
void keys_about(struct keys *k, cfg_t *section);

/* libconfuse's callbacks, as it wants them: 0, or -1 with a complaint. For a key, a step of an
 * opening, and at the end of each kind of section. */
int on_key(cfg_t *cfg, cfg_opt_t *opt);
int on_step(cfg_t *cfg, cfg_opt_t *opt);
int on_interface(cfg_t *cfg, cfg_opt_t *opt);
int on_length(cfg_t *cfg, cfg_opt_t *opt);
int on_opening(cfg_t *cfg, cfg_opt_t *opt);
int on_peer(cfg_t *cfg, cfg_opt_t *opt);
int on_stability(cfg_t *cfg, cfg_opt_t *opt);
int on_connectivity(cfg_t *cfg, cfg_opt_t *opt);

#endif
