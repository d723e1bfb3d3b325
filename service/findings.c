/* SPDX-License-Identifier: MIT */
#include "service/findings.h"

#include <string.h>

void findings_put(struct findings *f, uid_t user, const struct shared_check *c, int64_t now)
{
	struct finding *to = &f->all[0];

	for (int i = 0; i < FINDINGS; i++) {
		struct finding *k = &f->all[i];

		if (k->at && k->user == user && k->check.question == c->question &&
		    k->check.ifindex == c->ifindex) {
			to = k;
			break;
		}
		if (k->at < to->at)
			to = k;
	}
	*to = (struct finding){user, now ? now : 1, *c};
}

void findings_forget(struct findings *f, int ifindex)
{
	for (int i = 0; i < FINDINGS; i++)
		if (f->all[i].check.ifindex == ifindex)
			memset(&f->all[i], 0, sizeof(f->all[i]));
}

bool findings_next(const struct findings *f, uid_t user, int64_t now, unsigned *at,
                   struct shared_check *out)
{
	while (*at < FINDINGS) {
		const struct finding *k = &f->all[(*at)++];
		int64_t age = now - k->at;

		if (!k->at || k->user != user ||
		    age >= (k->check.says ? FINDINGS_LAST_MS : FINDINGS_ABOUT_MS))
			continue;
		*out = k->check;
		out->age_ms = (uint32_t)age;
		return true;
	}
	return false;
}
