/* SPDX-License-Identifier: MIT */
/* The keys of a policy file, one by one: every value is text to libconfuse and checked here. */
#include <stdlib.h>
#include <string.h>

#include "policy/loading.h"
#include "policy/value.h"

const char *const key_names[KEYS] = {
    "prefer",        "metered",       "nat64",       "continuity", "replay",     "records",
    "sticky",        "address-bound", "on-handover", "resolve",    "relay",      "relay-key",
    "identity",      "standby",       "stable",      "hold",       "damp",       "spread",
    "silence",       "outage",        "gone",        "url",        "portal-api", "expect",
    "offset",        "width",         "order",       "counts",     "opening",    "opening-words",
    "binding-words", "answer-ends",   "send",        "expect"};

static const char *expected(enum key key, const char *text)
{
	enum pol_continuity c;
	enum pol_replay r;
	enum pol_records records;
	enum pol_counts counts;
	enum pol_standby s;
	struct nat64_prefix p;
	uint16_t port;
	char *host, *path;
	uint8_t k[32];
	bool b;
	int n;

	switch (key) {
	case PREFER:
		return value_prefer(text, &n) ? NULL : VALUE_PREFER_EXPECTED;
	case METERED:
	case STICKY:
	case BOUND:
	case SILENCE:
	case PORTAL_API:
		return value_bool(text, &b) ? NULL : VALUE_BOOL_EXPECTED;
	case NAT64:
		return value_nat64(text, &p, &b) ? NULL : VALUE_NAT64_EXPECTED;
	case CONTINUITY:
		return value_continuity(text, &c) ? NULL : VALUE_CONTINUITY_EXPECTED;
	case REPLAY:
		return value_replay(text, &r) ? NULL : VALUE_REPLAY_EXPECTED;
	case ON_HANDOVER:
		return *text && strlen(text) <= 1000 ? NULL : VALUE_COMMAND_EXPECTED;
	case RELAY:
		if (!value_relay(text, &host, &port))
			return VALUE_RELAY_EXPECTED;
		free(host);
		return NULL;
	case RELAY_KEY:
		return value_relay_key(text, k) ? NULL : VALUE_RELAY_KEY_EXPECTED;
	case IDENTITY:
		return value_identity(text) ? NULL : VALUE_IDENTITY_EXPECTED;
	case RESOLVE:
		return value_resolve(text, &b) ? NULL : VALUE_RESOLVE_EXPECTED;
	case STANDBY:
		return value_standby(text, &s) ? NULL : VALUE_STANDBY_EXPECTED;
	case STABLE:
	case DAMP:
	case HOLD:
	case SPREAD:
	case OUTAGE:
	case GONE:
		return value_time(text, &n) ? NULL : VALUE_TIME_EXPECTED;
	case URL:
		if (!value_url(text, &host, &port, &path))
			return VALUE_URL_EXPECTED;
		free(host);
		free(path);
		return NULL;
	case EXPECT:
		return *text && strlen(text) <= 200 ? NULL : VALUE_EXPECT_EXPECTED;
	case RECORDS:
		return value_records(text, &records) ? NULL : VALUE_RECORDS_EXPECTED;
	case OFFSET:
		return value_offset(text, &n) ? NULL : VALUE_OFFSET_EXPECTED;
	case WIDTH:
		return value_width(text, &n) ? NULL : VALUE_WIDTH_EXPECTED;
	case ORDER:
		return value_order(text, &b) ? NULL : VALUE_ORDER_EXPECTED;
	case COUNTS:
		return value_counts(text, &counts) ? NULL : VALUE_COUNTS_EXPECTED;
	case OPENING:
		return value_opening(text) ? NULL : VALUE_OPENING_EXPECTED;
	case OPENING_WORDS:
	case BINDING_WORDS:
		return value_words(text) ? NULL : VALUE_WORDS_EXPECTED;
	case ANSWER_ENDS:
		return value_ends(text) ? NULL : VALUE_ENDS_EXPECTED;
	case SEND:
	case ANSWER:
		return value_step(text) ? NULL : VALUE_STEP_EXPECTED;
	case KEYS:
		break;
	}
	return "another key";
}

/* Of another section than the last time: none has been seen yet. */
void keys_about(struct keys *k, cfg_t *section)
{
	if (k->section != section)
		*k = (struct keys){.section = section};
}

int on_key(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *text = cfg_opt_getnstr(opt, 0), *want;
	struct keys *k = section_is(cfg, "length") ? &now->inner : &now->keys;
	int key = 0;

	keys_about(k, cfg);
	while (key < KEYS && strcmp(opt->name, key_names[key]) != 0)
		key++;
	if (key == KEYS || !text)
		return -1;
	if (k->line[key]) {
		complain(cfg->line, "%s stands here and on line %d; expected it once", opt->name,
		         k->line[key]);
		return -1;
	}
	k->line[key] = cfg->line;
	want = expected((enum key)key, text);
	if (want)
		complain(cfg->line, "%s = \"%s\" not understood; expected %s", opt->name, text,
		         want);
	return want ? -1 : 0;
}

/* One step of an opening; the order is that of the file. */
int on_step(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *text = cfg_opt_getnstr(opt, 0);
	bool send = strcmp(opt->name, "send") == 0;

	if (!text || !value_step(text)) {
		complain(cfg->line,
		         "%s of an opening not understood; expected " VALUE_STEP_EXPECTED,
		         opt->name);
		return -1;
	}
	if (now->steps == POL_STEPS) {
		complain(cfg->line, "too many steps of an opening; expected at most 16");
		return -1;
	}
	now->step[now->steps].text = strdup(text);
	now->step[now->steps].send = send;
	return now->step[now->steps++].text ? 0 : -1;
}
