/* SPDX-License-Identifier: MIT */
/* What the service says of its table, and what a client makes of it. */
#include "tests/unit/fake_rtnetlink.h"

#include "monitor/ra_items.h"
#include "monitor/shared.h"

static uint32_t record[SHARED_RECORD / sizeof(uint32_t)];
static size_t length;

static void *room(void)
{
	assert_true(length + SHARED_MESSAGE <= sizeof(record));
	return (char *)record + length;
}

static int take(struct shared *s, int64_t now)
{
	size_t n = length;

	length = 0;
	return shared_receive(s, record, n, now);
}

static void put_table(const struct iftable *t)
{
	for (const struct if_link *l = t->links; l; l = l->hh.next)
		length += shared_link(room(), l, l->mark.gone);
	for (const struct if_address *a = t->addresses; a; a = a->hh.next)
		length += shared_address(room(), a, a->mark.gone);
	for (const struct if_route *r = t->routes; r; r = r->hh.next)
		length += shared_route(room(), r, r->mark.gone);
}

static void put_all(const struct iftable *t)
{
	length += shared_mark(room(), SHARED_BEGIN);
	put_table(t);
	length += shared_mark(room(), SHARED_END);
}

/* The facts of one table are those of the other. */
static void is_same(const struct iftable *t, const struct iftable *u)
{
	assert_int_equal(HASH_COUNT(t->links), HASH_COUNT(u->links));
	assert_int_equal(HASH_COUNT(t->addresses), HASH_COUNT(u->addresses));
	assert_int_equal(HASH_COUNT(t->routes), HASH_COUNT(u->routes));
	for (const struct if_link *l = t->links; l; l = l->hh.next) {
		const struct if_link *k = iftable_link(u, l->ifindex);

		assert_non_null(k);
		assert_memory_equal(l, k, offsetof(struct if_link, announced));
		assert_int_equal(l->ipv4, k->ipv4);
	}
	for (const struct if_address *a = t->addresses; a; a = a->hh.next) {
		const struct if_address *b;

		HASH_FIND(hh, u->addresses, &a->key, sizeof(a->key), b);
		assert_non_null(b);
		assert_memory_equal(a, b, offsetof(struct if_address, announced));
	}
	for (const struct if_route *r = t->routes; r; r = r->hh.next) {
		const struct if_route *q;

		HASH_FIND(hh, u->routes, &r->key, sizeof(r->key), q);
		assert_non_null(q);
		assert_memory_equal(r, q, offsetof(struct if_route, mark));
	}
}

struct client {
	struct fake *f;
	struct pvd_table domains;
	struct shared s;
};

static struct client *client(struct fake *f)
{
	struct client *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->f = f;
	c->s = (struct shared){.mirror = &f->m, .domains = &c->domains, .network = 7};
	return c;
}

static struct client *greeted(struct fake *f)
{
	struct client *c = client(f);

	length += shared_hello(room(), 7);
	assert_int_equal(take(&c->s, 8000), 0);
	return c;
}

static void client_free(struct client *c)
{
	shared_free(&c->s);
	pvd_free(&c->domains);
	fake_free(c->f);
	free(c);
}

static void a_table_arrives_whole(void **state)
{
	struct fake *f = fake_start();
	struct client *c = greeted(fake_start());

	(void)state;
	f->link[f->links++] = (struct fake_link){4, "port", UP, IF_OPER_UP, "veth", "bridge", 9};
	f->link[f->links++] = (struct fake_link){5, "wg0", UP, 0, "wireguard", NULL, 0};
	f->address[f->addresses++] =
	    (struct fake_address){5, "2001:db8:5::2", 64, IFA_F_DEPRECATED};
	f->route[f->routes++] = (struct fake_route){.ifindex = 5,
	                                            .destination = "2001:db8:9::",
	                                            .prefix_len = 48,
	                                            .second = 2,
	                                            .metric = 9};
	f->route[f->routes++] = (struct fake_route){
	    .ifindex = 5, .destination = "10.9.0.0", .prefix_len = 16, .source = "10.1.0.2"};
	f->route[f->routes++] = (struct fake_route){
	    .destination = "10.66.0.0", .prefix_len = 16, .type = RTN_UNREACHABLE, .metric = 3};
	settle(f);
	put_all(&f->m.table);
	assert_int_equal(take(&c->s, 8000), 0);
	assert_int_equal(c->s.state, SHARED_LIVE);
	mirror_flush(c->s.mirror);
	is_same(&f->m.table, &c->f->m.table);
	/* And it was told the same. */
	assert_told(c->f, f->log);
	f->log[0] = 0;
	/* Nothing is asked of the kernel. */
	assert_int_equal(mirror_due(c->s.mirror), -1);
	client_free(c);
	fake_free(f);
}

static void a_gateway_of_the_other_family_arrives(void **state)
{
	struct if_route r, *q;
	struct client *c = greeted(fake_start());

	(void)state;
	memset(&r, 0, sizeof(r));
	r.key.ifindex = 2;
	r.key.family = AF_INET;
	inet_pton(AF_INET6, "fe80::77", r.key.gateway);
	length += shared_mark(room(), SHARED_BEGIN);
	length += shared_route(room(), &r, false);
	length += shared_mark(room(), SHARED_END);
	assert_int_equal(take(&c->s, 8000), 0);
	HASH_FIND(hh, c->f->m.table.routes, &r.key, sizeof(r.key), q);
	assert_non_null(q);
	length += shared_route(room(), &r, true);
	assert_int_equal(take(&c->s, 8000), 0);
	assert_true(q->mark.gone);
	client_free(c);
}

static void changes_are_events_and_another_load_is_a_difference(void **state)
{
	struct client *c = greeted(fake_settled());
	struct fake *f = fake_settled();

	(void)state;
	/* The client has looked for itself before, and all was the same: nothing is told. */
	put_all(&f->m.table);
	assert_int_equal(take(&c->s, 8000), 0);
	mirror_flush(c->s.mirror);
	assert_told(c->f, "");
	del_address(f, f->address[1]);
	length += shared_address(room(), f->m.table.addresses->hh.next, true);
	assert_int_equal(take(&c->s, 8000), 0);
	assert_string_equal(c->f->log, f->log);
	c->f->log[0] = 0;
	/* It has not kept up: all again, and something is gone, something new. */
	del_link(f, wlan);
	f->link[1] = f->link[2];
	f->links = 2;
	f->address[1] = f->address[3];
	f->address[2] = (struct fake_address){3, "10.2.0.7", 24, 0};
	f->addresses = 3;
	f->route[0] = f->route[1];
	f->route[1] = f->route[3];
	f->routes = 2;
	mirror_overrun(&f->m);
	settle(f);
	put_all(&f->m.table);
	assert_int_equal(take(&c->s, 8000), 0);
	assert_told(c->f, "going away wlan0 (device removed)\n"
	                  "no address wlan0 2001:db8:1::2 (device removed)\n"
	                  "no interface wlan0 (device removed)\n"
	                  "address wwan0 10.2.0.7 (address added)\n");
	mirror_flush(c->s.mirror);
	is_same(&f->m.table, &c->f->m.table);
	client_free(c);
	fake_free(f);
}

static void a_lost_service_is_a_dump_and_a_difference(void **state)
{
	struct client *c = greeted(fake_settled());

	(void)state;
	put_all(&c->f->m.table);
	assert_int_equal(take(&c->s, 8000), 0);
	shared_lost(&c->s, 5);
	assert_true(mirror_due(c->s.mirror) >= 0);
	c->f->address[3] = (struct fake_address){3, "10.2.0.9", 24, 0};
	settle(c->f);
	assert_told(c->f, "no address wwan0 10.2.0.2 (address removed)\n"
	                  "address wwan0 10.2.0.9 (address added)\n");
	client_free(c);
}

static void strangers_are_not_listened_to(void **state)
{
	struct client *c = client(fake_start());

	(void)state;
	length += shared_hello(room(), 8);
	assert_int_equal(take(&c->s, 8000), -EXDEV);
	length += shared_mark(room(), SHARED_BEGIN);
	assert_int_equal(take(&c->s, 8000), -EPROTO);
	length += shared_hello(room(), 7);
	((struct nlmsghdr *)record)->nlmsg_len--;
	assert_int_equal(take(&c->s, 8000), -EPROTO);
	length += shared_hello(room(), 7);
	record[4]++; /* another version */
	assert_int_equal(take(&c->s, 8000), -EPROTO);
	length += shared_hello(room(), 7);
	assert_int_equal(take(&c->s, 8000), 0);
	length += shared_mark(room(), SHARED_END);
	assert_int_equal(take(&c->s, 8000), -EPROTO);
	client_free(c);
}

/* --- domains --- */

static const struct pvd_key implicit = {.ifindex = 2}, named = {2, "pvd.example"};

static struct pvd_item server(const char *ip, const char *router, int64_t until)
{
	struct pvd_item i;

	memset(&i, 0, sizeof(i));
	i.info = PVD_DNS_SERVER;
	i.family = AF_INET6;
	i.until = until;
	assert_int_equal(inet_pton(AF_INET6, ip, i.ip), 1);
	assert_int_equal(inet_pton(AF_INET6, router, i.origin), 1);
	return i;
}

static unsigned known(const struct client *c, const char *name)
{
	const struct pvd_item *out[PVD_ITEMS];

	return pvd_items(pvd_find(&c->domains, 2, name), PVD_SOURCES, PVD_INFOS, out);
}

static void items_come_and_go(void **state)
{
	struct client *c = greeted(fake_settled());
	struct pvd_item a = server("2001:db8::1", "fe80::1", 90000), b = a;
	const struct pvd *d;

	(void)state;
	b.info = PVD_CAPTIVE_PORTAL;
	strcpy(b.text, "https://portal.example/");
	length += shared_mark(room(), SHARED_BEGIN);
	length += shared_item(room(), &named, PVD_RA, &a, false);
	length += shared_item(room(), &named, PVD_RA, &b, false);
	assert_int_equal(take(&c->s, 8000), 0);
	assert_int_equal(known(c, "pvd.example"), 0); /* not before it is all there */
	length += shared_mark(room(), SHARED_END);
	assert_int_equal(take(&c->s, 8000), 0);
	assert_int_equal(known(c, "pvd.example"), 2);
	d = pvd_find(&c->domains, 2, "pvd.example");
	assert_memory_equal(&d->entries[0].item, &a, sizeof(a));
	assert_memory_equal(&d->entries[1].item, &b, sizeof(b));
	length += shared_item(room(), &named, PVD_RA, &b, true);
	assert_int_equal(take(&c->s, 8000), 0);
	assert_int_equal(known(c, "pvd.example"), 1);
	/* All again: what is not among it is no more. */
	length += shared_mark(room(), SHARED_BEGIN);
	length += shared_item(room(), &named, PVD_RA, &b, false);
	length += shared_mark(room(), SHARED_END);
	assert_int_equal(take(&c->s, 8000), 0);
	assert_int_equal(known(c, "pvd.example"), 1);
	assert_int_equal(pvd_find(&c->domains, 2, "pvd.example")->entries[0].item.info,
	                 PVD_CAPTIVE_PORTAL);
	client_free(c);
}

static void what_the_kernel_said_of_a_router_gives_way_and_comes_back(void **state)
{
	struct client *c = greeted(fake_settled());
	struct pvd_item a = server("2001:db8::1", "fe80::1", 90000),
	                b = server("2001:db8::2", "fe80::2", 90000);

	(void)state;
	pvd_put(&c->domains, 2, "", PVD_BY_USEROPT, PVD_RA, &a, 1);
	pvd_put(&c->domains, 2, "", PVD_BY_USEROPT, PVD_RA, &b, 1);
	/* The service has heard that the first is of a domain with a name. */
	length += shared_mark(room(), SHARED_BEGIN);
	length += shared_item(room(), &named, PVD_RA, &a, false);
	length += shared_mark(room(), SHARED_END);
	length += shared_item(room(), &implicit, PVD_RA, &b, false);
	assert_int_equal(take(&c->s, 8000), 0);
	assert_int_equal(known(c, "pvd.example"), 1);
	assert_int_equal(known(c, ""), 1);
	assert_int_equal(pvd_find(&c->domains, 2, "")->count, 1);
	assert_int_equal(pvd_find(&c->domains, 2, "")->entries[0].feeder, PVD_BY_SERVICE);
	/* Without it no domain has a name; what is of none is known on. */
	shared_lost(&c->s, 5);
	assert_int_equal(known(c, "pvd.example"), 0);
	assert_int_equal(known(c, ""), 1);
	assert_int_equal(pvd_find(&c->domains, 2, "")->entries[0].feeder, PVD_BY_USEROPT);
	client_free(c);
}

static void broken_items_are_passed_over(void **state)
{
	struct client *c = greeted(fake_settled());
	struct pvd_item a = server("2001:db8::1", "fe80::1", 90000);
	size_t whole;

	(void)state;
	length += shared_mark(room(), SHARED_BEGIN);
	length += shared_mark(room(), SHARED_END);
	assert_int_equal(take(&c->s, 8000), 0);
	whole = shared_item(room(), &named, PVD_RA, &a, false);
	for (size_t i = sizeof(struct nlmsghdr) / 4; i < whole / 4; i++) {
		shared_item(room(), &named, PVD_RA, &a, false);
		record[i] = UINT32_MAX;
		length = whole;
		assert_int_equal(take(&c->s, 8000), 0);
	}
	client_free(c);
}

static void what_a_client_asks(void **state)
{
	(void)state;
	length = shared_ask(record, 7);
	assert_int_equal(shared_asked(record, length), 7);
	assert_int_equal(shared_asked(record, length - 1), 0);
	((struct nlmsghdr *)record)->nlmsg_len++;
	assert_int_equal(shared_asked(record, length), 0);
	shared_ask(record, -1);
	assert_int_equal(shared_asked(record, length), 0);
	length = 0;
}

/* --- from an advertisement to items --- */

static void an_advertisement_becomes_items(void **state)
{
	static struct ra ra;
	static const uint8_t router[16] = {0xfe, 0x80, [15] = 9};
	struct pvd_item out[RA_ITEMS];

	(void)state;
	ra.router_s = 60;
	strcpy(ra.pvd.id, "pvd.example");
	ra.pvd.legacy = true;
	ra.count = 3;
	ra.element[0] = (struct ra_element){.kind = RA_PORTAL, .valid_s = RA_FOREVER};
	strcpy(ra.element[0].text, "https://x/");
	ra.element[1] =
	    (struct ra_element){.kind = RA_DNS_SERVER, .valid_s = 90, .prefix_len = 128};
	ra.element[2] = (struct ra_element){.kind = RA_PREFIX, .valid_s = 0, .prefix_len = 64};
	assert_int_equal(ra_advertised(&ra, router, 1000, out, RA_ITEMS), 5);
	/* As long as what lasts longest. */
	assert_int_equal(out[0].info, PVD_CAPTIVE_PORTAL);
	assert_int_equal(out[0].until, 91000);
	assert_int_equal(out[1].until, 91000);
	assert_int_equal(out[2].until, 1000);
	assert_int_equal(out[3].info, PVD_GATEWAY);
	assert_memory_equal(out[3].ip, router, 16);
	assert_int_equal(out[3].until, 61000);
	assert_int_equal(out[4].info, PVD_DHCPV4_BOUND);
	assert_int_equal(out[4].until, 91000);
	assert_int_equal(ra_advertised(&ra, router, 1000, out, 2), 2);
	/* The kernel's options are of no advertisement that would end. */
	assert_int_equal(ra_items(&ra, router, 1000, out, RA_ITEMS), 3);
	assert_int_equal(out[0].until, PVD_FOREVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_table_arrives_whole),
	    cmocka_unit_test(a_gateway_of_the_other_family_arrives),
	    cmocka_unit_test(changes_are_events_and_another_load_is_a_difference),
	    cmocka_unit_test(a_lost_service_is_a_dump_and_a_difference),
	    cmocka_unit_test(strangers_are_not_listened_to),
	    cmocka_unit_test(items_come_and_go),
	    cmocka_unit_test(what_the_kernel_said_of_a_router_gives_way_and_comes_back),
	    cmocka_unit_test(broken_items_are_passed_over),
	    cmocka_unit_test(what_a_client_asks),
	    cmocka_unit_test(an_advertisement_becomes_items),
	};

	return cmocka_run_group_tests_name("shared", tests, NULL, NULL);
}
