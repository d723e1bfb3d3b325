/* SPDX-License-Identifier: MIT */
#include "service/pack.h"

#include <string.h>

void pack_start(struct packer *p, struct journal *to)
{
	p->to = to;
	p->len = 0;
	p->failed = false;
}

void pack_end(struct packer *p)
{
	if (p->len && !journal_add(p->to, p->buf, p->len))
		p->failed = true;
	p->len = 0;
}

void pack(void *packer, const void *message, size_t len)
{
	struct packer *p = packer;

	if (p->len + len > sizeof(p->buf))
		pack_end(p);
	memcpy((char *)p->buf + p->len, message, len);
	p->len += len;
}

void pack_mark(struct packer *p, enum shared_type type)
{
	uint32_t buf[SHARED_MESSAGE / sizeof(uint32_t)];

	pack(p, buf, shared_mark(buf, type));
}
