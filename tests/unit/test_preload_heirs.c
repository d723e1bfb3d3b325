/* SPDX-License-Identifier: MIT */
/* When a descriptor of ours stands in for the program's, and for how long: with real processes. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "preload/heirs.h"
#include "preload/own.h"
#include "tests/unit/holder.h"

#define FLOWS 12

/* What the module asks of flow.c. */
static struct flow flows[FLOWS];
static int unmarked;

unsigned flow_count(void)
{
	return FLOWS;
}

struct flow *flow_at(unsigned i)
{
	return &flows[i];
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

bool flow_owns(const struct flow *f, int fd)
{
	return inode_of(fd) == f->inode;
}

void flow_mark(int fd, struct flow *f)
{
	assert_null(f);
	unmarked = fd;
}

static int new_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	return fd;
}

/* A session that the program has one descriptor of, and that others may have, too. */
static struct flow *session(unsigned i)
{
	struct flow *f = &flows[i];

	memset(f, 0, sizeof(*f));
	f->kind = FLOW_SESSION;
	f->id = i + 1;
	f->old_fd = f->far_fd = -1;
	f->fd[0] = new_socket();
	f->fds = 1;
	f->inode = inode_of(f->fd[0]);
	atomic_store(&f->state, FLOW_STABLE);
	atomic_store(&f->shared, FLOW_SHARED);
	return f;
}

static int none(void **state)
{
	(void)state;
	for (int i = 0; i < FLOWS; i++) {
		if (flows[i].fds && flows[i].stands_in)
			own_close(flows[i].fd[0]);
		else if (flows[i].fds)
			close(flows[i].fd[0]);
	}
	memset(flows, 0, sizeof(flows));
	heirs_forget();
	return own_next(0) < 0 ? 0 : -1;
}

static void assert_stands_in(struct flow *f)
{
	int fd = f->fd[0];
	uint64_t inode = inode_of(fd);

	assert_true(heirs_stand_in(f, fd));
	assert_int_equal(unmarked, fd);
	assert_true(f->stands_in);
	assert_int_equal(f->fds, 1);
	assert_int_not_equal(f->fd[0], fd);
	assert_true(own_is(f->fd[0]));
	close(fd);
	assert_int_equal(inode_of(f->fd[0]), inode);
}

static void assert_does_not(struct flow *f)
{
	int fd = f->fd[0];

	assert_false(heirs_stand_in(f, fd));
	assert_false(f->stands_in);
	assert_int_equal(f->fd[0], fd);
	assert_int_equal(own_next(0), -1);
}

static void what_the_kernel_tells_by_itself_needs_none(void **state)
{
	struct flow *f = session(0);

	(void)state;
	assert_does_not(f);
	heirs_note_all();
	assert_does_not(f);
}

static void what_no_relative_can_have_needs_none(void **state)
{
	struct flow *f = session(0);

	(void)state;
	atomic_store(&f->carried, true);
	atomic_store(&f->shared, 0);
	assert_does_not(f);
	atomic_store(&f->shared, FLOW_SHARED);
	f->kind = FLOW_RESET;
	assert_does_not(f);
	f->kind = FLOW_SESSION;
	atomic_store(&f->state, FLOW_INHERITED);
	assert_does_not(f);
	/* The thread that dials needs it. */
	atomic_store(&f->state, FLOW_CONNECTING);
	assert_does_not(f);
	atomic_store(&f->state, FLOW_STABLE);
	/* Not the last one. */
	f->fd[1] = f->fd[0];
	f->fds = 2;
	assert_does_not(f);
	f->fds = 1;
	/* Another file, by a call that no hook saw. */
	f->inode++;
	assert_does_not(f);
}

static void where_relatives_have_something_else_one_stands_in(void **state)
{
	struct flow *f[6];
	int fd = new_socket();

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		f[i] = session(i);
	atomic_store(&f[0]->carried, true);
	f[1]->old_fd = fd;
	f[2]->move = (struct move *)f;
	atomic_store(&f[3]->share, SHARE_ASKED);
	heirs_note(f[4]); /* and it was handed over since */
	f[4]->kin[0]++;
	atomic_store(&f[5]->state, FLOW_CONNECTING);
	f[5]->nonblocking_dial = true;
	for (unsigned i = 0; i < 6; i++)
		assert_stands_in(f[i]);
	close(fd);
}

static void files_are_noted_once_and_the_last_ones(void **state)
{
	struct flow *f = session(0);
	uint64_t first = f->inode;

	(void)state;
	heirs_note(f);
	heirs_note(f);
	assert_int_equal(f->kins, 1);
	for (unsigned i = 1; i <= FLOW_KIN; i++) {
		f->inode = first + i;
		heirs_note(f);
	}
	for (unsigned i = 0; i < FLOW_KIN; i++)
		assert_true(f->kin[i] > first && f->kin[i] <= first + FLOW_KIN);
	f->inode = first;
}

/* --- for how long --- */

/* As the agent does. True: it is gone within so many looks, of all flows. */
static bool gone(struct flow *f, int looks)
{
	struct timespec step = {0, 2000000};

	for (int64_t due = 0; looks > 0;) {
		struct waits w = {.until_ms = INT64_MAX};
		int64_t now = clock_ms();

		for (unsigned i = 0; i < FLOWS; i++)
			if (heirs_gone(&flows[i], now, &w) && &flows[i] == f)
				return true;
		assert_true(w.until_ms < INT64_MAX);
		looks -= f->heirs_ms != due;
		due = f->heirs_ms;
		nanosleep(&step, NULL);
	}
	return false;
}

static void it_is_over_when_nobody_has_what_is_on_it(void **state)
{
	struct flow *f = session(0);
	pid_t pid = holder(f->fd[0], 0);

	(void)state;
	atomic_store(&f->carried, true);
	assert_stands_in(f);
	assert_false(gone(f, 3));
	holder_end(pid);
	assert_true(gone(f, 3));
}

static void it_is_over_when_nobody_has_what_was_on_it(void **state)
{
	struct flow *f = session(0);
	int before = new_socket();
	pid_t pid = holder(before, 0);

	(void)state;
	f->kin[f->kins++] = inode_of(before);
	close(before);
	assert_stands_in(f);
	assert_false(gone(f, 3));
	holder_end(pid);
	assert_true(gone(f, 3));
}

static void one_that_a_relative_is_given_stands_in_from_then_on(void **state)
{
	struct flow *f = session(0);
	int given = new_socket();

	(void)state;
	close(f->fd[0]);
	f->fds = 0;
	heirs_stand_in_for(f, given);
	pid_t pid = holder(given, 0);

	assert_int_equal(f->inode, inode_of(given));
	assert_int_equal(f->fds, 1);
	close(given);
	assert_false(gone(f, 2));
	holder_end(pid);
	assert_true(gone(f, 3));
}

static void of_many_each_has_its_answer(void **state)
{
	pid_t pid = 0;

	(void)state;
	for (unsigned i = 0; i < FLOWS; i++) {
		struct flow *f = session(i);

		atomic_store(&f->carried, true);
		if (i == FLOWS - 1)
			pid = holder(f->fd[0], 0);
		assert_stands_in(f);
	}
	assert_false(gone(&flows[FLOWS - 1], 2));
	for (unsigned i = 0; i < FLOWS - 1; i++) {
		assert_true(gone(&flows[i], 4));
		own_close(flows[i].fd[0]);
		flows[i].stands_in = false;
		flows[i].fds = 0;
	}
	holder_end(pid);
	assert_true(gone(&flows[FLOWS - 1], 4));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(what_the_kernel_tells_by_itself_needs_none, none),
	    cmocka_unit_test_teardown(what_no_relative_can_have_needs_none, none),
	    cmocka_unit_test_teardown(where_relatives_have_something_else_one_stands_in, none),
	    cmocka_unit_test_teardown(files_are_noted_once_and_the_last_ones, none),
	    cmocka_unit_test_teardown(it_is_over_when_nobody_has_what_is_on_it, none),
	    cmocka_unit_test_teardown(it_is_over_when_nobody_has_what_was_on_it, none),
	    cmocka_unit_test_teardown(one_that_a_relative_is_given_stands_in_from_then_on, none),
	    cmocka_unit_test_teardown(of_many_each_has_its_answer, none),
	};

	if (argc == 1)
		go_apart(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
