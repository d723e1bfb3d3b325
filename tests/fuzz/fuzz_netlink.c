/* SPDX-License-Identifier: MIT */
/*
 * The monitor from rtnetlink's bytes to the MIF API's events. The input is a history: messages of a
 * small world in any order, messages of the fuzzer's own bytes, dumps whole and broken, time. What
 * is told must fit together, and the table what was told.
 */
#include <sys/mman.h>

#include "monitor/subscriber.h"
#include "tests/fuzz/listener.h"
#include "tests/unit/fake_rtnetlink.h"

#define STEPS 300
#define PATHS 4
#define PAGE 4096

static uint8_t *page;

static struct {
	struct input in;
	struct fake f;
	struct listener heard;
	struct mirror_request request; /* the one that is out */
	struct domains domains;
	struct subscriber subscriber; /* of everything */
	struct {
		int ifindex;
		char id[MIF_NAME];
		int addresses;
	} domain[64]; /* what it was told */
	int known;
} now;

/* --- messages --- */

/*
 * 4-aligned as the kernel's, and with nothing readable behind it: the readers of libmnl have no
 * sanitizer in them.
 */
static void feed(const void *message, size_t len)
{
	uint8_t *p = page + PAGE - MNL_ALIGN(len);

	memcpy(p, message, len);
	if (take_u8(&now.in) % 4 != 3)
		mirror_events(&now.f.m, p, len, now.f.now);
	else
		mirror_answers(&now.f.m, p, len, now.f.now);
}

/* Makes it an answer, a replacement, or shorter than it says. */
static void feed_header(struct nlmsghdr *h)
{
	uint8_t kind = take_u8(&now.in);
	size_t len = h->nlmsg_len;

	if (kind & 1)
		h->nlmsg_seq = now.request.seq;
	if (kind & 2)
		h->nlmsg_flags |= NLM_F_REPLACE;
	if (kind & 4)
		h->nlmsg_flags |= NLM_F_DUMP_INTR;
	/* A length, type or value within it is another. */
	if (kind >> 3 & 1)
		((uint16_t *)h)[take_u8(&now.in) % (len / 2)] = take_u16(&now.in);
	if (kind >> 5 == 7)
		h->nlmsg_len = take_u32(&now.in);
	feed(h, len);
}

static void a_link(void)
{
	static const char *const names[] = {"wlan0", "wwan0", "eth0", "tun0", ""};
	static const char *const infos[] = {NULL, "veth", "wireguard", "bridge"};
	static const char *const slaves[] = {NULL, "bridge", "vrf"};
	uint8_t kind = take_u8(&now.in), state = take_u8(&now.in);
	struct fake_link l = {
	    .ifindex = kind % 5,
	    .name = names[take_u8(&now.in) % 5],
	    .flags =
	        state & 8 ? UP : take_u8(&now.in) << (state & 1 ? 9 : 0) | (state & 4 ? UP : 0),
	    .operstate = state >> 5,
	    .info = infos[kind >> 3 & 3],
	    .slave = slaves[(kind >> 5 & 3) % 3],
	    .master = kind >> 7 ? 4 : 0,
	};

	feed_header(link_message(state & 16 ? RTM_DELLINK : RTM_NEWLINK, &l, 0));
}

static void an_address(void)
{
	static const char *const ips[] = {"10.1.0.2",    "10.1.0.3",    "169.254.0.1",
	                                  "2001:db8::2", "2001:db8::3", "fe80::1",
	                                  "fd00::1",     "127.0.0.1",   "::ffff:1.2.3.4"};
	uint8_t kind = take_u8(&now.in), flags = take_u8(&now.in);
	struct fake_address a = {
	    .ifindex = kind % 5,
	    .ip = ips[take_u8(&now.in) % 9],
	    .prefix_len = take_u8(&now.in) % 34,
	    .flags = flags & 1 ? flags : 0,
	};

	feed_header(address_message(kind & 32 ? RTM_DELADDR : RTM_NEWADDR, &a, 0));
}

static void a_route(void)
{
	static const char *const to[] = {NULL, "10.1.0.0", "10.0.0.0", "2001:db8::", "192.0.2.0"};
	static const char *const by[] = {NULL, "10.1.0.1", "fe80::2", "2001:db8::1"};
	uint8_t kind = take_u8(&now.in), more = take_u8(&now.in);
	struct fake_route r = {
	    .ifindex = kind % 5,
	    .destination = to[(kind >> 3) % 5],
	    .prefix_len = take_u8(&now.in) % 34,
	    .family = kind >> 7 ? AF_INET6 : AF_INET,
	    .gateway = by[more & 3],
	    .source = more & 4 ? "10.1.0.2" : NULL,
	    .metric = more >> 3 & 3,
	    .type = more >> 5 == 7 ? take_u8(&now.in) % 12 : 0,
	    .second = more >> 5 == 6 ? 3 : 0,
	};

	feed_header(route_message(take_u8(&now.in) % 3 == 2 ? RTM_DELROUTE : RTM_NEWROUTE, &r, 0));
}

/* A message that is right as far as its header goes. */
static void any_message(void)
{
	static const uint16_t types[] = {RTM_NEWLINK,  RTM_DELLINK,     RTM_NEWADDR, RTM_DELADDR,
	                                 RTM_NEWROUTE, RTM_DELROUTE,    NLMSG_ERROR, NLMSG_DONE,
	                                 RTM_NEWNEIGH, RTM_NEWNDUSEROPT};
	struct nlmsghdr *h = fake_header(types[take_u8(&now.in) % 10], 0, 0);
	size_t len = take_u8(&now.in) * (take_u8(&now.in) % 8 ? 1u : 4u);

	take_bytes(&now.in, mnl_nlmsg_put_extra_header(h, len), len);
	h->nlmsg_len = (uint32_t)(sizeof(*h) + len);
	feed_header(h);
}

static void any_bytes(void)
{
	uint8_t bytes[256];
	size_t len = take_u8(&now.in);

	take_bytes(&now.in, bytes, len);
	feed(bytes, len);
}

/* --- dumps and time --- */

static void ask(void)
{
	if (take_u8(&now.in) % 4 && mirror_due(&now.f.m) > now.f.now)
		now.f.now = mirror_due(&now.f.m);
	mirror_request(&now.f.m, now.f.now, &now.request);
}

static void answer_whole(void)
{
	if (now.f.m.asked)
		answer_lines(&now.f, &now.request);
	answer_done(&now.f, now.request.seq, 0, 0);
}

static void answer_end(void)
{
	uint8_t how = take_u8(&now.in);

	answer_done(&now.f, now.request.seq, how & 1 ? NLM_F_DUMP_INTR : 0,
	            how & 2 ? -(how >> 2) : 0);
}

static void trouble(void)
{
	switch (take_u8(&now.in) % 3) {
	case 0:
		mirror_overrun(&now.f.m);
		break;
	case 1:
		mirror_answer_lost(&now.f.m);
		break;
	default:
		mirror_not_sent(&now.f.m, now.f.now);
	}
}

static void time_passes(void)
{
	now.f.now += take_u16(&now.in);
}

static void flush(void)
{
	mirror_flush(&now.f.m);
}

/* What a dump would say from now on. */
static void world_changes(void)
{
	uint8_t how = take_u8(&now.in);

	now.f.links = how & 3;
	now.f.addresses = how >> 2 & 3;
	now.f.routes = (how >> 4) % 6;
	now.f.link[1].flags = how & 8 ? UP : DOWN;
}

/* --- what must hold --- */

static void counts(const struct iftable *t)
{
	unsigned gone = 0;

	for (const struct if_link *l = t->links; l; l = l->hh.next) {
		int n = 0;

		for (const struct if_address *a = t->addresses; a; a = a->hh.next)
			n += a->key.ifindex == l->ifindex && a->key.family == AF_INET &&
			     !a->mark.gone;
		must(n == l->ipv4, "IPv4 addresses are miscounted");
		gone += l->mark.gone;
		/* One that went before it was known has no name. */
		must(l->ifindex > 0 && (*l->name || l->mark.gone) &&
		         memchr(l->name, 0, sizeof(l->name)),
		     "an interface without number or name");
	}
	for (const struct if_address *a = t->addresses; a; a = a->hh.next) {
		gone += a->mark.gone;
		must(a->key.prefix_len <= (a->key.family == AF_INET ? 32 : 128), "a long prefix");
	}
	for (const struct if_route *r = t->routes; r; r = r->hh.next) {
		gone += r->mark.gone;
		must(r->key.prefix_len <= (r->key.family == AF_INET ? 32 : 128), "a long prefix");
	}
	must(gone == t->gone, "what is gone is miscounted");
}

/* What belongs to an interface is found by it, and nothing else is. */
static void belongings(const struct iftable *t)
{
	unsigned links = 0, addresses = 0, routes = 0;

	for (const struct if_belongings *b = t->by_interface; b; b = b->hh.next) {
		must(b->link == iftable_link_any(t, b->ifindex), "a link of another interface");
		must(b->touched || b->link || b->addresses || b->routes, "nothing is kept");
		links += b->link != NULL;
		for (const struct if_address *a = b->addresses; a; a = a->next) {
			must(a->of == b && a->key.ifindex == b->ifindex, "a stranger's address");
			must(!a->mark.gone || b->touched, "an address will never be freed");
			addresses++;
		}
		for (const struct if_route *r = b->routes; r; r = r->next) {
			must(r->of == b && r->key.ifindex == b->ifindex, "a stranger's route");
			must(!r->mark.gone || b->touched, "a route will never be freed");
			routes++;
		}
	}
	must(links == HASH_COUNT(t->links) && addresses == HASH_COUNT(t->addresses) &&
	         routes == HASH_COUNT(t->routes),
	     "something belongs to nobody");
}

/* The listener knows what the table does. A dump's news are told when its addresses are complete.
 */
static void told(struct mirror *m)
{
	bool rest = m->enumerated && m->phase == MIRROR_IDLE;

	if (now.heard.full)
		return;
	must(m->enumerated || (!now.heard.links && !now.heard.addresses),
	     "told before the first dump");
	for (int i = 0; i < now.heard.addresses; i++) {
		const struct heard_link *l = heard_link(&now.heard, now.heard.address[i].ifindex);

		must(l && l->usable, "an interface is away, its addresses are not");
	}
	for (const struct if_link *l = m->table.links; rest && l; l = l->hh.next) {
		const struct heard_link *h = heard_link(&now.heard, l->ifindex);
		bool visible = !l->mark.gone && !l->port && !(l->flags & IFF_LOOPBACK);

		must((h != NULL) == visible,
		     "an interface is there and not announced, or the reverse");
		must(!h || h->unsaid || h->usable == iftable_link_usable(l),
		     "an interface is up and not told so");
		must(!h || strcmp(h->name, l->name) == 0, "an interface has another name");
	}
	for (const struct if_address *a = m->table.addresses; rest && a; a = a->hh.next) {
		const struct heard_link *h = heard_link(&now.heard, a->key.ifindex);

		must(a->announced == (h && h->usable && iftable_address_valid(a)),
		     "an address is there and not announced, or the reverse");
	}
}

/* --- a subscriber of the MIF API --- */

static int domain_of(const struct mif_message *m)
{
	for (int i = 0; i < now.known; i++)
		if (now.domain[i].ifindex == m->interface && strcmp(now.domain[i].id, m->pvd) == 0)
			return i;
	return -1;
}

/* The draft's order, and nothing twice. */
static void got(const struct mif_message *m)
{
	int d = domain_of(m);

	switch (m->type) {
	case MIF_PVD:
		must(d < 0 && now.known < 64, "a domain is announced twice");
		now.domain[now.known].ifindex = m->interface;
		now.domain[now.known].addresses = 0;
		memcpy(now.domain[now.known++].id, m->pvd, sizeof(m->pvd));
		break;
	case MIF_NO_PVD:
		must(d >= 0 && !now.domain[d].addresses, "a domain ends before its addresses");
		now.domain[d] = now.domain[--now.known];
		break;
	case MIF_ADDRESS: /* once more is an update */
		must(d >= 0, "an address without a domain");
		break;
	case MIF_NO_ADDRESS:
	case MIF_ELEMENT:
	case MIF_NO_ELEMENT:
		must(d >= 0, "of a domain that is not there");
		break;
	case MIF_NO_INTERFACE:
		for (int i = 0; i < now.known; i++)
			must(now.domain[i].ifindex != m->interface,
			     "an interface ends before its domains");
		break;
	default:
		break;
	}
}

static void on_event(void *ctx, const struct mif_event *ev)
{
	hear(ctx, ev);
	domains_event(&now.domains, ev);
	subscriber_event(&now.subscriber, ev);
}

static void on_domain(void *ctx, int ifindex)
{
	(void)ctx;
	subscriber_note(&now.subscriber, ifindex);
}

static void subscribe(void)
{
	static const enum mif_type all[] = {MIF_ANNOUNCE_INTERFACES, MIF_ANNOUNCE_PVD,
	                                    MIF_ANNOUNCE_ELEMENT, MIF_ANNOUNCE_ADDRESS};

	domains_init(&now.domains, &now.f.m.table, "fuzz");
	now.domains.changed = on_domain;
	must(subscriber_init(&now.subscriber, &now.domains) == 0, "memory");
	now.f.m.domains = &now.domains;
	for (int i = 0; i < 4; i++)
		must(subscriber_post(&now.subscriber, &(struct mif_message){.type = all[i]}) == 0,
		     "refused");
}

/* As the monitor does at the end of a turn; and the subscriber reads, or does not. */
static void turn(void)
{
	struct mif_message m;

	now.f.m.table.now = now.f.now;
	pvd_expire(&now.domains.pvds, now.f.now);
	mirror_tell_routes(&now.f.m);
	if (now.f.m.enumerated)
		domains_settle(&now.domains, now.f.now);
	for (int left = take_u8(&now.in) % 64; left && subscriber_get(&now.subscriber, &m); left--)
		got(&m);
	must(now.subscriber.waiting <= SUBSCRIBER_QUEUE, "more messages than there is room for");
}

static void asked_for_paths(const struct iftable *t)
{
	static const char *const peers[] = {"10.1.0.9", "192.0.2.1", "2001:db8::9", "fe80::9"};
	struct sockaddr_storage ss;
	struct mif_path p[PATHS];

	for (int i = 0; i < 4; i++) {
		memset(&ss, 0, sizeof(ss));
		ss.ss_family = family_of(peers[i]);
		if (ss.ss_family == AF_INET)
			inet_pton(AF_INET, peers[i], &((struct sockaddr_in *)&ss)->sin_addr);
		else
			inet_pton(AF_INET6, peers[i], &((struct sockaddr_in6 *)&ss)->sin6_addr);
		((struct sockaddr_in6 *)&ss)->sin6_scope_id = i == 3 ? 2 : 0;
		int n = paths_to(t, (struct sockaddr *)&ss, p, PATHS);

		must(n >= 0 && n <= PATHS, "more paths than there is room for");
		for (int k = 0; k < n; k++) {
			const struct if_link *l = iftable_link(t, p[k].ifindex);

			must(l && iftable_link_usable(l) && l->kind != MIF_LOOPBACK,
			     "a path over what cannot be used");
			must(p[k].source.family == ss.ss_family, "a source of another family");
			must(
			    !k || p[k - 1].metric < p[k].metric ||
			        (p[k - 1].metric == p[k].metric && p[k - 1].ifindex < p[k].ifindex),
			    "paths out of order");
		}
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(page != MAP_FAILED && mprotect(page + PAGE, PAGE, PROT_NONE) == 0, "memory");
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* tests/fuzz/seeds.py knows this order. */
	static void (*const step[])(void) = {
	    a_link,       an_address, a_route, any_message, any_bytes, ask,
	    answer_whole, answer_end, trouble, time_passes, flush,     world_changes,
	};
	struct fake *made = fake_start();

	memset(&now, 0, sizeof(now));
	now.f = *made;
	fake_free(made);
	now.in = (struct input){data, size};
	mirror_init(&now.f.m, on_event, &now.heard);
	subscribe();
	/* Half of the histories begin when the monitor knows its world. */
	if (take_u8(&now.in) & 1)
		settle(&now.f);
	for (int i = 0; i < STEPS && now.in.left; i++) {
		unsigned k = take_u8(&now.in) % (sizeof(step) / sizeof(*step));

		if (step[k] == flush)
			turn();
		step[k]();
		counts(&now.f.m.table);
		belongings(&now.f.m.table);
		told(&now.f.m);
	}
	turn();
	asked_for_paths(&now.f.m.table);
	subscriber_free(&now.subscriber);
	domains_free(&now.domains);
	mirror_free(&now.f.m);
	return 0;
}
