/* SPDX-License-Identifier: MIT */
/* The opening of a connection that is dialled again, with a program and a peer that say anything.
 */
#include "preload/opening.h"
#include "tests/fuzz/input.h"

static struct opening o;

/* What the program wrote and read, in pieces. */
static void record(struct input *in, uint64_t *was_read, uint64_t *written)
{
	for (unsigned turns = take_u8(in) % 40; turns && in->left; turns--) {
		uint8_t how = take_u8(in);
		size_t n = how >> 1 < in->left ? how >> 1 : in->left;

		if (!n)
			continue;
		if (how & 1)
			opening_wrote(&o, in->p, n);
		else
			opening_read(&o, in->p, n);
		*(how & 1 ? written : was_read) += n;
		in->p += n;
		in->left -= n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pol_rule rule;
	struct opening_again a = {0};
	struct input in = {data, size};
	uint64_t was_read = 0, written = 0;
	size_t len;

	rule = (struct pol_rule){.records = (enum pol_records)(1 + take_u8(&in) % 3),
	                         .length = {.offset = 1, .width = POL_WIDTH_VARINT},
	                         .opening = POL_OPENING_RECORDED};
	if (rule.records != POL_RECORDS_LENGTH && take_u8(&in) & 1)
		rule.opening_words = "A EHLO AUTH", rule.binding_words = "B MULTI";
	if (rule.records == POL_RECORDS_LINE && take_u8(&in) & 1)
		rule.answer_ends = "END #";
	if (rule.answer_ends && take_u8(&in) & 1)
		rule.opening = POL_OPENING_NONE;
	if (take_u8(&in) % 8 == 0) {
		rule.opening = POL_OPENING_SCRIPT;
		rule.step[0] = (struct pol_step){false, (char *)"220 *"};
		rule.step[1] = (struct pol_step){true, (char *)"a\r\n"};
		rule.step[2] = (struct pol_step){false, (char *)"2?0*"};
		rule.steps = 3;
	}
	memset(&o, 0, sizeof(o));
	opening_begin(&o, &rule);
	record(&in, &was_read, &written);
	must(o.used <= sizeof(o.bytes) && o.turns <= OPENING_TURNS, "more than there is room for");
	must(o.end <= written, "an end beyond what was written");
	if (opening_stands(&o, was_read, written))
		return 0;
	/* Ends, one way or the other, when the peer's bytes do. */
	for (size_t said = 0; !opening_done(&o, &a);) {
		const void *p = opening_say(&o, &a, &len);

		if (p) {
			must(len && (said += len) <= 2 * sizeof(o.bytes),
			     "says more than it knows");
			opening_said(&o, &a, len);
			continue;
		}
		if (!in.left)
			break;
		int took = opening_hear(&o, &a, in.p, in.left);

		if (took < 0)
			break;
		must(took > 0 && (size_t)took <= in.left, "takes nothing, or more than there is");
		in.p += took;
		in.left -= (size_t)took;
	}
	return 0;
}
