/* SPDX-License-Identifier: MIT */
/* The sections of a policy file, each when it has ended: what its keys say together. */
#include <stdlib.h>
#include <string.h>

#include "policy/loading.h"
#include "policy/user.h"
#include "policy/value.h"

static const struct pol_length length_usual = {.width = 4};

/* The section that has just ended, and the line it began on. */
static cfg_t *ended(cfg_opt_t *opt, enum scan_kind kind, int *line)
{
	unsigned n = cfg_opt_size(opt);
	cfg_t *sec = n ? cfg_opt_getnsec(opt, n - 1) : NULL;

	*line = sec && n <= now->scan.sections[kind] ? now->scan.line[kind][n - 1] : 0;
	keys_about(&now->keys, sec);
	return sec;
}

int on_interface(cfg_t *cfg, cfg_opt_t *opt)
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

int on_length(cfg_t *cfg, cfg_opt_t *opt)
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

int on_opening(cfg_t *cfg, cfg_opt_t *opt)
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
	           *binding = cfg_getstr(sec, "binding-words"),
	           *ends = cfg_getstr(sec, "answer-ends");
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
	if (ends && (r->continuity != POL_REDIAL || r->records != POL_RECORDS_LINE)) {
		complain(now->keys.line[ANSWER_ENDS],
		         "answer-ends of what is not lines dialled again; expected continuity = "
		         "redial, and replay = line or records = line beside it");
		return false;
	}
	r->answer_ends = ends ? strdup(ends) : NULL;
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

int on_peer(cfg_t *cfg, cfg_opt_t *opt)
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

int on_stability(cfg_t *cfg, cfg_opt_t *opt)
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
	if ((text = cfg_getstr(sec, "damp")))
		value_time(text, &s->damp);
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

int on_connectivity(cfg_t *cfg, cfg_opt_t *opt)
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
