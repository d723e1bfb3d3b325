/* SPDX-License-Identifier: MIT */
/* A loaded policy. For the files of this room and for `mifcont policy`, which shows what was read.
 */
#ifndef POLICY_RULES_H
#define POLICY_RULES_H

#include "policy/pattern.h"
#include "policy/policy.h"

struct rule_interface {
	char *pattern;
	int prefer;
	bool metered, metered_said;
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
};

#endif
