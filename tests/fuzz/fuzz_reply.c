/* SPDX-License-Identifier: MIT */
/* The answer to a connectivity check: from whoever is in the way. */
#include <stdlib.h>
#include <string.h>

#include "policy/reply.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *expect = size && data[0] & 1 ? "online" : NULL;

	if (!size || size > REPLY_MAX)
		return 0;
	enum pol_connectivity whole = reply_says((const char *)data + 1, size - 1, true, expect);

	must(whole != POL_NET_UNKNOWN && whole <= POL_NET_FULL, "no answer from all of it");
	/* What was said of a part holds; each part is memory of its own, so that its end is seen.
	 */
	for (size_t n = 0; n < size; n += 1 + n / 8) {
		char *part = malloc(n + !n);

		must(part != NULL, "no memory");
		memcpy(part, data + 1, n);
		enum pol_connectivity says = reply_says(part, n, false, expect);

		must(says == POL_NET_UNKNOWN || says == whole, "another answer from more of it");
		free(part);
	}
	return 0;
}
