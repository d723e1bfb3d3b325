/* SPDX-License-Identifier: MIT */
#include "preload/errand.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/log.h"
#include "monitor/monitor.h"
#include "preload/agent.h"
#include "preload/dial.h"
#include "preload/names.h"
#include "preload/outside.h"
#include "preload/own.h"
#include "preload/raw.h"

#define ERRANDS 16
#define PATIENCE_MS 10000 /* so long a reset waits for the command */
#define LASTS_MS 5000     /* for so long after its end it need not be run for another flow */

/* Flows that have these in common need one run. Compared as bytes. */
struct key {
	const char *command;
	union flow_address peer;
	int ifindex;
	uint8_t source[16];
	bool reset;
};

static struct errand {
	struct key key; /* command NULL: free */
	char interface[IFNAMSIZ];
	int fd; /* says how it ended; -1: it has */
	int slot;
	int64_t since_ms; /* begun, or ended */
} errands[ERRANDS] = {[0 ... ERRANDS - 1] = {.fd = -1, .slot = -1}};

static struct errand *known(const struct key *k, int64_t now)
{
	for (int i = 0; i < ERRANDS; i++) {
		struct errand *e = &errands[i];

		if (memcmp(&e->key, k, sizeof(*k)) == 0 &&
		    (e->fd >= 0 || now - e->since_ms < LASTS_MS))
			return e;
	}
	return NULL;
}

/* A free one, or the one that ended first. */
static struct errand *room(void)
{
	struct errand *b = NULL;

	for (int i = 0; i < ERRANDS; i++)
		if (errands[i].fd < 0 && (!b || errands[i].since_ms < b->since_ms))
			b = &errands[i];
	return b;
}

static void begin(struct errand *e, const struct flow *f, const void *source, sa_family_t family)
{
	char text[7][NAME_MAX_LEN + 40], ip[INET6_ADDRSTRLEN], name[NAME_MAX_LEN + 1];
	const char *vars[8] = {NULL};
	sa_family_t of;
	const void *peer = address_ip(&f->peer, &of);
	bool named = names_find(of, peer, name);

	snprintf(text[0], sizeof(text[0]), "MIFCONT_EVENT=%s", e->key.reset ? "reset" : "moved");
	snprintf(text[1], sizeof(text[1]), "MIFCONT_PEER=%s",
	         inet_ntop(of, peer, ip, sizeof(ip)) ? ip : "");
	snprintf(text[2], sizeof(text[2]), "MIFCONT_PORT=%u", ntohs(f->peer.in.sin_port));
	snprintf(text[3], sizeof(text[3]), "MIFCONT_HOST=%s", named ? name : "");
	snprintf(text[4], sizeof(text[4]), "MIFCONT_INTERFACE=%s", e->interface);
	snprintf(text[5], sizeof(text[5]), "MIFCONT_ADDRESS=%s",
	         inet_ntop(family, source, ip, sizeof(ip)) ? ip : "");
	snprintf(text[6], sizeof(text[6]), "MIFCONT_PID=%d", (int)raw_getpid());
	for (int i = 0; i < 7; i++)
		vars[i] = text[i];

	int fd = outside_run(e->key.command, vars);

	e->fd = fd < 0 ? -1 : fd;
	if (e->fd < 0)
		log_warn("flow %u: on-handover command not run: %s", f->id,
		         strerrordesc_np(fd < 0 ? -fd : EMFILE));
	else
		log_info("flow %u: on-handover command begun (%s, %s)", f->id, text[0], text[4]);
}

/* The errand of a flow that has gone, or would go, to this place; NULL: none is to be run, or none
 * can be. */
static struct errand *errand_for(const struct flow *f, const void *source, sa_family_t family,
                                 int ifindex, const char *interface, bool reset)
{
	struct key k;
	struct errand *e;
	int64_t now = clock_ms();

	if (!f->rule || !f->rule->on_handover)
		return NULL;
	memset(&k, 0, sizeof(k));
	k.command = f->rule->on_handover;
	memcpy(&k.peer, &f->peer, f->address_len);
	k.ifindex = ifindex;
	memcpy(k.source, source, family == AF_INET6 ? 16 : 4);
	k.reset = reset;
	if ((e = known(&k, now)))
		return e;
	if (!(e = room())) {
		log_warn("flow %u: on-handover command not run: %d are running", f->id, ERRANDS);
		return NULL;
	}
	*e = (struct errand){.fd = -1, .slot = -1, .since_ms = now};
	memcpy(&e->key, &k, sizeof(k));
	snprintf(e->interface, sizeof(e->interface), "%s", interface);
	begin(e, f, source, family);
	return e;
}

void errand_tell(struct flow *f)
{
	char name[IFNAMSIZ] = "";
	sa_family_t family;
	const void *ip = address_ip(&f->source, &family);

	if (!f->rule || !f->rule->on_handover)
		return;
	if (agent_monitor())
		mif_interface(agent_monitor(), f->ifindex, name, NULL, NULL);
	errand_for(f, ip, family, f->ifindex, name, false);
}

bool errand_over(struct flow *f, const struct mif_path *path, struct waits *w)
{
	struct errand *e =
	    errand_for(f, path->source.ip, path->source.family, path->ifindex, path->name, true);

	if (!e || e->fd < 0 || clock_ms() - e->since_ms >= PATIENCE_MS)
		return true;
	waits_until(w, e->since_ms + PATIENCE_MS);
	return false;
}

void errands_wait(struct waits *w)
{
	for (int i = 0; i < ERRANDS; i++)
		if (errands[i].fd >= 0)
			errands[i].slot = waits_add(w, errands[i].fd, POLLIN);
}

void errands_step(const struct waits *w)
{
	for (int i = 0; i < ERRANDS; i++) {
		struct errand *e = &errands[i];
		int status = 0;

		if (e->fd < 0 || !waits_got(w, e->slot))
			continue;
		if (raw_read(e->fd, &status, sizeof(status)) != sizeof(status))
			log_warn("on-handover command: its end was not seen");
		else if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			log_info("on-handover command: done");
		else
			log_warn("on-handover command: ended by %s %d",
			         WIFEXITED(status) ? "exit status" : "signal",
			         WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
		own_close(e->fd);
		e->fd = e->slot = -1;
		e->since_ms = clock_ms();
	}
}

void errands_forked(void)
{
	for (int i = 0; i < ERRANDS; i++)
		errands[i] = (struct errand){.fd = -1, .slot = -1};
}
