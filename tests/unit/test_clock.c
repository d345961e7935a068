/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/macros.h"

#define S  INT64_C(1000000)
#define MS INT64_C(1000)

static void
test_format(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 999, "1970-01-01T00:00:00.000Z" },
		{ 1795154292 * S + 123999, "2026-11-20T05:58:12.123Z" },
		{ 1709251199 * S + 999999, "2024-02-29T23:59:59.999Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ -S, "1969-12-31T23:59:59.000Z" },
		{ INT64_MAX, "294247-01-10T04:00:54.775Z" },
	};
	char buf[CLOCK_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_ptr_equal(clock_format(rows[i].us, buf, sizeof(buf)), buf);
		assert_string_equal(buf, rows[i].text);
	}
}

static void
test_format_span(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = {
		{ INT64_MIN, "0 ms" },
		{ 0, "0 ms" },
		{ 999, "0 ms" },
		{ 850 * MS, "850 ms" },
		{ S - 1, "999 ms" },
		{ S, "1.0 s" },
		{ 12 * S + 499 * MS, "12.4 s" },
		{ 60 * S - 1, "59.9 s" },
		{ 60 * S, "1 min" },
		{ 239 * S, "3 min" },
		{ 3600 * S - 1, "59 min" },
		{ 3600 * S, "1 h 0 min" },
		{ 7500 * S, "2 h 5 min" },
		{ 360000 * S, "100 h 0 min" },
	};
	char buf[CLOCK_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_ptr_equal(clock_format_span(rows[i].us, buf, sizeof(buf)), buf);
		assert_string_equal(buf, rows[i].text);
	}
}

static void
test_clocks(void **state)
{
	int64_t before = clock_mono_us();
	int64_t seconds = (int64_t)time(NULL);
	int64_t now = clock_now_us() / S;

	(void)state;
	assert_in_range(now, seconds, seconds + 60);
	assert_true(clock_mono_us() >= before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_format_span),
		cmocka_unit_test(test_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
