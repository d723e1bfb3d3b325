/* SPDX-License-Identifier: MIT */
/* The policy file, peer patterns and shell patterns. The first byte says which. */
#include <arpa/inet.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "policy/glob.h"
#include "policy/rules.h"
#include "policy/scan.h"
#include "tests/fuzz/input.h"

#define TEXT_MAX 8192

static int fd;
static char name[64];

/* The next text of the input, up to a zero byte. For the caller to free. */
static char *take_text(struct input *in)
{
	const uint8_t *end = in->left ? memchr(in->p, 0, in->left) : NULL;
	size_t n = end ? (size_t)(end - in->p) : in->left;
	char *s = malloc(n + 1);

	must(s != NULL, "memory");
	take_bytes(in, s, n);
	s[n] = 0;
	take_u8(in);
	return s;
}

static struct pol_peer take_peer(struct input *in, const char *host)
{
	static const sa_family_t families[] = {0, AF_INET, AF_INET6, AF_INET6};
	uint8_t kind = take_u8(in);
	struct pol_peer p = {.family = families[kind % 4],
	                     .protocol = kind & 4 ? IPPROTO_UDP : IPPROTO_TCP,
	                     .port = take_u16(in),
	                     .host = host};

	take_bytes(in, p.ip, p.family == AF_INET ? 4 : 16);
	/* An IPv4 peer of an IPv6 socket. */
	if (kind % 4 == 3)
		memcpy(p.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	return p;
}

static void printable(const char *s, const char *what)
{
	for (; *s; s++)
		must((unsigned char)*s >= ' ' && *s != 0x7f, what);
}

static void sound(const struct pol *p)
{
	static const char *const names[] = {"wlan0", "eth0", "", "*", "]"};

	for (unsigned i = 0; i < p->peers; i++) {
		const struct pol_rule *r = &p->peer[i].rule;

		must(r->pattern && r->line > 0, "a rule from nowhere");
		must(r->continuity <= POL_MPTCP && r->replay <= POL_REPLAY_LENGTH_PREFIX,
		     "a rule of no kind");
		must(r->relay_port, "a relay without a port");
		must(!r->relay_host || r->continuity == POL_SESSION, "a relay without a session");
		must(r->replay == POL_REPLAY_NONE || r->continuity == POL_REDIAL,
		     "a replay without redial");
		must(r->records <= POL_RECORDS_RESP && r->length.offset >= 0 &&
		         r->length.offset <= POL_OFFSET_MAX &&
		         r->length.width >= POL_WIDTH_DECIMAL && r->length.width <= 8,
		     "records of no kind");
		must(r->records != POL_RECORDS_LENGTH || r->length.width,
		     "a length without a width");
		must(i == 0 || r->line >= p->peer[i - 1].rule.line, "rules out of order");
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int n = pol_prefer(p, names[i], "wifi", NULL, NULL);

		must(n >= 0 && n <= 1000000, "a preference out of range");
	}
}

static void file(struct input *in)
{
	static const struct pol_peer peers[] = {
	    {.family = AF_INET, .ip = {10, 0, 0, 1}, .port = 22, .protocol = IPPROTO_TCP},
	    {.family = AF_INET6, .ip = {0x20, 1, 0xd, 0xb8}, .port = 443, .protocol = IPPROTO_TCP},
	    {.port = 53, .protocol = IPPROTO_UDP, .host = "host.example"},
	};
	char err[128];

	must(ftruncate(fd, 0) == 0 && pwrite(fd, in->p, in->left, 0) == (ssize_t)in->left, "file");
	struct pol *p = pol_load(name, err, sizeof(err));

	must(!p == !!err[0], "an error without a word, or a word without an error");
	printable(err, "a message that commands a terminal");
	must(p || strncmp(err, name, strlen(name)) == 0, "a message that names no file");
	if (!p)
		return;
	sound(p);
	for (size_t i = 0; i < sizeof(peers) / sizeof(*peers); i++)
		must(pol_match(p, &peers[i]) != NULL, "no rule");
	pol_free(p);
}

static void pattern(struct input *in)
{
	char *text = take_text(in), *host = take_text(in);
	struct pol_peer peer = take_peer(in, *host ? host : NULL);
	struct pattern p;
	const char *why = NULL;

	if (!pattern_parse(text, &p, &why)) {
		must(why && *why, "refused without a reason");
	} else {
		must(p.ports <= PATTERN_PORTS, "more ports than there is room for");
		for (unsigned i = 0; i < p.ports; i++)
			must(p.port[i].first && p.port[i].first <= p.port[i].last,
			     "a range of ports that is none");
		must(p.prefix_len <= (p.family == AF_INET    ? 32
		                      : p.family == AF_INET6 ? 128
		                                             : 0),
		     "a prefix longer than an address");
		must(!p.family || !p.glob[0], "an address and a name at once");
		must(memchr(p.glob, 0, sizeof(p.glob)) != NULL, "a name without an end");
		if (pattern_match(&p, &peer))
			must(!p.protocol || p.protocol == peer.protocol, "the wrong protocol");
		pattern_names(&p);
		/* An address matches itself. */
		if (p.family) {
			memcpy(peer.ip, p.ip, sizeof(p.ip));
			peer.family = p.family;
			peer.port = p.ports ? p.port[0].last : 1;
			peer.protocol = p.protocol ? p.protocol : IPPROTO_TCP;
			bool mapped = p.family == AF_INET6 &&
			              memcmp(p.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;

			must(mapped || pattern_match(&p, &peer), "an address is not itself");
		}
	}
	free(text);
	free(host);
}

static void glob(struct input *in)
{
	char *p = take_text(in), *text = take_text(in);
	bool exact = glob_match(p, text, false);

	/* But for sets of what is not meant. */
	must(!exact || strpbrk(p, "!^") || glob_match(p, text, true),
	     "matches, but not with any case");
	/* The C library's is another implementation of the same language, but for sets, and for
	 * bytes that its locale does not know. */
	bool plain = strlen(p) < 64 && strlen(text) < 64;

	for (const char *s = p; *s; s++)
		plain = plain && *s != '[' && (unsigned char)*s < 0x80;
	for (const char *s = text; *s; s++)
		plain = plain && (unsigned char)*s < 0x80;
	if (plain)
		must(exact == (fnmatch(p, text, FNM_NOESCAPE) == 0), "fnmatch() says otherwise");
	free(p);
	free(text);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fd = memfd_create("policy", MFD_CLOEXEC);
	must(fd >= 0, "memory");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	if (size > TEXT_MAX)
		return 0;
	switch (take_u8(&in)) {
	case 'p':
		pattern(&in);
		break;
	case 'g':
		glob(&in);
		break;
	default:
		/* A policy file: its first byte is its own. */
		file(&(struct input){data, size});
	}
	return 0;
}
