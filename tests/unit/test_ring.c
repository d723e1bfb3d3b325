/* SPDX-License-Identifier: MIT */
/* The ring against a model: a plain array that keeps the whole stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "session/ring.h"

#define CAP 64

static uint8_t stream_byte(uint64_t at)
{
	return (uint8_t)(at * 131 + (at >> 8));
}

static void holds_the_stream(const struct ring *r)
{
	uint64_t at = r->base;

	assert_true(r->tail - r->base <= r->cap);
	assert_int_equal(ring_used(r) + ring_room(r), r->cap);
	while (at < r->tail) {
		const void *p;
		size_t n = ring_peek(r, at, &p);

		assert_in_range(n, 1, r->tail - at);
		/* Never past the end of the memory. */
		assert_true((const uint8_t *)p + n <= r->mem + r->cap);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(((const uint8_t *)p)[i], stream_byte(at + i));
		at += n;
	}
	const void *p;

	assert_int_equal(ring_peek(r, r->tail, &p), 0);
}

static void starts_empty(void **state)
{
	uint8_t mem[CAP];
	struct ring r;

	(void)state;
	ring_init(&r, mem, sizeof(mem));
	assert_int_equal(ring_used(&r), 0);
	assert_int_equal(ring_room(&r), CAP);
	assert_true(ring_holds(&r, 0));
	assert_false(ring_holds(&r, 1));
	holds_the_stream(&r);
}

static void overflow_drops_the_oldest(void **state)
{
	uint8_t mem[CAP], data[3 * CAP];
	struct ring r;

	(void)state;
	for (uint64_t i = 0; i < sizeof(data); i++)
		data[i] = stream_byte(i);
	ring_init(&r, mem, sizeof(mem));
	ring_put(&r, data, 10);
	ring_put(&r, data + 10, CAP);
	assert_int_equal(r.base, 10);
	assert_false(ring_holds(&r, 9));
	assert_true(ring_holds(&r, 10));
	holds_the_stream(&r);
	/* More than fits at once. */
	ring_init(&r, mem, sizeof(mem));
	ring_put(&r, data, sizeof(data));
	assert_int_equal(r.tail, sizeof(data));
	assert_int_equal(r.base, sizeof(data) - CAP);
	holds_the_stream(&r);
}

static void confirm_is_clipped(void **state)
{
	uint8_t mem[CAP], data[40] = {0};
	struct ring r;

	(void)state;
	ring_init(&r, mem, sizeof(mem));
	ring_put(&r, data, sizeof(data));
	ring_confirm(&r, 30);
	ring_confirm(&r, 20);
	assert_int_equal(r.base, 30);
	ring_confirm(&r, UINT64_MAX);
	assert_int_equal(r.base, 40);
	assert_int_equal(r.tail, 40);
}

static void counts_beyond_32_bits(void **state)
{
	uint8_t mem[CAP], data[CAP];
	struct ring r;

	(void)state;
	ring_init(&r, mem, sizeof(mem));
	r.base = r.tail = 0xfffffff0;
	for (int round = 0; round < 4; round++) {
		for (size_t i = 0; i < 23; i++)
			data[i] = stream_byte(r.tail + i);
		ring_put(&r, data, 23);
		holds_the_stream(&r);
	}
	assert_int_equal(r.tail, 0xfffffff0 + 4 * 23ull);
}

static void random_walk(void **state)
{
	uint8_t mem[CAP], data[3 * CAP];
	struct ring r;

	(void)state;
	srand(1);
	ring_init(&r, mem, sizeof(mem));
	for (int step = 0; step < 20000; step++) {
		size_t len = (size_t)rand() % sizeof(data);
		uint64_t before = r.tail;
		void *p;

		switch (rand() % 3) {
		case 0:
			for (size_t i = 0; i < len; i++)
				data[i] = stream_byte(r.tail + i);
			ring_put(&r, data, len);
			assert_int_equal(r.tail, before + len);
			break;
		case 1: {
			size_t room = ring_space(&r, &p);

			assert_true(room <= ring_room(&r));
			assert_int_equal(room == 0, ring_room(&r) == 0);
			len = room ? (size_t)rand() % (room + 1) : 0;
			for (size_t i = 0; i < len; i++)
				((uint8_t *)p)[i] = stream_byte(r.tail + i);
			ring_added(&r, len);
			break;
		}
		default:
			ring_confirm(&r, r.base + (uint64_t)(rand() % (CAP + 10)));
		}
		holds_the_stream(&r);
	}
}

/* Wherever the stream stands, and however much is held. */
static void doubles_in_place(void **state)
{
	uint8_t mem[4 * CAP], data[8 * CAP];

	(void)state;
	for (uint64_t i = 0; i < sizeof(data); i++)
		data[i] = stream_byte(i);
	for (size_t base = 0; base < 5 * CAP; base++)
		for (size_t held = 0; held <= CAP; held += 7) {
			struct ring r;

			memset(mem, 0, sizeof(mem));
			ring_init(&r, mem, CAP);
			ring_put(&r, data, base + held);
			ring_confirm(&r, base);
			if (ring_used(&r) != held)
				continue;
			for (int times = 1; times <= 2; times++) {
				ring_double(&r);
				assert_int_equal(r.cap, CAP << times);
				assert_int_equal(ring_used(&r), held);
				holds_the_stream(&r);
			}
			ring_put(&r, data + r.tail, 2 * CAP);
			assert_int_equal(r.base, base);
			holds_the_stream(&r);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(starts_empty),       cmocka_unit_test(overflow_drops_the_oldest),
	    cmocka_unit_test(confirm_is_clipped), cmocka_unit_test(counts_beyond_32_bits),
	    cmocka_unit_test(random_walk),        cmocka_unit_test(doubles_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
