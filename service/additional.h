/* SPDX-License-Identifier: MIT */
/* The two kinds of JSON the service fetches. Pure; nothing in them is trusted. */
#ifndef SERVICE_ADDITIONAL_H
#define SERVICE_ADDITIONAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDITIONAL_PREFIXES 64
#define ADDITIONAL_ZONES 16
#define ADDITIONAL_TEXT 256

struct additional_prefix {
	uint8_t ip[16], len;
};

/* RFC 8801, section 4.3. */
struct additional {
	int64_t expires; /* milliseconds of the wall clock */
	bool no_internet;
	unsigned prefixes, zones; /* more zones are left out */
	struct additional_prefix prefix[ADDITIONAL_PREFIXES];
	char zone[ADDITIONAL_ZONES][ADDITIONAL_TEXT];
};

/* NULL, or why it cannot be used: it is not what it should be, of another domain than `id`, or out
 * of date at `now`. */
const char *additional_parse(const char *text, size_t len, const char *id, int64_t now,
                             struct additional *out);

/* Is the prefix within one that the domain says it has? */
bool additional_covers(const struct additional *a, const uint8_t ip[16], uint8_t len);

/* RFC 8908, section 5. What is not said, or is no such thing, is "" or 0. */
struct portal_answer {
	bool captive;
	char page[ADDITIONAL_TEXT], venue[ADDITIONAL_TEXT];
	bool ends; /* the session does, in so many seconds */
	uint32_t seconds;
};

const char *portal_parse(const char *text, size_t len, struct portal_answer *out);

#endif
