/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/glob.h"
#include "policy/pattern.h"

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
	    {"[2001:db8::1]", "2001:db8::1", 443, IPPROTO_TCP, NULL, true},
	    {"[2001:db8::1]:22", "2001:db8::1", 443, IPPROTO_TCP, NULL, false},
	    {"[2001:db8::1]/tcp", "2001:db8::1", 443, IPPROTO_TCP, NULL, true},
	    {"[2001:db8::]/32:443/tcp", "2001:db8:1::1", 443, IPPROTO_TCP, NULL, true},
	    {"[2001:db8::]/32:443/udp", "2001:db8:1::1", 443, IPPROTO_TCP, NULL, false},
	    {"[2001:db8::]/0", "fe80::1", 443, IPPROTO_TCP, NULL, true},
	    {"[2001:db8:*]:443", "2001:db8:1::1", 443, IPPROTO_TCP, NULL, true},
	    {"[2001:db8:*]:443", "2001:db9:1::1", 443, IPPROTO_TCP, NULL, false},
	    {"[2001:DB8:*]", "2001:db8:1::1", 443, IPPROTO_TCP, NULL, true},
	    {"10.0.0.0/8:514/tcp", "::ffff:10.200.0.1", 514, IPPROTO_TCP, NULL, true},
	    {"10.2*", "::ffff:10.200.0.1", 514, IPPROTO_TCP, NULL, true},
	    {"[::]/0", "::ffff:10.200.0.1", 514, IPPROTO_TCP, NULL, false},
	    {"10.0.0.0/8/udp", "10.1.1.1", 53, IPPROTO_UDP, NULL, true},
	    {"10.0.0.0/8/udp", "10.1.1.1", 53, IPPROTO_TCP, NULL, false},
	    {"*:*", "10.1.1.1", 53, IPPROTO_TCP, NULL, true},
	    {"*:1-65535", "10.1.1.1", 65535, IPPROTO_TCP, NULL, true},
	    {"10.0.0.1/31", "10.0.0.0", 1, IPPROTO_TCP, NULL, true},
	    {"10.0.0.1/31", "10.0.0.2", 1, IPPROTO_TCP, NULL, false},
	    {"*:1000-2000,80", "10.0.0.1", 1500, IPPROTO_TCP, NULL, true},
	    {"*:1000-2000,80", "10.0.0.1", 80, IPPROTO_TCP, NULL, true},
	    {"*:1000-2000,80", "10.0.0.1", 81, IPPROTO_TCP, NULL, false},
	    {"*.example.com", "10.0.0.1", 81, IPPROTO_TCP, "www.example.com", true},
	    {"*.Example.com", "10.0.0.1", 81, IPPROTO_TCP, "www.example.com", true},
	    {"*.example.com", "10.0.0.1", 81, IPPROTO_TCP, NULL, false},
	    {"10.1.*", "10.1.7.7", 81, IPPROTO_TCP, NULL, true},
	    {"10.1.*:80", "10.2.7.7", 80, IPPROTO_TCP, NULL, false},
	    {"user:22", "10.2.7.7", 22, IPPROTO_TCP, "user", true},
	    {"program:ssh *:22", "10.2.7.7", 22, IPPROTO_TCP, NULL, true},
	    {"program:s?h  10.0.0.0/8", "10.2.7.7", 22, IPPROTO_TCP, NULL, true},
	    {"program:ssh *:23", "10.2.7.7", 22, IPPROTO_TCP, NULL, false},
	    {"program:sshd *", "10.2.7.7", 22, IPPROTO_TCP, NULL, false},
	    {"program:bin *", "10.2.7.7", 22, IPPROTO_TCP, NULL, false},
	    {"program:/usr/bin/* *", "10.2.7.7", 22, IPPROTO_TCP, NULL, true},
	    {"program:/usr/sbin/* *", "10.2.7.7", 22, IPPROTO_TCP, NULL, false},
	    {"user:1000 *", "10.2.7.7", 22, IPPROTO_TCP, NULL, true},
	    {"user:0 *", "10.2.7.7", 22, IPPROTO_TCP, NULL, false},
	    /* a name without a number is nobody's */
	    {"user:somebody *", "10.2.7.7", 22, IPPROTO_TCP, NULL, false},
	    {"program:ssh user:1000 *", "10.2.7.7", 22, IPPROTO_TCP, NULL, true},
	    {"user:1000 program:scp [::]/0", "2001:db8::1", 22, IPPROTO_TCP, NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct pol_peer p = peer_of(t[i].ip, t[i].port, t[i].protocol, t[i].host);
		struct pattern pattern;
		const char *why;

		p.program = "/usr/bin/ssh";
		p.uid = 1000;

		if (!pattern_parse(t[i].pattern, &pattern, &why))
			fail_msg("%s refused: %s", t[i].pattern, why);
		if (pattern_match(&pattern, &p) != t[i].match)
			fail_msg("%s against %s:%d", t[i].pattern, t[i].ip, t[i].port);
	}
}

static void bad_patterns_are_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
	    {"", "HOST"},
	    {":80", "a host before the port"},
	    {"10.0.0.0/33", "IPv4 address, or a prefix"},
	    {"10.0.0.0/", "/tcp or /udp"},
	    {"10.0.0.0/00000000000000000000000000099", "IPv4 address, or a prefix"},
	    {"10.0.0.0/-1", "/tcp or /udp"},
	    {"10.0.0.300", "IPv4 address"},
	    {"10.0.0", "IPv4 address"},
	    {"010.0.0.1", "IPv4 address"},
	    {"host/8", "IPv4 address"},
	    {"*/8", "IPv4 address"},
	    {"10.0.0.0/8:0", "a port"},
	    {"*:", "a port"},
	    {"*:70000", "a port"},
	    {"*:99999999999999999999", "a port"},
	    {"*:5-4", "a port"},
	    {"*:5-", "a port"},
	    {"*:-5", "a port"},
	    {"*:80,", "a port"},
	    {"*:http", "a port"},
	    {"*:1,2,3,4,5,6,7,8,9", "at most 8"},
	    {"*:80/sctp", "/tcp or /udp"},
	    {"*/TCP", "/tcp or /udp"},
	    {"a b", "a host of letters"},
	    {"h\xc3\xb6st", "a host of letters"},
	    {"2001:db8::1", "in brackets"},
	    {"2001:db8::1:22", "in brackets"},
	    {"[::1", "']'"},
	    {"[::1]x:5", "[ADDRESS]/LENGTH"},
	    {"[::/8]/8", "[ADDRESS]/LENGTH"},
	    {"[::]/129:1", "IPv6 address or prefix"},
	    {"[]:1", "IPv6 address or prefix"},
	    {"[10.0.0.1]:1", "IPv6 address or prefix"},
	    {"[fe80::1%eth0]:1", "IPv6 address or prefix"},
	    {"[*.example.com]:1", "IPv6 address or prefix"},
	    {"program:ssh", "a port"},
	    {"program: *", "program:NAME and a blank"},
	    {"program:a program:b *", "program:NAME and a blank before the host, once"},
	    {"program:ssh ", "HOST"},
	    {"user:0 user:root *", "user:NAME or user:NUMBER and a blank before the host, once"},
	    {"user:a user:b *", "user:NAME or user:NUMBER"},
	    {"user:4294967295 *", "user:NAME or user:NUMBER"},
	    {"user:0x *", "user:NAME or user:NUMBER"},
	    {"user: *", "user:NAME or user:NUMBER"},
	};
	char big[200];
	struct pattern p;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		why = NULL;
		if (pattern_parse(bad[i].text, &p, &why))
			fail_msg("%s taken", bad[i].text);
		if (!strstr(why, bad[i].why))
			fail_msg("%s: expected %s", bad[i].text, why);
	}
	memset(big, 'a', sizeof(big));
	big[127] = 0;
	assert_true(pattern_parse(big, &p, &why));
	big[127] = 'a';
	big[128] = 0;
	assert_false(pattern_parse(big, &p, &why));
}

static void globs_match(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} t[] = {
	    {"", "", true},
	    {"", "a", false},
	    {"*", "", true},
	    {"**", "ab", true},
	    {"a*c", "abc", true},
	    {"a*c", "ac", true},
	    {"a*c", "acb", false},
	    {"*a*b*", "xxaxxbxx", true},
	    {"*a*b*", "xxbxxaxx", false},
	    {"*ab", "aab", true},
	    {"?", "", false},
	    {"a?c", "abc", true},
	    {"[abc]", "b", true},
	    {"[abc]", "d", false},
	    {"[a-c]x", "cx", true},
	    {"[!a-c]x", "cx", false},
	    {"[^a-c]x", "dx", true},
	    {"[]]", "]", true},
	    {"[!]]", "]", false},
	    {"[a-]", "-", true},
	    {"[ab", "[ab", true},
	    {"[ab", "a", false},
	    {"wlan[0-9]", "wlan3", true},
	    {"WLAN0", "wlan0", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++)
		if (glob_match(t[i].pattern, t[i].text, false) != t[i].match)
			fail_msg("%s against %s", t[i].pattern, t[i].text);
	assert_true(glob_match("[A-C]B", "bb", true));
	/* Ranges from one case into the other, or out of the letters. */
	assert_true(glob_match("[J-h]", "X", true));
	assert_true(glob_match("[J-h]", "x", true));
	assert_true(glob_match("[A-_]", "Q", true));
	assert_true(glob_match("[A-_]", "q", true));
	assert_false(glob_match("[!A-_]", "q", true));
	assert_false(glob_match("[A-_]", "q", false));
	/* Would take for ever if every star were tried at every place. */
	assert_false(glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
	                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	                        false));
}

/* Whatever the text: no crash, an expectation for each refusal, and what is taken can be asked. */
static void any_text_is_survived(void **state)
{
	static const char pieces[] = "*?[]/:-,.!0123489abf%udptc ";
	struct pol_peer peer = peer_of("10.1.2.3", 80, IPPROTO_TCP, "www.example.com");
	unsigned taken = 0;

	(void)state;
	srand(11);
	for (int round = 0; round < 300000; round++) {
		struct pattern p;
		char text[140];
		const char *why = NULL;
		size_t n = (size_t)rand() % (round % 100 ? 24 : sizeof(text));

		for (size_t i = 0; i < n; i++)
			text[i] = pieces[(size_t)rand() % (sizeof(pieces) - 1)];
		text[n] = 0;
		if (pattern_parse(text, &p, &why)) {
			taken++;
			pattern_match(&p, &peer);
		} else {
			assert_non_null(why);
		}
	}
	assert_true(taken > 1000);
}

static void names_are_told_from_addresses(void **state)
{
	static const struct {
		const char *pattern;
		bool names;
	} t[] = {
	    {"*.example.com:22", true}, {"host", true},   {"10.1.*", false}, {"*", false},
	    {"10.0.0.0/8", false},      {"[fd*]", false}, {"*:22", false},   {"192.0.2.?", false}};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct pattern p;
		const char *why;

		assert_true(pattern_parse(t[i].pattern, &p, &why));
		assert_int_equal(pattern_names(&p), t[i].names);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(patterns_match),
	    cmocka_unit_test(bad_patterns_are_refused),
	    cmocka_unit_test(globs_match),
	    cmocka_unit_test(any_text_is_survived),
	    cmocka_unit_test(names_are_told_from_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
