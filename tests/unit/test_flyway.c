/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "core/flyway.h"

static void
test_is_version(void **state)
{
	static const struct {
		const char *text;
		bool is;
	} rows[] = {
		{ "1", true },
		{ "1.10", true },
		{ "1_10", true },
		{ "20240101120000.1.2.3", true },
		{ "", false },
		{ ".1", false },
		{ "1.", false },
		{ "1_", false },
		{ "1..2", false },
		{ "1._2", false },
		{ "1a", false },
		{ "a", false },
		{ "1-2", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(
		    flyway_is_version(rows[i].text, strlen(rows[i].text)), rows[i].is);
}

static void
test_compare(void **state)
{
	static const struct {
		const char *a, *b;
		int order;
	} rows[] = {
		{ "1", "1", 0 },
		{ "1", "2", -1 },
		{ "1.9", "1.10", -1 },
		{ "1.0", "1", 0 },
		{ "1.0.0", "1", 0 },
		{ "1", "1.0.1", -1 },
		{ "001", "1", 0 },
		{ "1.02", "1.2", 0 },
		{ "2", "10", -1 },
		{ "99999999999999999999999998", "99999999999999999999999999", -1 },
		{ "20240101", "3.1", 1 },
		{ "0", "0.0", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int there = flyway_compare(rows[i].a, rows[i].b);
		int back = flyway_compare(rows[i].b, rows[i].a);

		assert_int_equal((there > 0) - (there < 0), rows[i].order);
		assert_int_equal((back > 0) - (back < 0), -rows[i].order);
	}
}

/* CRC-32 of "123456789" is CBF43926 (its check value), as a signed number. */
static void
test_checksum(void **state)
{
	static const struct {
		const char *text, *checksum;
	} rows[] = {
		{ "", "0" },
		{ "123456789", "-873187034" },
		{ "123\n456\r\n789\n\n", "-873187034" },
		{ "123\r456789", "-873187034" },
		{ "\xEF\xBB\xBF"
		  "123456789",
		    "-873187034" },
		{ "\xEF\xBB\xBF", "0" },
		{ "a", "-390611389" },
		{ "\xC3\xBC", "1675192789" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char checksum[FLYWAY_CHECKSUM];

		flyway_checksum(rows[i].text, strlen(rows[i].text), checksum);
		assert_string_equal(checksum, rows[i].checksum);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_version),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
