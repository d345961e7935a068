/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/duration.h"
#include "base/macros.h"

static void
test_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: none */
	} rows[] = {
		{ "0", 0 },
		{ "0s", 0 },
		{ "250ms", 250 },
		{ "10s", 10000 },
		{ "5min", 300000 },
		{ "2h", 7200000 },
		{ "1d", 86400000 },
		{ "10", -1 },
		{ "", -1 },
		{ "s", -1 },
		{ "-1s", -1 },
		{ "+1s", -1 },
		{ " 1s", -1 },
		{ "1 s", -1 },
		{ "1s ", -1 },
		{ "1.5s", -1 },
		{ "1S", -1 },
		{ "9223372036854775807ms", INT64_MAX },
		{ "9223372036854775808ms", -1 },
		{ "9223372036854775807s", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t ms = -1;

		if (duration_parse(rows[i].text, &ms) != (rows[i].ms >= 0))
			fail_msg("\"%s\"", rows[i].text);
		if (rows[i].ms >= 0)
			assert_int_equal(ms, rows[i].ms);
	}
}

static void
test_units_go_from_long_to_short(void **state)
{
	(void)state;
	for (size_t i = 1; i < DURATION_UNITS; i++)
		assert_true(duration_units[i - 1].ms > duration_units[i].ms);
	assert_int_equal(duration_units[DURATION_UNITS - 1].ms, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_units_go_from_long_to_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
