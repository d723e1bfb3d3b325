/* SPDX-License-Identifier: MIT */
#include "preload/records.h"

#include <string.h>

/* Longer than anybody's record; what says so is not made of records. */
#define LONGEST (UINT64_C(1) << 40)
#define MANY (UINT64_C(1) << 32)
#define DIGITS 10

static bool letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static void word_byte(struct records *r, uint8_t c)
{
	size_t n = strlen(r->word);

	if (r->worded)
		return;
	if (!letter(c) && n)
		r->worded = true;
	else if (letter(c) && n < RECORDS_WORD - 1)
		r->word[n] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

static void begin(struct records *r, uint8_t first)
{
	memset(r->word, 0, sizeof(r->word));
	r->first = first;
	r->worded = false;
	r->have = 0;
	r->pending = 1;
	r->type = 0;
}

/* --- lines --- */

static size_t line(struct records *r, const uint8_t *p, size_t n, bool *over)
{
	const uint8_t *end = memchr(p, '\n', n);

	n = end ? (size_t)(end - p) + 1 : n;
	for (size_t i = 0; i < n && !r->worded; i++)
		word_byte(r, p[i]);
	*over = end != NULL;
	return n;
}

/* --- records with a length --- */

/* The value of the length that ends with the header as it is; false: it has not ended. */
static bool length_read(struct records *r, const struct pol_length *l, uint64_t *value)
{
	const uint8_t *field = r->header + l->offset;
	unsigned n = r->have > (unsigned)l->offset ? r->have - (unsigned)l->offset : 0;

	*value = 0;
	if (!n)
		return false;
	if (l->width == POL_WIDTH_VARINT) {
		for (unsigned i = 0; i < n; i++)
			*value |= (uint64_t)(field[i] & 0x7f) << (7 * i);
		r->bad = field[n - 1] & 0x80 && n == DIGITS;
		return !(field[n - 1] & 0x80);
	}
	if (l->width == POL_WIDTH_DECIMAL) {
		bool over = field[n - 1] == ' ';

		for (unsigned i = 0; i < n - over; i++) {
			r->bad = r->bad || field[i] < '0' || field[i] > '9';
			*value = *value * 10 + (uint64_t)(field[i] - '0');
		}
		r->bad = r->bad || n == (over ? 1 : DIGITS);
		return over;
	}
	if (n < (unsigned)l->width)
		return false;
	for (int i = 0; i < l->width; i++)
		*value = *value << 8 | field[l->little ? l->width - 1 - i : i];
	return true;
}

static size_t lengthy(struct records *r, const struct pol_length *l, const uint8_t *p, bool *over)
{
	uint64_t value, counted;

	r->header[r->have++] = *p;
	if (!length_read(r, l, &value))
		return 1;
	counted = l->counts == POL_COUNTS_RECORD  ? r->have
	          : l->counts == POL_COUNTS_FIELD ? r->have - (unsigned)l->offset
	                                          : 0;
	if (value < counted || value > LONGEST) {
		r->bad = true;
		return 1;
	}
	r->left = value - counted;
	*over = r->left == 0;
	return 1;
}

/* --- RESP --- */

/* The line that begins an element is over. */
static void element(struct records *r)
{
	uint64_t more = 0;
	bool null = r->minus;

	switch (r->type) {
	case '$':
	case '=':
	case '!':
		r->left = null ? 0 : r->number + 2;
		break;
	case '*':
	case '~':
	case '>':
		more = null ? 0 : r->number;
		break;
	case '%':
		more = 2 * r->number;
		break;
	case '|':
		more = 2 * r->number + 1;
		break;
	default:
		break;
	}
	r->type = 0;
	r->pending += more - 1;
	r->bad = r->bad || r->pending > MANY || r->left > LONGEST;
}

static bool counted(char type)
{
	return type && strchr("$=!*~>%|", type);
}

static size_t resp(struct records *r, const uint8_t *p, size_t n, bool *over)
{
	size_t i = 0;

	while (i < n && !r->left && !r->bad && r->pending) {
		uint8_t c = p[i++];

		if (!r->type) {
			/* What is no element is a command as one types it: a line. */
			r->type = (char)(c ? c : 1);
			r->number = r->have = 0;
			r->minus = false;
			if (!counted(r->type))
				word_byte(r, c);
			if (c != '\n')
				continue;
		}
		if (c == '\n') {
			element(r);
		} else if (counted(r->type)) {
			r->minus = r->minus || c == '-';
			r->bad = c != '-' && c != '\r' && (c < '0' || c > '9' || ++r->have > 12);
			if (c >= '0' && c <= '9')
				r->number = r->number * 10 + (uint64_t)(c - '0');
		} else {
			word_byte(r, c);
		}
	}
	*over = !r->pending && !r->left;
	return i;
}

/* --- all of them --- */

static size_t skip(struct records *r, enum pol_records kind, const uint8_t *p, size_t n, bool *over)
{
	n = n < r->left ? n : (size_t)r->left;
	for (size_t i = 0; kind == POL_RECORDS_RESP && i < n && !r->worded; i++)
		word_byte(r, p[i]);
	r->left -= n;
	*over = r->left == 0 && (kind != POL_RECORDS_RESP || !r->pending);
	return n;
}

size_t records_take(struct records *r, enum pol_records kind, const struct pol_length *length,
                    const uint8_t *p, size_t n)
{
	bool over = false;
	size_t took = 0;

	while (took < n && !over && !r->bad) {
		size_t k;

		if (r->at == r->start)
			begin(r, p[took]);
		if (r->left)
			k = skip(r, kind, p + took, n - took, &over);
		else if (kind == POL_RECORDS_LINE)
			k = line(r, p + took, n - took, &over);
		else if (kind == POL_RECORDS_LENGTH)
			k = lengthy(r, length, p + took, &over);
		else if (kind == POL_RECORDS_RESP)
			k = resp(r, p + took, n - took, &over);
		else
			k = n - took;
		took += k;
		r->at += k;
		r->last = p[took - 1];
	}
	if (r->bad) {
		r->at += n - took;
		return n;
	}
	if (over)
		r->start = r->at;
	return took;
}
