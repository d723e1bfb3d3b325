/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/pattern.h"
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

static void patterns_match(void **state)
{
	static const struct {
		const char *pattern, *ip;
		int port, protocol;
		const char *host;
		bool match;
	} t[] = {
	    {"*", "10.1.2.3", 80, IPPROTO_TCP, NULL, true},
	    {"*:22", "10.1.2.3", 22, IPPROTO_TCP, NULL, true},
	    {"*:22", "10.1.2.3", 23, IPPROTO_TCP, NULL, false},
	    {"*/udp", "10.1.2.3", 53, IPPROTO_UDP, NULL, true},
	    {"*/udp", "10.1.2.3", 53, IPPROTO_TCP, NULL, false},
	    {"10.0.0.0/8:514/tcp", "10.200.0.1", 514, IPPROTO_TCP, NULL, true},
	    {"10.0.0.0/8:514/tcp", "11.0.0.1", 514, IPPROTO_TCP, NULL, false},
	    {"10.0.0.0/8:514/tcp", "10.200.0.1", 514, IPPROTO_UDP, NULL, false},
	    {"10.0.0.0/9", "10.128.0.1", 1, IPPROTO_TCP, NULL, false},
	    {"192.0.2.7", "192.0.2.7", 1, IPPROTO_TCP, NULL, true},
	    {"192.0.2.7", "192.0.2.6", 1, IPPROTO_TCP, NULL, false},
	    {"0.0.0.0/0", "192.0.2.6", 1, IPPROTO_TCP, NULL, true},
	    {"0.0.0.0/0", "::1", 1, IPPROTO_TCP, NULL, false},
	    {"[2001:db8::/32]:443", "2001:db8:1::1", 443, IPPROTO_TCP, NULL, true},
	    {"[2001:db8::]/32:443", "2001:db9:1::1", 443, IPPROTO_TCP, NULL, false},
	    {"[2001:db8::]/32:443", "2001:db8:1::1", 443, IPPROTO_TCP, NULL, true},
	    {"2001:db8::1", "2001:db8::1", 443, IPPROTO_TCP, NULL, true},
	    {"*:1000-2000,80", "10.0.0.1", 1500, IPPROTO_TCP, NULL, true},
	    {"*:1000-2000,80", "10.0.0.1", 80, IPPROTO_TCP, NULL, true},
	    {"*:1000-2000,80", "10.0.0.1", 81, IPPROTO_TCP, NULL, false},
	    {"*.example.com", "10.0.0.1", 81, IPPROTO_TCP, "www.example.com", true},
	    {"*.Example.com", "10.0.0.1", 81, IPPROTO_TCP, "www.example.com", true},
	    {"*.example.com", "10.0.0.1", 81, IPPROTO_TCP, NULL, false},
	    {"10.1.*", "10.1.7.7", 81, IPPROTO_TCP, NULL, true},
	    {"10.1.*:80", "10.2.7.7", 80, IPPROTO_TCP, NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct pol_peer p = peer_of(t[i].ip, t[i].port, t[i].protocol, t[i].host);
		struct pattern pattern;
		const char *why;

		if (!pattern_parse(t[i].pattern, &pattern, &why))
			fail_msg("%s refused: %s", t[i].pattern, why);
		if (pattern_match(&pattern, &p) != t[i].match)
			fail_msg("%s against %s:%d", t[i].pattern, t[i].ip, t[i].port);
	}
}

static void bad_patterns_are_refused(void **state)
{
	static const char *const bad[] = {
	    "",      "10.0.0.0/33", "10.0.0.0/8:0", "*:70000", "*:5-4",      "*:80,",
	    "[::1",  "[::1]x:5",    "*:80/sctp",    "a b",     "[::]/129:1", "*:1,2,3,4,5,6,7,8,9",
	    "host/8"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct pattern p;
		const char *why = NULL;

		if (pattern_parse(bad[i], &p, &why))
			fail_msg("%s taken", bad[i]);
		assert_non_null(why);
	}
}

static void first_match_wins(void **state)
{
	char err[512];
	struct pol *p = load("interface \"wl*\" { prefer = 200 }\n"
	                     "interface \"*\" { prefer = 7 metered = true }\n"
	                     "peer \"*:22\" { continuity = session }\n"
	                     "peer \"10.0.0.0/8:514/tcp\" { continuity = redial replay = line }\n"
	                     "peer \"*:23\" { continuity = session relay = \"192.0.2.1:99\" }\n"
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
	a.port = 24;
	assert_int_equal(pol_match(p, &a)->continuity, POL_NONE);
	assert_int_equal(pol_match(pol_builtin(), &a)->continuity, POL_AUTO);
	assert_int_equal(pol_prefer(p, "wlan0", &named, &metered), 200);
	assert_true(named);
	assert_false(metered);
	assert_int_equal(pol_prefer(p, "eth0", NULL, &metered), 7);
	assert_true(metered);
	assert_int_equal(pol_prefer(pol_builtin(), "eth0", &named, NULL), 0);
	assert_false(named);
	pol_free(p);
}

static void errors_name_file_line_and_what_was_expected(void **state)
{
	static const struct {
		const char *text, *message;
	} t[] = {
	    {"peer \"*\" { continuity = sometimes }",
	     ":1: continuity = sometimes not known; expected"},
	    {"\n\npeer \"*:99999\" { continuity = none }", ":3: peer pattern"},
	    {"\npeer \"*\" { continuity = none replay = line }",
	     ":2: replay without re-dial; expected"},
	    {"peer \"*\" { continuity = none relay = \"a:1\" }",
	     ":1: relay without session; expected"},
	    {"peer \"*\" { continuity = session relay = \"a\" }",
	     ":1: relay = \"a\" not understood; expected"},
	    {"peer \"*\" { }", ":1: peer \"*\" says nothing of continuity; expected"},
	    {"peer \"*\" { continuity = redial replay = words }",
	     ":1: replay = words not known; expected"},
	    {"peer \"*\" { continuity = none\n colour = red }", ":2: "},
	    {"interface \"*\" { prefer = many }", ":1: "},
	    {"interface \"*\" { prefer = -1 }", ":1: prefer = -1; expected"},
	    {"# one\n/* two\n three */ // four\npeer \"*:0\" { continuity = none }",
	     ":4: peer pattern"},
	    {"nonsense", ":1: "},
	    {"peer \"*\" {", ":"},
	};
	char err[512];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		if (load(t[i].text, err, sizeof(err)))
			fail_msg("taken: %s", t[i].text);
		if (strncmp(err, file, strlen(file)) != 0 || !strstr(err, t[i].message) ||
		    !strstr(err, "expected"))
			fail_msg("for %s: %s", t[i].text, err);
	}
	assert_null(pol_load("/nonexistent/policy", err, sizeof(err)));
	assert_non_null(strstr(err, "/nonexistent/policy: "));
	assert_null(pol_load("/dev/zero", err, sizeof(err)));
	assert_non_null(strstr(err, "not a regular file"));
}

static void the_example_loads(void **state)
{
	char err[512];
	struct pol *p = pol_load("policy/examples/laptop.conf", err, sizeof(err));

	(void)state;
	if (!p)
		fail_msg("%s", err);
	pol_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(patterns_match),
	    cmocka_unit_test(bad_patterns_are_refused),
	    cmocka_unit_test(first_match_wins),
	    cmocka_unit_test(errors_name_file_line_and_what_was_expected),
	    cmocka_unit_test(the_example_loads),
	};
	int fd = mkstemp(file), r;

	if (fd < 0)
		return 1;
	close(fd);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file);
	return r;
}
