/* SPDX-License-Identifier: MIT */
#include "relay/proxy.h"

#include <string.h>

#include "common/bytes.h"

static void put_ip(const struct ses_addr *a, bool v6, uint8_t *out)
{
	if (!v6) {
		memcpy(out, a->ip, 4);
	} else if (a->family == 6) {
		memcpy(out, a->ip, 16);
	} else {
		memset(out, 0, 10);
		out[10] = out[11] = 0xff;
		memcpy(out + 12, a->ip, 4);
	}
}

size_t proxy_header(const struct ses_addr *from, const struct ses_addr *to, uint8_t *out)
{
	static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
	                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
	bool v6 = from->family == 6 || to->family == 6;
	size_t ip = v6 ? 16 : 4;

	memcpy(out, signature, sizeof(signature));
	out[12] = 0x21;             /* version 2, on behalf of somebody */
	out[13] = v6 ? 0x21 : 0x11; /* TCP */
	put_be16(out + 14, (uint16_t)(2 * ip + 4));
	put_ip(from, v6, out + 16);
	put_ip(to, v6, out + 16 + ip);
	put_be16(out + 16 + 2 * ip, from->port);
	put_be16(out + 18 + 2 * ip, to->port);
	return 20 + 2 * ip;
}
