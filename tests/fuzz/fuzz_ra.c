/* SPDX-License-Identifier: MIT */
/*
 * Router advertisements. The first byte says how the rest comes: as an ICMPv6 message, or as the
 * kernel's message about options. What is understood must be within its bounds.
 */
#include <linux/rtnetlink.h>

#include "monitor/useropt.h"
#include "tests/fuzz/input.h"

static struct ra ra;

static void a_name(const char *text)
{
	must(memchr(text, 0, RA_TEXT) != NULL, "a text without an end");
	for (; *text; text++)
		must((*text >= 'a' && *text <= 'z') || (*text >= '0' && *text <= '9') ||
		         *text == '-' || *text == '_' || *text == '.',
		     "a name that is none");
}

static void sound(void)
{
	must(ra.count <= RA_ELEMENTS, "more elements than room");
	a_name(ra.pvd.id);
	must(ra.pvd.id[0] || (!ra.pvd.http && !ra.pvd.legacy), "flags without a domain");
	for (unsigned i = 0; i < ra.count; i++) {
		const struct ra_element *e = &ra.element[i];

		must(e->prefix_len <= 128, "a long prefix");
		must(e->preferred_s <= e->valid_s, "preferred for longer than valid");
		must(e->preference >= -1 && e->preference <= 1, "a preference there is not");
		for (unsigned bit = e->prefix_len; bit < 128; bit++)
			must(!(e->ip[bit / 8] >> (7 - bit % 8) & 1), "bits behind the prefix");
		if (e->kind == RA_DNS_SUFFIX)
			a_name(e->text);
		if (e->kind == RA_PORTAL) {
			must(*e->text && memchr(e->text, 0, RA_TEXT), "a URI without an end");
			for (const char *c = e->text; *c; c++)
				must(*c > ' ' && *c < 0x7f, "a URI that would not print");
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *p, router[16];
	int ifindex = 0;

	if (!size)
		return 0;
	p = exactly(data + 1, size - 1);
	if (*data & 1) {
		if (ra_parse(p, size - 1, &ra) == 0)
			sound();
	} else if (size - 1 >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr *h = (struct nlmsghdr *)p;

		h->nlmsg_len = (uint32_t)(size - 1);
		h->nlmsg_type = RTM_NEWNDUSEROPT;
		if (useropt_parse(h, &ifindex, router, &ra)) {
			must(ifindex > 0, "an interface without number");
			sound();
		}
	}
	free(p);
	return 0;
}
