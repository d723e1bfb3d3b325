/* SPDX-License-Identifier: MIT */
/* What is known of provisioning domains: who may say what, for how long, and that nothing is
 * merged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "monitor/pvd.h"

static unsigned changes;
static int last;

static void changed(void *ctx, int ifindex)
{
	(void)ctx;
	changes++;
	last = ifindex;
}

static struct pvd_item dns(const char *ip, int64_t until)
{
	struct pvd_item i = {.info = PVD_DNS_SERVER, .until = until};

	i.family = strchr(ip, ':') ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(i.family, ip, i.ip), 1);
	return i;
}

static struct pvd_item text(enum pvd_info info, const char *s, int64_t until)
{
	struct pvd_item i = {.info = info, .until = until};

	snprintf(i.text, sizeof(i.text), "%s", s);
	return i;
}

/* The servers of a domain, in order. */
static const char *servers(const struct pvd_table *t, int ifindex, const char *name)
{
	static char out[1024];
	const struct pvd_item *items[PVD_ITEMS];
	unsigned n = pvd_items(pvd_find(t, ifindex, name), PVD_SOURCES, PVD_DNS_SERVER, items);

	out[0] = 0;
	for (unsigned i = 0; i < n; i++) {
		char ip[INET6_ADDRSTRLEN];

		inet_ntop(items[i]->family, items[i]->ip, ip, sizeof(ip));
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%s", i ? " " : "", ip);
	}
	return out;
}

static void domains_are_apart(void **state)
{
	struct pvd_table t = {.changed = changed};
	struct pvd_item a = dns("10.1.0.1", PVD_FOREVER), b = dns("10.2.0.1", PVD_FOREVER),
	                c = dns("2001:db8::1", PVD_FOREVER);
	const struct pvd *of[PVD_EXPLICIT];

	(void)state;
	pvd_put(&t, 2, "", PVD_BY_FILES, PVD_DHCPV4, &a, 0);
	pvd_put(&t, 3, "", PVD_BY_FILES, PVD_DHCPV4, &b, 0);
	pvd_put(&t, 2, "Corp.Example.ORG.", PVD_BY_SERVICE, PVD_RA, &c, 0);
	assert_string_equal(servers(&t, 2, ""), "10.1.0.1");
	assert_string_equal(servers(&t, 3, ""), "10.2.0.1");
	assert_string_equal(servers(&t, 2, "corp.example.org"), "2001:db8::1");
	assert_int_equal(pvd_explicit(&t, 2, of), 1);
	assert_string_equal(of[0]->key.name, "corp.example.org");
	assert_int_equal(pvd_explicit(&t, 3, of), 0);
	pvd_withdraw(&t, 0, NULL, PVD_BY_SERVICE);
	assert_null(pvd_find(&t, 2, "corp.example.org"));
	assert_string_equal(servers(&t, 2, ""), "10.1.0.1");
	pvd_free(&t);
}

static void one_item_whoever_says_it(void **state)
{
	struct pvd_table t = {.changed = changed};
	struct pvd_item a = dns("fe80::1", 5000);

	(void)state;
	pvd_put(&t, 2, "", PVD_BY_USEROPT, PVD_RA, &a, 0);
	pvd_put(&t, 2, "", PVD_BY_SERVICE, PVD_RA, &a, 0);
	assert_string_equal(servers(&t, 2, ""), "fe80::1");
	/* The one that is left still says it. */
	pvd_withdraw(&t, 2, "", PVD_BY_SERVICE);
	assert_string_equal(servers(&t, 2, ""), "fe80::1");
	pvd_withdraw(&t, 2, NULL, PVD_BY_USEROPT);
	assert_string_equal(servers(&t, 2, ""), "");
	assert_null(t.all);
	pvd_free(&t);
}

static void lifetimes(void **state)
{
	struct pvd_table t = {.changed = changed};
	struct pvd_item a = dns("10.1.0.1", 5000), b = dns("10.1.0.2", 9000);

	(void)state;
	changes = 0;
	pvd_put(&t, 2, "", PVD_BY_USEROPT, PVD_RA, &a, 0);
	pvd_put(&t, 2, "", PVD_BY_USEROPT, PVD_RA, &b, 0);
	assert_int_equal(changes, 2);
	assert_int_equal(pvd_due(&t), 5000);
	/* Renewed: no change, but it lives longer. */
	a.until = 12000;
	pvd_put(&t, 2, "", PVD_BY_USEROPT, PVD_RA, &a, 4000);
	assert_int_equal(changes, 2);
	assert_int_equal(pvd_due(&t), 9000);
	pvd_expire(&t, 8999);
	assert_int_equal(changes, 2);
	pvd_expire(&t, 9000);
	assert_int_equal(changes, 3);
	assert_int_equal(last, 2);
	assert_string_equal(servers(&t, 2, ""), "10.1.0.1");
	/* Lifetime 0. */
	a.until = 10000;
	pvd_put(&t, 2, "", PVD_BY_USEROPT, PVD_RA, &a, 10000);
	assert_int_equal(changes, 4);
	assert_int_equal(pvd_due(&t), PVD_FOREVER);
	assert_null(t.all);
	pvd_free(&t);
}

static void replacing(void **state)
{
	struct pvd_table t = {.changed = changed};
	struct pvd_item two[] = {dns("10.1.0.1", PVD_FOREVER), dns("10.1.0.2", PVD_FOREVER)},
	                three[] = {dns("10.1.0.3", PVD_FOREVER), dns("10.1.0.2", PVD_FOREVER)},
	                other = dns("10.9.9.9", PVD_FOREVER);

	(void)state;
	pvd_put(&t, 2, "", PVD_BY_FILES, PVD_RESOLVER, &other, 0);
	pvd_replace(&t, 2, "", PVD_BY_FILES, PVD_DHCPV4, two, 2, 0);
	assert_string_equal(servers(&t, 2, ""), "10.9.9.9 10.1.0.1 10.1.0.2");
	changes = 0;
	pvd_replace(&t, 2, "", PVD_BY_FILES, PVD_DHCPV4, two, 2, 0);
	assert_int_equal(changes, 0);
	pvd_replace(&t, 2, "", PVD_BY_FILES, PVD_DHCPV4, three, 2, 0);
	assert_int_equal(changes, 1);
	assert_string_equal(servers(&t, 2, ""), "10.9.9.9 10.1.0.2 10.1.0.3");
	pvd_replace(&t, 2, "", PVD_BY_FILES, PVD_DHCPV4, NULL, 0, 0);
	assert_string_equal(servers(&t, 2, ""), "10.9.9.9");
	pvd_free(&t);
}

static void one_portal_per_router(void **state)
{
	struct pvd_table t = {.changed = changed};
	struct pvd_item a = text(PVD_CAPTIVE_PORTAL, "https://a.example/", PVD_FOREVER),
	                b = text(PVD_CAPTIVE_PORTAL, "https://b.example/", PVD_FOREVER);
	const struct pvd_item *items[PVD_ITEMS];

	(void)state;
	pvd_put(&t, 2, "", PVD_BY_USEROPT, PVD_RA, &a, 0);
	pvd_put(&t, 2, "", PVD_BY_USEROPT, PVD_RA, &b, 0);
	assert_int_equal(pvd_items(pvd_find(&t, 2, ""), PVD_RA, PVD_CAPTIVE_PORTAL, items), 1);
	assert_string_equal(items[0]->text, "https://b.example/");
	/* Another router's is its own. */
	a.origin[15] = 9;
	pvd_put(&t, 2, "", PVD_BY_USEROPT, PVD_RA, &a, 0);
	assert_int_equal(pvd_items(pvd_find(&t, 2, ""), PVD_RA, PVD_CAPTIVE_PORTAL, items), 2);
	pvd_free(&t);
}

static void bounds(void **state)
{
	struct pvd_table t = {.changed = NULL};
	struct pvd_item a = dns("10.0.0.0", PVD_FOREVER);
	const struct pvd *of[PVD_EXPLICIT];
	char name[400];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		a.ip[2] = (uint8_t)(i / 250);
		a.ip[3] = (uint8_t)(i % 250);
		pvd_put(&t, 2, "", PVD_BY_USEROPT, PVD_RA, &a, 0);
	}
	assert_int_equal(pvd_find(&t, 2, "")->count, PVD_ITEMS);
	assert_true(t.incomplete);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		pvd_put(&t, 2, name, PVD_BY_SERVICE, PVD_RA, &a, 0);
	}
	assert_int_equal(pvd_explicit(&t, 2, of), PVD_EXPLICIT);
	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = 0;
	pvd_put(&t, 3, name, PVD_BY_SERVICE, PVD_RA, &a, 0);
	assert_null(pvd_find(&t, 3, name));
	a.info = PVD_INFOS;
	pvd_put(&t, 3, "", PVD_BY_SERVICE, PVD_RA, &a, 0);
	pvd_put(&t, 0, "", PVD_BY_SERVICE, PVD_RA, &a, 0);
	assert_null(pvd_find(&t, 3, ""));
	pvd_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(domains_are_apart),
	    cmocka_unit_test(one_item_whoever_says_it),
	    cmocka_unit_test(lifetimes),
	    cmocka_unit_test(replacing),
	    cmocka_unit_test(one_portal_per_router),
	    cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
