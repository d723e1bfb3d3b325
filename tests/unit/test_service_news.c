/* SPDX-License-Identifier: MIT */
/* Whatever happens, a client that has read the news has the service's table. */
#include "tests/unit/fake_rtnetlink.h"

#include "service/news.h"

static struct fake *kernel, *client;
static struct pvd_table known, heard;
static struct shared shared;
static struct news news;
static unsigned messages;
static uint32_t record[SHARED_MESSAGE / sizeof(uint32_t)];

static void pass_on(void *ctx, const void *message, size_t len)
{
	(void)ctx;
	messages++;
	memcpy(record, message, len);
	assert_int_equal(shared_receive(&shared, record, len, 100000), 0);
}

static void nobody(void *ctx, const void *message, size_t len)
{
	(void)ctx;
	(void)message;
	(void)len;
}

static void mark(enum shared_type type)
{
	pass_on(NULL, record, shared_mark(record, type));
}

static void load(void)
{
	mark(SHARED_BEGIN);
	news_all(&news, pass_on, NULL);
	mark(SHARED_END);
	mirror_flush(&client->m);
}

/* What the client is told, by how many messages. */
static unsigned tell(void)
{
	messages = 0;
	news_difference(&news, &kernel->m.table, &known, pass_on, NULL);
	mirror_flush(&client->m);
	return messages;
}

static void start(void)
{
	kernel = fake_settled();
	client = fake_start();
	memset(&known, 0, sizeof(known));
	memset(&heard, 0, sizeof(heard));
	memset(&news, 0, sizeof(news));
	shared = (struct shared){.mirror = &client->m, .domains = &heard, .network = 7};
	pass_on(NULL, record, shared_hello(record, 7));
	news_difference(&news, &kernel->m.table, &known, nobody, NULL);
}

static void end(void)
{
	news_free(&news);
	shared_free(&shared);
	pvd_free(&known);
	pvd_free(&heard);
	fake_free(kernel);
	fake_free(client);
}

static unsigned there(const struct iftable *t)
{
	unsigned n = 0;

	for (const struct if_link *l = t->links; l; l = l->hh.next)
		n += !l->mark.gone;
	for (const struct if_address *a = t->addresses; a; a = a->hh.next)
		n += !a->mark.gone;
	for (const struct if_route *r = t->routes; r; r = r->hh.next)
		n += !r->mark.gone;
	return n;
}

static void is_same(void)
{
	const struct iftable *t = &kernel->m.table, *u = &client->m.table;

	assert_int_equal(there(t), there(u));
	for (const struct if_link *l = t->links; l; l = l->hh.next) {
		const struct if_link *k = iftable_link(u, l->ifindex);

		if (l->mark.gone)
			continue;
		assert_non_null(k);
		assert_memory_equal(l, k, offsetof(struct if_link, announced));
	}
	for (const struct if_address *a = t->addresses; a; a = a->hh.next) {
		const struct if_address *b;

		HASH_FIND(hh, u->addresses, &a->key, sizeof(a->key), b);
		assert_true(a->mark.gone || (b && !b->mark.gone && a->flags == b->flags));
	}
	for (const struct if_route *r = t->routes; r; r = r->hh.next) {
		const struct if_route *q;

		HASH_FIND(hh, u->routes, &r->key, sizeof(r->key), q);
		assert_true(r->mark.gone || (q && !q->mark.gone));
	}
}

static void nothing_new_is_nothing_told(void **state)
{
	(void)state;
	start();
	load();
	is_same();
	assert_int_equal(tell(), 0);
	new_link(kernel, wlan);
	assert_int_equal(tell(), 0);
	new_address(kernel, (struct fake_address){3, "10.2.0.9", 24, 0});
	assert_int_equal(tell(), 1);
	is_same();
	end();
}

static void a_lost_link_is_told_in_order(void **state)
{
	struct fake_link down = wlan;

	(void)state;
	start();
	load();
	client->log[0] = 0;
	down.flags = DOWN;
	down.operstate = IF_OPER_DOWN;
	new_link(kernel, down);
	/* Its routes are back before anybody was told that they were gone. */
	settle(kernel);
	tell();
	is_same();
	assert_told(client, "going away wlan0 (admin down)\n"
	                    "no address wlan0 10.1.0.2 (admin down)\n"
	                    "no address wlan0 2001:db8:1::2 (admin down)\n"
	                    "routes wlan0 (routes changed)\n");
	end();
}

static void the_last_address_is_replaced(void **state)
{
	(void)state;
	start();
	load();
	del_address(kernel, kernel->address[3]);
	new_address(kernel, (struct fake_address){3, "10.2.0.5", 24, 0});
	kernel->address[3] = (struct fake_address){3, "10.2.0.5", 24, 0};
	settle(kernel);
	tell();
	is_same();
	/* And removed: the route that stays is told again. */
	del_address(kernel, kernel->address[3]);
	kernel->addresses = 3;
	settle(kernel);
	tell();
	is_same();
	end();
}

static void random_changes(void **state)
{
	unsigned seed = 1;

	(void)state;
	start();
	load();
	for (int i = 0; i < 3000; i++) {
		unsigned r;

		seed = seed * 1103515245u + 12345u;
		r = seed >> 8;
		char ip[32], net[32];
		struct fake_link l = r & 64 ? wlan : wwan;

		snprintf(ip, sizeof(ip), r & 4 ? "10.1.0.%u" : "2001:db8:1::%u", 1 + r % 4);
		snprintf(net, sizeof(net), "10.%u.0.0", r % 3);
		struct fake_address a = {2 + (int)(r >> 4 & 1), ip, 24, 0};
		struct fake_route t = {.ifindex = 2 + (int)(r >> 5 & 1),
		                       .destination = net,
		                       .prefix_len = 16,
		                       .metric = r >> 7 & 1};

		switch (r >> 10 & 7) {
		case 0:
			new_address(kernel, a);
			break;
		case 1:
			del_address(kernel, a);
			break;
		case 2:
			new_route(kernel, t);
			break;
		case 3:
			del_route(kernel, t);
			break;
		case 4:
			l.flags = r & 2 ? UP : r & 1 ? NO_CARRIER : DOWN;
			new_link(kernel, l);
			break;
		case 5:
			if (r & 256)
				del_link(kernel, l);
			break;
		case 6:
			mirror_flush(&kernel->m);
			break;
		default:
			tell();
			is_same();
			if (r & 1024)
				load();
			is_same();
		}
		kernel->log[0] = client->log[0] = 0;
	}
	tell();
	is_same();
	end();
}

static void items(void **state)
{
	struct pvd_item a;
	const struct pvd *d;

	(void)state;
	start();
	load();
	memset(&a, 0, sizeof(a));
	a.info = PVD_CAPTIVE_PORTAL;
	a.until = 500000;
	strcpy(a.text, "https://one/");
	pvd_put(&known, 2, "pvd.example", PVD_BY_SERVICE, PVD_RA, &a, 1);
	pvd_put(&known, 2, "", PVD_BY_FILES, PVD_DHCPV4, &a, 1); /* everybody reads them himself */
	assert_int_equal(tell(), 1);
	assert_int_equal(tell(), 0);
	a.until = 600000;
	pvd_put(&known, 2, "pvd.example", PVD_BY_SERVICE, PVD_RA, &a, 1);
	assert_int_equal(tell(), 1);
	/* There is only one: the old one goes, the new one stays. */
	strcpy(a.text, "https://two/");
	pvd_put(&known, 2, "pvd.example", PVD_BY_SERVICE, PVD_RA, &a, 1);
	tell();
	d = pvd_find(&heard, 2, "pvd.example");
	assert_non_null(d);
	assert_int_equal(d->count, 1);
	assert_string_equal(d->entries[0].item.text, "https://two/");
	assert_int_equal(d->entries[0].item.until, 600000);
	assert_null(pvd_find(&heard, 2, ""));
	pvd_withdraw(&known, 2, NULL, PVD_BY_SERVICE);
	assert_int_equal(tell(), 1);
	assert_null(pvd_find(&heard, 2, "pvd.example"));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_new_is_nothing_told),
	    cmocka_unit_test(a_lost_link_is_told_in_order),
	    cmocka_unit_test(the_last_address_is_replaced),
	    cmocka_unit_test(random_changes),
	    cmocka_unit_test(items),
	};

	return cmocka_run_group_tests_name("news", tests, NULL, NULL);
}
