/* SPDX-License-Identifier: MIT */
/*
 * One connection to an echo service, used by other hands than the process that made it:
 *
 *   relatives HOW HOST PORT SECONDS
 *
 * HOW says whose. Lines go out and must come back unchanged, in order, for so many seconds; in the
 * end this side closes its direction and the service's end must follow. Status 0: all was right.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wordexp.h>

#define LINE 3000

static char **self;
static double seconds;
extern char **environ;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (pid %d, errno %s)\n", getpid(), strerror(errno));
	exit(1);
}

static void make_line(char *line, unsigned n)
{
	unsigned x = n * 2654435761u + 1;
	size_t len = 20 + x % (LINE - 22);
	int at = sprintf(line, "%u ", n);

	for (size_t i = (size_t)at; i < len; i++) {
		x = x * 1664525 + 1013904223;
		line[i] = (char)('a' + (x >> 24) % 26);
	}
	line[len] = '\n';
	line[len + 1] = 0;
}

static void write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0)
			fail("write");
		p += w;
		n -= (size_t)w;
	}
}

static void read_all(int fd, char *p, size_t n)
{
	while (n) {
		ssize_t r = read(fd, p, n);

		if (r <= 0)
			fail("read: %zd, %zu wanted", r, n);
		p += r;
		n -= (size_t)r;
	}
}

static void expect_end(int fd)
{
	char c;

	shutdown(fd, SHUT_WR);
	ssize_t n = read(fd, &c, 1);

	if (n != 0)
		fail("after the end: %zd", n);
}

static unsigned numbers; /* lines so far, in this process */

static void exchange(int fd, double until)
{
	char line[LINE + 2], back[LINE + 2];

	while (now() < until) {
		make_line(line, numbers++);
		size_t n = strlen(line);

		write_all(fd, line, n);
		read_all(fd, back, n);
		if (memcmp(line, back, n) != 0)
			fail("line %u is wrong", numbers - 1);
		usleep(5000);
	}
}

static void exchange_stdio(FILE *out, FILE *in, double until)
{
	char line[LINE + 2], back[LINE + 2];

	while (now() < until) {
		make_line(line, numbers++);
		if (fputs(line, out) < 0 || fflush(out) != 0)
			fail("fputs");
		if (!fgets(back, sizeof(back), in))
			fail("fgets");
		if (strcmp(line, back) != 0)
			fail("line %u is wrong", numbers - 1);
		usleep(5000);
	}
}

static void wait_for(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		fail("waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail("the other process: status %x", status);
}

#define ENDS 64

/* Who the peer is, and who we are. */
static void ends(int fd, char text[ENDS])
{
	struct sockaddr_in peer, own;
	socklen_t peer_len = sizeof(peer), own_len = sizeof(own);

	if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0)
		fail("getpeername");
	if (getsockname(fd, (struct sockaddr *)&own, &own_len) < 0)
		fail("getsockname");
	snprintf(text, ENDS, "%08x:%u %08x:%u", ntohl(peer.sin_addr.s_addr), ntohs(peer.sin_port),
	         ntohl(own.sin_addr.s_addr), ntohs(own.sin_port));
}

static int dial(const char *host, const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, host, &a.sin_addr);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		fail("connect");
	char text[ENDS];

	ends(fd, text);
	setenv("RELATIVES_ENDS", text, 1);
	return fd;
}

/* The addresses must be those of the connection, wherever it is looked at. */
static void check_peer(int fd)
{
	char text[ENDS];
	const char *wanted = getenv("RELATIVES_ENDS");

	ends(fd, text);
	if (!wanted || strcmp(text, wanted) != 0)
		fail("the ends are %s instead of %s", text, wanted);
}

/* As an executed program: standard input and output are the connection, and stdio uses them. */
static int as_filter(void)
{
	check_peer(0);
	exchange_stdio(stdout, stdin, now() + seconds);
	fclose(stdout);
	shutdown(0, SHUT_WR);
	if (getchar() != EOF)
		fail("after the end");
	return 0;
}

static char **filter_arguments(const char *how)
{
	static char text[32];
	static char *argv[6];

	snprintf(text, sizeof(text), "%f", seconds);
	argv[0] = self[0];
	argv[1] = (char *)how;
	argv[2] = "-";
	argv[3] = "-";
	argv[4] = text;
	return argv;
}

static void by_stdio(int fd)
{
	FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");

	exchange_stdio(out, in, now() + seconds);
	check_peer(fd);
	fclose(out);
	expect_end(fd);
}

static void by_stdio_halfway(int fd)
{
	exchange(fd, now() + seconds / 2);
	by_stdio(fd);
}

static void by_dprintf(int fd)
{
	char line[LINE + 2], back[LINE + 2];

	for (double until = now() + seconds; now() < until; usleep(5000)) {
		make_line(line, numbers++);
		if (dprintf(fd, "%s", line) < 0)
			fail("dprintf");
		read_all(fd, back, strlen(line));
		if (memcmp(line, back, strlen(line)) != 0)
			fail("line %u is wrong", numbers - 1);
	}
	expect_end(fd);
}

/* A child does it all, the parent waits. */
static void by_child(int fd)
{
	exchange(fd, now() + 0.3);
	pid_t pid = fork();

	if (pid == 0) {
		check_peer(fd);
		exchange(fd, now() + seconds);
		check_peer(fd);
		_exit(0);
	}
	wait_for(pid);
	exchange(fd, now() + 1);
	check_peer(fd);
	expect_end(fd);
}

/* The parent closes its descriptor at once. */
static void by_heir(int fd)
{
	exchange(fd, now() + 0.3);
	pid_t pid = fork();

	if (pid == 0) {
		usleep(300000);
		exchange(fd, now() + seconds);
		expect_end(fd);
		_exit(0);
	}
	close(fd);
	wait_for(pid);
}

static void say_so(int to)
{
	if (write(to, "x", 1) != 1)
		fail("write to a pipe");
}

static void hear_so(int from)
{
	char c;

	if (read(from, &c, 1) != 1)
		fail("read from a pipe");
}

/*
 * Two children, one after the other, and a parent that closes its descriptor: when the first one
 * has begun, or `before` any of them has. The second goes on alone where the first `ends`; or it
 * has it and leaves it `unused`.
 */
static void by_second_child(int fd, bool before, bool ends, bool unused)
{
	int begin[2], begun[2], go_on[2], end[2];

	exchange(fd, now() + 0.3);
	if (pipe(begin) < 0 || pipe(begun) < 0 || pipe(go_on) < 0 || pipe(end) < 0)
		fail("pipe");
	pid_t first = fork();

	if (first == 0) {
		hear_so(begin[0]);
		exchange(fd, now() + 0.3);
		say_so(begun[1]);
		hear_so(end[0]);
		_exit(0);
	}
	pid_t second = fork();

	if (second == 0) {
		hear_so(go_on[0]);
		if (unused)
			_exit(0);
		exchange(fd, now() + seconds);
		expect_end(fd);
		_exit(0);
	}
	if (before) {
		close(fd);
		usleep(300000);
	}
	say_so(begin[1]);
	hear_so(begun[0]);
	if (!before)
		close(fd);
	if (ends) {
		say_so(end[1]);
		wait_for(first);
	}
	usleep(500000);
	say_so(go_on[1]);
	wait_for(second);
	if (!ends) {
		say_so(end[1]);
		wait_for(first);
	}
}

static volatile sig_atomic_t told;

static void on_told(int sig)
{
	(void)sig;
	told = 1;
}

/*
 * The parent is told by a signal to close its descriptor, whatever becomes of the connection just
 * then; half a second later a child goes on, and has the rest of the answer, too.
 */
static void by_told_heir(int fd)
{
	struct sigaction a = {.sa_handler = on_told};
	static const char word[] = "word";
	int closed[2];
	unsigned char rest;

	sigaction(SIGUSR1, &a, NULL);
	exchange(fd, now() + 0.3);
	if (pipe(closed) < 0)
		fail("pipe");
	pid_t pid = fork();

	if (pid == 0) {
		char line[sizeof(word)];

		signal(SIGUSR1, SIG_IGN);
		if (read(closed[0], &rest, 1) != 1)
			fail("read from a pipe");
		usleep(500000);
		read_all(fd, line, rest);
		exchange(fd, now() + seconds);
		expect_end(fd);
		_exit(0);
	}
	for (rest = 0; !told;) {
		char line[sizeof(word)];

		write_all(fd, word, sizeof(word));
		for (rest = sizeof(word); rest && !told;) {
			ssize_t n = read(fd, line, rest);

			if (n == 0 || (n < 0 && errno != EINTR))
				fail("read: %zd", n);
			rest -= n > 0 ? (unsigned char)n : 0;
		}
		usleep(5000);
	}
	close(fd);
	if (write(closed[1], &rest, 1) != 1)
		fail("write to a pipe");
	wait_for(pid);
}

/* The child goes on with a connection that is not there yet, perhaps as an heir. */
static void by_child_connecting(const char *host, const char *port, bool heir)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), err = -1;
	socklen_t len = sizeof(err);

	inet_pton(AF_INET, host, &a.sin_addr);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno != EINPROGRESS)
		fail("connect");
	pid_t pid = fork();

	if (pid == 0) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};

		if (poll(&p, 1, 5000) != 1 ||
		    getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err)
			fail("not connected: %d", err);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
		exchange(fd, now() + seconds);
		expect_end(fd);
		_exit(0);
	}
	if (heir)
		close(fd);
	wait_for(pid);
}

/* The owner is killed: its child must see an error, never a clean end. */
static void by_child_of_killed(const char *host, const char *port)
{
	int tell[2], done[2];
	char c;

	if (pipe(tell) < 0 || pipe(done) < 0)
		fail("pipe");
	pid_t pid = fork();

	if (pid == 0) {
		int fd = dial(host, port);

		exchange(fd, now() + 0.3);
		if (fork() == 0) {
			exchange(fd, now() + 0.3);
			if (write(tell[1], "x", 1) != 1)
				fail("write");
			c = read(fd, &c, 1) < 0 && errno == ECONNRESET ? 'r' : 'e';
			_exit(write(done[1], &c, 1) != 1);
		}
		pause();
	}
	if (read(tell[0], &c, 1) != 1)
		fail("read");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (read(done[0], &c, 1) != 1 || c != 'r')
		fail("the child saw '%c'", c);
}

/* The one who dialled has ended before its child begins; a pipe tells when that is through. */
static void by_orphan(const char *host, const char *port, bool at_once, int pause_ms)
{
	int done[2];
	char c;

	if (pipe(done) < 0)
		fail("pipe");
	pid_t pid = fork();

	if (pid == 0) {
		int fd = dial(host, port);

		exchange(fd, now() + 0.3);
		if (fork() == 0) {
			usleep((useconds_t)pause_ms * 1000);
			exchange(fd, now() + seconds);
			expect_end(fd);
			_exit(write(done[1], "x", 1) == 1 ? 0 : 1);
		}
		if (at_once)
			_exit(0);
		exit(0);
	}
	close(done[1]);
	wait_for(pid);
	if (read(done[0], &c, 1) != 1)
		fail("the orphan did not finish");
}

/* Writes and reads, a few bytes at a time, until there is an error: no byte may be another. */
static void until_error(int fd)
{
	char out[16], in[4096];
	size_t sent = 0, got = 0;
	double until = now() + 20;
	ssize_t n;

	for (;;) {
		for (size_t i = 0; i < sizeof(out); i++)
			out[i] = (char)('a' + (sent + i) % 23);
		n = send(fd, out, sizeof(out), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return;
		sent += n > 0 ? (size_t)n : 0;
		n = recv(fd, in, sizeof(in), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return;
		for (ssize_t i = 0; i < n; i++, got++)
			if (in[i] != (char)('a' + got % 23))
				fail("byte %zu is wrong", got);
		if (now() > until)
			fail("no error");
		usleep(100);
	}
}

/*
 * A child without the library has the connection itself, and writes to it when the agent carries it
 * for another. No handover can be right then.
 */
static void by_unseen(int fd)
{
	char command[64], *argv[] = {(char *)"sh", (char *)"-c", command, NULL}, *none[] = {NULL};
	char back[2];
	int go[2];

	if (pipe(go) < 0)
		fail("pipe");
	snprintf(command, sizeof(command), "read x; echo A >&%d", fd);
	pid_t unseen = fork();

	if (unseen == 0) {
		dup2(go[0], 0);
		execve("/bin/sh", argv, none);
		_exit(1);
	}
	pid_t seen = fork();

	if (seen == 0) {
		exchange(fd, now() + 0.2);
		_exit(0);
	}
	wait_for(seen);
	exchange(fd, now() + 0.1);
	write_all(go[1], "x\n", 2);
	wait_for(unseen);
	read_all(fd, back, 2);
	if (memcmp(back, "A\n", 2) != 0)
		fail("the child's word");
	puts("written");
	fflush(stdout);
	until_error(fd);
}

/* One writes, one reads. */
static void by_both(int fd)
{
	char line[LINE + 2], back[LINE + 2];
	double until = now() + seconds;
	pid_t pid = fork();

	if (pid == 0) {
		for (unsigned n = 0;; n++) {
			make_line(line, n);
			ssize_t r = read(fd, back, 1);

			if (r == 0)
				_exit(n > 10 ? 0 : 1);
			if (r < 0)
				fail("read");
			read_all(fd, back + 1, strlen(line) - 1);
			if (memcmp(line, back, strlen(line)) != 0)
				fail("line %u is wrong", n);
		}
	}
	while (now() < until) {
		make_line(line, numbers++);
		write_all(fd, line, strlen(line));
		usleep(3000);
	}
	shutdown(fd, SHUT_WR);
	wait_for(pid);
}

static void by_forked_filter(int fd)
{
	exchange(fd, now() + 0.3);
	pid_t pid = fork();

	if (pid == 0) {
		dup2(fd, 0);
		dup2(fd, 1);
		close(fd);
		execv(self[0], filter_arguments("filter"));
		_exit(126);
	}
	close(fd);
	wait_for(pid);
}

static void by_vforked_filter(int fd)
{
	char **argv = filter_arguments("filter");

	exchange(fd, now() + 0.3);
	pid_t pid = vfork();

	if (pid == 0) {
		dup2(fd, 0);
		dup2(fd, 1);
		execv(self[0], argv);
		_exit(126);
	}
	close(fd);
	wait_for(pid);
}

static void by_spawned_filter(int fd, unsigned late_us)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;

	exchange(fd, now() + 0.3);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, 0);
	posix_spawn_file_actions_adddup2(&actions, fd, 1);
	int r = posix_spawn(&pid, self[0], &actions, NULL, filter_arguments("filter"), environ);

	if (r)
		fail("posix_spawn: %d", r);
	posix_spawn_file_actions_destroy(&actions);
	usleep(late_us);
	close(fd);
	wait_for(pid);
}

/* Writes a line; what it is given is between quotes, as it is. */
typedef void shell_fn(int fd, const char *line);

static void by_system(int fd, const char *line)
{
	char command[LINE + 64];
	int status;

	snprintf(command, sizeof(command), "printf '%%s' '%s' >&%d; [ \"$0$#\" = sh0 ]", line, fd);
	status = system(command);
	if (status)
		fail("system: status %x", status);
	status = system("exit 7");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 7)
		fail("system: status %x", status);
}

static void by_popen(int fd, const char *line)
{
	char command[64];

	snprintf(command, sizeof(command), "cat >&%d; exit 7", fd);
	FILE *pipe = popen(command, "w");

	if (!pipe || fputs(line, pipe) < 0)
		fail("popen");
	int status = pclose(pipe);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 7)
		fail("pclose: status %x", status);
}

static void by_wordexp(int fd, const char *line)
{
	char words[LINE + 64];
	wordexp_t w;

	snprintf(words, sizeof(words), "a $(printf '%%s' '%s' >&%d; echo b) c", line, fd);
	if (wordexp(words, &w, 0) != 0 || w.we_wordc != 3 || strcmp(w.we_wordv[1], "b") != 0)
		fail("wordexp");
	wordfree(&w);
}

/* Shells that libc starts write every other line; this process reads them all. */
static void by_shells(int fd, shell_fn *shell)
{
	char line[LINE + 2], back[LINE + 2];

	for (double until = now() + seconds; now() < until; usleep(5000)) {
		make_line(line, numbers++);
		if (numbers % 2)
			write_all(fd, line, strlen(line));
		else
			shell(fd, line);
		read_all(fd, back, strlen(line));
		if (memcmp(line, back, strlen(line)) != 0)
			fail("line %u is wrong", numbers - 1);
	}
	expect_end(fd);
}

/* The process itself becomes another program. Its first attempt fails. */
static void by_exec(int fd)
{
	exchange(fd, now() + 0.3);
	execl("/nowhere/at/all", "all", (char *)NULL);
	exchange(fd, now() + 0.3);
	dup2(fd, 0);
	dup2(fd, 1);
	close(fd);
	execv(self[0], filter_arguments("filter"));
	fail("execv");
}

static void send_descriptor(int to, int fd)
{
	char text[ENDS] = "", room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec v = {text, ENDS};
	struct msghdr m = {
	    .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(int));
	strcpy(text, getenv("RELATIVES_ENDS"));
	if (sendmsg(to, &m, 0) != ENDS)
		fail("sendmsg");
}

static int receive_descriptor(int from)
{
	char text[ENDS], room[CMSG_SPACE(sizeof(int))];
	struct iovec v = {text, ENDS};
	struct msghdr m = {
	    .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	int fd;

	if (recvmsg(from, &m, 0) != ENDS || !CMSG_FIRSTHDR(&m))
		fail("recvmsg");
	setenv("RELATIVES_ENDS", text, 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	return fd;
}

/* The one who dials passes the connection on and is gone, as ssh's ProxyUseFdpass has it. */
static void by_receiver(const char *host, const char *port)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		fail("socketpair");
	pid_t pid = fork();

	if (pid == 0) {
		int fd = dial(host, port);

		exchange(fd, now() + 0.3);
		send_descriptor(pair[1], fd);
		_exit(0);
	}
	int fd = receive_descriptor(pair[0]);

	check_peer(fd);
	wait_for(pid);
	exchange(fd, now() + seconds);
	check_peer(fd);
	expect_end(fd);
}

static void by_daemon(int fd)
{
	int done[2];
	char c;

	exchange(fd, now() + 0.3);
	if (pipe(done) < 0)
		fail("pipe");
	pid_t pid = fork();

	if (pid == 0) {
		if (daemon(1, 1) < 0)
			fail("daemon");
		exchange(fd, now() + seconds);
		expect_end(fd);
		_exit(write(done[1], "x", 1) == 1 ? 0 : 1);
	}
	close(fd);
	close(done[1]);
	wait_for(pid);
	if (read(done[0], &c, 1) != 1)
		fail("the daemon did not finish");
}

/* The same, but the process that dialled is the one that becomes the daemon. */
static void by_daemon_itself(const char *host, const char *port)
{
	int done[2];
	char c;

	if (pipe(done) < 0)
		fail("pipe");
	pid_t pid = fork();

	if (pid == 0) {
		int fd = dial(host, port);

		exchange(fd, now() + 0.3);
		if (daemon(1, 1) < 0)
			fail("daemon");
		exchange(fd, now() + seconds);
		expect_end(fd);
		_exit(write(done[1], "x", 1) == 1 ? 0 : 1);
	}
	close(done[1]);
	wait_for(pid);
	if (read(done[0], &c, 1) != 1)
		fail("the daemon did not finish");
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	const char *how = argv[1];

	self = argv;
	seconds = atof(argv[4]);
	if (strcmp(how, "filter") == 0)
		return as_filter();
	if (strcmp(how, "receiver") == 0) {
		by_receiver(argv[2], argv[3]);
		return 0;
	}
	if (strncmp(how, "connecting", 10) == 0) {
		by_child_connecting(argv[2], argv[3], strcmp(how, "connecting-heir") == 0);
		return 0;
	}
	if (strcmp(how, "killed") == 0) {
		by_child_of_killed(argv[2], argv[3]);
		return 0;
	}
	if (strncmp(how, "orphan", 6) == 0) {
		by_orphan(argv[2], argv[3], strcmp(how, "orphan-at-once") == 0,
		          strcmp(how, "orphan-busy") == 0 ? 0 : 500);
		return 0;
	}
	if (strcmp(how, "daemon-itself") == 0) {
		by_daemon_itself(argv[2], argv[3]);
		return 0;
	}
	int fd = dial(argv[2], argv[3]);

	if (strcmp(how, "stdio") == 0)
		by_stdio(fd);
	else if (strcmp(how, "stdio-halfway") == 0)
		by_stdio_halfway(fd);
	else if (strcmp(how, "dprintf") == 0)
		by_dprintf(fd);
	else if (strcmp(how, "child") == 0)
		by_child(fd);
	else if (strcmp(how, "heir") == 0)
		by_heir(fd);
	else if (strncmp(how, "second", 6) == 0)
		by_second_child(fd, strstr(how, "-before"), strstr(how, "-alone"),
		                strstr(how, "-unused"));
	else if (strcmp(how, "told-heir") == 0)
		by_told_heir(fd);
	else if (strcmp(how, "unseen") == 0)
		by_unseen(fd);
	else if (strcmp(how, "both") == 0)
		by_both(fd);
	else if (strcmp(how, "fork-exec") == 0)
		by_forked_filter(fd);
	else if (strcmp(how, "vfork-exec") == 0)
		by_vforked_filter(fd);
	else if (strncmp(how, "spawn", 5) == 0) /* perhaps with when the parent closes it, in us */
		by_spawned_filter(fd, how[5] ? (unsigned)atoi(how + 6) : 0);
	else if (strcmp(how, "system") == 0)
		by_shells(fd, by_system);
	else if (strcmp(how, "popen") == 0)
		by_shells(fd, by_popen);
	else if (strcmp(how, "wordexp") == 0)
		by_shells(fd, by_wordexp);
	else if (strcmp(how, "exec") == 0)
		by_exec(fd);
	else if (strcmp(how, "daemon") == 0)
		by_daemon(fd);
	else
		return 2;
	return 0;
}
