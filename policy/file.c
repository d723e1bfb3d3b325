/* SPDX-License-Identifier: MIT */
/*
 * The policy file, by libconfuse. Every value is text to it and checked here, because a message
 * must say what was expected, and on the line of the mistake.
 */
#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/rules.h"
#include "policy/scan.h"
#include "policy/user.h"
#include "policy/value.h"

#define FILE_MAX (1 << 20)

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
	SEND,
	ANSWER,
	KEYS
};

static const char *const key_names[KEYS] = {
    "prefer",        "metered",       "nat64",   "continuity", "replay",    "records",  "sticky",
    "address-bound", "on-handover",   "resolve", "relay",      "relay-key", "identity", "standby",
    "stable",        "hold",          "spread",  "silence",    "outage",    "gone",     "url",
    "portal-api",    "expect",        "offset",  "width",      "order",     "counts",   "opening",
    "opening-words", "binding-words", "send",    "expect"};

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

static const struct pol_length length_usual = {.width = 4};

/* libconfuse hands its callbacks no context of ours. One load at a time in a thread. */
static __thread struct load *now;

/* Only the first mistake counts: what follows may come from it. */
static void complain(int line, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (now->room == 0 || now->err[0])
		return;
	if (line)
		snprintf(now->err, now->room, "%s:%d: ", now->file, line);
	else
		snprintf(now->err, now->room, "%s: ", now->file);
	n = strlen(now->err);
	va_start(ap, fmt);
	vsnprintf(now->err + n, now->room - n, fmt, ap);
	va_end(ap);
	/* It goes to logs and terminals, and part of it comes from the file. */
	for (char *p = now->err; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
}

static bool is(const cfg_t *cfg, const char *section)
{
	return cfg && cfg->name && strcmp(cfg->name, section) == 0;
}

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	const char *expected = "interface \"NAME\" { ... }, peer \"PATTERN\" { ... }, "
	                       "stability { ... } or connectivity { ... }";
	char text[256];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (is(cfg, "peer"))
		expected = "continuity = WORD, replay = WORD, records = WORD, length { ... }, "
		           "opening = recorded, opening { ... }, opening-words = \"WORDS\", "
		           "binding-words = \"WORDS\", "
		           "sticky = true, address-bound = true, on-handover = \"COMMAND\", "
		           "resolve = WORD, "
		           "relay = \"HOST:PORT\", relay-key = \"KEY\", identity = \"FILE\" or "
		           "standby = WORD";
	else if (is(cfg, "OPENING"))
		expected = "send = \"TEXT\" or expect = \"PATTERN\"";
	else if (is(cfg, "length"))
		expected = "offset = BYTES, width = BYTES, order = big or little, or counts = WORD";
	else if (is(cfg, "interface"))
		expected = "prefer = NUMBER, metered = true, nat64 = \"PREFIX\" or nat64 = network";
	else if (is(cfg, "connectivity"))
		expected = "url = \"http://HOST/PATH\", expect = \"TEXT\" or portal-api = true";
	else if (is(cfg, "stability"))
		expected =
		    "stable, hold, spread, outage or gone = MILLISECONDS, or silence = false";
	complain(cfg ? cfg->line : 0, "%s; expected %s", text, expected);
}

/* --- values --------------------------------------------------------------------------------- */

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
	case SEND:
	case ANSWER:
		return value_step(text) ? NULL : VALUE_STEP_EXPECTED;
	case KEYS:
		break;
	}
	return "another key";
}

/* Of another section than the last time: none has been seen yet. */
static void about(struct keys *k, cfg_t *section)
{
	if (k->section != section)
		*k = (struct keys){.section = section};
}

static int on_key(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *text = cfg_opt_getnstr(opt, 0), *want;
	struct keys *k = is(cfg, "length") ? &now->inner : &now->keys;
	int key = 0;

	about(k, cfg);
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
static int on_step(cfg_t *cfg, cfg_opt_t *opt)
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

/* --- sections ------------------------------------------------------------------------------- */

/* The section that has just ended, and the line it began on. */
static cfg_t *ended(cfg_opt_t *opt, enum scan_kind kind, int *line)
{
	unsigned n = cfg_opt_size(opt);
	cfg_t *sec = n ? cfg_opt_getnsec(opt, n - 1) : NULL;

	*line = sec && n <= now->scan.sections[kind] ? now->scan.line[kind][n - 1] : 0;
	about(&now->keys, sec);
	return sec;
}

static int on_interface(cfg_t *cfg, cfg_opt_t *opt)
{
	struct pol *p = now->pol;
	int line;
	cfg_t *sec = ended(opt, SCAN_INTERFACE, &line);
	struct rule_interface *i;
	const char *text;

	(void)cfg;
	if (!sec || p->interfaces >= now->scan.sections[SCAN_INTERFACE])
		return -1;
	if (!cfg_title(sec)[0]) {
		complain(line, "interface \"\" names none; expected a name, or a pattern as "
		               "\"wlan*\"");
		return -1;
	}
	/* The kernel takes no name with a colon in it. */
	bool typed = strncmp(cfg_title(sec), "type:", 5) == 0;

	text = typed ? value_type(cfg_title(sec) + 5) : NULL;
	if (typed && !text) {
		complain(line, "interface \"%s\" not understood; expected " VALUE_TYPE_EXPECTED,
		         cfg_title(sec));
		return -1;
	}
	i = &p->interface[p->interfaces++];
	i->pattern = strdup(cfg_title(sec));
	if (typed && !(i->type = strdup(text)))
		return -1;
	if ((text = cfg_getstr(sec, "prefer")))
		value_prefer(text, &i->prefer);
	if ((text = cfg_getstr(sec, "metered")))
		i->metered_said = value_bool(text, &i->metered);
	if ((text = cfg_getstr(sec, "nat64")))
		value_nat64(text, &i->nat64, &i->nat64_network);
	return i->pattern ? 0 : -1;
}

static int on_length(cfg_t *cfg, cfg_opt_t *opt)
{
	cfg_t *sec = cfg_opt_getnsec(opt, 0);
	struct pol_length *l = &now->length;
	const char *text;

	if (!sec)
		return -1;
	if (now->length_line) {
		complain(cfg->line, "length stands here and on line %d; expected it once",
		         now->length_line);
		return -1;
	}
	now->length_line = cfg->line;
	*l = length_usual;
	if ((text = cfg_getstr(sec, "offset")))
		value_offset(text, &l->offset);
	if ((text = cfg_getstr(sec, "width")))
		value_width(text, &l->width);
	if ((text = cfg_getstr(sec, "order")))
		value_order(text, &l->little);
	if (text && l->width <= 1) {
		complain(cfg->line, "order of a length that is one byte or ends by itself; "
		                    "expected width = 2 to 8 beside it");
		return -1;
	}
	if ((text = cfg_getstr(sec, "counts")))
		value_counts(text, &l->counts);
	now->inner.section = NULL;
	return 0;
}

static int on_opening(cfg_t *cfg, cfg_opt_t *opt)
{
	(void)opt;
	if (now->opening_line) {
		complain(cfg->line, "opening stands here and on line %d; expected it once",
		         now->opening_line);
		return -1;
	}
	now->opening_line = cfg->line;
	return 0;
}

/* How another connection of a peer begins. */
static bool opening(cfg_t *sec, struct pol_rule *r)
{
	const char *text = cfg_getstr(sec, "opening"), *words = cfg_getstr(sec, "opening-words"),
	           *binding = cfg_getstr(sec, "binding-words");
	int script = now->opening_line;
	int line = now->keys.line[OPENING] ? now->keys.line[OPENING] : script;

	now->opening_line = 0;
	r->opening = script ? POL_OPENING_SCRIPT : text ? POL_OPENING_RECORDED : POL_OPENING_NONE;
	memcpy(r->step, now->step, sizeof(r->step));
	r->steps = now->steps;
	now->steps = 0;
	if ((line && r->continuity != POL_REDIAL) || (script && text)) {
		complain(line, script && text ? "opening = recorded and an opening section; "
		                                "expected one of them"
		                              : "opening without redial; expected continuity = "
		                                "redial beside it");
		return false;
	}
	if (script && !r->steps) {
		complain(script, "opening says nothing; expected send = \"TEXT\" in it");
		return false;
	}
	if (text && r->records == POL_RECORDS_NONE) {
		complain(line, "opening = recorded, but what the stream is made of is not said; "
		               "expected replay = line or records = WORD beside it");
		return false;
	}
	for (int k = OPENING_WORDS; k <= BINDING_WORDS && r->opening != POL_OPENING_RECORDED; k++)
		if (now->keys.line[k]) {
			complain(now->keys.line[k],
			         "%s without a recorded opening; expected opening = recorded "
			         "beside it",
			         key_names[k]);
			return false;
		}
	if ((words || binding) && r->records == POL_RECORDS_LENGTH) {
		complain(now->keys.line[words ? OPENING_WORDS : BINDING_WORDS],
		         "words of records with a length; expected lines or resp");
		return false;
	}
	r->opening_words = words ? strdup(words) : NULL;
	r->binding_words = binding ? strdup(binding) : NULL;
	return true;
}

/* What the streams of a peer are made of. */
static bool records(cfg_t *sec, struct pol_rule *r, int line)
{
	const char *text = cfg_getstr(sec, "records");
	int length_line = now->length_line;

	now->length_line = 0;
	if (text && r->continuity != POL_REDIAL) {
		complain(now->keys.line[RECORDS],
		         "records without redial; expected continuity = redial beside it");
		return false;
	}
	if (text && r->replay != POL_REPLAY_NONE) {
		complain(now->keys.line[RECORDS],
		         "records beside replay = %s, which says it already; expected one of them",
		         pol_replay_name(r->replay));
		return false;
	}
	if (text)
		value_records(text, &r->records);
	else if (r->replay == POL_REPLAY_LINE)
		r->records = POL_RECORDS_LINE;
	else if (r->replay == POL_REPLAY_LENGTH_PREFIX)
		r->records = POL_RECORDS_LENGTH;
	if (length_line && r->records != POL_RECORDS_LENGTH) {
		complain(length_line, "length without records that have one; expected replay = "
		                      "length-prefix or records = length-prefix beside it");
		return false;
	}
	if (r->records == POL_RECORDS_LENGTH && !length_line) {
		complain(line, "length-prefix without a length section; expected length { width = "
		               "BYTES } beside it");
		return false;
	}
	if (length_line)
		r->length = now->length;
	return true;
}

static int on_peer(cfg_t *cfg, cfg_opt_t *opt)
{
	struct pol *p = now->pol;
	const char *why, *text;
	int line;
	cfg_t *sec = ended(opt, SCAN_PEER, &line);
	struct rule_peer *r;

	(void)cfg;
	if (!sec || p->peers >= now->scan.sections[SCAN_PEER])
		return -1;
	r = &p->peer[p->peers++];
	r->rule.line = line;
	r->rule.relay_port = POL_RELAY_PORT;
	r->rule.standby = POL_STANDBY_YES;
	r->rule.pattern = strdup(cfg_title(sec));
	if (!pattern_parse(cfg_title(sec), &r->pattern, &why)) {
		complain(line, "peer pattern \"%s\" not understood; expected %s", cfg_title(sec),
		         why);
		return -1;
	}
	/* A name that is not there is nobody's. */
	if (r->pattern.user[0] && user_number(r->pattern.user, &r->pattern.uid))
		r->pattern.user[0] = 0;
	text = cfg_getstr(sec, "continuity");
	if (!text) {
		complain(line, "peer \"%s\" says nothing of continuity; expected continuity = %s",
		         r->rule.pattern, VALUE_CONTINUITY_EXPECTED);
		return -1;
	}
	value_continuity(text, &r->rule.continuity);
	if ((text = cfg_getstr(sec, "replay")))
		value_replay(text, &r->rule.replay);
	if (text && r->rule.continuity != POL_REDIAL) {
		complain(now->keys.line[REPLAY],
		         "replay without redial; expected continuity = redial beside it");
		return -1;
	}
	if (!records(sec, &r->rule, line) || !opening(sec, &r->rule))
		return -1;
	if ((text = cfg_getstr(sec, "sticky")))
		value_bool(text, &r->rule.sticky);
	if (text && r->rule.continuity != POL_REDIAL && r->rule.continuity != POL_SESSION &&
	    r->rule.continuity != POL_HTTP) {
		complain(now->keys.line[STICKY],
		         "sticky without session, redial or http; expected continuity = session, "
		         "redial or http beside it: no other flow leaves a path that works");
		return -1;
	}
	if ((text = cfg_getstr(sec, "address-bound")))
		value_bool(text, &r->rule.address_bound);
	if (text && (r->rule.continuity == POL_NONE || r->rule.continuity == POL_MPTCP)) {
		complain(now->keys.line[BOUND],
		         "address-bound with %s; expected another continuity beside it: such "
		         "connections are left alone",
		         pol_continuity_name(r->rule.continuity));
		return -1;
	}
	if ((text = cfg_getstr(sec, "on-handover")) && !(r->rule.on_handover = strdup(text)))
		return -1;
	if (text && (r->rule.continuity == POL_NONE || r->rule.continuity == POL_MPTCP)) {
		complain(now->keys.line[ON_HANDOVER],
		         "on-handover with %s; expected another continuity beside it: such "
		         "connections are left alone",
		         pol_continuity_name(r->rule.continuity));
		return -1;
	}
	if (text && !now->trusted) {
		complain(now->keys.line[ON_HANDOVER],
		         "on-handover in a file that others may write; expected it to belong to "
		         "you or to root, and to be writable by nobody else");
		return -1;
	}
	if ((text = cfg_getstr(sec, "resolve")))
		value_resolve(text, &r->rule.resolve_path);
	if ((text = cfg_getstr(sec, "relay")))
		value_relay(text, (char **)&r->rule.relay_host, &r->rule.relay_port);
	if ((text = cfg_getstr(sec, "relay-key")))
		r->rule.relay_key_known = value_relay_key(text, r->rule.relay_key);
	if ((text = cfg_getstr(sec, "identity")))
		r->rule.identity = strdup(text);
	if ((text = cfg_getstr(sec, "standby")))
		value_standby(text, &r->rule.standby);
	if (r->rule.address_bound)
		r->rule.standby = POL_STANDBY_NO;
	for (int k = RELAY; k <= STANDBY && r->rule.continuity != POL_SESSION; k++)
		if (now->keys.line[k]) {
			complain(now->keys.line[k],
			         "%s without session; expected continuity = session beside it",
			         key_names[k]);
			return -1;
		}
	return r->rule.pattern ? 0 : -1;
}

static int on_stability(cfg_t *cfg, cfg_opt_t *opt)
{
	struct pol_stability *s = &now->pol->stability;
	int line;
	cfg_t *sec = ended(opt, SCAN_STABILITY, &line);
	const char *text;

	(void)cfg;
	if (!sec)
		return -1;
	if (now->scan.sections[SCAN_STABILITY] > 1) {
		complain(now->scan.line[SCAN_STABILITY][1],
		         "stability stands here and on line %d; expected it once", line);
		return -1;
	}
	if ((text = cfg_getstr(sec, "stable")))
		value_time(text, &s->stable);
	if ((text = cfg_getstr(sec, "hold")))
		value_time(text, &s->hold);
	if ((text = cfg_getstr(sec, "spread")))
		value_time(text, &s->spread);
	if ((text = cfg_getstr(sec, "outage")))
		value_time(text, &s->outage);
	if ((text = cfg_getstr(sec, "gone")))
		value_time(text, &s->gone);
	if ((text = cfg_getstr(sec, "silence")))
		value_bool(text, &s->silence);
	return 0;
}

static int on_connectivity(cfg_t *cfg, cfg_opt_t *opt)
{
	struct pol_check *c = &now->pol->check;
	int line;
	cfg_t *sec = ended(opt, SCAN_CONNECTIVITY, &line);
	const char *text;

	(void)cfg;
	if (!sec)
		return -1;
	if (now->scan.sections[SCAN_CONNECTIVITY] > 1) {
		complain(now->scan.line[SCAN_CONNECTIVITY][1],
		         "connectivity stands here and on line %d; expected it once", line);
		return -1;
	}
	if ((text = cfg_getstr(sec, "portal-api")))
		value_bool(text, &c->portal_api);
	text = cfg_getstr(sec, "url");
	if (!text && !c->portal_api) {
		complain(line, "connectivity names nobody to ask; expected url = "
		               "\"http://HOST/PATH\" or portal-api = true");
		return -1;
	}
	if (text)
		value_url(text, (char **)&c->host, &c->port, (char **)&c->path);
	if (text && !(c->host && c->path))
		return -1;
	if ((text = cfg_getstr(sec, "expect")) && !c->host) {
		complain(now->keys.line[EXPECT],
		         "expect without url; expected url = \"http://HOST/PATH\" beside it");
		return -1;
	}
	if (text)
		c->expect = strdup(text);
	return 0;
}

/* --- the file ------------------------------------------------------------------------------- */

static bool fill(int fd, char *text, size_t size)
{
	size_t have = 0;

	while (have < size) {
		ssize_t n = read(fd, text + have, size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			complain(0, "%s; expected a readable policy file", strerror(errno));
			return false;
		}
		if (n == 0)
			break;
		have += (size_t)n;
	}
	text[have] = 0;
	if (strlen(text) == have)
		return true;
	complain(0, "holds a zero byte; expected text");
	return false;
}

static char *read_file(const char *file)
{
	struct stat st;
	char *text = NULL;
	/* O_NONBLOCK: a FIFO must not hold up a stranger's program. */
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, &st) < 0) {
		complain(0, "%s; expected a readable policy file", strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		complain(0, "not a regular file; expected a policy file");
	} else if (st.st_size > FILE_MAX) {
		complain(0, "larger than 1 MiB; expected a policy file");
	} else if ((text = malloc((size_t)st.st_size + 1)) && !fill(fd, text, (size_t)st.st_size)) {
		free(text);
		text = NULL;
	}
	if (fd >= 0)
		close(fd);
	now->trusted = text && (st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & 022);
	return text;
}

static void check_keys(cfg_opt_t *of)
{
	for (; of->name; of++)
		of->validcb = on_key;
}

/* All of the text into now->pol. */
static bool parse(const char *text)
{
	cfg_opt_t interface[] = {
	    CFG_STR("prefer", NULL, CFGF_NONE),
	    CFG_STR("metered", NULL, CFGF_NONE),
	    CFG_STR("nat64", NULL, CFGF_NONE),
	    CFG_END(),
	};
	cfg_opt_t length[] = {
	    CFG_STR("offset", NULL, CFGF_NONE),
	    CFG_STR("width", NULL, CFGF_NONE),
	    CFG_STR("order", NULL, CFGF_NONE),
	    CFG_STR("counts", NULL, CFGF_NONE),
	    CFG_END(),
	};
	cfg_opt_t script[] = {
	    CFG_STR("send", NULL, CFGF_NONE),
	    CFG_STR("expect", NULL, CFGF_NONE),
	    CFG_END(),
	};
	cfg_opt_t peer[] = {
	    CFG_SEC("length", length, CFGF_NONE),
	    CFG_SEC("OPENING", script, CFGF_NONE),
	    CFG_STR("opening", NULL, CFGF_NONE),
	    CFG_STR("opening-words", NULL, CFGF_NONE),
	    CFG_STR("binding-words", NULL, CFGF_NONE),
	    CFG_STR("continuity", NULL, CFGF_NONE),
	    CFG_STR("replay", NULL, CFGF_NONE),
	    CFG_STR("records", NULL, CFGF_NONE),
	    CFG_STR("sticky", NULL, CFGF_NONE),
	    CFG_STR("address-bound", NULL, CFGF_NONE),
	    CFG_STR("on-handover", NULL, CFGF_NONE),
	    CFG_STR("resolve", NULL, CFGF_NONE),
	    CFG_STR("relay", NULL, CFGF_NONE),
	    CFG_STR("relay-key", NULL, CFGF_NONE),
	    CFG_STR("identity", NULL, CFGF_NONE),
	    CFG_STR("standby", NULL, CFGF_NONE),
	    CFG_END(),
	};

	cfg_opt_t stability[] = {
	    CFG_STR("stable", NULL, CFGF_NONE),
	    CFG_STR("hold", NULL, CFGF_NONE),
	    CFG_STR("spread", NULL, CFGF_NONE),
	    CFG_STR("silence", NULL, CFGF_NONE),
	    CFG_STR("outage", NULL, CFGF_NONE),
	    CFG_STR("gone", NULL, CFGF_NONE),
	    CFG_END(),
	};
	cfg_opt_t connectivity[] = {
	    CFG_STR("url", NULL, CFGF_NONE),
	    CFG_STR("portal-api", NULL, CFGF_NONE),
	    CFG_STR("expect", NULL, CFGF_NONE),
	    CFG_END(),
	};
	cfg_opt_t top[] = {
	    CFG_SEC("interface", interface, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
	    CFG_SEC("peer", peer, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
	    CFG_SEC("stability", stability, CFGF_NONE),
	    CFG_SEC("connectivity", connectivity, CFGF_NONE),
	    CFG_END(),
	};
	cfg_t *cfg;
	bool ok;

	check_keys(interface);
	check_keys(length);
	check_keys(peer);
	peer[0].validcb = on_length;
	script[0].validcb = script[1].validcb = on_step;
	peer[1].validcb = on_opening;
	check_keys(stability);
	check_keys(connectivity);
	top[0].validcb = on_interface;
	top[1].validcb = on_peer;
	top[2].validcb = on_stability;
	top[3].validcb = on_connectivity;
	cfg = cfg_init(top, CFGF_NONE);
	if (!cfg)
		return false;
	cfg_set_error_function(cfg, on_error);
	ok = cfg_parse_buf(cfg, text) == CFG_SUCCESS;
	cfg_free(cfg);
	return ok;
}

static bool load(struct load *l)
{
	struct pol *p = l->pol = calloc(1, sizeof(*p));
	char *text = p ? read_file(l->file) : NULL;
	bool ok = text && scan(text, &l->scan);

	if (text && !ok)
		complain(l->scan.error_line, "%s", l->scan.error);
	if (ok) {
		p->stability = pol_calm;
		p->interface = calloc(l->scan.sections[SCAN_INTERFACE] + 1, sizeof(*p->interface));
		p->peer = calloc(l->scan.sections[SCAN_PEER] + 1, sizeof(*p->peer));
		ok = p->interface && p->peer && parse(text);
	}
	free(text);
	return ok;
}

struct pol *pol_load(const char *file, char *err, size_t err_len)
{
	struct load *l = calloc(1, sizeof(*l));
	struct pol *p = NULL;

	if (err_len)
		err[0] = 0;
	if (!l)
		return NULL;
	l->file = file;
	l->err = err;
	l->room = err_len;
	now = l;
	if (load(l)) {
		p = l->pol;
	} else {
		complain(0, "cannot be read; expected a policy file");
		pol_free(l->pol);
	}
	for (unsigned i = 0; i < l->steps; i++)
		free(l->step[i].text);
	now = NULL;
	free(l);
	return p;
}
