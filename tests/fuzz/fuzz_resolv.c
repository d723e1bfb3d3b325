/* SPDX-License-Identifier: MIT */
/* The files of network managers: whatever is in them, what is taken out is whole. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/resolv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct resolv r;
	const char *text = (const char *)data;

	r.n = 0;
	resolv_conf(&r, text, size);
	resolv_keys(&r, text, size);
	resolv_device(&r, text, size, AF_INET);
	resolv_device(&r, text, size, AF_INET6);
	resolv_leases(&r, text, size, "eth0");
	assert(r.n <= PVD_ITEMS);
	for (unsigned i = 0; i < r.n; i++) {
		assert(r.item[i].info == PVD_DNS_SERVER || r.item[i].info == PVD_SEARCH_DOMAIN);
		assert(memchr(r.item[i].text, 0, sizeof(r.item[i].text)));
		assert(r.item[i].info != PVD_DNS_SERVER || r.item[i].family == AF_INET ||
		       r.item[i].family == AF_INET6);
	}
	return 0;
}
