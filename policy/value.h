/* SPDX-License-Identifier: MIT */
/* The values of a policy's keys, each by itself. Pure but for the copy of a relay's address. */
#ifndef POLICY_VALUE_H
#define POLICY_VALUE_H

#include "policy/policy.h"

/* False: the value is not one of `VALUE_..._EXPECTED`, and nothing was written. */
bool value_prefer(const char *text, int *prefer);
bool value_bool(const char *text, bool *b);
bool value_continuity(const char *text, enum pol_continuity *c);
bool value_replay(const char *text, enum pol_replay *r);
bool value_records(const char *text, enum pol_records *r);

bool value_opening(const char *text);
bool value_words(const char *text);
bool value_ends(const char *text);
bool value_step(const char *text);

/* Of a length section. */
bool value_offset(const char *text, int *offset);
bool value_width(const char *text, int *width);
bool value_order(const char *text, bool *little);
bool value_counts(const char *text, enum pol_counts *c);

/* Milliseconds. */
bool value_time(const char *text, int *ms);

/* The word behind "type:", as the monitor calls it; NULL: none of VALUE_TYPE_EXPECTED. */
const char *value_type(const char *text);

bool value_resolve(const char *text, bool *path);
bool value_standby(const char *text, enum pol_standby *s);

/* Both to be freed by the caller. */
bool value_url(const char *text, char **host, uint16_t *port, char **path);

/* `host` is NULL for "same-host", else to be freed by the caller. */
bool value_relay(const char *text, char **host, uint16_t *port);
bool value_relay_key(const char *text, uint8_t key[32]);
bool value_identity(const char *text);

/* `*network`: it is "network", and there is no prefix. */
bool value_nat64(const char *text, struct nat64_prefix *p, bool *network);

#define VALUE_NAT64_EXPECTED                                                                       \
	"an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits as \"64:ff9b::/96\", or network (what "   \
	"it "                                                                                      \
	"announces)"
#define VALUE_PREFER_EXPECTED "a number from 0 to 1000000"
#define VALUE_URL_EXPECTED                                                                         \
	"\"http://HOST/PATH\" or \"http://HOST:PORT/PATH\", an IPv6 address in brackets; not "     \
	"https, "                                                                                  \
	"for what is asked is whether somebody else answers"
#define VALUE_EXPECT_EXPECTED "1 to 200 characters, the first of the answer's body"
#define VALUE_TIME_EXPECTED "a number of milliseconds from 0 to 3600000"
#define VALUE_TYPE_EXPECTED "type:ethernet, type:wifi, type:cellular, type:vpn or type:other"
#define VALUE_BOOL_EXPECTED "true or false"
#define VALUE_CONTINUITY_EXPECTED "auto, none, reset, redial, http, session or mptcp"
#define VALUE_REPLAY_EXPECTED "line, length-prefix or none"
#define VALUE_RESOLVE_EXPECTED                                                                     \
	"host (as the C library does) or path (in the network of the connection)"
#define VALUE_RECORDS_EXPECTED "line, length-prefix or resp"
#define VALUE_OPENING_EXPECTED "recorded, or a section opening { send = ... expect = ... }"
#define VALUE_WORDS_EXPECTED                                                                       \
	"words of letters and digits with blanks between them, at most 200 bytes"
#define VALUE_ENDS_EXPECTED                                                                        \
	"words of letters and digits, and # for any number, with blanks between them, at most "    \
	"200 bytes"
#define VALUE_STEP_EXPECTED "a text of 1 to 512 bytes"
#define VALUE_OFFSET_EXPECTED "a number of bytes from 0 to 64"
#define VALUE_WIDTH_EXPECTED "a number of bytes from 1 to 8, varint or decimal"
#define VALUE_ORDER_EXPECTED "big or little"
#define VALUE_COUNTS_EXPECTED                                                                      \
	"payload (what follows the length), field (that and the length itself) or record (all)"
#define VALUE_STANDBY_EXPECTED "no, yes (not over a metered interface) or metered (over one, too)"
#define VALUE_RELAY_EXPECTED                                                                       \
	"\"same-host:7343\", or an address or name and a port: \"192.0.2.1:7343\", "               \
	"\"[2001:db8::1]:7343\", \"relay.example:7343\""
#define VALUE_RELAY_KEY_EXPECTED "the relay's public key, 44 characters as it logs it at its start"
#define VALUE_COMMAND_EXPECTED "a command for the shell, of 1 to 1000 characters"
#define VALUE_IDENTITY_EXPECTED "the absolute path of a key file, as `mifcont keygen` makes it"

#endif
