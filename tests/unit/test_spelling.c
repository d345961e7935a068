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
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(
		    spelling_distance(rows[i].word, rows[i].name), rows[i].distance);
}

static void
test_near(void **state)
{
	(void)state;
	assert_true(spelling_is_near("ls", 1));
	assert_false(spelling_is_near("ls", 2));
	assert_true(spelling_is_near("histroy", 2));
	assert_false(spelling_is_near("histroy", 3));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
