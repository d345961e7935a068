/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/text.h"
#include "scratch.h"

static void
test_additions(void **state)
{
	struct text text;

	text_init(&text, *state, 1000);
	assert_string_equal(text.data, "");
	text_add(&text, "");
	text_add_bytes(&text, NULL, 0);
	text_add(&text, "SELECT ");
	text_addf(&text, "%d,%s", 42, " x");
	text_add_char(&text, ';');
	text_add_bytes(&text, "\0!", 2);
	assert_false(text_failed(&text));
	assert_int_equal(text.len, 15);
	assert_memory_equal(text.data, "SELECT 42, x;\0!", 16);

	text_reset(&text);
	assert_string_equal(text.data, "");
	text_add(&text, "again");
	assert_string_equal(text.data, "again");
}

/* Byte by byte over each growth: nothing is lost, and the memory follows the length. */
static void
test_growth(void **state)
{
	struct text text;

	text_init(&text, *state, 100000);
	for (size_t i = 0; i < 100000; i++) {
		text_add_char(&text, (char)('a' + i % 26));
		assert_int_equal(text.len, i + 1);
		assert_int_equal(text.data[text.len], 0);
		assert_true(text.cap >= text.len && text.cap <= text.max);
	}
	for (size_t i = 0; i < 100000; i++)
		assert_int_equal(text.data[i], 'a' + i % 26);
	text_add_char(&text, '!');
	assert_true(text_failed(&text));

	text_init(&text, *state, 100000);
	text_addf(&text, "%99999s", "x"); /* in one leap */
	assert_int_equal(text.len, 99999);
}

static void
test_what_does_not_fit_empties_it(void **state)
{
	static const size_t maxima[] = { 0, 1, 5, 63, 64, 65, 127, 128, 129, 1000 };
	struct text text;

	for (size_t i = 0; i < ARRAY_SIZE(maxima); i++) {
		size_t max = maxima[i];

		text_init(&text, *state, max);
		for (size_t n = 0; n < max; n++)
			text_add(&text, "x");
		assert_false(text_failed(&text));
		assert_int_equal(text.len, max);
		text_add(&text, "x");
		assert_true(text_failed(&text));
		assert_int_equal(text.len, 0);
		assert_string_equal(text.data, "");
		/* later ones do nothing, even when they would fit */
		text_add(&text, "");
		text_addf(&text, "%s", "");
		text_add_char(&text, 'x');
		assert_true(text_failed(&text));
		assert_string_equal(text.data, "");
		text_reset(&text);
		assert_false(text_failed(&text));
	}
	text_init(&text, *state, 5);
	text_addf(&text, "%d", 123456);
	assert_true(text_failed(&text));
}

static void
test_json_string(void **state)
{
	static const struct {
		const char *text;
		const char *json;
	} rows[] = {
		{ "", "\"\"" },
		{ "plain", "\"plain\"" },
		{ "say \"hi\" \\ /", "\"say \\\"hi\\\" \\\\ /\"" },
		{ "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"" },
		{ "\x01\x1F\x7F", "\"\\u0001\\u001f\\u007f\"" },
		{ "\xC2\x80\xC2\x9B\xC2\x9F\xC2\xA0",
		    "\"\\u0080\\u009b\\u009f\xC2\xA0\"" },
		{ "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80",
		    "\"gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80\"" },
		{ "a\xFFz", "\"a\xEF\xBF\xBDz\"" },
		{ "\xF0\x9F\x98", "\"\xEF\xBF\xBD\"" },
		{ "\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct text text;

		text_init(&text, *state, 100);
		text_add_json_string(&text, rows[i].text);
		assert_string_equal(text.data, rows[i].json);
	}
}

static void
test_sql_quoting(void **state)
{
	static const struct {
		const char *text;
		const char *identifier;
		const char *literal;
	} rows[] = {
		{ "", "\"\"", "''" },
		{ "users", "\"users\"", "'users'" },
		{ "it's", "\"it's\"", "'it''s'" },
		{ "'", "\"'\"", "''''" },
		{ "''", "\"''\"", "''''''" },
		{ "a\"b", "\"a\"\"b\"", "'a\"b'" },
		{ "\"\"", "\"\"\"\"\"\"", "'\"\"'" },
		{ "a\\b", "\"a\\b\"", "E'a\\\\b'" },
		{ "\\'; DROP", "\"\\'; DROP\"", "E'\\\\''; DROP'" },
		{ "\xC3\xBC", "\"\xC3\xBC\"", "'\xC3\xBC'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct text text;

		text_init(&text, *state, 100);
		text_add_identifier(&text, rows[i].text);
		assert_string_equal(text.data, rows[i].identifier);
		text_reset(&text);
		text_add_literal(&text, rows[i].text);
		assert_string_equal(text.data, rows[i].literal);
	}
}

static void
test_shell_word(void **state)
{
	static const struct {
		const char *text;
		const char *word;
	} rows[] = {
		{ "", "''" },
		{ "/srv/x_1.2-b.sql", "/srv/x_1.2-b.sql" },
		{ "http://db1:8432", "http://db1:8432" },
		{ "--guard=on", "--guard=on" },
		{ "=ls", "'=ls'" },
		{ "two words", "'two words'" },
		{ "$(id)", "'$(id)'" },
		{ "it's", "'it'\\''s'" },
		{ "'", "''\\'''" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct text text;

		text_init(&text, *state, 100);
		text_add_word(&text, rows[i].text);
		assert_string_equal(text.data, rows[i].word);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_additions),
		SCRATCH_TEST(test_growth),
		SCRATCH_TEST(test_what_does_not_fit_empties_it),
		SCRATCH_TEST(test_json_string),
		SCRATCH_TEST(test_sql_quoting),
		SCRATCH_TEST(test_shell_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
