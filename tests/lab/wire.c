/* SPDX-License-Identifier: MIT */
/*
 * A cable with delay, rate and loss, for kernels without netem: frames that arrive on one interface
 * leave by the other some time later.
 *
 *   wire IF1 IF2 [--delay MS] [--rate MBIT] [--loss PERCENT] [--queue BYTES] [--seed N]
 *
 * All figures are for each direction. Segmentation offload must be off on both interfaces: frames
 * larger than the link's MTU cannot be sent on.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME 2048
#define SLOTS 16384

struct frame {
	long long due_ns;
	int len;
	unsigned char data[FRAME];
};

struct direction {
	int from, to;
	struct frame *slot;
	unsigned head, tail;
	long long bytes;   /* queued */
	long long free_ns; /* when the sender's link is idle again */
};

static long long delay_ns, queue_bytes = 4 << 20;
static double ns_per_byte;
static double loss;
static unsigned seed = 1;

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int open_if(const char *name)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int size = 8 << 20, fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL));

	a.sll_ifindex = (int)if_nametoindex(name);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (fd < 0 || !a.sll_ifindex || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		fprintf(stderr, "wire: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

static void take(struct direction *d)
{
	for (int i = 0; i < 256; i++) {
		struct frame *f = &d->slot[d->tail % SLOTS];
		struct sockaddr_ll from;
		socklen_t len = sizeof(from);
		unsigned char scrap[FRAME];
		int full = d->tail - d->head == SLOTS || d->bytes > queue_bytes;
		ssize_t n = recvfrom(d->from, full ? scrap : f->data, FRAME, 0,
		                     (struct sockaddr *)&from, &len);
		long long now = now_ns();

		if (n < 0)
			return;
		/* Our own frames come back as outgoing ones. */
		if (from.sll_pkttype == PACKET_OUTGOING || full)
			continue;
		if (loss > 0 && rand_r(&seed) / (double)RAND_MAX * 100 < loss)
			continue;
		if (d->free_ns < now)
			d->free_ns = now;
		d->free_ns += (long long)((double)n * ns_per_byte);
		f->due_ns = d->free_ns + delay_ns;
		f->len = (int)n;
		d->bytes += n;
		d->tail++;
	}
}

/* Sends what is due; returns when the next is, or -1. */
static long long give(struct direction *d)
{
	while (d->head != d->tail) {
		struct frame *f = &d->slot[d->head % SLOTS];

		if (f->due_ns > now_ns())
			return f->due_ns;
		/* A link that is down takes nothing: the frame is lost, as on any cable. */
		if (send(d->to, f->data, (size_t)f->len, 0) < 0 && errno == EAGAIN)
			return now_ns() + 1000000;
		d->bytes -= f->len;
		d->head++;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct direction d[2];

	if (argc < 3 || argc % 2 == 0) {
		fputs("usage: wire IF1 IF2 [--delay MS] [--rate MBIT] [--loss PERCENT] [--queue "
		      "BYTES] [--seed N]\n",
		      stderr);
		return 2;
	}
	for (int i = 3; i + 1 < argc; i += 2) {
		double v = atof(argv[i + 1]);

		if (strcmp(argv[i], "--delay") == 0)
			delay_ns = (long long)(v * 1e6);
		else if (strcmp(argv[i], "--rate") == 0)
			ns_per_byte = v > 0 ? 8000.0 / v : 0;
		else if (strcmp(argv[i], "--loss") == 0)
			loss = v;
		else if (strcmp(argv[i], "--queue") == 0)
			queue_bytes = (long long)v;
		else if (strcmp(argv[i], "--seed") == 0)
			seed = (unsigned)v;
		else
			return 2;
	}
	int a = open_if(argv[1]), b = open_if(argv[2]);

	d[0] = (struct direction){.from = a, .to = b};
	d[1] = (struct direction){.from = b, .to = a};
	for (int i = 0; i < 2; i++)
		if (!(d[i].slot = malloc(SLOTS * sizeof(struct frame))))
			return 1;
	for (;;) {
		struct pollfd p[2] = {{a, POLLIN, 0}, {b, POLLIN, 0}};
		long long next = -1;

		for (int i = 0; i < 2; i++) {
			long long due = give(&d[i]);

			if (due >= 0 && (next < 0 || due < next))
				next = due;
		}
		long long left = next < 0 ? -1 : next - now_ns();
		struct timespec t = {left / 1000000000, left % 1000000000};

		if (left <= 0)
			t = (struct timespec){0, 0};
		ppoll(p, 2, next < 0 ? NULL : &t, NULL);
		take(&d[0]);
		take(&d[1]);
	}
}
