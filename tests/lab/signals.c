/* SPDX-License-Identifier: MIT */
/* Signal handlers and handovers: signals NAME HOST PORT. See trial.h. */
#include "tests/lab/trial.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/time.h>

#define FLAP_MS 300
#define SECONDS 3.0 /* a trial takes, or, on a slow machine, so many rounds of it */
#define ROUNDS 30

static int fd;
static _Atomic bool on = true;
static _Atomic int caught;

static void *flapper(void *arg)
{
	(void)arg;
	for (int i = 0; atomic_load(&on); i++) {
		pause_ms(FLAP_MS);
		event(i % 2 ? "wlan0 up" : "wlan0 down");
	}
	event("wlan0 up");
	return NULL;
}

/* A thread that no signal is for, from its first moment. */
static pthread_t begin_deaf(void *(*run)(void *))
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_t t = begin(run, NULL);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return t;
}

static void handle(int sig, void (*handler)(int), int flags)
{
	struct sigaction sa = {.sa_handler = handler, .sa_flags = flags};

	must(sigaction(sig, &sa, NULL) == 0, "sigaction");
}

static void every_ms(int ms)
{
	struct itimerval t = {{0, ms * 1000}, {0, ms * 1000}};

	must(setitimer(ITIMER_REAL, &t, NULL) == 0, "setitimer");
}

static void count(int sig)
{
	(void)sig;
	atomic_fetch_add(&caught, 1);
}

/* --- EINTR --- */

/* A call that ends with EINTR has been interrupted by the program's own signal. */
static void interrupted(void)
{
	pthread_t f;
	int before, eintr = 0;

	fd = dial();
	handle(SIGALRM, count, 0);
	f = begin_deaf(flapper);
	every_ms(40);
	for (double end = now_s() + SECONDS; now_s() < end || eintr < ROUNDS;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		char c;

		before = atomic_load(&caught);
		ssize_t n = eintr % 2 ? poll(&p, 1, 5000) : read(fd, &c, 1);

		must(n < 0 && errno == EINTR, "returned %zd", n);
		must(atomic_load(&caught) > before, "EINTR without a signal");
		eintr++;
	}
	every_ms(0);
	atomic_store(&on, false);
	join(f);
	must(eintr <= atomic_load(&caught), "more interruptions than signals");
	echo(fd, "interrupted");
}

/* --- handlers that write --- */

static _Atomic unsigned written;
static _Atomic unsigned char number;

static void write_one(int sig)
{
	unsigned char out = (unsigned char)(128 + atomic_load(&number));
	int saved = errno;

	(void)sig;
	if (write(fd, &out, 1) == 1) {
		atomic_store(&number, (unsigned char)((atomic_load(&number) + 1) % 100));
		atomic_fetch_add(&written, 1);
	}
	errno = saved;
}

/* The main thread reads what its handler writes. */
static void handler_writes(int flags)
{
	unsigned got = 0;
	pthread_t f;

	fd = dial();
	handle(SIGALRM, write_one, flags);
	f = begin_deaf(flapper);
	every_ms(7);
	for (double end = now_s() + SECONDS; now_s() < end || got < atomic_load(&written);) {
		unsigned char in[64];

		if (now_s() >= end)
			every_ms(0);
		if (now_s() >= end && got == atomic_load(&written))
			break;
		ssize_t n = read(fd, in, sizeof(in));

		if (n < 0) {
			must(errno == EINTR && !(flags & SA_RESTART), "read");
			continue;
		}
		for (ssize_t i = 0; i < n; i++, got++)
			must(in[i] == 128 + got % 100, "byte %u", got);
	}
	every_ms(0);
	for (unsigned char in; got < atomic_load(&written); got++) {
		get(fd, &in, 1);
		must(in == 128 + got % 100, "byte %u", got);
	}
	atomic_store(&on, false);
	join(f);
	must(got > 100, "only %u", got);
	echo(fd, "handler");
}

static void writes(void)
{
	handler_writes(0);
}

static void writes_restart(void)
{
	handler_writes(SA_RESTART);
}

static void writes_altstack(void)
{
	static char stack[65536];
	stack_t s = {.ss_sp = stack, .ss_size = sizeof(stack)};

	must(sigaltstack(&s, NULL) == 0, "sigaltstack");
	handler_writes(SA_RESTART | SA_ONSTACK);
}

static _Atomic size_t main_bytes;
static _Atomic bool all_sent;

static void *splits(void *arg)
{
	size_t from_main = 0, from_handler = 0;
	static unsigned char in[65536];

	(void)arg;
	while (!atomic_load(&all_sent) || from_main < atomic_load(&main_bytes) ||
	       from_handler < atomic_load(&written)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (poll(&p, 1, 200) == 0)
			continue;
		ssize_t n = recv(fd, in, sizeof(in), 0);

		must(n > 0, "recv: %zd", n);
		for (ssize_t i = 0; i < n; i++) {
			if (in[i] >= 128) {
				must(in[i] == 128 + from_handler % 100, "handler's byte %zu is %d",
				     from_handler, in[i]);
				from_handler++;
			} else {
				must(in[i] == from_main % 100, "main's byte %zu is %d", from_main,
				     in[i]);
				from_main++;
			}
		}
	}
	must(from_main == atomic_load(&main_bytes) && from_handler == atomic_load(&written),
	     "%zu and %zu bytes", from_main, from_handler);
	return NULL;
}

/* The handler writes in the middle of large writes of its own thread. */
static void writes_within(void)
{
	static unsigned char out[1000000];
	pthread_t r, f;
	size_t done = 0;

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (unsigned char)(i % 100);
	fd = dial();
	handle(SIGALRM, write_one, SA_RESTART);
	r = begin_deaf(splits);
	f = begin_deaf(flapper);
	every_ms(3);
	for (double end = now_s() + SECONDS; now_s() < end;) {
		size_t at = done % 100;
		ssize_t n = send(fd, out + at, sizeof(out) - at, MSG_NOSIGNAL);

		must(n > 0 || errno == EINTR, "send: %zd", n);
		done += n > 0 ? (size_t)n : 0;
	}
	every_ms(0);
	atomic_store(&main_bytes, done);
	atomic_store(&all_sent, true);
	join(r);
	atomic_store(&on, false);
	join(f);
	must(atomic_load(&written) > 100, "only %u", atomic_load(&written));
	echo(fd, "within");
}

/* --- handlers that close --- */

static void close_it(int sig)
{
	(void)sig;
	close(fd);
	atomic_fetch_add(&caught, 1);
}

static void closes(void)
{
	for (int i = 0; i < 6; i++) {
		char c;

		fd = dial();
		echo(fd, "closes");
		handle(SIGALRM, close_it, i & 1 ? SA_RESTART : 0);
		if (i & 2)
			event(i & 4 ? "wlan0 up" : "wlan0 down");
		struct itimerval t = {{0, 0}, {0, 30000}};

		setitimer(ITIMER_REAL, &t, NULL);
		ssize_t n = read(fd, &c, 1);

		must(atomic_load(&caught) == i + 1, "no signal yet");
		must(n < 0 && errno == (i & 1 ? EBADF : EINTR), "read says %zd", n);
		must(fcntl(fd, F_GETFD) < 0 && errno == EBADF, "still there");
	}
	event("wlan0 up");
	pause_ms(300);
	fd = dial();
	event("wlan0 down");
	echo(fd, "closes");
	event("wlan0 up");
}

/* --- handlers that jump --- */

static sigjmp_buf out_of_it;

static void jump(int sig)
{
	(void)sig;
	siglongjmp(out_of_it, 1);
}

/* The old way to give a call a time limit. */
static void jumps(void)
{
	static char much[4 << 20];
	pthread_t f;
	volatile int rounds = 0;
	volatile double end = now_s() + SECONDS;

	fd = dial();
	handle(SIGALRM, jump, SA_RESTART);
	f = begin_deaf(flapper);
	while (now_s() < end || rounds < ROUNDS) {
		struct itimerval t = {{0, 0}, {0, 20000}};
		struct pollfd p = {.fd = fd, .events = POLLIN};
		char c;

		if (sigsetjmp(out_of_it, 1) == 0) {
			setitimer(ITIMER_REAL, &t, NULL);
			if (rounds % 3 == 0)
				read(fd, &c, 1);
			else if (rounds % 3 == 1)
				poll(&p, 1, 10000);
			else
				recv(fd, &c, 1, MSG_WAITALL);
			fail("a call returned with nothing there");
		}
		rounds++;
		if (rounds % 20 == 0)
			echo(fd, "jumps");
	}
	atomic_store(&on, false);
	join(f);
	event("wlan0 down");
	echo(fd, "jumps");
	event("wlan0 up");
	pause_ms(500);
	/* Out of a write that finds no room: what it wrote is not known, but others can write. */
	volatile bool jumped = false;

	if (sigsetjmp(out_of_it, 1) == 0) {
		struct itimerval t = {{0, 0}, {0, 500000}};

		setitimer(ITIMER_REAL, &t, NULL);
		for (;;)
			send(fd, much, sizeof(much), MSG_NOSIGNAL);
	} else {
		jumped = true;
	}
	must(jumped, "no jump");
	event("wlan0 down");
	for (struct pollfd p = {.fd = fd, .events = POLLIN}; poll(&p, 1, 1500) == 1;)
		must(recv(fd, much, sizeof(much), 0) > 0, "recv");
	echo(fd, "jumps");
	event("wlan0 up");
}

/* --- every signal is the program's --- */

static void all_signals(void)
{
	sigset_t all, set;

	fd = dial();
	echo(fd, "all");
	for (int s = SIGRTMIN; s <= SIGRTMAX; s++) {
		struct sigaction old;

		must(sigaction(s, NULL, &old) == 0 && old.sa_handler == SIG_DFL,
		     "signal %d is not as it was", s);
		handle(s, count, 0);
	}
	event("wlan0 down");
	echo(fd, "all");
	must(atomic_load(&caught) == 0, "a signal that nobody sent");
	for (int s = SIGRTMIN; s <= SIGRTMAX; s++)
		raise(s);
	must(atomic_load(&caught) == SIGRTMAX - SIGRTMIN + 1, "signals are lost");
	for (int s = SIGRTMIN; s <= SIGRTMAX; s++)
		signal(s, s % 2 ? SIG_IGN : SIG_DFL);
	event("wlan0 up");
	pause_ms(700);
	echo(fd, "all");
	/* What is blocked is read back as it was set. */
	sigfillset(&all);
	must(pthread_sigmask(SIG_SETMASK, &all, NULL) == 0, "pthread_sigmask");
	must(pthread_sigmask(SIG_BLOCK, NULL, &set) == 0, "pthread_sigmask");
	for (int s = 1; s <= SIGRTMAX; s++)
		must(s == SIGKILL || s == SIGSTOP || sigismember(&set, s) == sigismember(&all, s),
		     "signal %d is not blocked as asked", s);
	event("wlan0 down");
	echo(fd, "all");
	must(sigpending(&set) == 0 && sigisemptyset(&set), "a signal is pending");
	event("wlan0 up");
}

/*
 * What the library sends a thread to call it out of a read may find it in its next call. Sent here
 * by hand, ten milliseconds after it was asked for.
 */
#define STALE 33

static _Atomic int stale_to; /* the thread; -1: no more */

static void *stale(void *arg)
{
	(void)arg;
	for (int tid; (tid = atomic_load(&stale_to)) >= 0;) {
		siginfo_t si = {.si_signo = STALE, .si_code = SI_QUEUE};

		si.si_pid = getpid();
		si.si_uid = getuid();
		si.si_value.sival_ptr = (void *)(uintptr_t)SYS_read;
		pause_ms(10);
		if (tid > 0 && atomic_compare_exchange_strong(&stale_to, &tid, 0))
			syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, STALE, &si);
	}
	return NULL;
}

/* Bare, it would be libc's own signal, out of turn. */
static void stale_soon(void)
{
	atomic_store(&stale_to, getenv("LD_PRELOAD") ? gettid() : 0);
}

static void bystanders(void)
{
	struct timespec some = {0, 40000000}, left = some;
	struct epoll_event e = {.events = EPOLLIN};
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct pollfd p = {.events = POLLIN};
	struct timeval tv = {0, 40000};
	int quiet[2];
	pthread_t t;

	fd = dial();
	echo(fd, "bystanders");
	must(ep >= 0 && pipe(quiet) == 0, "epoll_create1, pipe");
	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0, "epoll_ctl");
	must(pthread_create(&t, NULL, stale, NULL) == 0, "pthread_create");
	/* Once something has been nudged the library's handler is there. */
	event("wlan0 down");
	echo(fd, "bystanders");
	stale_soon();
	must(epoll_wait(ep, &e, 1, 40) == 0, "epoll_wait");
	stale_soon();
	must(epoll_pwait(ep, &e, 1, 40, NULL) == 0, "epoll_pwait");
	p.fd = fd;
	stale_soon();
	must(poll(&p, 1, 40) == 0, "poll on the connection");
	p.fd = quiet[0];
	stale_soon();
	must(poll(&p, 1, 40) == 0, "poll on another");
	stale_soon();
	must(select(0, NULL, NULL, NULL, &tv) == 0, "select");
	stale_soon();
	must(nanosleep(&some, NULL) == 0, "nanosleep");
	stale_soon();
	must(nanosleep(&some, &left) == 0, "nanosleep with what is left");
	stale_soon();
	must(clock_nanosleep(CLOCK_MONOTONIC, 0, &some, &left) == 0, "clock_nanosleep");
	atomic_store(&stale_to, -1);
	pthread_join(t, NULL);
	event("wlan0 up");
	echo(fd, "bystanders");
}

/* Is ended from outside. */
static void mortal_signal(void)
{
	fd = dial();
	echo(fd, "mortal");
	syscall(SYS_write, 1, "end\n", 4);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	touch_stack();
	static const struct trial trials[] = {{"interrupted", interrupted},
	                                      {"writes", writes},
	                                      {"writes-restart", writes_restart},
	                                      {"writes-altstack", writes_altstack},
	                                      {"writes-within", writes_within},
	                                      {"closes", closes},
	                                      {"jumps", jumps},
	                                      {"all", all_signals},
	                                      {"bystanders", bystanders},
	                                      {"mortal", mortal_signal},
	                                      {NULL, NULL}};

	return trial_main(argc, argv, trials);
}
