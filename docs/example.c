/* SPDX-License-Identifier: MIT */
/*
 * The draft's own example: find the interfaces, the provisioning domains on each, what a name means
 * in each of them; connect to every address from every domain; keep what answers first.
 *
 *   cc -o example example.c $(pkg-config --cflags --libs libmif)
 *   ./example www.example.org 443
 */
#include <arpa/inet.h>
#include <mif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct mif *mif;
static unsigned next_id, asked;

static int post(struct mif_message *m)
{
	int r = mif_post(mif, m);

	if (r < 0)
		fprintf(stderr, "%s: %s\n", mif_type_name(m->type), strerror(-r));
	return r;
}

/* A new domain: what does the name mean there? */
static void translate(const struct mif_message *pvd, const char *name)
{
	struct mif_message m = {.type = MIF_TRANSLATE_NAME, .interface = pvd->interface};

	printf("%s: domain %s\n", pvd->name, pvd->pvd);
	m.id = ++next_id;
	strcpy(m.pvd, pvd->pvd);
	snprintf(m.name, sizeof(m.name), "%s", name);
	asked += post(&m) == 0;
}

/* An address, and the domain it holds in: is anybody there? */
static void try_it(const struct mif_message *answer, int port)
{
	struct mif_message m = {.type = MIF_CONNECT_TO_ADDRESS, .interface = answer->interface};

	m.id = ++next_id;
	strcpy(m.pvd, answer->pvd);
	m.address = answer->address;
	if (m.address.ss_family == AF_INET)
		((struct sockaddr_in *)&m.address)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)&m.address)->sin6_port = htons(port);
	asked += post(&m) == 0;
}

int main(int argc, char **argv)
{
	struct mif_message m;

	if (argc != 3 || mif_open(&mif) < 0)
		return 2;
	post(&(struct mif_message){.type = MIF_ANNOUNCE_INTERFACES});
	/* Until one has answered; and while nothing is asked, for what may come, ten seconds. */
	while (mif_check(mif, NULL, 0, asked ? -1 : 10000) > 0)
		while (mif_get(mif, &m) > 0)
			switch (m.type) {
			case MIF_INTERFACE:
				printf("%s: interface %d\n", m.name, m.interface);
				post(&(struct mif_message){.type = MIF_ANNOUNCE_PVD,
				                           .interface = m.interface});
				break;
			case MIF_PVD:
				translate(&m, argv[1]);
				break;
			case MIF_NAME_TRANSLATION:
				try_it(&m, atoi(argv[2]));
				break;
			case MIF_NO_NAME_TRANSLATION:
			case MIF_NOT_CONNECTED:
				printf("%s: %s: %s\n", m.pvd, mif_type_name(m.type), m.text);
				asked--;
				break;
			case MIF_CONNECTED:
				printf("%s: connected\n", m.pvd);
				/* A program would make sure with TLS whom it talks to, and use
				 * it. */
				close(m.fd);
				mif_close(mif);
				return 0;
			default:
				break;
			}
	mif_close(mif);
	return 1;
}
