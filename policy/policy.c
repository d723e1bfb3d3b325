/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "common/userfile.h"
#include "policy/glob.h"
#include "policy/rules.h"

#define STABILITY                                                                                  \
	{                                                                                          \
		.stable = 250, .hold = 2000, .damp = 30000, .spread = 250, .silence = true,        \
		.outage = 3000, .gone = 30000                                                      \
	}

const struct pol_stability pol_calm = STABILITY;

static const struct pol builtin = {.stability = STABILITY};

static const struct pol_rule builtin_rule = {
    .pattern = "(no rule)",
    .continuity = POL_AUTO,
    .standby = POL_STANDBY_YES,
    .relay_port = POL_RELAY_PORT,
};

const struct pol *pol_builtin(void)
{
	return &builtin;
}

void pol_free(struct pol *p)
{
	if (!p || p == &builtin)
		return;
	for (unsigned i = 0; i < p->peers; i++) {
		free((char *)p->peer[i].rule.pattern);
		free((char *)p->peer[i].rule.relay_host);
		free((char *)p->peer[i].rule.identity);
		free((char *)p->peer[i].rule.on_handover);
		free((char *)p->peer[i].rule.opening_words);
		free((char *)p->peer[i].rule.binding_words);
		free((char *)p->peer[i].rule.answer_ends);
		for (unsigned k = 0; k < p->peer[i].rule.steps; k++)
			free(p->peer[i].rule.step[k].text);
	}
	for (unsigned i = 0; i < p->interfaces; i++) {
		free(p->interface[i].pattern);
		free(p->interface[i].type);
	}
	free((char *)p->check.host);
	free((char *)p->check.path);
	free((char *)p->check.expect);
	free(p->peer);
	free(p->interface);
	free(p);
}

bool pol_resolves(const struct pol *p)
{
	for (unsigned i = 0; i < p->peers; i++)
		if (p->peer[i].rule.resolve_path)
			return true;
	return false;
}

const struct pol_rule *pol_match(const struct pol *p, const struct pol_peer *peer)
{
	for (unsigned i = 0; i < p->peers; i++)
		if (pattern_match(&p->peer[i].pattern, peer))
			return &p->peer[i].rule;
	return &builtin_rule;
}

static bool about(const struct rule_interface *r, const char *ifname, const char *type)
{
	return r->type ? strcmp(r->type, type) == 0 : glob_match(r->pattern, ifname, false);
}

int pol_prefer(const struct pol *p, const char *ifname, const char *type, bool *named,
               bool *metered)
{
	if (named)
		*named = false;
	if (metered)
		*metered = false;
	for (unsigned i = 0; i < p->interfaces; i++) {
		const struct rule_interface *r = &p->interface[i];

		if (!about(r, ifname, type))
			continue;
		if (named)
			*named = r->pattern[strspn(r->pattern, "*")] != 0;
		if (metered)
			*metered = r->metered;
		return r->prefer;
	}
	return 0;
}

int pol_metered(const struct pol *p, const char *ifname, const char *type)
{
	for (unsigned i = 0; i < p->interfaces; i++)
		if (about(&p->interface[i], ifname, type))
			return p->interface[i].metered_said ? p->interface[i].metered : -1;
	return -1;
}

const struct pol_check *pol_check(const struct pol *p)
{
	return &p->check;
}

const struct pol_stability *pol_stability(const struct pol *p)
{
	return &p->stability;
}

const struct nat64_prefix *pol_nat64(const struct pol *p, const char *ifname, const char *type)
{
	for (unsigned i = 0; i < p->interfaces; i++)
		if (about(&p->interface[i], ifname, type))
			return p->interface[i].nat64.bits ? &p->interface[i].nat64 : NULL;
	return NULL;
}

bool pol_nat64_network(const struct pol *p, const char *ifname, const char *type)
{
	for (unsigned i = 0; i < p->interfaces; i++)
		if (about(&p->interface[i], ifname, type))
			return p->interface[i].nat64_network;
	return false;
}

bool pol_listens(const struct pol *p)
{
	bool listens = p->check.portal_api || pol_resolves(p);

	for (unsigned i = 0; i < p->interfaces && !listens; i++)
		listens = p->interface[i].nat64_network;
	return listens;
}

bool pol_nat64_at(const struct pol *p, unsigned i, const struct nat64_prefix **prefix)
{
	if (i >= p->interfaces)
		return false;
	*prefix = p->interface[i].nat64.bits ? &p->interface[i].nat64 : NULL;
	return true;
}

bool pol_find(char *path, size_t len)
{
	const char *v;

	/* Not in a program that runs with more rights than its caller. */
	if (!getauxval(AT_SECURE)) {
		if ((v = getenv("MIFCONT_POLICY")) && *v)
			return snprintf(path, len, "%s", v) < (int)len;
		if (userfile(USERFILE_CONFIG, "policy.conf", path, len) && access(path, F_OK) == 0)
			return true;
	}
	return snprintf(path, len, "/etc/mifcont/policy.conf") < (int)len &&
	       access(path, F_OK) == 0;
}

const char *pol_continuity_name(enum pol_continuity c)
{
	static const char *const names[] = {"auto", "none",    "reset", "redial",
	                                    "http", "session", "mptcp"};

	return names[c];
}

const char *pol_replay_name(enum pol_replay r)
{
	static const char *const names[] = {"none", "line", "length-prefix"};

	return names[r];
}

const char *pol_records_name(enum pol_records r)
{
	static const char *const names[] = {"none", "line", "length-prefix", "resp"};

	return names[r];
}

const char *pol_standby_name(enum pol_standby s)
{
	static const char *const names[] = {"no", "yes", "metered"};

	return names[s];
}
