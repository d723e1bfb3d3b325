/* SPDX-License-Identifier: MIT */
/* Which relay a link leads to, where that is, and whether it is the right one. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "preload/keys.h"
#include "preload/link_private.h"
#include "preload/raw.h"

#define DISTRUST_MS 600000 /* a relay whose key has changed is asked again after this time */

static void name_of(const struct pol_rule *rule, const union flow_address *peer, char *out,
                    size_t len)
{
	char ip[INET6_ADDRSTRLEN] = "?";
	sa_family_t family;
	const void *raw = address_ip(peer, &family);

	inet_ntop(family, raw, ip, sizeof(ip));
	const char *host = rule->relay_host ? rule->relay_host : ip;

	snprintf(out, len, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, rule->relay_port);
}

static void set_port(union flow_address *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET6)
		a->in6.sin6_port = htons(port);
	else
		a->in.sin_port = htons(port);
}

/* An address in the policy, or the peer's own: known at once. */
void link_locate(struct link *l, const union flow_address *peer)
{
	union flow_address *a = &l->relay[0];

	*a = *peer;
	l->relays = 1;
	if (l->rule->relay_host) {
		memset(a, 0, sizeof(*a));
		if (inet_pton(AF_INET, l->rule->relay_host, &a->in.sin_addr) == 1)
			a->sa.sa_family = AF_INET;
		else if (inet_pton(AF_INET6, l->rule->relay_host, &a->in6.sin6_addr) == 1)
			a->sa.sa_family = AF_INET6;
		else
			l->relays = 0;
	}
	set_port(a, l->rule->relay_port);
}

/* The client's own key is for relays that the policy names, or where it names the key. */
static void load_identity(struct link *l)
{
	if (!l->rule->relay_host && !l->rule->identity)
		return;
	int r = keys_own(l->rule->identity, &l->identity);

	l->have_identity = r == 0;
	if (r < 0 && (r != -ENOENT || l->rule->identity))
		log_error("%s: %s", l->rule->identity ? l->rule->identity : "client.key",
		          r == -EPERM     ? "others may read it; expected mode 600"
		          : r == -EBADMSG ? "not a key; expected what `mifcont keygen` writes"
		                          : strerrordesc_np(-r));
}

struct link *link_to(const struct pol_rule *rule, const union flow_address *peer)
{
	struct link *l = NULL;
	char name[sizeof(l->name)];

	name_of(rule, peer, name, sizeof(name));
	for (int i = 0; i < LINKS; i++) {
		struct link *k = &links[i];

		if (k->used && !k->leaving && strcmp(k->name, name) == 0)
			return k;
		if (!l && (!k->used || (k->leaving && !link_needed(k))))
			l = k;
	}
	if (!l)
		return NULL;
	if (l->used) {
		link_stop_dialling(l);
		link_drop_control(l);
		standby_drop(l);
		ses_assoc_wipe(&l->assoc);
	}
	memset(l, 0, sizeof(*l));
	l->used = true;
	if (l - links >= links_beyond)
		links_beyond = (int)(l - links) + 1;
	memcpy(l->name, name, sizeof(name));
	l->rule = rule;
	l->control = l->dial[0].fd = l->dial[1].fd = -1;
	l->slot = -1;
	standby_init(&l->standby);
	link_locate(l, peer);
	load_identity(l);
	return l;
}

static void found(void *arg, const union flow_address *addr, unsigned n)
{
	struct link *l = arg;

	struct mif_path paths[PATHS_MAX];

	l->looking = false;
	memcpy(l->relay, addr, n * sizeof(*addr));
	l->relays = n;
	l->failed = n == 0;
	/* The first that some path leads to: a name has IPv6 addresses where this host may have
	 * none. */
	for (unsigned i = 0; i < n; i++)
		if (choose_paths(&addr[i], paths) > 0) {
			l->relay[0] = addr[i];
			l->relay[i] = addr[0];
			break;
		}
}

int link_located(struct link *l)
{
	if (l->relays)
		return 0;
	if (l->looking)
		return -EINPROGRESS;
	l->looking = true;
	if (!lookup_begin(l->rule->relay_host, l->rule->relay_port, found, l))
		l->looking = false;
	/* It may have been answered at once, from a file. */
	return l->relays ? 0 : l->looking ? -EINPROGRESS : -EHOSTUNREACH;
}

bool link_address(const struct link *l, sa_family_t family, union flow_address *to)
{
	sa_family_t have;

	for (unsigned i = 0; l->have_assoc && i < l->assoc.homes; i++) {
		*to = address_of(&l->assoc.home[i]);
		if (to->sa.sa_family == family)
			return true;
	}
	for (unsigned i = 0; i < l->relays && !(l->have_assoc && l->assoc.homes); i++) {
		*to = l->relay[i];
		address_ip(to, &have);
		if (have == family)
			return true;
	}
	return false;
}

const union flow_address *link_relay(const struct link *l)
{
	static union flow_address home;

	if (!l->have_assoc || !l->assoc.homes)
		return &l->relay[0];
	if (!link_address(l, l->relay[0].sa.sa_family, &home))
		home = address_of(&l->assoc.home[0]);
	return &home;
}

void link_places(const struct link *l, struct places *p)
{
	bool homes = l->have_assoc && l->assoc.homes;

	p->n = 0;
	places_add(p, link_relay(l));
	for (unsigned i = 0; homes && i < l->assoc.homes; i++) {
		union flow_address a = address_of(&l->assoc.home[i]);

		places_add(p, &a);
	}
	for (unsigned i = 0; !homes && i < l->relays; i++)
		places_add(p, &l->relay[i]);
}

void link_all_places(const struct link *l, struct places *p)
{
	link_places(l, p);
	places_translate(p);
}

void link_learn(struct link *l, const struct ses_client *ses)
{
	struct places p = {.n = 0};

	if (l->relays > PLACES_MAX)
		return;
	for (unsigned i = 0; i < l->relays; i++)
		places_add(&p, &l->relay[i]);
	for (unsigned i = 0; i < ses->relays && p.n < LOOKUP_ADDRESSES; i++) {
		union flow_address a = address_of(&ses->relay[i]);

		places_add(&p, &a);
	}
	memcpy(l->relay, p.at, p.n * sizeof(*p.at));
	l->relays = p.n;
}

bool link_at_home(const struct link *l, int fd)
{
	union flow_address a;
	socklen_t len = sizeof(a);

	if (!l->have_assoc || !l->assoc.homes || raw_getpeername(fd, &a.sa, &len) < 0)
		return true;
	struct ses_addr there = address_to_session(&a);

	for (unsigned i = 0; i < l->assoc.homes; i++)
		if (memcmp(&l->assoc.home[i], &there, sizeof(there)) == 0)
			return true;
	return false;
}

const char *link_name(const struct link *l)
{
	return l->name;
}

const struct ses_identity *link_identity(const struct link *l)
{
	return l->have_identity ? &l->identity : NULL;
}

bool link_gateway(const struct link *l)
{
	return l->rule->relay_host != NULL;
}

struct fastopen_table *link_fastopen(struct link *l)
{
	return &l->fast;
}

bool link_standby(struct link *l, const struct mif_path *path, struct dial *d)
{
	return standby_take(l, path, d);
}

const char *link_spare(const struct link *l, bool *fast)
{
	return standby_interface(l, fast);
}

void link_stir(struct link *l)
{
	standby_stir(l);
}

const char *link_refusal(const struct link *l)
{
	return l->key_changed ? "the relay's key has changed" : NULL;
}

bool link_trusted(struct link *l)
{
	bool good = l->rule->relay_key_known
	                ? kdf_same(l->rule->relay_key, l->assoc.relay_key, SES_KEY)
	                : keys_judge(l->name, l->assoc.relay_key) == KEYS_GOOD;
	char key[KEY_TEXT];

	l->key_changed = !good;
	if (good)
		return true;
	l->shunned_ms = clock_ms() + DISTRUST_MS;
	key_to_text(l->assoc.relay_key, key);
	if (l->rule->relay_key_known)
		log_error("relay %s: its key is %s, not the relay-key of the policy (line %d). "
		          "Somebody may be in between; it is not used.",
		          l->name, key, l->rule->line);
	else
		log_error(
		    "relay %s: its key has changed to %s. Somebody may be in between, or it was "
		    "set up anew; it is not used. If that is right: mifcont relays forget %s "
		    "(the line is in %s)",
		    l->name, key, l->name, keys_file());
	return false;
}
