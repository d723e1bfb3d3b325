/* SPDX-License-Identifier: MIT */
/* Who may open what. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/access.h"

static struct access *rules;
static struct ses_identity alice, bob;
static struct ses_addr here;

static struct ses_addr at(const char *ip, uint16_t port)
{
	struct ses_addr a = {.family = strchr(ip, ':') ? 6 : 4, .port = port};

	assert_int_equal(inet_pton(a.family == 6 ? AF_INET6 : AF_INET, ip, a.ip), 1);
	return a;
}

static struct server_request asks(const struct ses_identity *who, const char *ip, uint16_t port,
                                  const char *name)
{
	struct server_request r = {.target = at(ip, port), .proven = who != NULL};

	if (who)
		memcpy(r.client, who->public, SES_KEY);
	snprintf(r.name, sizeof(r.name), "%s", name ? name : "");
	return r;
}

static enum access_verdict judge(const struct ses_identity *who, const char *ip, uint16_t port,
                                 const char *name)
{
	struct server_request r = asks(who, ip, port, name);

	return access_judge(rules, &r, &here);
}

/* Loads a file of these lines; the message, or NULL. %s are the keys of alice and bob. */
static const char *clients(const char *format, mode_t mode)
{
	static char err[512];
	char path[] = "/tmp/mifcont-clients-XXXXXX", a[KEY_TEXT], b[KEY_TEXT];
	int fd = mkstemp(path);

	key_to_text(alice.public, a);
	key_to_text(bob.public, b);
	dprintf(fd, format, a, b);
	fchmod(fd, mode);
	close(fd);
	bool good = access_clients(rules, path, err, sizeof(err));

	unlink(path);
	return good ? NULL : err;
}

static int begin(void **state)
{
	const char *why;

	(void)state;
	rules = access_new();
	identity_make(&alice);
	identity_make(&bob);
	here = at("192.0.2.1", 7343);
	assert_true(access_allow(rules, "22", &why));
	return 0;
}

static int end(void **state)
{
	(void)state;
	access_free(rules);
	return 0;
}

static void anybody_reaches_the_allowed_ports_of_this_address(void **state)
{
	(void)state;
	assert_int_equal(judge(NULL, "192.0.2.1", 22, NULL), ACCESS_ADDRESS);
	assert_int_equal(judge(NULL, "192.0.2.1", 22, "me.example"), ACCESS_ADDRESS);
	assert_int_equal(judge(&alice, "192.0.2.1", 22, NULL), ACCESS_ADDRESS);
	assert_int_equal(judge(NULL, "192.0.2.1", 23, NULL), ACCESS_DENIED);
	assert_int_equal(judge(NULL, "192.0.2.2", 22, NULL), ACCESS_DENIED);
	assert_int_equal(judge(NULL, "127.0.0.1", 22, NULL), ACCESS_DENIED);
	assert_int_equal(judge(NULL, "2001:db8::1", 22, NULL), ACCESS_DENIED);
}

static void with_a_list_only_the_listed(void **state)
{
	const char *why;

	(void)state;
	assert_null(clients("%s\n", 0600));
	assert_int_equal(access_count(rules), 1);
	assert_int_equal(judge(NULL, "192.0.2.1", 22, NULL), ACCESS_STRANGER);
	assert_int_equal(judge(&bob, "192.0.2.1", 22, NULL), ACCESS_STRANGER);
	assert_int_equal(judge(&alice, "192.0.2.1", 22, NULL), ACCESS_ADDRESS);
	assert_int_equal(judge(&alice, "198.51.100.1", 443, NULL), ACCESS_DENIED);
	assert_true(access_allow(rules, "198.51.100.0/24:443", &why));
	assert_true(access_beyond(rules));
	assert_int_equal(judge(&alice, "198.51.100.1", 443, NULL), ACCESS_ADDRESS);
	assert_int_equal(judge(&alice, "198.51.100.1", 80, NULL), ACCESS_DENIED);
}

static void a_line_with_patterns_is_all_that_client_has(void **state)
{
	(void)state;
	assert_null(clients("%s *.example:443 10.0.0.0/8:* # alice\n%s\n", 0644));
	assert_int_equal(judge(&alice, "203.0.113.1", 443, "www.example"), ACCESS_NAME);
	assert_int_equal(judge(&alice, "203.0.113.1", 80, "www.example"), ACCESS_DENIED);
	assert_int_equal(judge(&alice, "10.1.1.1", 80, NULL), ACCESS_ADDRESS);
	/* The address is allowed, the name is not: the address is dialled. */
	assert_int_equal(judge(&alice, "10.1.1.1", 80, "other.test"), ACCESS_ADDRESS);
	assert_int_equal(judge(&alice, "192.0.2.1", 22, NULL), ACCESS_DENIED);
	assert_int_equal(judge(&bob, "192.0.2.1", 22, NULL), ACCESS_ADDRESS);
	assert_int_equal(judge(&bob, "10.1.1.1", 80, NULL), ACCESS_DENIED);
}

static void what_means_something_else_here_takes_its_address(void **state)
{
	static const char *const own[] = {
	    "127.0.0.1", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255",
	    "::1",       "::",      "fe80::1",         "ff02::1",   "::ffff:127.0.0.1"};
	struct server_request r = asks(&alice, "203.0.113.1", 80, "x.example");

	(void)state;
	assert_null(clients("%s *:*\n", 0600));
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
		struct ses_addr a = at(own[i], 80);

		assert_int_equal(judge(&alice, own[i], 80, NULL), ACCESS_DENIED);
		assert_false(access_address(rules, &r, &a));
	}
	struct ses_addr far = at("203.0.113.1", 80), loop = at("127.0.0.1", 80);

	assert_true(access_address(rules, &r, &far));
	assert_null(clients("%s *:* 127.0.0.0/8:80\n", 0600));
	assert_true(access_address(rules, &r, &loop));
	assert_int_equal(judge(&alice, "127.0.0.1", 80, NULL), ACCESS_ADDRESS);
}

static void mistakes_are_named_and_change_nothing(void **state)
{
	static const struct {
		const char *text, *message;
	} t[] = {
	    {"# fine\nshort *:22\n", ":2: not understood; expected a client's public key"},
	    {"%s 10.0.0.0/99:22\n", ":1: not understood; expected an IPv4 address"},
	    {"%1$s\n\n%1$s\n", ":3: not understood; expected each key once"},
	};

	(void)state;
	assert_null(clients("%s\n", 0600));
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		const char *err = clients(t[i].text, 0600);

		assert_non_null(err);
		assert_non_null(strstr(err, t[i].message));
		assert_int_equal(judge(&alice, "192.0.2.1", 22, NULL), ACCESS_ADDRESS);
		assert_int_equal(access_count(rules), 1);
	}
	assert_non_null(strstr(clients("%s\n", 0666), "writable by others"));
	assert_false(access_clients(rules, "/nonexistent", (char[64]){0}, 64));
}

static void wrong_allows(void **state)
{
	static const char *const wrong[] = {
	    "0", "65536", "-1", "+22", " 22", "", "host", "10.0.0.0/8", "10.0.0.0/99:22", "a b:22"};
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(access_allow(rules, wrong[i], &why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(anybody_reaches_the_allowed_ports_of_this_address,
	                                    begin, end),
	    cmocka_unit_test_setup_teardown(with_a_list_only_the_listed, begin, end),
	    cmocka_unit_test_setup_teardown(a_line_with_patterns_is_all_that_client_has, begin,
	                                    end),
	    cmocka_unit_test_setup_teardown(what_means_something_else_here_takes_its_address, begin,
	                                    end),
	    cmocka_unit_test_setup_teardown(mistakes_are_named_and_change_nothing, begin, end),
	    cmocka_unit_test_setup_teardown(wrong_allows, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
