/* SPDX-License-Identifier: MIT */
/* The monitor on this machine's own kernel: only reading, and without privilege but for one test.
 */
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "monitor/monitor.h"
#include "monitor/netlink.h"

static uint32_t buf[RTSOCK_BUFFER / sizeof(uint32_t)];

static void count(void *ctx, const struct mif_event *ev)
{
	assert_non_null(ev->reason);
	assert_string_not_equal(mif_event_name(ev->type), "unknown");
	++*(int *)ctx;
}

static struct mif_monitor *open_or_skip(int *events)
{
	struct mif_monitor *m;
	int r = mif_monitor_open(&m, count, events, true);

	if (r < 0) {
		print_message("no rtnetlink here: %s\n", strerror(-r));
		skip();
	}
	return m;
}

static void the_table_is_complete_after_waiting(void **state)
{
	int events = 0, fds[MIF_MONITOR_FDS];
	struct mif_monitor *m = open_or_skip(&events);
	enum mif_kind kind;
	char name[IFNAMSIZ];

	(void)state;
	assert_true(mif_interface(m, 1, name, &kind, NULL));
	assert_string_equal(name, "lo");
	assert_int_equal(kind, MIF_LOOPBACK);
	assert_false(mif_interface(m, INT32_MAX, name, &kind, NULL));
	assert_int_equal(mif_monitor_fds(m, fds), 2);
	for (int i = 0; i < 2; i++) {
		assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
		assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
	}
	/* Nothing changes: nothing is told, and processing comes to rest. */
	for (int i = 0, before = events; i < 20; i++) {
		assert_int_equal(mif_monitor_process(m), 0);
		if (mif_monitor_timeout(m) < 0)
			assert_int_equal(events, before);
	}
	mif_monitor_close(m);
}

static int high(int fd)
{
	int to = fcntl(fd, F_DUPFD_CLOEXEC, 200);

	close(fd);
	return to;
}

static void sockets_can_be_moved(void **state)
{
	int events = 0, fds[MIF_MONITOR_FDS];
	struct mif_monitor *m = open_or_skip(&events);

	(void)state;
	mif_monitor_move_fds(m, high, NULL);
	assert_int_equal(mif_monitor_fds(m, fds), 2);
	assert_true(fds[0] >= 200 && fds[1] >= 200);
	assert_int_equal(mif_monitor_process(m), 0);
	assert_int_equal(mif_monitor_ask(m, 1), 0);
	assert_int_equal(mif_monitor_ask(m, 0), -EINVAL);
	mif_monitor_close(m);
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	assert_int_equal(fcntl(fds[1], F_GETFD), -1);
}

/* A program that closes all it finds may by now use the number for a socket of its own. */
static void a_stolen_number_is_left_alone(void **state)
{
	int events = 0, fds[MIF_MONITOR_FDS], pair[2];
	struct mif_monitor *m = open_or_skip(&events);
	char byte = 0;

	(void)state;
	assert_int_equal(mif_monitor_fds(m, fds), 2);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	assert_int_equal(dup2(pair[0], fds[0]), fds[0]);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(mif_monitor_process(m), -EBADF);
	assert_int_equal(mif_monitor_fds(m, fds), 0); /* nothing to spin on */
	assert_int_equal(mif_monitor_timeout(m), -1);
	assert_int_equal(mif_monitor_ask(m, 1), -EBADF);
	mif_monitor_close(m);
	assert_int_equal(recv(pair[0], &byte, 1, MSG_DONTWAIT), 1);
	assert_int_equal(byte, 'x');
	close(pair[0]);
	close(pair[1]);
}

static void without_a_monitor_there_is_nothing(void **state)
{
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr = {htonl(0xc0000201)}};
	struct mif_path path;

	(void)state;
	assert_int_equal(mif_paths(NULL, (struct sockaddr *)&peer, &path, 1), 0);
	assert_int_equal(mif_interface_of(NULL, AF_INET, &peer.sin_addr), 0);
	assert_false(mif_address_usable(NULL, AF_INET, &peer.sin_addr, 0));
	assert_false(mif_interface(NULL, 1, NULL, NULL, NULL));
	mif_monitor_close(NULL);
}

static void a_question_is_answered_like_an_event(void **state)
{
	struct rtsock s;
	const struct nlmsghdr *h = (const struct nlmsghdr *)buf;
	const struct ifinfomsg *ifi;

	(void)state;
	if (rtsock_open_events(&s) < 0)
		skip();
	assert_int_equal(rtsock_ask_link(&s, 1), 0);
	do {
		struct pollfd p = {.fd = s.fd, .events = POLLIN};

		assert_int_equal(poll(&p, 1, 5000), 1);
		assert_true(rtsock_receive(&s, buf, sizeof(buf)) > 0);
		ifi = mnl_nlmsg_get_payload(h);
	} while (h->nlmsg_type != RTM_NEWLINK || ifi->ifi_index != 1);
	rtsock_close(&s);
}

static void only_the_kernel_is_believed(void **state)
{
	struct rtsock s, other;
	struct sockaddr_nl to;
	socklen_t len = sizeof(to);
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
	ssize_t n;

	(void)state;
	if (rtsock_open_events(&s) < 0)
		skip();
	assert_int_equal(rtsock_open_dumps(&other), 0);
	assert_int_equal(getsockname(s.fd, (struct sockaddr *)&to, &len), 0);
	h->nlmsg_type = RTM_DELLINK;
	ifi->ifi_index = 1;
	if (sendto(other.fd, h, h->nlmsg_len, 0, (struct sockaddr *)&to, sizeof(to)) < 0) {
		rtsock_close(&s);
		rtsock_close(&other);
		print_message("may not send to other processes here\n");
		skip();
	}
	do {
		n = rtsock_receive(&s, buf, sizeof(buf));
		assert_false(n > 0 && h->nlmsg_type == RTM_DELLINK);
	} while (n > 0);
	assert_int_equal(n, -EAGAIN);
	rtsock_close(&s);
	rtsock_close(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_table_is_complete_after_waiting),
	    cmocka_unit_test(sockets_can_be_moved),
	    cmocka_unit_test(a_stolen_number_is_left_alone),
	    cmocka_unit_test(without_a_monitor_there_is_nothing),
	    cmocka_unit_test(a_question_is_answered_like_an_event),
	    cmocka_unit_test(only_the_kernel_is_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
