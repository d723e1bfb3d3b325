/* SPDX-License-Identifier: MIT */
/* What a pair is to say of its peer: by inode, and from what is written on the socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/peers.h"

/* The module takes its lock with this; the rest of flow.c is not needed. */
uint32_t thread_id(void)
{
	return 1;
}

static union flow_address address4(const char *text, uint16_t port)
{
	union flow_address a;

	memset(&a, 0, sizeof(a));
	a.in.sin_family = AF_INET;
	a.in.sin_port = htons(port);
	inet_pton(AF_INET, text, &a.in.sin_addr);
	return a;
}

static union flow_address address6(const char *text, uint16_t port)
{
	union flow_address a;

	memset(&a, 0, sizeof(a));
	a.in6.sin6_family = AF_INET6;
	a.in6.sin6_port = htons(port);
	inet_pton(AF_INET6, text, &a.in6.sin6_addr);
	return a;
}

static int new_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	return fd;
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static void assert_said(int fd, const union flow_address *peer, const union flow_address *local)
{
	union flow_address p, l;

	assert_true(peers_find(fd, &p, &l));
	assert_memory_equal(&p, peer, sizeof(p));
	assert_memory_equal(&l, local, sizeof(l));
}

static void assert_silent(int fd)
{
	union flow_address p, l;

	assert_false(peers_find(fd, &p, &l));
}

/* First: nothing must have been noted before. */
static void nothing_is_known_at_first(void **state)
{
	int fd = new_socket();

	(void)state;
	assert_false(peers_any());
	assert_silent(fd);
	assert_silent(-1);
	peers_given(fd);
	assert_false(peers_any());
	close(fd);
}

static void a_note_answers_for_every_duplicate(void **state)
{
	union flow_address peer = address4("192.0.2.7", 443), local = address4("10.1.0.2", 40000);
	int fd = new_socket(), other = new_socket(), copy = dup(fd);

	(void)state;
	peers_note(inode_of(fd), &peer, &local);
	assert_true(peers_any());
	assert_said(fd, &peer, &local);
	assert_said(copy, &peer, &local);
	assert_silent(other);
	close(fd);
	assert_said(copy, &peer, &local);
	close(copy);
	close(other);
}

static void a_socket_that_is_not_there_is_not_noted(void **state)
{
	union flow_address peer = address4("192.0.2.7", 443);

	(void)state;
	peers_note(0, &peer, &peer);
	assert_silent(-1);
}

static void of_many_the_oldest_is_forgotten(void **state)
{
	union flow_address first = address4("192.0.2.1", 1), last = address4("192.0.2.2", 2);
	int a = new_socket(), b = new_socket();
	uint64_t free = UINT64_MAX / 2; /* no socket has such a one */

	(void)state;
	peers_note(inode_of(a), &first, &first);
	for (int i = 0; i < 255; i++)
		peers_note(free + (uint64_t)i, &last, &last);
	assert_said(a, &first, &first);
	peers_note(inode_of(b), &last, &last);
	assert_silent(a);
	assert_said(b, &last, &last);
	close(a);
	close(b);
}

/* To a process that was never told: its own table is empty, the socket is all it has. */
static void assert_label_read(const union flow_address *peer, const union flow_address *local)
{
	int fd = new_socket();

	peers_label(fd, peer, local);
	assert_silent(fd);
	errno = EXDEV;
	peers_given(fd);
	assert_int_equal(errno, EXDEV);
	assert_said(fd, peer, local);
	close(fd);
}

static void what_is_written_on_a_socket_is_read_there(void **state)
{
	union flow_address four = address4("192.0.2.9", 22), six = address6("2001:db8::9", 22);
	union flow_address own = address6("2001:db8::1", 40001), none;

	(void)state;
	memset(&none, 0, sizeof(none));
	assert_label_read(&four, &four);
	assert_label_read(&six, &own);
	assert_label_read(&six, &none);
}

static void a_labelled_socket_lets_everything_pass(void **state)
{
	union flow_address peer = address4("192.0.2.9", 22);
	char buf[8];
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	peers_label(pair[0], &peer, &peer);
	assert_int_equal(send(pair[1], "hello", 5, 0), 5);
	assert_int_equal(recv(pair[0], buf, sizeof(buf), MSG_DONTWAIT), 5);
	assert_memory_equal(buf, "hello", 5);
	close(pair[0]);
	close(pair[1]);
}

static void a_peer_of_no_family_we_know_is_not_believed(void **state)
{
	union flow_address peer = address4("192.0.2.9", 22), odd = peer;
	int a = new_socket(), b = new_socket();

	(void)state;
	odd.sa.sa_family = AF_UNIX;
	peers_label(a, &odd, &peer);
	peers_given(a);
	assert_silent(a);
	peers_label(b, &peer, &odd);
	peers_given(b);
	assert_silent(b);
	close(a);
	close(b);
}

/* Filters of others, of every length up to ours and beyond, and ours with one word changed. */
static void a_filter_of_somebody_elses_says_nothing(void **state)
{
	struct sock_filter f[64], label[64];
	struct sock_fprog program = {.filter = f};
	union flow_address peer = address4("192.0.2.9", 22);
	socklen_t len = 64;
	int fd = new_socket(), silent = new_socket();

	(void)state;
	peers_label(fd, &peer, &peer);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, label, &len), 0);
	for (unsigned n = 1; n <= 64; n++) {
		for (unsigned i = 0; i < n; i++)
			f[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ~0u);
		program.len = (unsigned short)n;
		assert_int_equal(
		    setsockopt(silent, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
		peers_given(silent);
		assert_silent(silent);
	}
	program.len = (unsigned short)len;
	for (unsigned i = 0; i < 2; i++) {
		memcpy(f, label, sizeof(f));
		f[i].k ^= 1;
		assert_int_equal(
		    setsockopt(silent, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
		peers_given(silent);
		assert_silent(silent);
	}
	/* The same as a whole is read: that only the change was to blame. */
	memcpy(f, label, sizeof(f));
	assert_int_equal(
	    setsockopt(silent, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
	peers_given(silent);
	assert_said(silent, &peer, &peer);
	close(fd);
	close(silent);
}

/* Anybody may pass on a socket of his with what he likes on it. */
static void what_another_user_has_written_is_not_believed(void **state)
{
	union flow_address peer = address4("192.0.2.9", 22);
	int theirs = new_socket(), roots, status;

	(void)state;
	if (geteuid() != 0) {
		close(theirs);
		skip();
	}
	roots = new_socket();
	assert_int_equal(fchown(theirs, 65534, 65534), 0);
	peers_label(theirs, &peer, &peer);
	peers_label(roots, &peer, &peer);
	peers_given(theirs);
	assert_silent(theirs);
	/* That user himself believes it, and root, but no third one. */
	for (uid_t uid = 65533; uid <= 65534; uid++) {
		pid_t pid = fork();

		if (pid == 0) {
			union flow_address p, l;

			if (setuid(uid) != 0)
				_exit(2);
			peers_given(theirs);
			peers_given(roots);
			_exit(peers_find(theirs, &p, &l) != (uid == 65534) ||
			      !peers_find(roots, &p, &l));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	close(theirs);
	close(roots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_known_at_first),
	    cmocka_unit_test(a_note_answers_for_every_duplicate),
	    cmocka_unit_test(a_socket_that_is_not_there_is_not_noted),
	    cmocka_unit_test(of_many_the_oldest_is_forgotten),
	    cmocka_unit_test(what_is_written_on_a_socket_is_read_there),
	    cmocka_unit_test(a_labelled_socket_lets_everything_pass),
	    cmocka_unit_test(a_peer_of_no_family_we_know_is_not_believed),
	    cmocka_unit_test(a_filter_of_somebody_elses_says_nothing),
	    cmocka_unit_test(what_another_user_has_written_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
