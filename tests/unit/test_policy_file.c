/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/rules.h"

static char file[] = "/tmp/mifcont-policy-XXXXXX";

static struct pol *load(const char *text, char *err, size_t len)
{
	FILE *f = fopen(file, "w");

	fputs(text, f);
	fclose(f);
	return pol_load(file, err, len);
}

static struct pol_peer peer_of(const char *ip, int port, int protocol, const char *host)
{
	struct pol_peer p = {.port = (uint16_t)port, .protocol = protocol, .host = host};

	p.family = strchr(ip, ':') ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(p.family, ip, p.ip), 1);
	return p;
}

static void first_match_wins(void **state)
{
	char err[512];
	struct pol *p = load("interface \"wl*\" { prefer = 200 }\n"
	                     "interface \"*\" { prefer = 7 metered = true }\n"
	                     "peer \"*:22\" { continuity = session }\n"
	                     "peer \"10.0.0.0/8:514/tcp\" { continuity = redial replay = line }\n"
	                     "peer \"*:23\" { continuity = session relay = \"192.0.2.1:99\" }\n"
	                     "peer \"*:25\"\n{\n  continuity = session\n"
	                     "  relay = \"[2001:db8::1]:99\" }\n"
	                     "peer \"*:26\" { continuity = session relay = \"same-host:100\" }\n"
	                     "peer \"*:27\" { continuity = session relay = \"relay.example:7343\"\n"
	                     "  relay-key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n"
	                     "  identity = \"/etc/mifcont/client.key\" }\n"
	                     "peer \"*:28\" { continuity = session standby = no resolve = host }\n"
	                     "peer \"*:29\" { continuity = session standby = metered }\n"
	                     "peer \"*:30\" { continuity = none resolve = path }\n"
	                     "peer \"*\" { continuity = none }\n",
	                     err, sizeof(err));
	bool named, metered;

	(void)state;
	if (!p)
		fail_msg("%s", err);
	struct pol_peer a = peer_of("10.1.1.1", 22, IPPROTO_TCP, NULL);
	const struct pol_rule *r = pol_match(p, &a);

	assert_int_equal(r->continuity, POL_SESSION);
	assert_int_equal(r->line, 3);
	assert_null(r->relay_host);
	assert_int_equal(r->relay_port, 7343);
	a.port = 514;
	assert_int_equal(pol_match(p, &a)->replay, POL_REPLAY_LINE);
	a.port = 23;
	assert_string_equal(pol_match(p, &a)->relay_host, "192.0.2.1");
	assert_int_equal(pol_match(p, &a)->relay_port, 99);
	a.port = 25;
	assert_string_equal(pol_match(p, &a)->relay_host, "2001:db8::1");
	assert_int_equal(pol_match(p, &a)->line, 6);
	a.port = 26;
	assert_null(pol_match(p, &a)->relay_host);
	assert_int_equal(pol_match(p, &a)->relay_port, 100);
	assert_int_equal(pol_match(p, &a)->line, 10);
	a.port = 27;
	r = pol_match(p, &a);
	assert_string_equal(r->relay_host, "relay.example");
	assert_true(r->relay_key_known);
	for (int i = 0; i < 32; i++)
		assert_int_equal(r->relay_key[i], i);
	assert_string_equal(r->identity, "/etc/mifcont/client.key");
	assert_int_equal(r->line, 11);
	assert_int_equal(r->standby, POL_STANDBY_YES);
	a.port = 28;
	assert_int_equal(pol_match(p, &a)->standby, POL_STANDBY_NO);
	a.port = 29;
	assert_int_equal(pol_match(p, &a)->standby, POL_STANDBY_METERED);
	assert_false(pol_match(p, &a)->resolve_path);
	a.port = 30;
	assert_true(pol_match(p, &a)->resolve_path);
	assert_true(pol_resolves(p));
	assert_false(pol_resolves(pol_builtin()));
	/* Where nothing is said the interface's kind decides. */
	assert_int_equal(pol_metered(p, "wlan0", "wifi"), -1);
	assert_int_equal(pol_metered(p, "eth0", "wifi"), 1);
	assert_int_equal(pol_metered(pol_builtin(), "eth0", "wifi"), -1);
	a.port = 24;
	assert_int_equal(pol_match(p, &a)->continuity, POL_NONE);
	assert_int_equal(pol_match(pol_builtin(), &a)->continuity, POL_AUTO);
	assert_int_equal(pol_prefer(p, "wlan0", "wifi", &named, &metered), 200);
	assert_true(named);
	assert_false(metered);
	assert_int_equal(pol_prefer(p, "eth0", "wifi", &named, &metered), 7);
	assert_true(metered);
	assert_false(named);
	assert_int_equal(pol_prefer(pol_builtin(), "eth0", "wifi", &named, NULL), 0);
	assert_false(named);
	pol_free(p);
}

static void records_are_as_said(void **state)
{
	char err[512];
	struct pol *p = load("peer \"*:1\" { continuity = redial  replay = line }\n"
	                     "peer \"*:2\" {\n  length { offset = 1  width = varint }\n"
	                     "  continuity = redial  replay = length-prefix }\n"
	                     "peer \"*:3\" { continuity = redial  records = length-prefix\n"
	                     "  length { width = 2  order = little  counts = record } }\n"
	                     "peer \"*:4\" { continuity = redial  replay = none  records = resp }\n"
	                     "peer \"*:5\" { continuity = redial  replay = length-prefix\n"
	                     "  length { } }\n"
	                     "peer \"*\" { continuity = redial }\n",
	                     err, sizeof(err));
	struct pol_peer a = peer_of("10.1.1.1", 1, IPPROTO_TCP, NULL);
	const struct pol_rule *r;

	(void)state;
	if (!p)
		fail_msg("%s", err);
	assert_int_equal(pol_match(p, &a)->records, POL_RECORDS_LINE);
	a.port = 2;
	r = pol_match(p, &a);
	assert_int_equal(r->records, POL_RECORDS_LENGTH);
	assert_int_equal(r->length.offset, 1);
	assert_int_equal(r->length.width, POL_WIDTH_VARINT);
	assert_int_equal(r->length.counts, POL_COUNTS_PAYLOAD);
	a.port = 3;
	r = pol_match(p, &a);
	assert_int_equal(r->replay, POL_REPLAY_NONE);
	assert_int_equal(r->records, POL_RECORDS_LENGTH);
	assert_int_equal(r->length.offset, 0);
	assert_int_equal(r->length.width, 2);
	assert_true(r->length.little);
	assert_int_equal(r->length.counts, POL_COUNTS_RECORD);
	a.port = 4;
	assert_int_equal(pol_match(p, &a)->records, POL_RECORDS_RESP);
	a.port = 5;
	assert_int_equal(pol_match(p, &a)->length.width, 4);
	a.port = 6;
	assert_int_equal(pol_match(p, &a)->records, POL_RECORDS_NONE);
	pol_free(p);
}

static void openings_are_as_said(void **state)
{
	char err[512];
	struct pol *p = load("peer \"*:1\" { continuity = redial  records = resp\n"
	                     "  opening = recorded  opening-words = \"AUTH SELECT\"\n"
	                     "  binding-words = \"MULTI\" }\n"
	                     "peer \"*:2\" { continuity = redial\n"
	                     "  opening {\n    expect = \"220 *\"\n    send = \"HELO\\r\\n\"\n"
	                     "    expect = \"250 *\"\n  } }\n"
	                     "peer \"*:3\" { opening { send = \"opening {\" }\n"
	                     "  continuity = redial }\n"
	                     "peer \"*:4\" { continuity = redial  records = line\n"
	                     "  answer-ends = \"END #\" }\n"
	                     "peer \"*\" { continuity = redial }\n",
	                     err, sizeof(err));
	struct pol_peer a = peer_of("10.1.1.1", 1, IPPROTO_TCP, NULL);
	const struct pol_rule *r;

	(void)state;
	if (!p)
		fail_msg("%s", err);
	r = pol_match(p, &a);
	assert_int_equal(r->opening, POL_OPENING_RECORDED);
	assert_string_equal(r->opening_words, "AUTH SELECT");
	assert_string_equal(r->binding_words, "MULTI");
	a.port = 2;
	r = pol_match(p, &a);
	assert_int_equal(r->opening, POL_OPENING_SCRIPT);
	assert_int_equal(r->steps, 3);
	assert_false(r->step[0].send);
	assert_string_equal(r->step[0].text, "220 *");
	assert_true(r->step[1].send);
	assert_string_equal(r->step[1].text, "HELO\r\n");
	a.port = 4;
	r = pol_match(p, &a);
	assert_int_equal(r->opening, POL_OPENING_NONE);
	assert_string_equal(r->answer_ends, "END #");
	assert_false(r->step[2].send);
	a.port = 3;
	r = pol_match(p, &a);
	assert_int_equal(r->steps, 1);
	assert_string_equal(r->step[0].text, "opening {");
	a.port = 4;
	r = pol_match(p, &a);
	assert_int_equal(r->opening, POL_OPENING_NONE);
	assert_int_equal(r->steps, 0);
	pol_free(p);
}

static void calm_is_as_said(void **state)
{
	const struct pol_stability *s = pol_stability(pol_builtin());
	char err[512];
	struct pol *p;

	(void)state;
	assert_int_equal(s->stable, 250);
	assert_int_equal(s->hold, 2000);
	assert_int_equal(s->spread, 250);
	assert_true(s->silence);
	p = load("peer \"*\" { continuity = none }", err, sizeof(err));
	assert_memory_equal(pol_stability(p), s, sizeof(*s));
	pol_free(p);
	assert_int_equal(s->damp, 30000);
	assert_int_equal(s->outage, 3000);
	assert_int_equal(s->gone, 30000);
	p = load("stability { outage = 1 gone = 2 }", err, sizeof(err));
	assert_int_equal(pol_stability(p)->outage, 1);
	assert_int_equal(pol_stability(p)->gone, 2);
	pol_free(p);
	p = load("stability { stable = 700 damp = 9000 silence = off }", err, sizeof(err));
	s = pol_stability(p);
	assert_int_equal(s->stable, 700);
	assert_int_equal(s->damp, 9000);
	assert_int_equal(s->hold, 2000);
	assert_int_equal(s->spread, 250);
	assert_false(s->silence);
	pol_free(p);
	p = load("stability\n{\nhold = 0\nspread = 3600000\n}", err, sizeof(err));
	s = pol_stability(p);
	assert_int_equal(s->stable, 250);
	assert_int_equal(s->hold, 0);
	assert_int_equal(s->spread, 3600000);
	pol_free(p);
}

static void who_is_asked_is_as_said(void **state)
{
	char err[512];
	const struct pol_check *c = pol_check(pol_builtin());
	struct pol *p;

	(void)state;
	assert_null(c->host);
	p = load("connectivity { url = \"http://192.0.2.1/generate_204?a=b\" }", err, sizeof(err));
	if (!p)
		fail_msg("%s", err);
	c = pol_check(p);
	assert_string_equal(c->host, "192.0.2.1");
	assert_int_equal(c->port, 80);
	assert_string_equal(c->path, "/generate_204?a=b");
	assert_null(c->expect);
	pol_free(p);
	p = load(
	    "connectivity { url = \"http://[2001:db8::1]:8080/\" expect = \"NetworkManager is\" }",
	    err, sizeof(err));
	c = pol_check(p);
	assert_string_equal(c->host, "2001:db8::1");
	assert_int_equal(c->port, 8080);
	assert_string_equal(c->path, "/");
	assert_string_equal(c->expect, "NetworkManager is");
	pol_free(p);
	p = load("connectivity { url = \"http://[2001:db8::1]/\" }", err, sizeof(err));
	assert_int_equal(pol_check(p)->port, 80);
	pol_free(p);
	p = load("connectivity { url = \"http://check.example/x\" }", err, sizeof(err));
	assert_string_equal(pol_check(p)->host, "check.example");
	pol_free(p);
}

static void types_programs_and_users_are_told_apart(void **state)
{
	char err[512];
	bool named;
	struct pol *p =
	    load("interface \"type:wifi\" { prefer = 9 }\n"
	         "interface \"wg0\" { prefer = 3 }\n"
	         "interface \"type:vpn\" { prefer = 4 metered = yes }\n"
	         "peer \"user:root program:ssh *\" { continuity = session sticky = yes }\n"
	         "peer \"user:no-such-user *\" { continuity = reset }\n"
	         "peer \"*\" { continuity = redial }",
	         err, sizeof(err));
	struct pol_peer a = peer_of("10.1.1.1", 22, IPPROTO_TCP, NULL);

	(void)state;
	if (!p)
		fail_msg("%s", err);
	assert_int_equal(pol_prefer(p, "wlan0", "wifi", &named, NULL), 9);
	assert_true(named);
	assert_int_equal(pol_prefer(p, "wlan0", "ethernet", &named, NULL), 0);
	assert_false(named);
	assert_int_equal(pol_prefer(p, "wg0", "tunnel", NULL, NULL), 3);
	assert_int_equal(pol_prefer(p, "wg1", "tunnel", NULL, NULL), 4);
	assert_int_equal(pol_metered(p, "wg1", "tunnel"), 1);
	assert_int_equal(pol_match(p, &a)->continuity, POL_REDIAL);
	assert_false(pol_match(p, &a)->sticky);
	a.program = "/usr/bin/ssh";
	assert_int_equal(pol_match(p, &a)->continuity, POL_SESSION);
	assert_true(pol_match(p, &a)->sticky);
	a.uid = 1;
	assert_int_equal(pol_match(p, &a)->continuity, POL_REDIAL);
	pol_free(p);
}

/* Into a file whatever is printed meanwhile: the library lives in strangers' programs. */
static int capture(int *out, int *err)
{
	FILE *f = tmpfile();

	assert_non_null(f);
	fflush(stdout);
	fflush(stderr);
	*out = dup(1);
	*err = dup(2);
	dup2(fileno(f), 1);
	dup2(fileno(f), 2);
	return fileno(f);
}

static long captured(int fd, int out, int err)
{
	fflush(stdout);
	fflush(stderr);
	dup2(out, 1);
	dup2(err, 2);
	close(out);
	close(err);
	return (long)lseek(fd, 0, SEEK_END);
}

static void errors_name_file_line_and_what_was_expected(void **state)
{
	static const struct {
		const char *text, *message;
	} t[] = {
	    /* values */
	    {"peer \"*\" { continuity = sometimes }",
	     ":1: continuity = \"sometimes\" not understood; expected auto, none, reset, redial, "
	     "http, session or mptcp"},
	    {"peer \"*\"\n{\n\tcontinuity = redial\n\treplay = words\n}\n",
	     ":4: replay = \"words\" not understood; expected line, length-prefix or none"},
	    {"peer \"*\" { continuity = redial\nreplay = length-prefix }",
	     ":1: length-prefix without a length section; expected length { width = BYTES }"},
	    {"peer \"*\" { continuity = redial\nreplay = line\nlength { width = 2 } }",
	     ":3: length without records that have one; expected replay = length-prefix or"},
	    {"peer \"*\" { continuity = redial\nreplay = line\nrecords = line }",
	     ":3: records beside replay = line, which says it already; expected one of them"},
	    {"peer \"*\" { continuity = auto\nrecords = line }",
	     ":2: records without redial; expected continuity = redial beside it"},
	    {"peer \"*\" { length { width = 2\nwidth = 3 } }",
	     ":2: width stands here and on line 1; expected it once"},
	    {"peer \"*\" { length { width = 2 }\nlength { width = 3 } }",
	     ":2: length stands here and on line 1; expected it once"},
	    {"peer \"*\" { length { width = 9 } }",
	     ":1: width = \"9\" not understood; expected a number of bytes from 1 to 8, varint or"},
	    {"peer \"*\" { length { offset = 65 } }",
	     ":1: offset = \"65\" not understood; expected a number of bytes from 0 to 64"},
	    {"peer \"*\" { length { order = native } }",
	     ":1: order = \"native\" not understood; expected big or little"},
	    {"peer \"*\" { length { width = varint\norder = big } }",
	     ":2: order of a length that is one byte or ends by itself; expected width = 2 to 8"},
	    {"peer \"*\" { length { counts = all } }",
	     ":1: counts = \"all\" not understood; expected payload (what follows the length)"},
	    {"peer \"*\" { continuity = auto\nopening = recorded }",
	     ":2: opening without redial; expected continuity = redial beside it"},
	    {"peer \"*\" { continuity = auto\nopening { send = \"a\" } }",
	     ":2: opening without redial; expected continuity = redial beside it"},
	    {"peer \"*\" { continuity = redial\nopening = recorded }",
	     ":2: opening = recorded, but what the stream is made of is not said; expected"},
	    {"peer \"*\" { continuity = redial replay = line\nopening = recorded\nopening { } }",
	     ":2: opening = recorded and an opening section; expected one of them"},
	    {"peer \"*\" { continuity = redial\nopening { } }",
	     ":2: opening says nothing; expected send = \"TEXT\" in it"},
	    {"peer \"*\" { opening { send = \"a\" }\nopening { send = \"a\" } }",
	     ":2: opening stands here and on line 1; expected it once"},
	    {"peer \"*\" { opening { say = \"a\" } }",
	     ":1: no such option 'say'; expected send = \"TEXT\" or expect = \"PATTERN\""},
	    {"peer \"*\" { opening { send = \"\" } }",
	     ":1: send of an opening not understood; expected a text of 1 to 512 bytes"},
	    {"peer \"*\" { opening = script }",
	     ":1: opening = \"script\" not understood; expected recorded, or a section opening"},
	    {"peer \"*\" { continuity = redial replay = line\nopening-words = \"A\" }",
	     ":2: opening-words without a recorded opening; expected opening = recorded"},
	    {"peer \"*\" { opening-words = \"A-B\" }",
	     ":1: opening-words = \"A-B\" not understood; expected words of letters and digits"},
	    {"peer \"*\" { answer-ends = \"A-B\" }", ":1: answer-ends = \"A-B\" not understood; "
	                                             "expected words of letters and digits, and #"},
	    {"peer \"*\" { continuity = redial records = resp\nanswer-ends = \"A\" }",
	     ":2: answer-ends of what is not lines dialled again; expected continuity = redial"},
	    {"peer \"*\" { continuity = http\nanswer-ends = \"A\" }",
	     ":2: answer-ends of what is not lines dialled again; expected"},
	    {"peer \"*\" { continuity = redial replay = length-prefix length { }\n"
	     "opening = recorded binding-words = \"A\" }",
	     ":2: words of records with a length; expected lines or resp"},
	    {"peer \"*\" { length { what = 1 } }",
	     ":1: no such option 'what'; expected offset = BYTES, width = BYTES, order"},
	    {"interface \"*\" { prefer = many }",
	     ":1: prefer = \"many\" not understood; expected a number from 0 to 1000000"},
	    {"interface \"*\" { prefer = -1 }", ":1: prefer = \"-1\" not understood; expected a"},
	    {"interface \"*\" { prefer = 1000001 }", ":1: prefer = \"1000001\" not understood"},
	    {"interface \"*\" { prefer = 99999999999999999999999 }", " not understood; expected a"},
	    {"interface \"*\" { prefer = 0x10 }", ":1: prefer = \"0x10\" not understood"},
	    {"interface \"*\" { prefer = \"\" }", ":1: prefer = \"\" not understood"},
	    {"peer \"*\" { continuity = session\n standby = sometimes }",
	     ":2: standby = \"sometimes\" not understood; expected no, yes (not over a metered "
	     "interface) or metered (over one, too)"},
	    {"peer \"*\" { continuity = auto\n resolve = here }",
	     ":2: resolve = \"here\" not understood; expected host (as the C library does) or path "
	     "(in "
	     "the network of the connection)"},
	    {"peer \"*\" { continuity = redial\n standby = yes }",
	     ":2: standby without session; expected continuity = session beside it"},
	    {"interface \"*\" {\n nat64 = \"64:ff9b::/95\" }",
	     ":2: nat64 = \"64:ff9b::/95\" not understood; expected an IPv6 prefix of 32, 40, 48, "
	     "56, 64 or 96 bits as \"64:ff9b::/96\""},
	    {"interface \"*\" {\n metered = maybe }",
	     ":2: metered = \"maybe\" not understood; expected true or false"},
	    {"peer \"*\" { continuity = session relay = \"a\" }",
	     ":1: relay = \"a\" not understood; expected \"same-host:7343\", or an address or name "
	     "and "
	     "a port"},
	    {"peer \"*\" { continuity = session relay = \"relay..1:7343\" }", "not understood"},
	    {"peer \"*\" { continuity = session relay = \"-relay:7343\" }", "not understood"},
	    {"peer \"*\" { continuity = session relay = \"10.0.0.999:7343\" }", "not understood"},
	    {"peer \"*\" { continuity = session relay-key = \"short\" }",
	     ":1: relay-key = \"short\" not understood; expected the relay's public key"},
	    {"peer \"*\" { continuity = session identity = \"client.key\" }",
	     "expected the absolute path of a key file"},
	    {"peer \"*\" { continuity = auto identity = \"/k\" }", "identity without session"},
	    {"peer \"*\" { continuity = session relay = \"192.0.2.1:0\" }", "not understood"},
	    {"peer \"*\" { continuity = session relay = \"192.0.2.1:65536\" }", "not understood"},
	    {"peer \"*\" { continuity = session relay = \"192.0.2.1:\" }", "not understood"},
	    {"peer \"*\" { continuity = session relay = \"2001:db8::1:7343\" }", "not understood"},
	    {"peer \"*\" { continuity = session relay = \"[192.0.2.1]:7343\" }", "not understood"},
	    {"peer \"*\" { continuity = session relay = \"[]:7343\" }", "not understood"},
	    {"peer \"*\" { continuity = session relay = \":7343\" }", "not understood"},
	    /* what does not fit together */
	    {"\npeer \"*\" { continuity = none replay = line }",
	     ":2: replay without redial; expected continuity = redial beside it"},
	    {"peer \"*\" {\n continuity = redial\n relay = \"192.0.2.1:1\"\n}",
	     ":3: relay without session; expected continuity = session beside it"},
	    {"\npeer \"*\" {\n\n}", ":2: peer \"*\" says nothing of continuity; expected cont"},
	    {"interface \"type:wlan\" { prefer = 1 }",
	     ":1: interface \"type:wlan\" not understood; expected type:ethernet, type:wifi, "
	     "type:cellular, type:vpn or type:other"},
	    {"peer \"*\" {\n continuity = auto\n sticky = yes }",
	     ":3: sticky without session, redial or http; expected continuity = session, redial"},
	    {"peer \"*\" { continuity = none address-bound = yes }",
	     ":1: address-bound with none; expected another continuity"},
	    {"peer \"*\" {\n continuity = none\n on-handover = \"true\" }",
	     ":3: on-handover with none; expected another continuity"},
	    {"peer \"*\" { continuity = auto on-handover = \"\" }",
	     ":1: on-handover = \"\" not understood; expected a command"},
	    {"\nconnectivity {\n expect = \"x\" }",
	     ":2: connectivity names nobody to ask; expected url = \"http://HOST/PATH\" or portal"},
	    {"connectivity {\n portal-api = true\n expect = \"x\" }",
	     ":3: expect without url; exp"},
	    {"connectivity { portal-api = maybe }", ":1: portal-api = \"maybe\" not understood"},
	    {"interface \"*\" { nat64 = \"networks\" }", ":1: nat64 = \"networks\" not understood"},
	    {"stability {\n hold = -1 }", ":2: hold = \"-1\" not understood; expected a number of "
	                                  "milliseconds from 0 to 3600000"},
	    {"stability { spread = 3600001 }", ":1: spread = \"3600001\" not understood"},
	    {"stability { silence = loud }",
	     ":1: silence = \"loud\" not understood; expected true"},
	    {"stability { }\n\nstability { stable = 1 }",
	     ":3: stability stands here and on line 1; expected it once"},
	    {"stability { calm = 1 }",
	     ":1: no such option 'calm'; expected stable, hold, damp, spread, outage or"},
	    {"connectivity { url = \"https://a.example/\" }",
	     ":1: url = \"https://a.example/\" not understood; expected \"http://HOST/PATH\""},
	    {"connectivity { url = \"http://a.example\" }", "not understood"},
	    {"connectivity { url = \"http://a.example:0/\" }", "not understood"},
	    {"connectivity { url = \"http://same-host/\" }", "not understood"},
	    {"connectivity { url = \"http://a/b c\" }", "not understood"},
	    {"connectivity { url = \"http://user@a.example/\" }", "not understood"},
	    {"connectivity { url = \"http:///x\" }", "not understood"},
	    {"\nconnectivity { expect = \"x\" }",
	     ":2: connectivity names nobody to ask; expected url"},
	    {"connectivity { url = \"http://a.example/\" expect = \"\" }",
	     ":1: expect = \"\" not understood; expected 1 to 200 characters"},
	    {"connectivity { url = \"http://a.example/\" }\nconnectivity { }",
	     ":2: connectivity stands here and on line 1; expected it once"},
	    {"interface \"\" { prefer = 1 }", ":1: interface \"\" names none; expected a name"},
	    {"\n\npeer \"*:99999\" {\n\n continuity = none\n }",
	     ":3: peer pattern \"*:99999\" not understood; expected a port"},
	    {"peer \"\" { continuity = none }", ":1: peer pattern \"\" not understood; expected"},
	    /* twice */
	    {"peer \"*\" { continuity = none }\npeer \"*\" { continuity = none }",
	     ":2: found duplicate title '*'; expected"},
	    {"interface \"a\" { }\ninterface \"a\" { }", ":2: found duplicate title 'a'; expected"},
	    {"peer \"*\" { continuity = none\n continuity = auto }",
	     ":2: continuity stands here and on line 1; expected it once"},
	    /* unknown */
	    {"peer \"*\" { continuity = none\n colour = red }",
	     ":2: no such option 'colour'; expected continuity = WORD, replay"},
	    {"interface \"*\" { speed = 5 }", ":1: no such option 'speed'; expected prefer"},
	    {"nonsense", ":1: no such option 'nonsense'; expected interface"},
	    {"relay \"*\" { }", ":1: no such option 'relay'; expected interface"},
	    /* syntax */
	    {"# one\n/* two\n three */ // four\npeer \"*:0\" { continuity = none }",
	     ":4: peer pattern"},
	    {"\npeer \"*\"\n{", ":3: a section that is not closed; expected }"},
	    {"peer \"*\" { continuity = none", ":1: a section that is not closed; expected }"},
	    {"peer", ":1: premature end of file; expected"},
	    {"peer \"*\" { continuity = }", ":1: unexpected token '}'; expected"},
	    {"peer \"*\" { continuity none }", ":1: missing equal sign after"},
	    {"peer { }", ":1: missing title for section 'peer'; expected"},
	    {"}", ":1: unexpected closing brace; expected"},
	    {"peer \"a\" { peer \"b\" { } }", ":1: no such option 'peer'; expected continuity"},
	    {"\npeer \"* { continuity = none }\n", ":2: a quote that does not end on its line"},
	    {"peer '*", ":1: a quote that does not end on its line"},
	    {"\n/* peer", ":2: a comment that never ends; expected */"},
	    {"\npeer *:22 { continuity = none }", ":2: a character that has no meaning outside of"},
	    {"interface wlan* { prefer = 1 }", ":1: a character that has no meaning outside of"},
	    {"include(\"/etc/passwd\")", ":1: a character that has no meaning outside of quotes"},
	    {"peer \"*\" { continuity += none }", ":1: a character that has no meaning outside"},
	    {"peer \"*\" { continuity = ${HOME} }", ":1: a character that has no meaning outside"},
	    {"peer \"${HOME}\" { continuity = none }", ":1: ${...} in quotes; expected plain text"},
	    {"peer \"a\033[2J\" { continuity = none }",
	     ":1: a quote that does not end on its line"},
	    {"peer \"a\\e[2J\" { continuity = none }", ":1: peer pattern \"a?[2J\" not understood"},
	};
	char err[512];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		int out, error, fd = capture(&out, &error);
		struct pol *p = load(t[i].text, err, sizeof(err));
		long printed = captured(fd, out, error);

		if (p)
			fail_msg("taken: %s", t[i].text);
		if (strncmp(err, file, strlen(file)) != 0 || !strstr(err, t[i].message) ||
		    !strstr(err, "; expected "))
			fail_msg("for %s: %s", t[i].text, err);
		if (printed)
			fail_msg("printed for %s", t[i].text);
		/* Nothing of a failure stays behind in the parser. */
		p = load("peer \"*\" { continuity = none }", err, sizeof(err));
		if (!p)
			fail_msg("after %s: %s", t[i].text, err);
		pol_free(p);
	}
}

static void only_ordinary_files_are_read(void **state)
{
	char err[512], dir[] = "/tmp/mifcont-dir-XXXXXX", fifo[64];

	(void)state;
	assert_null(pol_load("/nonexistent/policy", err, sizeof(err)));
	assert_string_equal(err, "/nonexistent/policy: No such file or directory; expected a "
	                         "readable policy file");
	assert_null(pol_load("/dev/zero", err, sizeof(err)));
	assert_non_null(strstr(err, "not a regular file; expected"));
	assert_non_null(mkdtemp(dir));
	assert_null(pol_load(dir, err, sizeof(err)));
	assert_non_null(strstr(err, "not a regular file; expected"));
	/* A FIFO that nobody writes to must not hold anybody up. */
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	alarm(60);
	assert_null(pol_load(fifo, err, sizeof(err)));
	alarm(0);
	assert_non_null(strstr(err, "not a regular file; expected"));
	unlink(fifo);
	rmdir(dir);
}

/* Whoever may write a command may run it as whoever reads it. */
static void a_command_is_taken_from_its_reader_alone(void **state)
{
	const char *text = "peer \"*\" {\n continuity = session\n on-handover = \"kinit -R\" }\n";
	char err[512];
	struct pol *p = load(text, err, sizeof(err));
	struct pol_peer a = peer_of("10.1.1.1", 22, IPPROTO_TCP, NULL);

	(void)state;
	assert_non_null(p);
	assert_string_equal(pol_match(p, &a)->on_handover, "kinit -R");
	pol_free(p);
	assert_int_equal(chmod(file, 0664), 0);
	assert_null(pol_load(file, err, sizeof(err)));
	assert_non_null(strstr(err, ":3: on-handover in a file that others may write; expected"));
	assert_int_equal(chmod(file, 0644), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(file, 12345, (gid_t)-1), 0);
		assert_null(pol_load(file, err, sizeof(err)));
		assert_non_null(strstr(err, ":3: on-handover in a file that others may write"));
		assert_int_equal(chown(file, 0, (gid_t)-1), 0);
	}
}

static void size_and_number_are_bounded(void **state)
{
	char err[512];
	struct pol *p;
	FILE *f = fopen(file, "w");

	(void)state;
	for (int i = 0; i < 1024; i++)
		fprintf(f, "peer \"*:%d\"\n{\ncontinuity = none\n}\n", i + 1);
	fclose(f);
	p = pol_load(file, err, sizeof(err));
	if (!p)
		fail_msg("%s", err);
	struct pol_peer a = peer_of("10.1.1.1", 1024, IPPROTO_TCP, NULL);
	assert_int_equal(pol_match(p, &a)->line, 1023 * 4 + 1);
	pol_free(p);
	f = fopen(file, "a");
	fprintf(f, "peer \"*:2000\" { continuity = none }\n");
	fclose(f);
	assert_null(pol_load(file, err, sizeof(err)));
	assert_non_null(strstr(err, ":4097: too many sections; expected at most 1024"));
	assert_int_equal(truncate(file, (1 << 20) + 1), 0);
	assert_null(pol_load(file, err, sizeof(err)));
	assert_non_null(strstr(err, "larger than 1 MiB; expected"));
	assert_int_equal(truncate(file, 0), 0);
	assert_int_equal(truncate(file, 10), 0);
	assert_null(pol_load(file, err, sizeof(err)));
	assert_non_null(strstr(err, "holds a zero byte; expected text"));
	assert_int_equal(truncate(file, 0), 0);
	p = pol_load(file, err, sizeof(err));
	assert_non_null(p);
	assert_int_equal(pol_match(p, &a)->continuity, POL_AUTO);
	pol_free(p);
}

/* Every way to cut or to spoil a good policy ends in a policy or in a message. */
static void spoilt_text_is_survived(void **state)
{
	static const char good[] = "# c\ninterface \"w*\" { prefer = 200 metered = true }\n"
	                           "/* d */ peer \"10.0.0.0/8:514/tcp\" { continuity = redial\n"
	                           " replay = line }\npeer '*' { continuity = session // e\n"
	                           "relay = \"[2001:db8::1]:7343\" }\n";
	static const char odd[] = "\"'{}()=+,\\$#/*\n\t\r[]:\x80 x0";
	char text[sizeof(good)], err[512];
	int out, error, fd = capture(&out, &error), mute = 0;

	(void)state;
	srand(5);
	for (int round = 0; round < 4000; round++) {
		memcpy(text, good, sizeof(good));
		if (round < (int)sizeof(good))
			text[round] = 0;
		for (int k = rand() % 4; round >= (int)sizeof(good) && k >= 0; k--)
			text[(size_t)rand() % (sizeof(good) - 1)] =
			    odd[(size_t)rand() % (sizeof(odd) - 1)];
		struct pol *p = load(text, err, sizeof(err));

		if (!p && !strstr(err, "; expected "))
			mute++;
		if (p && err[0])
			mute++;
		pol_free(p);
	}
	assert_int_equal(captured(fd, out, error), 0);
	assert_int_equal(mute, 0);
}

static void the_search_goes_from_the_environment_to_the_home(void **state)
{
	char path[256], dir[] = "/tmp/mifcont-home-XXXXXX", sub[64], conf[96];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(sub, sizeof(sub), "%s/.config", dir);
	mkdir(sub, 0700);
	snprintf(sub, sizeof(sub), "%s/.config/mifcont", dir);
	mkdir(sub, 0700);
	snprintf(conf, sizeof(conf), "%s/policy.conf", sub);
	close(open(conf, O_CREAT | O_WRONLY, 0600));
	unsetenv("XDG_CONFIG_HOME");
	setenv("HOME", dir, 1);
	/* Whether it exists or not: what the user said is not passed over in silence. */
	setenv("MIFCONT_POLICY", "/nonexistent/p", 1);
	assert_true(pol_find(path, sizeof(path)));
	assert_string_equal(path, "/nonexistent/p");
	assert_false(pol_find(path, 5));
	unsetenv("MIFCONT_POLICY");
	assert_true(pol_find(path, sizeof(path)));
	assert_string_equal(path, conf);
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	assert_int_equal(pol_find(path, sizeof(path)),
	                 access("/etc/mifcont/policy.conf", F_OK) == 0);
	snprintf(sub, sizeof(sub), "%s/.config", dir);
	setenv("XDG_CONFIG_HOME", sub, 1);
	assert_true(pol_find(path, sizeof(path)));
	assert_string_equal(path, conf);
	unlink(conf);
	snprintf(sub, sizeof(sub), "%s/.config/mifcont", dir);
	rmdir(sub);
	snprintf(sub, sizeof(sub), "%s/.config", dir);
	rmdir(sub);
	rmdir(dir);
}

static void the_examples_load(void **state)
{
	static const char *const files[] = {
	    "policy/examples/laptop.conf", "policy/examples/developer.conf",
	    "policy/examples/vehicle.conf", "policy/examples/point-of-sale.conf",
	    "policy/examples/sensor-logger.conf"};
	char err[512];

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct pol *p = pol_load(files[i], err, sizeof(err));

		if (!p)
			fail_msg("%s", err);
		assert_true(p->interfaces >= 2);
		assert_true(p->peers >= 4);
		pol_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_match_wins),
	    cmocka_unit_test(records_are_as_said),
	    cmocka_unit_test(openings_are_as_said),
	    cmocka_unit_test(calm_is_as_said),
	    cmocka_unit_test(who_is_asked_is_as_said),
	    cmocka_unit_test(types_programs_and_users_are_told_apart),
	    cmocka_unit_test(errors_name_file_line_and_what_was_expected),
	    cmocka_unit_test(only_ordinary_files_are_read),
	    cmocka_unit_test(a_command_is_taken_from_its_reader_alone),
	    cmocka_unit_test(size_and_number_are_bounded),
	    cmocka_unit_test(spoilt_text_is_survived),
	    cmocka_unit_test(the_search_goes_from_the_environment_to_the_home),
	    cmocka_unit_test(the_examples_load),
	};
	int fd = mkstemp(file), r;

	if (fd < 0)
		return 1;
	close(fd);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file);
	return r;
}
