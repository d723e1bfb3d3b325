/* SPDX-License-Identifier: MIT */
/* The form of a process's answer: what is printed has been looked at here. */
#include <string.h>

#include "cli/ask.h"

#define FLOWS_MAX 65536
#define INTERFACES_MAX 64
#define STRING_MAX 4096

static int text(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_string(v) && json_string_length(v) <= STRING_MAX;
}

static int one_of(const json_t *o, const char *key, const char *const *words)
{
	const char *s = json_string_value(json_object_get(o, key));

	for (; s && *words; words++)
		if (strcmp(s, *words) == 0)
			return 1;
	return 0;
}

static int number(const json_t *o, const char *key, json_int_t least)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) && json_integer_value(v) >= least;
}

static int flow(const json_t *f)
{
	static const char *const protocols[] = {"tcp", "udp", NULL};
	static const char *const continuities[] = {"auto", "none",    "reset", "redial",
	                                           "http", "session", "mptcp", NULL};
	static const char *const states[] = {"connecting", "stable",  "moving",
	                                     "waiting",    "closing", NULL};
	const json_t *path = json_object_get(f, "path"), *relay = json_object_get(f, "relay");
	const json_t *standby = json_object_get(f, "standby");

	return number(f, "id", 0) && number(f, "fd", -1) && one_of(f, "proto", protocols) &&
	       text(f, "peer") && one_of(f, "continuity", continuities) &&
	       one_of(f, "state", states) && json_is_boolean(json_object_get(f, "covered")) &&
	       text(path, "interface") && text(path, "source") &&
	       (json_is_null(relay) || text(f, "relay")) &&
	       /* A program that runs since before an upgrade says nothing of it. */
	       (!standby || json_is_null(standby) || text(f, "standby")) &&
	       (!json_object_get(f, "means") || (text(f, "means") && text(f, "handover"))) &&
	       number(f, "handovers", 0) && number(f, "sent", 0) && number(f, "received", 0) &&
	       number(f, "unconfirmed", 0) && text(f, "note");
}

/* Only where the policy asks somebody. */
static int connectivity(const json_t *list)
{
	static const char *const states[] = {"unknown", "none", "portal", "limited", "full", NULL};
	const json_t *c;
	size_t i;

	if (list && (!json_is_array(list) || json_array_size(list) > INTERFACES_MAX))
		return 0;
	json_array_foreach(list, i, c)
	{
		if (!text(c, "interface") || !one_of(c, "state", states))
			return 0;
	}
	return 1;
}

int ask_valid(const json_t *answer, int pid, const char **why)
{
	const json_t *flows = json_object_get(answer, "flows"), *f;
	size_t i;

	*why = "its answer is not of the agreed form";
	if (!text(answer, "program") || !text(answer, "policy") || !text(answer, "agent") ||
	    !connectivity(json_object_get(answer, "connectivity")) || !json_is_array(flows) ||
	    json_array_size(flows) > FLOWS_MAX)
		return 0;
	json_array_foreach(flows, i, f)
	{
		if (!flow(f))
			return 0;
	}
	*why = "it answered for another process";
	return number(answer, "pid", 1) &&
	       json_integer_value(json_object_get(answer, "pid")) == pid;
}
