/* SPDX-License-Identifier: MIT */
/* The ends of records in a stream: in one piece and in many they are the same. */
#include "preload/records.h"
#include "tests/fuzz/input.h"

#define ENDS 4096

static struct pol_length take_length(struct input *in)
{
	static const int widths[] = {1, 2, 3, 4, 8, POL_WIDTH_VARINT, POL_WIDTH_DECIMAL, 5};
	uint8_t how = take_u8(in);

	return (struct pol_length){.width = widths[how % 8],
	                           .little = how & 8,
	                           .counts = (enum pol_counts)((how >> 4) % 3),
	                           .offset = take_u8(in) % (POL_OFFSET_MAX + 1)};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t whole[ENDS], pieces[ENDS];
	struct input in = {data, size};
	enum pol_records kind = (enum pol_records)(take_u8(&in) % 4);
	struct pol_length length = take_length(&in);
	size_t piece = 1 + take_u8(&in) % 7, n = 0, m = 0;
	struct records r = {0}, s = {0};

	for (size_t at = 0; at < in.left;) {
		size_t took = records_take(&r, kind, &length, in.p + at, in.left - at);

		must(took && took <= in.left - at, "took nothing, or more than there is");
		at += took;
		must(r.at == at && r.start <= at, "lost count");
		must(strlen(r.word) < RECORDS_WORD, "a word without an end");
		if (records_whole(&r) && n < ENDS)
			whole[n++] = at;
	}
	for (size_t at = 0; at < in.left;) {
		size_t most = in.left - at < piece ? in.left - at : piece;

		at += records_take(&s, kind, &length, in.p + at, most);
		if (records_whole(&s) && m < ENDS)
			pieces[m++] = at;
	}
	must(r.bad == s.bad && n == m && memcmp(whole, pieces, n * sizeof(*whole)) == 0,
	     "ends that depend on the pieces");
	return 0;
}
