/* SPDX-License-Identifier: MIT */
/*
 * Where the records of a stream end: lines, records that say their length, Redis' own protocol
 * (RESP). Pure: bytes come in, in pieces of any size, from the stream's beginning on. Nothing is
 * kept but where in a record it is.
 */
#ifndef PRELOAD_RECORDS_H
#define PRELOAD_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

#define RECORDS_WORD 16
#define RECORDS_HEADER (POL_OFFSET_MAX + 10)

struct records {
	uint64_t at;    /* bytes seen */
	uint64_t start; /* where the record that is under way began; `at`: none is */
	bool bad;       /* the stream is not what it was said to be: nothing is known any more */
	/* of the record under way, or, at its end, of that one */
	char word[RECORDS_WORD]; /* its first word, upper case; "" where there is none */
	uint8_t first, last;     /* bytes */

	uint64_t left; /* bytes that need no look */
	uint8_t header[RECORDS_HEADER];
	unsigned have;    /* of the header */
	bool worded;      /* the first word is over */
	uint64_t pending; /* RESP: elements still to come */
	char type;        /* RESP: of the element whose first line this is; 0: its first byte */
	bool minus;
	uint64_t number;
};

/*
 * Takes bytes up to the end of the record that is under way, or all there are; how many it took.
 * records_whole() then tells which. Of a bad stream all is taken and nothing learned.
 */
size_t records_take(struct records *r, enum pol_records kind, const struct pol_length *length,
                    const uint8_t *p, size_t n);

static inline bool records_whole(const struct records *r)
{
	return !r->bad && r->start == r->at;
}

#endif
