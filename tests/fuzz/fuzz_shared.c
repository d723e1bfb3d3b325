/* SPDX-License-Identifier: MIT */
/*
 * Records of a service, as they come: whatever is in them, what the listener is told fits together,
 * and the domain table stays within its bounds. The service may be lost at any time.
 */
#include <sys/mman.h>

#include "monitor/shared.h"
#include "tests/fuzz/listener.h"

#define PAGE 4096
#define STEPS 200

static uint8_t *page;

/* 4-aligned, and nothing readable behind it. */
static int feed(struct shared *s, const void *record, size_t len, int64_t now)
{
	size_t whole = (len + 3) & ~(size_t)3;
	uint8_t *p = page + PAGE - whole;

	memset(p, 0, whole);
	memcpy(p, record, len);
	return shared_receive(s, p, len, now);
}

static size_t message(struct input *in, uint8_t *out)
{
	/* The kernel's about links, addresses and routes, and the service's own. */
	static const uint16_t kernel[] = {16, 17, 20, 21, 24, 25};
	const unsigned own = SHARED_CHECK - SHARED_HELLO + 1;
	struct nlmsghdr *h = (struct nlmsghdr *)out;
	size_t len = take_u8(in) * 2u;
	unsigned type = take_u8(in) % (6 + own);

	memset(h, 0, sizeof(*h));
	h->nlmsg_type = type < 6 ? kernel[type] : (uint16_t)(SHARED_HELLO + type - 6);
	h->nlmsg_len = (uint32_t)(sizeof(*h) + len);
	take_bytes(in, h + 1, len);
	take_damage(in, out, h->nlmsg_len);
	return sizeof(*h) + len;
}

/* One that is right, from few values, so that some are met again. */
static size_t item(struct input *in, uint8_t *out)
{
	struct pvd_key of = {.ifindex = 1 + take_u8(in) % 3};
	struct pvd_item i;

	memset(&i, 0, sizeof(i));
	if (take_u8(in) & 1)
		memcpy(of.name, "pvd.example", 12);
	i.info = (enum pvd_info)(take_u8(in) % PVD_INFOS);
	i.until = take_u8(in) & 1 ? PVD_FOREVER : take_u16(in);
	i.ip[15] = take_u8(in) % 4;
	i.origin[15] = take_u8(in) % 4;
	return shared_item(out, &of, (enum pvd_source)(take_u8(in) % PVD_SOURCES), &i,
	                   take_u8(in) % 4 == 3);
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
	static struct listener heard;
	struct input in = {data, size};
	struct mirror mirror;
	struct pvd_table domains;
	struct shared s = {.mirror = &mirror, .domains = &domains, .network = 7};
	_Alignas(8) uint8_t buf[SHARED_MESSAGE];

	memset(&heard, 0, sizeof(heard));
	memset(&domains, 0, sizeof(domains));
	mirror_init(&mirror, hear, &heard);
	feed(&s, buf, shared_hello(buf, 7), 1);
	must(s.state == SHARED_GREETED, "a greeting is not understood");
	for (int64_t now = 1; now < STEPS && in.left; now++) {
		size_t n = take_u8(&in) % 2 ? message(&in, buf) : item(&in, buf);

		if (feed(&s, buf, n, now) < 0) {
			shared_lost(&s, now);
			must(!mirror.fed, "nobody feeds it");
			feed(&s, buf, shared_hello(buf, 7), now);
		}
		mirror_flush(&mirror);
		must(s.state != SHARED_LIVE || (mirror.fed && !mirror.feeding && mirror.enumerated),
		     "live, and not fed");
		for (const struct pvd *d = domains.all; d; d = d->hh.next)
			must(d->count && d->count <= PVD_ITEMS, "a domain of too much, or nothing");
	}
	shared_free(&s);
	mirror_free(&mirror);
	pvd_free(&domains);
	return 0;
}
