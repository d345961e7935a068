/* SPDX-License-Identifier: PostgreSQL */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/spelling.h"

#define LONG_WORD "0123456789012345678901234567890123456789012345678901234567890123"

static void
test_distance(void **state)
{
	static const struct {
		const char *word, *name;
		unsigned distance;
	} rows[] = {
		{ "status", "status", 0 },
		{ "statsu", "status", 2 },
		{ "stats", "status", 1 },
		{ "sta", "status", 1 }, /* a beginning */
		{ "st", "status", 4 },
		{ "", "abc", 3 },
		{ "abc", "", 3 },
		{ "xstatus", "status", 1 },
		{ LONG_WORD, "status", UINT_MAX },
		{ "status", LONG_WORD, UINT_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spelling spelling = { .word = rows[i].word };

		spelling_try(&spelling, rows[i].name);
		assert_int_equal(spelling.distance, rows[i].distance);
	}
}

static void
test_nearest(void **state)
{
	static const struct {
		const char *word;
		const char *nearest;
	} rows[] = {
		{ "l", "ls" }, { "xl", NULL }, { "histroy", "history" },
		{ "histyro", "history" }, { "hysotri", NULL }, { "sl", NULL },
		{ "la", "ls" }, /* the first of two */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spelling spelling = { .word = rows[i].word };

		assert_null(spelling_nearest(&spelling));
		spelling_try(&spelling, "history");
		spelling_try(&spelling, "ls");
		spelling_try(&spelling, "lb");
		if (rows[i].nearest)
			assert_string_equal(spelling_nearest(&spelling), rows[i].nearest);
		else
			assert_null(spelling_nearest(&spelling));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
