/* SPDX-License-Identifier: MIT */
/* The MIF API's messages and their order, from what the kernel says: enumeration, subscription, the
 * end of both. */
#include "tests/unit/fake_rtnetlink.h"

#include "monitor/domains.h"
#include "monitor/subscriber.h"

struct api {
	struct fake *f;
	struct domains d;
	struct subscriber s;
};

static void hear(void *ctx, const struct mif_event *ev)
{
	struct api *a = ctx;

	domains_event(&a->d, ev);
	subscriber_event(&a->s, ev);
}

static void changed(void *ctx, int ifindex)
{
	struct api *a = ctx;

	subscriber_note(&a->s, ifindex);
}

/* As the monitor does at the end of a turn. */
static void turn(struct api *a)
{
	a->f->m.table.now = a->f->now;
	pvd_expire(&a->d.pvds, a->f->now);
	mirror_tell_routes(&a->f->m);
	domains_settle(&a->d, a->f->now);
	mirror_flush(&a->f->m);
}

static struct api *start(void)
{
	struct api *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	a->f = fake_start();
	domains_init(&a->d, &a->f->m.table, "a machine");
	a->d.changed = changed;
	a->d.ctx = a;
	assert_int_equal(subscriber_init(&a->s, &a->d), 0);
	a->f->m.fn = hear;
	a->f->m.ctx = a;
	a->f->m.domains = &a->d;
	settle(a->f);
	turn(a);
	return a;
}

static void end(struct api *a)
{
	subscriber_free(&a->s);
	domains_free(&a->d);
	fake_free(a->f);
	free(a);
}

static int post(struct api *a, enum mif_type type, int ifindex, const char *pvd)
{
	struct mif_message m = {.type = type, .interface = ifindex};

	snprintf(m.pvd, sizeof(m.pvd), "%s", pvd);
	return subscriber_post(&a->s, &m);
}

static char seen[32][MIF_NAME];
static unsigned seen_count;

/* Identifiers as they are met: A, B, ... */
static const char *letter(const char *id)
{
	static char one[2];
	unsigned i = 0;

	if (strncmp(id, "implicit-", 9) != 0)
		return id;
	while (i < seen_count && strcmp(seen[i], id) != 0)
		i++;
	if (i == seen_count)
		snprintf(seen[seen_count++], MIF_NAME, "%s", id);
	one[0] = (char)('A' + i);
	return one;
}

/* All messages that are there, a line each. */
static const char *heard(struct api *a)
{
	static char text[65536];
	struct mif_message m;
	size_t n = 0;

	text[0] = 0;
	turn(a);
	while (subscriber_get(&a->s, &m)) {
		char ip[INET6_ADDRSTRLEN] = "";

		if (m.address.ss_family == AF_INET)
			inet_ntop(AF_INET, &((struct sockaddr_in *)&m.address)->sin_addr, ip,
			          sizeof(ip));
		else if (m.address.ss_family == AF_INET6)
			inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&m.address)->sin6_addr, ip,
			          sizeof(ip));
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "%s%s%s%s%s%s%s%s%s\n", mif_type_name(m.type),
		    m.name[0] ? " " : "", m.name, m.pvd[0] ? " " : "",
		    m.pvd[0] ? letter(m.pvd) : "", m.element ? " " : "",
		    m.element ? mif_element_name(m.element) : "", ip[0] ? " " : "", ip);
	}
	return text;
}

static struct api *following(void)
{
	struct api *a = start();

	seen_count = 0;
	assert_int_equal(post(a, MIF_ANNOUNCE_INTERFACES, 0, ""), 0);
	assert_int_equal(post(a, MIF_ANNOUNCE_PVD, 0, ""), 0);
	assert_int_equal(post(a, MIF_ANNOUNCE_ADDRESS, 0, ""), 0);
	heard(a);
	return a;
}

static void nothing_is_said_unasked(void **state)
{
	struct api *a = start();

	(void)state;
	assert_string_equal(heard(a), "");
	new_link(a->f, (struct fake_link){4, "eth9", UP, IF_OPER_UP, NULL, NULL, 0});
	assert_string_equal(heard(a), "");
	end(a);
}

static void interfaces(void **state)
{
	struct api *a = start();
	struct fake_link usb = {4, "usb0", DOWN, IF_OPER_DOWN, NULL, NULL, 0};

	(void)state;
	assert_int_equal(post(a, MIF_ANNOUNCE_INTERFACES, 0, ""), 0);
	assert_string_equal(heard(a),
	                    "Interface Announcement wlan0\nInterface Announcement wwan0\n");
	new_link(a->f, usb);
	assert_string_equal(heard(a), "Interface Announcement usb0\n");
	usb.name = "usb1";
	new_link(a->f, usb);
	assert_string_equal(heard(a), "Interface Announcement usb1\n");
	del_link(a->f, usb);
	assert_string_equal(heard(a), "No Interface Announcement usb1\n");
	/* Asked for again, it is told again. */
	assert_int_equal(post(a, MIF_ANNOUNCE_INTERFACES, 0, ""), 0);
	assert_string_equal(heard(a),
	                    "Interface Announcement wlan0\nInterface Announcement wwan0\n");
	assert_int_equal(post(a, MIF_STOP_ANNOUNCING_INTERFACES, 0, ""), 0);
	new_link(a->f, usb);
	del_link(a->f, wlan);
	assert_string_equal(heard(a), "");
	end(a);
}

static void a_domain_and_its_addresses(void **state)
{
	struct api *a = start();
	struct mif_message m;

	(void)state;
	seen_count = 0;
	assert_int_equal(post(a, MIF_ANNOUNCE_PVD, 9, ""), -ENODEV);
	assert_int_equal(post(a, MIF_ANNOUNCE_ADDRESS, 0, "nowhere.example"), -ENOENT);
	assert_int_equal(post(a, MIF_ANNOUNCE_PVD, 2, ""), 0);
	turn(a);
	assert_true(subscriber_get(&a->s, &m));
	assert_int_equal(m.type, MIF_PVD);
	assert_int_equal(m.interface, 2);
	assert_true(m.implicit);
	assert_string_equal(heard(a), "");
	assert_int_equal(post(a, MIF_ANNOUNCE_ADDRESS, 0, m.pvd), 0);
	assert_string_equal(letter(m.pvd), "A");
	assert_string_equal(heard(a), "Address Announcement wlan0 A 10.1.0.2\n"
	                              "Address Announcement wlan0 A 2001:db8:1::2\n");
	new_address(a->f, (struct fake_address){2, "10.1.0.3", 24, IFA_F_PERMANENT});
	assert_string_equal(heard(a), "Address Announcement wlan0 A 10.1.0.3\n");
	del_address(a->f, (struct fake_address){2, "10.1.0.3", 24, IFA_F_PERMANENT});
	assert_string_equal(heard(a), "No Address Announcement wlan0 A 10.1.0.3\n");
	/* No longer preferred: an update. */
	new_address(a->f, (struct fake_address){2, "2001:db8:1::2", 64, IFA_F_DEPRECATED});
	assert_string_equal(heard(a), "Address Announcement wlan0 A 2001:db8:1::2\n");
	/* Still being verified: not yet. */
	new_address(a->f, (struct fake_address){2, "2001:db8:1::3", 64, IFA_F_TENTATIVE});
	assert_string_equal(heard(a), "");
	/* The other interface was not asked for. */
	new_address(a->f, (struct fake_address){3, "10.2.0.9", 24, IFA_F_PERMANENT});
	assert_string_equal(heard(a), "");
	assert_int_equal(post(a, MIF_STOP_ANNOUNCING_ADDRESS, 0, m.pvd), 0);
	new_address(a->f, (struct fake_address){2, "10.1.0.4", 24, IFA_F_PERMANENT});
	assert_string_equal(heard(a), "");
	end(a);
}

static void the_order_of_the_end(void **state)
{
	struct api *a = following();

	(void)state;
	assert_int_equal(post(a, MIF_ANNOUNCE_ELEMENT, 0, ""), 0);
	heard(a);
	del_link(a->f, wlan);
	assert_string_equal(heard(a), "Interface is going away wlan0\n"
	                              "No Address Announcement wlan0 A 10.1.0.2\n"
	                              "No Address Announcement wlan0 A 2001:db8:1::2\n"
	                              "No Configuration Element Announcement wlan0 A static\n"
	                              "No Configuration Element Announcement wlan0 A RA\n"
	                              "No Configuration Element Announcement wlan0 A link\n"
	                              "No Provisioning Domain Announcement wlan0 A\n"
	                              "No Interface Announcement wlan0\n");
	end(a);
}

static void what_waits_ends_with_a_stop(void **state)
{
	struct api *a = following();
	struct domain of[DOMAINS_OF_INTERFACE];

	(void)state;
	new_address(a->f, (struct fake_address){2, "10.1.0.3", 24, IFA_F_PERMANENT});
	new_link(a->f, (struct fake_link){4, "usb0", DOWN, IF_OPER_DOWN, NULL, NULL, 0});
	turn(a);
	assert_true(subscriber_pending(&a->s));
	assert_int_equal(post(a, MIF_STOP_ANNOUNCING_ADDRESS, 0, ""), 0);
	assert_string_equal(heard(a), "Interface Announcement usb0\n");
	/* Of one domain, while all were asked for: those go on, and nothing is told again. */
	assert_int_equal(post(a, MIF_ANNOUNCE_ADDRESS, 0, ""), 0);
	heard(a);
	assert_true(domains_of(&a->d, 2, of));
	assert_int_equal(post(a, MIF_STOP_ANNOUNCING_ADDRESS, 0, of[0].id), 0);
	assert_int_equal(post(a, MIF_STOP_ANNOUNCING_ELEMENT, 0, of[0].id), 0);
	assert_int_equal(post(a, MIF_STOP_ANNOUNCING_PVD, 2, ""), 0);
	assert_string_equal(heard(a), "");
	del_address(a->f, (struct fake_address){2, "10.1.0.3", 24, IFA_F_PERMANENT});
	assert_string_equal(heard(a), "No Address Announcement wlan0 A 10.1.0.3\n");
	end(a);
}

static void a_subscription_ends_with_its_subject(void **state)
{
	struct api *a = start();
	struct mif_message m;

	(void)state;
	seen_count = 0;
	post(a, MIF_ANNOUNCE_PVD, 2, "");
	turn(a);
	assert_true(subscriber_get(&a->s, &m));
	post(a, MIF_ANNOUNCE_ADDRESS, 0, m.pvd);
	heard(a);
	/* The domain goes, and with it what was asked about it; the interface stays. */
	new_link(a->f, (struct fake_link){2, "wlan0", NO_CARRIER, IF_OPER_DOWN, NULL, NULL, 0});
	assert_string_equal(heard(a), "Interface is going away wlan0\n"
	                              "No Address Announcement wlan0 A 10.1.0.2\n"
	                              "No Address Announcement wlan0 A 2001:db8:1::2\n"
	                              "No Provisioning Domain Announcement wlan0 A\n");
	new_link(a->f, wlan);
	assert_string_equal(heard(a), "Interface is going up wlan0\n"
	                              "Provisioning Domain Announcement wlan0 A\n");
	/* The interface goes: nothing is left of it, and one with the same number is another. */
	del_link(a->f, wlan);
	heard(a);
	new_link(a->f, wlan);
	new_address(a->f, a->f->address[1]);
	assert_string_equal(heard(a), "");
	end(a);
}

/* The same network keeps its identifier through a flap and a renumbering; another one has another.
 */
static void identifiers(void **state)
{
	struct api *a = following();
	const uint8_t router[16] = {10, 2, 0, 1}, one[6] = {2, 0, 0, 0, 0, 1},
	              other[6] = {2, 0, 0, 0, 0, 2};
	struct fake_link off = wwan;

	(void)state;
	off.flags = NO_CARRIER;
	off.operstate = IF_OPER_DOWN;
	domains_lladdr(&a->d, 3, AF_INET, router, one, sizeof(one));
	assert_string_equal(heard(a), "");
	/* Renumbered while attached. */
	new_address(a->f, (struct fake_address){3, "10.7.0.2", 24, IFA_F_PERMANENT});
	del_address(a->f, a->f->address[3]);
	assert_string_equal(heard(a), "No Address Announcement wwan0 B 10.2.0.2\n"
	                              "Address Announcement wwan0 B 10.7.0.2\n");
	del_address(a->f, (struct fake_address){3, "10.7.0.2", 24, IFA_F_PERMANENT});
	new_address(a->f, a->f->address[3]);
	new_route(a->f, a->f->route[3]);
	heard(a);
	/* A flap. */
	new_link(a->f, off);
	heard(a);
	new_link(a->f, wwan);
	assert_string_equal(heard(a), "Interface is going up wwan0\n"
	                              "Provisioning Domain Announcement wwan0 B\n"
	                              "Address Announcement wwan0 B 10.2.0.2\n");
	/* The router is another device, though it has the same address: another network. */
	domains_lladdr(&a->d, 3, AF_INET, router, other, sizeof(other));
	assert_string_equal(heard(a), "No Address Announcement wwan0 B 10.2.0.2\n"
	                              "No Provisioning Domain Announcement wwan0 B\n"
	                              "Provisioning Domain Announcement wwan0 C\n"
	                              "Address Announcement wwan0 C 10.2.0.2\n");
	/* Back in the first one. */
	new_link(a->f, off);
	new_link(a->f, wwan);
	heard(a);
	domains_lladdr(&a->d, 3, AF_INET, router, one, sizeof(one));
	heard(a);
	struct domain of[DOMAINS_OF_INTERFACE];

	assert_int_equal(domains_of(&a->d, 3, of), 1);
	assert_string_equal(letter(of[0].id), "B");
	/* And in one that is addressed otherwise. */
	new_link(a->f, off);
	del_address(a->f, a->f->address[3]);
	new_address(a->f, (struct fake_address){3, "192.168.4.2", 24, IFA_F_PERMANENT});
	new_link(a->f, wwan);
	assert_string_equal(heard(a), "Interface is going away wwan0\n"
	                              "No Address Announcement wwan0 B 10.2.0.2\n"
	                              "No Provisioning Domain Announcement wwan0 B\n"
	                              "Interface is going up wwan0\n");
	/* Which has no router, as it seems after a while. */
	assert_true(domains_due(&a->d) > a->f->now);
	a->f->now = domains_due(&a->d);
	assert_string_equal(heard(a), "Provisioning Domain Announcement wwan0 D\n"
	                              "Address Announcement wwan0 D 192.168.4.2\n");
	/* The first one again, by a client that adds the address before it knows the prefix. */
	new_link(a->f, off);
	del_address(a->f, (struct fake_address){3, "192.168.4.2", 24, IFA_F_PERMANENT});
	new_link(a->f, wwan);
	new_address(a->f, (struct fake_address){3, "10.2.0.2", 8, IFA_F_PERMANENT});
	heard(a);
	del_address(a->f, (struct fake_address){3, "10.2.0.2", 8, IFA_F_PERMANENT});
	new_address(a->f, a->f->address[3]);
	assert_string_equal(heard(a), "");
	new_route(a->f, a->f->route[3]);
	assert_string_equal(heard(a), "Provisioning Domain Announcement wwan0 B\n"
	                              "Address Announcement wwan0 B 10.2.0.2\n");
	end(a);
}

static unsigned asked;

static void count(void *ctx, int ifindex, uint8_t family, const uint8_t ip[16])
{
	(void)ctx, (void)ip;
	asked += ifindex == 3 && family == AF_INET;
}

/* The kernel may learn of a router's link-layer address long after the attachment; it is not asked
 * for ever. */
static void routers_are_asked_after(void **state)
{
	struct api *a = start();
	const uint8_t router[16] = {10, 2, 0, 1}, lladdr[6] = {2, 0, 0, 0, 0, 1};

	(void)state;
	a->d.wonder = count;
	asked = 0;
	domains_note(&a->d, 3);
	turn(a);
	assert_int_equal(asked, 1);
	turn(a);
	assert_int_equal(asked, 1);
	assert_true(domains_due(&a->d) > a->f->now);
	a->f->now = domains_due(&a->d);
	turn(a);
	assert_int_equal(asked, 2);
	domains_lladdr(&a->d, 3, AF_INET, router, lladdr, sizeof(lladdr));
	for (int i = 0; i < 20 && domains_due(&a->d) != PVD_FOREVER; i++) {
		a->f->now = domains_due(&a->d);
		turn(a);
	}
	assert_int_equal(domains_due(&a->d), PVD_FOREVER);
	assert_int_equal(asked, 2);
	end(a);
}

/* There and back before anybody looks: what was learned before has to be learned again all the
 * same. */
static void a_flap_between_two_looks(void **state)
{
	struct api *a = following();
	struct pvd_item dns = {
	    .info = PVD_DNS_SERVER, .family = AF_INET, .ip = {10, 2, 0, 1}, .until = PVD_FOREVER};

	(void)state;
	pvd_put(&a->d.pvds, 3, "", PVD_BY_USEROPT, PVD_RA, &dns, a->f->now);
	new_link(a->f, (struct fake_link){3, "wwan0", NO_CARRIER, IF_OPER_DOWN, NULL, NULL, 0});
	new_link(a->f, wwan);
	assert_string_equal(heard(a), "Interface is going away wwan0\n"
	                              "No Address Announcement wwan0 B 10.2.0.2\n"
	                              "No Provisioning Domain Announcement wwan0 B\n"
	                              "Interface is going up wwan0\n"
	                              "Provisioning Domain Announcement wwan0 B\n"
	                              "Address Announcement wwan0 B 10.2.0.2\n");
	assert_int_equal(pvd_items(pvd_find(&a->d.pvds, 3, ""), PVD_RA, PVD_DNS_SERVER,
	                           (const struct pvd_item *[PVD_ITEMS]){NULL}),
	                 0);
	end(a);
}

static void not_without_an_address(void **state)
{
	struct api *a = following();

	(void)state;
	del_address(a->f, a->f->address[3]);
	assert_string_equal(heard(a), "No Address Announcement wwan0 B 10.2.0.2\n"
	                              "No Provisioning Domain Announcement wwan0 B\n");
	new_address(a->f, (struct fake_address){3, "fe80::7", 64, IFA_F_PERMANENT});
	new_address(a->f, (struct fake_address){3, "169.254.3.3", 16, IFA_F_PERMANENT});
	assert_string_equal(heard(a), "");
	/* With one that reaches further, these are its domain's, too. */
	new_address(a->f, a->f->address[3]);
	new_route(a->f, a->f->route[3]);
	assert_string_equal(heard(a), "Provisioning Domain Announcement wwan0 B\n"
	                              "Address Announcement wwan0 B fe80::7\n"
	                              "Address Announcement wwan0 B 169.254.3.3\n"
	                              "Address Announcement wwan0 B 10.2.0.2\n");
	end(a);
}

static struct pvd_item item(enum pvd_info info, const char *ip, uint8_t len)
{
	struct pvd_item i = {.info = info, .until = PVD_FOREVER, .prefix_len = len};

	i.family = (uint8_t)family_of(ip);
	assert_int_equal(inet_pton(i.family, ip, i.ip), 1);
	return i;
}

static void an_explicit_domain_takes_its_addresses(void **state)
{
	struct api *a = following();
	struct pvd_item prefix = item(PVD_PREFIX, "2001:db8:1::", 64),
	                dns = item(PVD_DNS_SERVER, "2001:db8:1::53", 0);

	(void)state;
	pvd_put(&a->d.pvds, 2, "", PVD_BY_USEROPT, PVD_RA, &dns, a->f->now);
	pvd_put(&a->d.pvds, 2, "Corp.example.", PVD_BY_SERVICE, PVD_RA, &prefix, a->f->now);
	assert_string_equal(heard(a), "No Address Announcement wlan0 A 2001:db8:1::2\n"
	                              "Provisioning Domain Announcement wlan0 corp.example\n"
	                              "Address Announcement wlan0 corp.example 2001:db8:1::2\n");
	/* Nothing is merged: the name server is the other domain's. */
	struct mif_message m = {.type = MIF_GET_CONFIGURATION_DATA,
	                        .information = MIF_DNS_SERVER,
	                        .pvd = "corp.example"};

	assert_int_equal(subscriber_post(&a->s, &m), 0);
	assert_string_equal(heard(a), "No Configuration Data corp.example\n");
	/* DHCPv4 is bound to it: nothing is left of the implicit one. */
	struct pvd_item bound = {.info = PVD_DHCPV4_BOUND, .number = 1, .until = PVD_FOREVER};

	pvd_put(&a->d.pvds, 2, "corp.example", PVD_BY_SERVICE, PVD_RA, &bound, a->f->now);
	assert_string_equal(heard(a), "No Address Announcement wlan0 A 10.1.0.2\n"
	                              "No Provisioning Domain Announcement wlan0 A\n"
	                              "Address Announcement wlan0 corp.example 10.1.0.2\n");
	/* The service ends. */
	pvd_withdraw(&a->d.pvds, 0, NULL, PVD_BY_SERVICE);
	assert_non_null(strstr(heard(a), "No Provisioning Domain Announcement wlan0 corp.example\n"
	                                 "Provisioning Domain Announcement wlan0 A\n"));
	end(a);
}

static void configuration(void **state)
{
	struct api *a = following();
	struct pvd_item dns = item(PVD_DNS_SERVER, "10.1.0.53", 0),
	                more = item(PVD_DNS_SERVER, "fe80::53", 0);
	struct mif_message ask = {.type = MIF_GET_CONFIGURATION_DATA,
	                          .information = MIF_DNS_SERVER},
	                   m;
	struct domain of[DOMAINS_OF_INTERFACE];

	(void)state;
	assert_int_equal(post(a, MIF_ANNOUNCE_ELEMENT, 0, ""), 0);
	assert_string_equal(heard(a), "Configuration Element Announcement wlan0 A static\n"
	                              "Configuration Element Announcement wlan0 A RA\n"
	                              "Configuration Element Announcement wlan0 A link\n"
	                              "Configuration Element Announcement wwan0 B static\n"
	                              "Configuration Element Announcement wwan0 B link\n");
	pvd_put(&a->d.pvds, 2, "", PVD_BY_FILES, PVD_DHCPV4, &dns, a->f->now);
	assert_string_equal(heard(a), "Configuration Element Announcement wlan0 A DHCPv4\n");
	more.until = a->f->now + 5000;
	pvd_put(&a->d.pvds, 2, "", PVD_BY_USEROPT, PVD_RA, &more, a->f->now);
	assert_string_equal(heard(a), "Configuration Element Announcement wlan0 A RA\n");
	assert_int_equal(subscriber_post(&a->s, &ask), -ENOENT);
	domains_of(&a->d, 2, of);
	snprintf(ask.pvd, sizeof(ask.pvd), "%s", of[0].id);
	assert_int_equal(subscriber_post(&a->s, &ask), 0);
	assert_true(subscriber_get(&a->s, &m));
	assert_int_equal(m.type, MIF_CONFIGURATION_DATA);
	assert_int_equal(m.remaining, 1);
	assert_int_equal(m.element, MIF_ELEMENT_DHCPV4);
	assert_int_equal(((struct sockaddr_in *)&m.address)->sin_addr.s_addr, htonl(0x0a010035));
	assert_true(subscriber_get(&a->s, &m));
	assert_int_equal(m.remaining, 0);
	assert_int_equal(m.element, MIF_ELEMENT_RA);
	assert_int_equal(((struct sockaddr_in6 *)&m.address)->sin6_scope_id, 2);
	/* By the domain connected to. */
	assert_int_equal(post(a, MIF_CONNECT_TO_PVD, 0, "nowhere"), -ENOENT);
	assert_int_equal(post(a, MIF_CONNECT_TO_PVD, 0, of[0].id), 0);
	ask.pvd[0] = 0;
	ask.element = MIF_ELEMENT_DHCPV6;
	assert_int_equal(subscriber_post(&a->s, &ask), 0);
	assert_string_equal(heard(a), "No Configuration Data A DHCPv6\n");
	ask.element = 99;
	assert_int_equal(subscriber_post(&a->s, &ask), -EINVAL);
	/* Its time is up. */
	a->f->now += 5000;
	assert_string_equal(heard(a), "Configuration Element Announcement wlan0 A RA\n");
	assert_int_equal(post(a, MIF_STOP_ANNOUNCING_ELEMENT, 0, ""), 0);
	pvd_withdraw(&a->d.pvds, 2, "", PVD_BY_FILES);
	assert_string_equal(heard(a), "");
	end(a);
}

/* Who does not read is told the difference in the end, of any number of changes. */
static void one_that_does_not_read(void **state)
{
	struct api *a = following();
	struct mif_message m;
	unsigned addresses = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		char ip[32];

		snprintf(ip, sizeof(ip), "10.3.%d.%d", i / 250, i % 250 + 1);
		new_address(a->f, (struct fake_address){2, ip, 32, IFA_F_PERMANENT});
		if (i % 2)
			turn(a);
		assert_true(subscriber_pending(&a->s));
		assert_true(a->s.waiting <= SUBSCRIBER_QUEUE);
	}
	turn(a);
	while (subscriber_get(&a->s, &m)) {
		assert_int_equal(m.type, MIF_ADDRESS);
		addresses++;
	}
	assert_int_equal(addresses, 2000);
	new_link(a->f, (struct fake_link){2, "wlan0", DOWN, IF_OPER_DOWN, NULL, NULL, 0});
	turn(a);
	for (addresses = 0; subscriber_get(&a->s, &m);)
		addresses += m.type == MIF_NO_ADDRESS;
	assert_int_equal(addresses, 2002);
	assert_int_equal(m.type, MIF_NO_PVD);
	end(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_said_unasked),
	    cmocka_unit_test(interfaces),
	    cmocka_unit_test(a_domain_and_its_addresses),
	    cmocka_unit_test(the_order_of_the_end),
	    cmocka_unit_test(what_waits_ends_with_a_stop),
	    cmocka_unit_test(a_subscription_ends_with_its_subject),
	    cmocka_unit_test(identifiers),
	    cmocka_unit_test(routers_are_asked_after),
	    cmocka_unit_test(a_flap_between_two_looks),
	    cmocka_unit_test(not_without_an_address),
	    cmocka_unit_test(an_explicit_domain_takes_its_addresses),
	    cmocka_unit_test(configuration),
	    cmocka_unit_test(one_that_does_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
