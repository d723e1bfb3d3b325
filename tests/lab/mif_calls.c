/* SPDX-License-Identifier: MIT */
/*
 * The calls of libmif as a program makes them: mif_calls INTERFACE OWN-ADDRESS SERVER PORT. Says
 * what is wrong, if anything. The server sends datagrams back.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "monitor/mif.h"

static struct mif *mif;

#define must(what)                                                                                 \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);         \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The domain of the interface. */
static void find_domain(const char *interface, struct mif_message *pvd)
{
	struct mif_message m = {.type = MIF_ANNOUNCE_PVD};

	must(mif_post(mif, &m) == 0);
	while (mif_check(mif, NULL, 0, 5000) > 0)
		while (mif_get(mif, &m) > 0)
			if (m.type == MIF_PVD && strcmp(m.name, interface) == 0) {
				*pvd = m;
				return;
			}
	must(!"its domain came");
}

/* A loop that waits for the descriptor sleeps when there is nothing. */
static void the_descriptor_rests(void)
{
	struct pollfd p = {.fd = mif_fd(mif), .events = POLLIN};
	struct mif_message m;
	int64_t end = now_ms() + 1000;
	int woken = 0;

	while (mif_get(mif, &m) > 0)
		;
	while (now_ms() < end) {
		if (poll(&p, 1, 100) > 0)
			woken++;
		while (mif_get(mif, &m) > 0)
			;
	}
	must(woken < 20);
}

/* And is readable when there is something, until it was read. */
static void the_descriptor_wakes(void)
{
	struct pollfd p = {.fd = mif_fd(mif), .events = POLLIN};
	struct mif_message m = {.type = MIF_ANNOUNCE_INTERFACES};

	must(mif_post(mif, &m) == 0);
	must(poll(&p, 1, 0) == 1);
	must(poll(&p, 1, 0) == 1);
	must(mif_get(mif, &m) == 1 && m.type == MIF_INTERFACE);
	must(mif_check(mif, NULL, 0, 0) == 1);
	while (mif_get(mif, &m) > 0)
		;
	must(mif_check(mif, NULL, 0, 0) == 0);
}

static void a_descriptor_of_ours(void)
{
	struct pollfd p[2] = {{.events = POLLIN}, {.fd = -1}};
	int pair[2];

	must(pipe(pair) == 0);
	p[0].fd = pair[0];
	must(mif_check(mif, p, 2, 0) == 0 && !p[0].revents);
	must(write(pair[1], "x", 1) == 1);
	must(mif_check(mif, p, 2, -1) == 1 && p[0].revents == POLLIN && !p[1].revents);
	close(pair[0]);
	close(pair[1]);
}

static void a_socket_of_the_domain(const struct mif_message *pvd, const char *own,
                                   const struct sockaddr_in *server)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);
	struct timeval patience = {5, 0};
	char ip[INET_ADDRSTRLEN], answer[16];
	int fd = socket(AF_INET, SOCK_DGRAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);

	must(mif_bind(mif, fd, "nowhere.example", NULL) == -ENOENT);
	must(mif_bind(mif, fd, NULL, NULL) == -ENOENT);
	must(mif_bind(mif, -1, pvd->pvd, NULL) == -EBADF);
	must(mif_bind(mif, fd, pvd->pvd, NULL) == 0);
	must(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
	must(strcmp(inet_ntop(AF_INET, &at.sin_addr, ip, sizeof(ip)), own) == 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	must(connect(fd, (const struct sockaddr *)server, sizeof(*server)) == 0);
	must(send(fd, "hello", 5, 0) == 5 && recv(fd, answer, sizeof(answer), 0) >= 5);
	/* By the domain connected to, from an address that is given. */
	must(mif_post(mif, &(struct mif_message){.type = MIF_CONNECT_TO_PVD}) == 0);
	struct mif_message m = {.type = MIF_CONNECT_TO_PVD};

	memcpy(m.pvd, pvd->pvd, sizeof(m.pvd));
	must(mif_post(mif, &m) == 0);
	must(inet_pton(AF_INET, own, &at.sin_addr) == 1);
	at.sin_port = htons(7777);
	must(mif_bind(mif, other, NULL, (struct sockaddr *)&at) == 0);
	close(fd);
	close(other);
}

/* A child closes its copy; connections that are under way here go on: to somebody who is not there.
 */
static void a_child(const struct mif_message *pvd, const char *own)
{
	struct mif_message m = {.type = MIF_CONNECT_TO_ADDRESS, .id = 9};
	struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_port = htons(9)};
	int status;
	pid_t pid;

	memcpy(m.pvd, pvd->pvd, sizeof(m.pvd));
	must(inet_pton(AF_INET, own, &nobody.sin_addr) == 1);
	nobody.sin_addr.s_addr ^= htonl(0x40);
	memcpy(&m.address, &nobody, sizeof(nobody));
	must(mif_post(mif, &m) == 0);
	must(mif_post(mif, &m) == -EEXIST);
	pid = fork();
	if (pid == 0) {
		mif_close(mif);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && status == 0);
	do
		must(mif_check(mif, NULL, 0, 10000) > 0 && mif_get(mif, &m) >= 0);
	while (m.type != MIF_NOT_CONNECTED);
	must(m.id == 9 && m.error == EHOSTUNREACH && m.fd == -1);
}

/* Refused at once, or answered, and not read: there is no answer after a stop, and no socket. */
static void a_stop(const struct mif_message *pvd, const struct sockaddr_in *server)
{
	struct mif_message m = {.type = MIF_CONNECT_TO_ADDRESS, .id = 5};
	struct sockaddr_in to = *server;
	struct mif_message stop = {.type = MIF_STOP_CONNECTING, .id = 5}, got;

	memcpy(m.pvd, pvd->pvd, sizeof(m.pvd));
	to.sin_port = htons(9);
	memcpy(&m.address, &to, sizeof(to));
	must(mif_post(mif, &m) == 0);
	must(mif_check(mif, NULL, 0, 10000) > 0);
	must(mif_post(mif, &stop) == 0);
	m.id = 6;
	must(mif_post(mif, &m) == 0);
	do
		must(mif_check(mif, NULL, 0, 10000) > 0 && mif_get(mif, &got) >= 0);
	while (got.type != MIF_NOT_CONNECTED);
	must(got.id == 6 && got.error == ECONNREFUSED);
	/* None of that name is under way. */
	must(mif_post(mif, &stop) == 0);
}

static void what_is_refused(void)
{
	struct mif_message m = {.type = (enum mif_type)12345};

	must(mif_post(mif, &m) == -EINVAL);
	m.type = MIF_PVD;
	must(mif_post(mif, &m) == -EINVAL);
	m = (struct mif_message){.type = MIF_ANNOUNCE_PVD, .interface = -1};
	must(mif_post(mif, &m) == -EINVAL);
	m = (struct mif_message){.type = MIF_TRANSLATE_NAME};
	memset(m.name, 'a', sizeof(m.name));
	must(mif_post(mif, &m) == -EINVAL);
	m = (struct mif_message){.type = MIF_CONNECT_TO_ADDRESS};
	must(mif_post(mif, &m) == -EAFNOSUPPORT);
}

int main(int argc, char **argv)
{
	struct sockaddr_in server = {.sin_family = AF_INET};
	struct mif_message pvd;

	must(argc == 5 && inet_pton(AF_INET, argv[3], &server.sin_addr) == 1);
	server.sin_port = htons((uint16_t)atoi(argv[4]));
	errno = 77;
	must(mif_open(&mif) == 0);
	find_domain(argv[1], &pvd);
	what_is_refused();
	the_descriptor_wakes();
	must(errno == 77);
	the_descriptor_rests();
	a_descriptor_of_ours();
	a_socket_of_the_domain(&pvd, argv[2], &server);
	a_stop(&pvd, &server);
	a_child(&pvd, argv[2]);
	mif_close(mif);
	mif_close(NULL);
	puts("all is well");
	return 0;
}
