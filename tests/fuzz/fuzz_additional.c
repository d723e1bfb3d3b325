/* SPDX-License-Identifier: MIT */
/* The JSON of a domain's server, and of a captive portal's API. */
#include "service/additional.h"
#include "tests/fuzz/input.h"

static void printable(const char *text, size_t size)
{
	must(memchr(text, 0, size) != NULL, "a text without an end");
	for (; *text; text++)
		must(*text > ' ' && *text < 0x7f, "a text that would not print");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct additional a;
	struct portal_answer p;
	uint8_t *text = exactly(data, size);

	if (!additional_parse((char *)text, size, "pvd.example", 1800000000000, &a)) {
		must(a.expires > 1800000000000, "out of date");
		must(a.prefixes <= ADDITIONAL_PREFIXES && a.zones <= ADDITIONAL_ZONES, "too much");
		for (unsigned i = 0; i < a.zones; i++)
			printable(a.zone[i], sizeof(a.zone[i]));
		for (unsigned i = 0; i < a.prefixes; i++)
			must(a.prefix[i].len <= 128 &&
			         additional_covers(&a, a.prefix[i].ip, a.prefix[i].len),
			     "a prefix that does not cover itself");
	}
	if (!portal_parse((char *)text, size, &p)) {
		printable(p.page, sizeof(p.page));
		printable(p.venue, sizeof(p.venue));
		must(!p.ends || p.seconds <= INT32_MAX, "a session of no length");
	}
	free(text);
	return 0;
}
