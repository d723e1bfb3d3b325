/* SPDX-License-Identifier: MIT */
/* What a program speaks by its first bytes. */
#include "preload/first.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of its own size, so that a look beyond the end is seen. */
	size_t n = size < FIRST_BYTES ? size : FIRST_BYTES;
	uint8_t *p = malloc(n ? n : 1);

	must(p != NULL, "memory");
	memcpy(p, data, n);
	enum first f = first_of(p, n);

	must(f >= FIRST_UNKNOWN && f <= FIRST_SSH, "no answer");
	must(f == first_of(data, size), "an answer that depends on what comes later");
	must(f != FIRST_SSH || p[0] == 'S', "no banner");
	must(f != FIRST_TLS || (p[0] == 22 && p[5] == 1), "no ClientHello");
	must(f != FIRST_HTTP || memchr(p, ' ', n), "no request line");
	free(p);
	return 0;
}
