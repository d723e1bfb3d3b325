/* SPDX-License-Identifier: MIT */
/* Who a client is, what it asks for by name, and where a relay sends it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "session/server.h"

static struct ses_identity relay, someone;
static struct ses_assoc client;
static struct server_assoc server;
static const struct ses_addr target = {.family = 4, .ip = {192, 0, 2, 1}, .port = 443};

static void associate(const struct ses_addr *home, unsigned n)
{
	_Alignas(16) uint8_t hello[SES_HELLO_SIZE];
	uint8_t a[SES_MSG_MAX], b[SES_MSG_MAX];
	int len = ses_hello((struct ses_hello *)hello, a);

	len = server_hello(&relay, home, n, a, (size_t)len, &server, b);
	assert_int_equal(ses_welcome((struct ses_hello *)hello, b, (size_t)len, &client), 0);
}

static int begin(void **state)
{
	(void)state;
	assert_true(identity_make(&relay));
	assert_true(identity_make(&someone));
	associate(NULL, 0);
	return 0;
}

static void a_client_is_known_by_its_key(void **state)
{
	struct ses_request what = {
	    .target = target, .name = "db.example", .ring = 7, .who = &someone};
	struct server_request got;
	struct ses_client c;
	uint8_t msg[SES_MSG_MAX];
	int n = ses_open(&client, &c, &what, msg);

	(void)state;
	assert_int_equal(server_open(&server, &relay, msg, (size_t)n, &got), 0);
	assert_true(got.proven);
	assert_memory_equal(got.client, someone.public, SES_KEY);
	assert_string_equal(got.name, "db.example");
	assert_int_equal(got.ring, 7);
	assert_memory_equal(&got.target, &target, sizeof(target));
	/* With a name or without, with a key or without: all alike on the wire. */
	assert_int_equal(ses_open(&client, &c, &(struct ses_request){.target = target}, msg), n);
	assert_int_equal(server_open(&server, &relay, msg, (size_t)n, &got), 0);
	assert_false(got.proven);
	assert_string_equal(got.name, "");
}

static void who_has_only_the_public_half_is_refused(void **state)
{
	struct ses_identity thief = someone;
	struct ses_request what = {.target = target, .who = &thief};
	struct server_request got;
	struct ses_client c;
	uint8_t msg[SES_MSG_MAX];

	(void)state;
	thief.secret[0] ^= 0x40; /* bits 0 to 2 do not count */
	int n = ses_open(&client, &c, &what, msg);

	assert_int_equal(server_open(&server, &relay, msg, (size_t)n, &got), -EBADMSG);
	assert_false(got.proven);
}

/* What one relay was shown is good for nothing at another one, nor in another association. */
static void a_proof_is_good_for_one_session_only(void **state)
{
	struct ses_identity other;
	struct ses_request what = {.target = target, .who = &someone};
	struct server_assoc before = server;
	struct server_request got;
	struct ses_client c;
	uint8_t msg[SES_MSG_MAX];
	int n = ses_open(&client, &c, &what, msg);

	(void)state;
	assert_true(identity_make(&other));
	assert_int_equal(server_open(&server, &other, msg, (size_t)n, &got), -EBADMSG);
	associate(NULL, 0);
	assert_int_equal(server_open(&server, &relay, msg, (size_t)n, &got), -EBADMSG);
	assert_int_equal(server_open(&before, &relay, msg, (size_t)n, &got), 0);
	assert_int_equal(server_open(&before, &relay, msg, (size_t)n, &got), -EALREADY);
}

static void a_point_of_small_order_is_no_key(void **state)
{
	struct ses_identity nobody = {{0}, {0}};
	struct ses_request what = {.target = target, .who = &nobody};
	struct server_request got;
	struct ses_client c;
	uint8_t msg[SES_MSG_MAX], common[SES_KEY];

	(void)state;
	assert_false(identity_common(&relay, nobody.public, common));
	int n = ses_open(&client, &c, &what, msg);

	assert_int_equal(server_open(&server, &relay, msg, (size_t)n, &got), -EBADMSG);
}

static void names_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = {"two words", "line\nfeed", "\x7f", "caf\xc3\xa9"};
	char longest[SES_NAME_MAX + 2];
	struct ses_request what = {.target = target};
	struct server_request got;
	struct ses_client c;
	uint8_t msg[SES_MSG_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		what.name = bad[i];
		int n = ses_open(&client, &c, &what, msg);

		assert_int_equal(server_open(&server, &relay, msg, (size_t)n, &got), -EBADMSG);
	}
	memset(longest, 'a', sizeof(longest));
	longest[SES_NAME_MAX + 1] = 0;
	what.name = longest;
	assert_int_equal(ses_open(&client, &c, &what, msg), -EINVAL);
	longest[SES_NAME_MAX] = 0;
	int n = ses_open(&client, &c, &what, msg);

	assert_int_equal(server_open(&server, &relay, msg, (size_t)n, &got), 0);
	assert_string_equal(got.name, longest);
}

static void a_relay_says_where_it_is_at_home(void **state)
{
	struct ses_addr home[SES_RELAY_ADDRS];

	(void)state;
	for (unsigned i = 0; i < SES_RELAY_ADDRS; i++)
		home[i] = (struct ses_addr){.family = 6, .ip = {0x20, 1, (uint8_t)i}, .port = 7343};
	for (unsigned n = 0; n <= SES_RELAY_ADDRS; n++) {
		associate(home, n);
		assert_int_equal(client.homes, n);
		assert_memory_equal(client.home, home, n * sizeof(*home));
	}
}

static void keys_as_text(void **state)
{
	char text[KEY_TEXT];
	uint8_t key[SES_KEY];

	(void)state;
	key_to_text(relay.public, text);
	assert_int_equal(strlen(text), KEY_TEXT - 1);
	assert_true(key_from_text(text, KEY_TEXT - 1, key));
	assert_memory_equal(key, relay.public, SES_KEY);
	assert_false(key_from_text(text, KEY_TEXT - 2, key));
	text[5] = ' ';
	assert_false(key_from_text(text, KEY_TEXT - 1, key));
	text[5] = '=';
	assert_false(key_from_text(text, KEY_TEXT - 1, key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_client_is_known_by_its_key, begin),
	    cmocka_unit_test_setup(who_has_only_the_public_half_is_refused, begin),
	    cmocka_unit_test_setup(a_proof_is_good_for_one_session_only, begin),
	    cmocka_unit_test_setup(a_point_of_small_order_is_no_key, begin),
	    cmocka_unit_test_setup(names_that_are_none_are_refused, begin),
	    cmocka_unit_test_setup(a_relay_says_where_it_is_at_home, begin),
	    cmocka_unit_test_setup(keys_as_text, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
