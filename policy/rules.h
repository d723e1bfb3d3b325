/* SPDX-License-Identifier: MIT */
/* A loaded policy. For the files of this room and for `mifcont policy`, which shows what was read.
 */
#ifndef POLICY_RULES_H
#define POLICY_RULES_H

#include "policy/pattern.h"
#include "policy/policy.h"

struct rule_interface {
	char *pattern;
	char *type; /* instead of a pattern over names, as the monitor calls it; or NULL */
	int prefer;
	bool metered, metered_said;
	struct nat64_prefix nat64;
	bool nat64_network; /* as the network says */
};

struct rule_peer {
	struct pattern pattern;
	struct pol_rule rule;
};

struct pol {
	struct rule_interface *interface;
	unsigned interfaces;
	struct rule_peer *peer;
	unsigned peers;
	struct pol_stability stability;
	struct pol_check check;
};

extern const struct pol_stability pol_calm; /* where nothing is said */

#endif
