/* SPDX-License-Identifier: MIT */
/*
 * The policy file: which continuity a peer gets, and which interface is preferred.
 *
 * A loaded policy is immutable; it may be read by any number of threads. Loading allocates
 * (libconfuse) and does file I/O; matching does neither.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "policy/nat64.h"

#define POL_RELAY_PORT 7343

enum pol_continuity { POL_AUTO, POL_NONE, POL_RESET, POL_REDIAL, POL_HTTP, POL_SESSION, POL_MPTCP };
/* Is a connection to the relay held ready on the next path? Never on a metered one but for the
 * last. */
enum pol_standby { POL_STANDBY_NO, POL_STANDBY_YES, POL_STANDBY_METERED };
enum pol_replay { POL_REPLAY_NONE, POL_REPLAY_LINE, POL_REPLAY_LENGTH_PREFIX };
enum pol_records { POL_RECORDS_NONE, POL_RECORDS_LINE, POL_RECORDS_LENGTH, POL_RECORDS_RESP };
enum pol_counts { POL_COUNTS_PAYLOAD, POL_COUNTS_FIELD, POL_COUNTS_RECORD };

/* How a record says its length: in `width` bytes, or (negative) in one of the forms that end by
 * themselves. */
#define POL_WIDTH_VARINT (-1)  /* 7 bits a byte, least first, as in MQTT */
#define POL_WIDTH_DECIMAL (-2) /* digits up to a space, as in syslog (RFC 6587) */
#define POL_OFFSET_MAX 64

struct pol_length {
	int offset; /* bytes of the record before the length */
	int width;  /* 1 to 8, or POL_WIDTH_... */
	bool little;
	enum pol_counts counts; /* what follows it, that and itself, or all of the record */
};

/* How a connection that takes another's place begins. */
enum pol_opening { POL_OPENING_NONE, POL_OPENING_RECORDED, POL_OPENING_SCRIPT };

#define POL_STEPS 16
#define POL_STEP_MAX 512

struct pol_step {
	bool send;  /* else a pattern over a line that is expected */
	char *text; /* the policy's */
};

/* What a rule says, ready to use. Strings belong to the policy. */
struct pol_rule {
	const char *pattern; /* as written; "(no rule)" for the built-in default */
	int line;            /* 0 for the built-in default */
	enum pol_continuity continuity;
	enum pol_replay replay;
	enum pol_records records; /* what the program's stream is made of, as far as it is said */
	struct pol_length length; /* of records with a length */
	enum pol_opening opening;
	const char
	    *opening_words; /* the records that belong to it begin with one; NULL: the first */
	const char
	    *binding_words; /* a record that begins with one binds the stream to its connection */
	const char *answer_ends; /* a line that begins with one is an answer's last; NULL: any */
	struct pol_step step[POL_STEPS];
	unsigned steps;
	enum pol_standby standby;
	const char *relay_host; /* address or name; NULL: the peer's own host ("same-host") */
	uint16_t relay_port;
	bool relay_key_known; /* `relay_key` is the only one it may have */
	uint8_t relay_key[32];
	bool address_bound; /* its flows end rather than go on from another address */
	bool resolve_path;  /* its names are asked for in the network of the path */
	bool sticky;        /* no better path attracts its flows while theirs works */
	const char
	    *on_handover; /* command run outside the program when a flow has moved; or NULL */
	const char
	    *identity; /* file with the client's own key; NULL: the usual one, for named relays */
};

/* What is to be matched. `host` is the name the program resolved, or NULL. */
struct pol_peer {
	sa_family_t family; /* AF_INET, AF_INET6; 0 when only a name is known */
	uint8_t ip[16];
	uint16_t port;
	int protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	const char *host;
	const char *program; /* path of the program that connects, or NULL */
	uint32_t uid;        /* who runs it */
};

/* How calmly flows move. Times in ms. */
struct pol_stability {
	int stable;   /* a better path must have been usable for so long */
	int hold;     /* a path that failed is left alone for so long */
	int damp;     /* one that comes and goes must be usable longer each time, up to this */
	int spread;   /* flows that could move to a better path at once do so over this time */
	bool silence; /* is a path that is up and brings nothing back left? */
	/* where nothing but an error is possible: a lost path is waited out for so long where that
	 * error is expected, and for so long where it is not */
	int outage, gone;
};

/* How it is found out whether an interface leads anywhere. Strings belong to the policy. */
struct pol_check {
	bool portal_api;  /* what the network's own portal says counts (RFC 8908) */
	const char *host; /* address or name; NULL: nobody is asked */
	uint16_t port;
	const char *path;   /* "/..." */
	const char *expect; /* what the answer's body begins with; NULL: 204, no body */
};

struct pol;

/*
 * Loads a file. NULL with a message of the form "FILE:LINE: what is wrong; what was expected" in
 * `err`.
 */
struct pol *pol_load(const char *file, char *err, size_t err_len);

/* What holds where there is no file: everything `auto`, every interface alike. Never fails, never
 * freed. */
const struct pol *pol_builtin(void);
void pol_free(struct pol *p);

/*
 * The file that is in force by the search order ($MIFCONT_POLICY, ~/.config/mifcont/policy.conf,
 * /etc/mifcont/policy.conf), whether it exists or not for the first, existing for the others.
 * False: none. Ignores the environment in set-user-ID programs.
 */
bool pol_find(char *path, size_t len);

/* Has any rule resolve = path? */
bool pol_resolves(const struct pol *p);

/* First matching rule, or the built-in `auto`. Never NULL. */
const struct pol_rule *pol_match(const struct pol *p, const struct pol_peer *peer);

/*
 * Preference of an interface: first matching `interface` section; 0 where none matches. `type` is
 * what it is ("ethernet", "wifi", "cellular", "tunnel", ...). `named`, `metered` may be NULL. An
 * interface that only "*" matches is not named: nobody thought of it.
 */
int pol_prefer(const struct pol *p, const char *ifname, const char *type, bool *named,
               bool *metered);

/* Does the policy call the interface metered? 1 or 0; -1: it says nothing of that. */
int pol_metered(const struct pol *p, const char *ifname, const char *type);

/* Never NULL. */
const struct pol_check *pol_check(const struct pol *p);

/* Never NULL. */
const struct pol_stability *pol_stability(const struct pol *p);

/* By which prefix IPv4 is reached over the interface where it has none itself; NULL: the policy
 * says nothing of that. */
const struct nat64_prefix *pol_nat64(const struct pol *p, const char *ifname, const char *type);

/* Is the prefix that the interface's network announces itself taken (RFC 8781)? */
bool pol_nat64_network(const struct pol *p, const char *ifname, const char *type);

/* Does the policy listen to what networks say of themselves? */
bool pol_listens(const struct pol *p);

/* The prefix of interface section number `i`, NULL where it has none; false: no such section. */
bool pol_nat64_at(const struct pol *p, unsigned i, const struct nat64_prefix **prefix);

const char *pol_continuity_name(enum pol_continuity c);
const char *pol_replay_name(enum pol_replay r);
const char *pol_records_name(enum pol_records r);
const char *pol_standby_name(enum pol_standby s);

#endif
