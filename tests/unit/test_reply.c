/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/reply.h"

#define H "HTTP/1.1 "

static const struct {
	const char *text, *expect;
	bool end;
	enum pol_connectivity says;
} t[] = {
    {H "204 No Content\r\n\r\n", NULL, true, POL_NET_FULL},
    {H "204", NULL, false, POL_NET_FULL},
    {"HTTP/1.0 204 No\r\n", NULL, false, POL_NET_FULL},
    {H "200 OK\r\nContent-Length: 0\r\n\r\n", NULL, false, POL_NET_FULL},
    {H "200 OK\r\ncontent-length:0\r\n\r\n", NULL, false, POL_NET_FULL},
    {H "200 OK\r\nContent-Length: 05\r\n\r\n", NULL, false, POL_NET_UNKNOWN},
    {H "200 OK\r\n\r\n", NULL, false, POL_NET_UNKNOWN},
    {H "200 OK\r\n\r\n", NULL, true, POL_NET_FULL},
    {H "200 OK\r\n\r\n<html>", NULL, false, POL_NET_PORTAL},
    {H "200 OK\r\nServer: x", NULL, false, POL_NET_UNKNOWN},
    {H "200 OK\r\nServer: x", NULL, true, POL_NET_PORTAL},
    {H "302 Found\r\nLocation: http://login/\r\n\r\n", NULL, false, POL_NET_PORTAL},
    {H "511 Network Authentication Required\r\n", NULL, false, POL_NET_PORTAL},
    {H "404 Not Found\r\n", NULL, false, POL_NET_LIMITED},
    {H "503 Later\r\n", NULL, false, POL_NET_LIMITED},
    {"SSH-2.0-OpenSSH_9.2\r\n", NULL, false, POL_NET_PORTAL},
    {"220 ", NULL, false, POL_NET_PORTAL},
    {"HTTP", NULL, false, POL_NET_UNKNOWN},
    {"HTTP", NULL, true, POL_NET_LIMITED},
    {"", NULL, false, POL_NET_UNKNOWN},
    {"", NULL, true, POL_NET_LIMITED},
    {"HTTP/2 204 No Content\r\n", NULL, false, POL_NET_PORTAL},
    {H "2O4 No Content\r\n", NULL, false, POL_NET_PORTAL},
    {H "200 OK\r\n\r\nNetworkManager is online\n", "NetworkManager is online", false, POL_NET_FULL},
    {H "200 OK\r\n\r\nNetworkMan", "NetworkManager is online", false, POL_NET_UNKNOWN},
    {H "200 OK\r\n\r\nNetworkMan", "NetworkManager is online", true, POL_NET_PORTAL},
    {H "200 OK\r\n\r\nWelcome", "NetworkManager is online", false, POL_NET_PORTAL},
    {H "204 No Content\r\n\r\n", "NetworkManager is online", false, POL_NET_PORTAL},
};

static void answers_are_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		enum pol_connectivity c =
		    reply_says(t[i].text, strlen(t[i].text), t[i].end, t[i].expect);

		if (c != t[i].says)
			fail_msg("%s: %s, expected %s", t[i].text, pol_connectivity_name(c),
			         pol_connectivity_name(t[i].says));
	}
}

/* What has been said of the first bytes is not taken back, and no byte behind the end is read. */
static void it_may_come_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		size_t len = strlen(t[i].text);

		for (size_t n = 0; n <= len; n++) {
			char *piece = malloc(n ? n : 1);

			memcpy(piece, t[i].text, n);
			enum pol_connectivity c = reply_says(piece, n, false, t[i].expect);

			free(piece);
			if (c != POL_NET_UNKNOWN &&
			    c != reply_says(t[i].text, len, true, t[i].expect))
				fail_msg("%zu bytes of %s", n, t[i].text);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_are_told_apart),
	    cmocka_unit_test(it_may_come_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
