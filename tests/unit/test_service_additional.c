/* SPDX-License-Identifier: MIT */
/* What a domain's server and a captive portal may say, and what they may not. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/additional.h"

#define NOW 1800000000000 /* in January 2027 */

static struct additional a;

static const char *parse(const char *text)
{
	return additional_parse(text, strlen(text), "pvd.example.org", NOW, &a);
}

#define WITH(id, expires, prefixes, more)                                                          \
	"{\"identifier\":" id ",\"expires\":" expires ",\"prefixes\":" prefixes more "}"
#define ID "\"pvd.example.org\""
#define LATER "\"2030-05-23T06:00:00Z\""
#define PREFIXES "[\"2001:db8:1::/48\",\"2001:db8:4::/62\"]"

static void what_is_right(void **state)
{
	(void)state;
	assert_null(parse(WITH("\"PVD.Example.org.\"", LATER, PREFIXES,
	                       ",\"dnsZones\":[\"Example.org.\",\"a b\",7,\"lab\"],"
	                       "\"noInternet\":true,\"vendor-x\":{\"y\":[1]}")));
	assert_true(a.no_internet);
	assert_int_equal(a.prefixes, 2);
	assert_int_equal(a.zones, 2);
	assert_string_equal(a.zone[0], "example.org");
	assert_string_equal(a.zone[1], "lab");
	assert_int_equal(a.expires, 1905746400000);
	assert_null(parse(WITH(ID, LATER, "[]", "")));
	assert_false(a.no_internet);
}

static void dates(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds; /* 0: none */
	} date[] = {
	    {"2030-05-23T06:00:00Z", 1905746400},
	    {"2030-05-23t06:00:00z", 0},
	    {"2030-05-23T06:00:00.25Z", 1905746400},
	    {"2030-05-23T08:00:00+02:00", 1905746400},
	    {"2030-05-23T01:30:00-04:30", 1905746400},
	    {"2030-05-23T06:00:00", 0},
	    {"2030-05-23", 0},
	    {"2030-05-23T06:00:00+02", 0},
	    {"2030-05-23T06:00:00Zulu", 0},
	    {"2030-05-23T06:00:00.Z", 0},
	    {"2030-05-23T06:00:00+99:00", 0},
	    {"", 0},
	    {"soon", 0},
	    {"2030-05-23T06:00:00+02:00x", 0},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(date) / sizeof(*date); i++) {
		snprintf(text, sizeof(text), WITH(ID, "\"%s\"", "[]", ""), date[i].text);
		if (!date[i].seconds) {
			assert_non_null(parse(text));
			continue;
		}
		assert_null(parse(text));
		assert_int_equal(a.expires, date[i].seconds * 1000);
	}
}

static void what_is_wrong(void **state)
{
	static const char *const bad[] = {
	    "",
	    "[]",
	    "{",
	    "null",
	    "{}",
	    WITH("\"other.example.org\"", LATER, PREFIXES, ""),
	    WITH("7", LATER, PREFIXES, ""),
	    WITH(ID, "\"2020-05-23T06:00:00Z\"", PREFIXES, ""),
	    WITH(ID, "1905746400", PREFIXES, ""),
	    WITH(ID, LATER, "\"2001:db8::/32\"", ""),
	    WITH(ID, LATER, "[\"2001:db8::\"]", ""),
	    WITH(ID, LATER, "[\"2001:db8::/129\"]", ""),
	    WITH(ID, LATER, "[\"2001:db8::/+1\"]", ""),
	    WITH(ID, LATER, "[\"10.0.0.0/8\"]", ""),
	    WITH(ID, LATER, "[7]", ""),
	    WITH(ID, LATER, PREFIXES, ",\"noInternet\":\"true\""),
	    WITH(ID, LATER, PREFIXES, ",\"dnsZones\":\"lab\""),
	    WITH(ID, LATER, PREFIXES, ",\"identifier\":" ID), /* twice */
	    "{\"identifier\":" ID ",\"expires\":" LATER "}",
	    "{\"identifier\":" ID ",\"prefixes\":[]}",
	    "{\"expires\":" LATER ",\"prefixes\":[]}",
	};
	char many[4096];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_non_null(parse(bad[i]));
	n = (size_t)snprintf(many, sizeof(many),
	                     "{\"identifier\":" ID ",\"expires\":" LATER ",\"prefixes\":[");
	for (int i = 0; i <= ADDITIONAL_PREFIXES; i++)
		n += (size_t)snprintf(many + n, sizeof(many) - n, "%s\"2001:db8::/32\"",
		                      i ? "," : "");
	snprintf(many + n, sizeof(many) - n, "]}");
	assert_non_null(parse(many));
}

static bool covers(const char *ip, uint8_t len)
{
	uint8_t raw[16];

	assert_int_equal(inet_pton(AF_INET6, ip, raw), 1);
	return additional_covers(&a, raw, len);
}

static void prefixes_cover(void **state)
{
	(void)state;
	assert_null(parse(WITH(ID, LATER, PREFIXES, "")));
	assert_true(covers("2001:db8:1::", 48));
	assert_true(covers("2001:db8:1:5::", 64));
	assert_false(covers("2001:db8::", 47));
	assert_false(covers("2001:db8:2::", 64));
	assert_true(covers("2001:db8:4:3::", 64));
	assert_false(covers("2001:db8:4:4::", 64));
	assert_null(parse(WITH(ID, LATER, "[\"::/0\"]", "")));
	assert_true(covers("2001:db8:2::", 64));
	assert_null(parse(WITH(ID, LATER, "[]", "")));
	assert_false(covers("2001:db8:2::", 64));
}

static void portals(void **state)
{
	struct portal_answer p;
	static const char full[] =
	    "{\"captive\":true,\"user-portal-url\":\"https://x.example/p\",\"venue-info-url\":"
	    "\"http://x.example/v\",\"seconds-remaining\":326,\"can-extend-session\":true}";
	static const char odd[] =
	    "{\"captive\":false,\"user-portal-url\":\"http://x.example/p\",\"venue-info-url\":"
	    "\"javascript:x\",\"seconds-remaining\":-1}";
	static const char *const bad[] = {"", "{}", "[]", "{\"captive\":1}",
	                                  "{\"captive\":\"no\"}"};

	(void)state;
	assert_null(portal_parse(full, strlen(full), &p));
	assert_true(p.captive);
	assert_true(p.ends);
	assert_int_equal(p.seconds, 326);
	assert_string_equal(p.page, "https://x.example/p");
	assert_string_equal(p.venue, "http://x.example/v");
	assert_null(portal_parse(odd, strlen(odd), &p));
	assert_false(p.captive);
	assert_false(p.ends);
	assert_string_equal(p.page, "");
	assert_string_equal(p.venue, "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_non_null(portal_parse(bad[i], strlen(bad[i]), &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_right), cmocka_unit_test(dates),
	    cmocka_unit_test(what_is_wrong), cmocka_unit_test(prefixes_cover),
	    cmocka_unit_test(portals),
	};

	return cmocka_run_group_tests_name("additional", tests, NULL, NULL);
}
