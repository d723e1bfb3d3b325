/* SPDX-License-Identifier: MIT */
/* What `mifcont doctor` finds: a list of checks, each with its verdict. */
#ifndef CLI_FINDINGS_H
#define CLI_FINDINGS_H

#include <stdbool.h>

enum verdict {
	VERDICT_OK,
	VERDICT_WARN, /* it works, but not as well as it could, or not always */
	VERDICT_FAIL, /* no connection can be kept */
};

struct findings;

/* NULL: out of memory. */
struct findings *findings_new(void);
void findings_free(struct findings *f);

/*
 * Adds one: `check` is its short name, `advice` what to do about it (NULL: nothing), the rest what
 * was found, as for printf. Too long a text is cut off; beyond 128 findings none is kept, which
 * counts as a failure.
 */
void findings_add(struct findings *f, enum verdict v, const char *check, const char *advice,
                  const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The worst verdict so far. */
enum verdict findings_worst(const struct findings *f);

/* On stdout, as text or as a JSON array. False: could not be written. */
bool findings_print(const struct findings *f, bool json);

#endif
