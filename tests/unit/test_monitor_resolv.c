/* SPDX-License-Identifier: MIT */
/* What the files of network managers say of name servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "monitor/resolv.h"

static const char *told(const struct resolv *r)
{
	static char text[4096];
	size_t n = 0;

	text[0] = 0;
	for (unsigned i = 0; i < r->n; i++) {
		const struct pvd_item *item = &r->item[i];
		char ip[INET6_ADDRSTRLEN] = "";

		if (item->info == PVD_DNS_SERVER)
			inet_ntop(item->family, item->ip, ip, sizeof(ip));
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? " " : "",
		                      ip[0] ? ip : item->text);
		if (item->port)
			n += (size_t)snprintf(text + n, sizeof(text) - n, ":%u", item->port);
	}
	return text;
}

static const char *conf(const char *text)
{
	static struct resolv r;

	memset(&r, 0, sizeof(r));
	resolv_conf(&r, text, strlen(text));
	return told(&r);
}

static const char *keys(const char *text)
{
	static struct resolv r;

	memset(&r, 0, sizeof(r));
	resolv_keys(&r, text, strlen(text));
	return told(&r);
}

static const char *device(const char *text, sa_family_t family)
{
	static struct resolv r;

	memset(&r, 0, sizeof(r));
	resolv_device(&r, text, strlen(text), family);
	return told(&r);
}

static const char *leases(const char *text, const char *interface)
{
	static struct resolv r;

	memset(&r, 0, sizeof(r));
	resolv_leases(&r, text, strlen(text), interface);
	return told(&r);
}

static void resolv_conf_files(void **state)
{
	(void)state;
	assert_string_equal(conf("# comment\nnameserver 10.1.0.1\n\tnameserver 2001:db8::1 # no\n"
	                         "nameserver fe80::1%wlan0\nsearch a.example b.example\n"),
	                    "10.1.0.1 2001:db8::1 fe80::1 a.example b.example");
	assert_string_equal(conf("search a.example\ndomain c.example."), "c.example");
	/* The host's own forwarder is of no network. */
	assert_string_equal(conf("nameserver 127.0.0.53\nnameserver ::1\nnameserver 0.0.0.0"), "");
	assert_string_equal(conf("nameserver\nnameserver x\nnameservers 10.0.0.1\nsearch"), "");
	assert_string_equal(conf(""), "");
	/* Ended by a zero, not by its length. */
	static struct resolv r;

	resolv_conf(&r, "nameserver 10.0.0.1\0nameserver 10.0.0.2\n", 41);
	assert_int_equal(r.n, 2);
}

static void systemd_files(void **state)
{
	(void)state;
	assert_string_equal(
	    keys("# This is private data. Do not parse.\nADMIN_STATE=configured\n"
	         "DNS=10.1.0.1 fe80::1 [2001:db8::9]:5353 10.1.0.2:54 10.1.0.3#dot.example\n"
	         "NTP=10.1.0.9\nDOMAINS=lab.example ~corp.example .\n"),
	    "10.1.0.1 fe80::1 2001:db8::9:5353 10.1.0.2:54 10.1.0.3 lab.example");
	assert_string_equal(keys("LLMNR=yes\nSERVERS=192.0.2.1\nDOMAINS=~.\n"), "192.0.2.1");
	assert_string_equal(keys("DNS=\nDNS\n=10.0.0.1\nDNS=10.0.0.1:0 10.0.0.1:99999 [::2"), "");
}

static void network_manager_devices(void **state)
{
	static const char text[] =
	    "[device]\nmanaged=true\nconnection-uuid=6e0b\n\n[dhcp4]\ndhcp4.dhcp_lease_time=12\n"
	    "dhcp4.domain_name=a.example\ndhcp4.domain_name_servers=10.1.0.53 10.1.0.54\n"
	    "dhcp4.routers=10.1.0.1\n\n[dhcp6]\ndhcp6.dhcp6_name_servers=2001:db8::53\n"
	    "dhcp6.dhcp6_domain_search=b.example c.example\n";

	(void)state;
	assert_string_equal(device(text, AF_INET), "a.example 10.1.0.53 10.1.0.54");
	assert_string_equal(device(text, AF_INET6), "2001:db8::53 b.example c.example");
	assert_string_equal(device("[device]\nmanaged=false\n", AF_INET), "");
}

static void dhclient_leases(void **state)
{
	static const char text[] =
	    "default-duid \"\\000\";\n"
	    "lease {\n  interface \"eth0\";\n  fixed-address 10.1.0.2;\n"
	    "  option domain-name-servers 10.1.0.8;\n}\n"
	    "lease {\n  interface \"eth1\";\n  option domain-name-servers 10.2.0.8;\n}\n"
	    "lease {\n  interface \"eth0\";\n  option routers 10.1.0.1;\n"
	    "  option domain-name-servers 10.1.0.1,10.1.0.3;\n  option domain-name \"a.example\";\n"
	    "  option domain-search \"b.example\", \"c.example\";\n  renew 1 2026/11/30 "
	    "01:02:03;\n}\n";

	(void)state;
	assert_string_equal(leases(text, "eth0"),
	                    "10.1.0.1 10.1.0.3 a.example b.example c.example");
	assert_string_equal(leases(text, "eth1"), "10.2.0.8");
	assert_string_equal(leases(text, "eth2"), "");
	/* Half a lease is none. */
	assert_string_equal(
	    leases("lease {\n interface \"eth0\";\n option domain-name-servers 10.0.0.1;\n",
	           "eth0"),
	    "");
}

static void bounds(void **state)
{
	static char text[100000];
	static struct resolv r;
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 400; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "nameserver 10.0.%d.%d\n",
		                      i / 250, i % 250 + 1);
	resolv_conf(&r, text, n);
	assert_int_equal(r.n, PVD_ITEMS);
	memset(text, 'a', sizeof(text));
	memcpy(text, "search ", 7);
	memset(&r, 0, sizeof(r));
	resolv_conf(&r, text, sizeof(text));
	assert_int_equal(r.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(resolv_conf_files),
	    cmocka_unit_test(systemd_files),
	    cmocka_unit_test(network_manager_devices),
	    cmocka_unit_test(dhclient_leases),
	    cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
