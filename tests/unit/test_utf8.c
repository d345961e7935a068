/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/utf8.h"

#define R "\xEF\xBF\xBD"

/* What Node.js 20 makes of these bytes with Buffer.toString(). */
static const struct {
	const char *bytes;
	size_t len;
	const char *replaced; /* NULL: valid, unchanged */
	size_t offset;        /* of the first bad byte */
} rows[] = {
	{ "", 0, NULL, 0 },
	{ "plain", 5, NULL, 0 },
	{ "a\0b", 3, NULL, 0 },
	{ "\xC2\x80\xDF\xBF", 4, NULL, 0 },
	{ "\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF", 12, NULL, 0 },
	{ "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8, NULL, 0 },
	{ "\xEF\xBB\xBFx", 4, NULL, 0 }, /* the byte order mark stays */
	{ "\xFF", 1, R, 0 },
	{ "a\xFF"
	  "b",
	    3, "a" R "b", 1 },
	{ "\x80\xBF", 2, R R, 0 },
	{ "\xC0\x80", 2, R R, 0 },
	{ "\xC1\xBF", 2, R R, 0 },
	{ "\xC3", 1, R, 0 },
	{ "\xC3(", 2, R "(", 0 },
	{ "\xE2\x82", 2, R, 0 },
	{ "\xE2\x82x", 3, R "x", 0 },
	{ "\xE2\x82\xE2\x82\xAC", 5, R "\xE2\x82\xAC", 0 },
	{ "\xE0\x9F\x80", 3, R R R, 0 },
	{ "\xED\xA0\x80", 3, R R R, 0 },
	{ "\xF0\x9F\x98", 3, R, 0 },
	{ "\xF0\x9F\x98\x41", 4, R "A", 0 },
	{ "\xF0\x8F\xBF\xBF", 4, R R R R, 0 },
	{ "\xF4\x90\x80\x80", 4, R R R R, 0 },
	{ "\xF5\x80\x80\x80", 4, R R R R, 0 },
	/* Unicode 15, table 3-8 */
	{ "\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64", 13,
	    "a" R R R "b" R "c" R R "d", 1 },
};

static void
test_replace(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *expected =
		    rows[i].replaced ? rows[i].replaced : rows[i].bytes;
		size_t expected_len = rows[i].replaced ? strlen(expected) : rows[i].len;
		/* a copy to the byte, so that a read beyond it is noticed */
		char *bytes = talloc_memdup(NULL, rows[i].bytes, rows[i].len);
		size_t len = 99;
		char *out = utf8_replace(NULL, bytes, rows[i].len, &len);

		assert_int_equal(len, expected_len);
		assert_memory_equal(out, expected, expected_len + 1);
		assert_true(utf8_is_valid(out, len, NULL));
		talloc_free(out);
		talloc_free(bytes);
	}
}

static void
test_is_valid(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t offset = 99;
		bool valid = utf8_is_valid(rows[i].bytes, rows[i].len, &offset);

		assert_int_equal(valid, rows[i].replaced == NULL);
		assert_int_equal(offset, valid ? 99 : rows[i].offset);
		assert_int_equal(utf8_is_valid(rows[i].bytes, rows[i].len, NULL), valid);
	}
}

/* Every code point there is, in its shortest form; and none that is a surrogate. */
static void
test_every_code_point(void **state)
{
	size_t skip = 0;

	(void)state;
	for (uint32_t c = 0; c <= 0x10FFFF; c++) {
		unsigned char s[4] = { (unsigned char)c };
		size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		bool surrogate = c >= 0xD800 && c < 0xE000;

		for (size_t i = len; len > 1 && i-- > 1;)
			s[i] = (unsigned char)(0x80 | (c >> (6 * (len - 1 - i)) & 0x3F));
		if (len > 1)
			s[0] =
			    (unsigned char)((0xF00 >> len & 0xFF) | c >> (6 * (len - 1)));
		assert_int_equal(utf8_sequence(s, len, &skip), surrogate ? 0 : len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_is_valid),
		cmocka_unit_test(test_every_code_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
