/* SPDX-License-Identifier: MIT */
/*
 * Written from libmif(3) alone: by_the_page NAME PORT stays connected to a name by one domain at a
 * time, and says of addresses how long they hold. When the interface it uses goes away it takes
 * another domain; a line of input, and it stops everything it has asked for. Compiled as any
 * program of libmif's, against what is installed.
 */
#include <arpa/inet.h>
#include <mif.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct mif *mif;
static const char *name;
static int port;
static struct mif_message at; /* the domain in use, as it was announced; of no type: none */
static int fd = -1;
static unsigned id;

static void post(struct mif_message m)
{
	int r = mif_post(mif, &m);

	if (r < 0)
		printf("%s: %s\n", mif_type_name(m.type), strerror(-r));
}

static const char *text(const struct sockaddr_storage *a)
{
	static char ip[INET6_ADDRSTRLEN];

	return inet_ntop(a->ss_family,
	                 a->ss_family == AF_INET
	                     ? (const void *)&((const struct sockaddr_in *)a)->sin_addr
	                     : (const void *)&((const struct sockaddr_in6 *)a)->sin6_addr,
	                 ip, sizeof(ip));
}

static void enter(const struct mif_message *pvd)
{
	struct mif_message to = {.type = MIF_CONNECT_TO_PVD, .interface = pvd->interface};
	struct mif_message ask = {.type = MIF_TRANSLATE_NAME, .id = ++id};

	at = *pvd;
	memcpy(to.pvd, pvd->pvd, sizeof(to.pvd));
	snprintf(ask.name, sizeof(ask.name), "%s", name);
	printf("enter %s\n", at.name);
	post(to);
	post(ask);
}

/* And see what other domains there are. */
static void leave(const char *why)
{
	printf("leave %s: %s\n", at.name, why);
	post((struct mif_message){.type = MIF_STOP_TRANSLATING_NAME, .id = id});
	post((struct mif_message){.type = MIF_STOP_CONNECTING, .id = id});
	post((struct mif_message){.type = MIF_CONNECT_TO_PVD});
	if (fd >= 0)
		close(fd);
	fd = -1;
	at.type = 0;
	post((struct mif_message){.type = MIF_ANNOUNCE_PVD});
}

static void dial(const struct mif_message *found)
{
	struct mif_message m = {
	    .type = MIF_CONNECT_TO_ADDRESS, .id = id, .address = found->address};

	if (m.address.ss_family == AF_INET)
		((struct sockaddr_in *)&m.address)->sin_port = htons((uint16_t)port);
	else
		((struct sockaddr_in6 *)&m.address)->sin6_port = htons((uint16_t)port);
	post(m);
}

static void hear(const struct mif_message *m)
{
	switch (m->type) {
	case MIF_PVD:
		if (!at.type)
			enter(m);
		break;
	case MIF_ADDRESS:
		if (m->valid != MIF_FOREVER)
			printf("%s: %u of %u%s\n", text(&m->address), m->preferred, m->valid,
			       m->deprecated ? ", over soon" : "");
		break;
	case MIF_NO_ADDRESS:
		printf("%s: over\n", text(&m->address));
		break;
	case MIF_INTERFACE_IS_GOING_AWAY:
		if (at.type && m->interface == at.interface)
			leave(m->text);
		break;
	case MIF_NO_PVD:
	case MIF_INTERFACE_IS_GOING_UP:
		break;
	case MIF_NAME_TRANSLATION:
		dial(m);
		break;
	case MIF_NO_NAME_TRANSLATION:
	case MIF_NOT_CONNECTED:
		if (m->error)
			printf("%s: %s\n", mif_type_name(m->type), strerror(m->error));
		break;
	case MIF_CONNECTED:
		fd = m->fd;
		printf("connected from %s\n", text(&m->source));
		break;
	default:
		printf("not asked for: %s\n", mif_type_name(m->type));
	}
}

static void stop_all(void)
{
	post((struct mif_message){.type = MIF_STOP_ANNOUNCING_ADDRESS});
	post((struct mif_message){.type = MIF_STOP_ANNOUNCING_PVD});
	puts("stopped");
}

int main(int argc, char **argv)
{
	struct pollfd in = {.fd = 0, .events = POLLIN};
	struct mif_message m;
	char line[8];

	if (argc != 3 || mif_open(&mif) < 0)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	name = argv[1];
	port = atoi(argv[2]);
	post((struct mif_message){.type = MIF_ANNOUNCE_PVD});
	post((struct mif_message){.type = MIF_ANNOUNCE_ADDRESS});
	while (mif_check(mif, &in, 1, -1) > 0) {
		while (mif_get(mif, &m) > 0)
			hear(&m);
		if (in.revents && read(0, line, sizeof(line)) <= 0)
			break;
		if (in.revents)
			stop_all();
	}
	mif_close(mif);
	return 0;
}
